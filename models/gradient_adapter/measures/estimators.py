"""What each gradient adapter sends through one and the same network of signs."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from minigrad import nn, no_grad, tensor
from minigrad.inspect import Flow, gradient_flow
from models.experiments.data import Part
from models.experiments.loop import Training

Floats = npt.NDArray[np.floating]


class Sent(NamedTuple):
    """What an adapter sends to the nets of a layer.

    Attributes:
        gradient: (N, D), of each example's own loss.
        gain: norm below the sign by that above it.
        blocked: share of elements that are 0 though what came from above was not.
        units_blocked: share of units of which that holds for every example.
    """

    gradient: Floats
    gain: float
    blocked: float
    units_blocked: float


@contextmanager
def adapted(model: nn.Module, adapter: str) -> Generator[None]:
    """Give all signs of a model an adapter inside the block."""
    signs = [part for part in model.modules() if isinstance(part, nn.Sign)]
    before = [sign.adapter for sign in signs]
    try:
        for sign in signs:
            sign.adapter = adapter
        yield
    finally:
        for sign, old in zip(signs, before, strict=True):
            sign.adapter = old


def sent(training: Training, part: Part, layers: tuple[str, ...]) -> dict[str, Sent]:
    """Record what reaches the nets of layers, on the examples of part."""
    with gradient_flow(training.model, keep="arrays") as flow:
        training.loss(part.images, part.labels).backward()
    training.optimizer.zero_grad()
    return {layer: _sent(flow, layer, len(part.labels)) for layer in layers}


def _sent(flow: Flow, layer: str, count: int) -> Sent:
    target = flow.into(f"{layer}/linear#1")
    above = flow.into(f"{layer.replace('layer', 'activation')}/sign#1")
    below: Any = target.array
    stopped = (below == 0) & (np.asarray(above.array) != 0)
    return Sent(
        # The loss is a mean over examples.
        gradient=np.asarray(below, np.float64) * count,
        gain=target.edges[0].measures.gain or 0.0,
        blocked=float(stopped.mean()),
        units_blocked=float(stopped.all(axis=0).mean()),
    )


def results_of(training: Training, images: Any) -> list[Floats]:
    """Give what each module of a sequential model makes of images, in their order."""
    found: list[Floats] = []
    with no_grad():
        x = tensor(training.as_input(images))
        for part in training.model:  # type: ignore[attr-defined]
            x = part(x)
            found.append(x.numpy())
    return found


def cosine(a: Floats, b: Floats) -> float:
    """Cosine of the angle between two arrays as vectors; 0 if one is 0."""
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float((a * b).sum()) / norms if norms else 0.0


def spread(
    training: Training, weights: Mapping[str, Any], count: int
) -> dict[str, float]:
    """How gradients of weights vary over count minibatches of the training images.

    Returns, by layer, the trace of the covariance of the weight's gradient over the
    squared norm of its mean: about count where that mean drowns. There are fewer
    minibatches where the images do not suffice.
    """
    part, size = training.examples.train, training.batch_size
    count = min(count, len(part.labels) // size)
    sums = {layer: np.zeros(weight.shape) for layer, weight in weights.items()}
    squares = dict.fromkeys(weights, 0.0)
    for start in range(0, count * size, size):
        window = slice(start, start + size)
        training.loss(part.images[window], part.labels[window]).backward()
        for layer, weight in weights.items():
            gradient = weight.grad.numpy().astype(np.float64)
            sums[layer] += gradient
            squares[layer] += float((gradient * gradient).sum())
        training.optimizer.zero_grad()
    return {layer: _ratio(sums[layer] / count, squares[layer], count) for layer in sums}


def _ratio(mean: Floats, squares: float, count: int) -> float:
    squared = float((mean * mean).sum())
    trace = (squares - count * squared) / (count - 1)
    return trace / squared if squared else 0.0
