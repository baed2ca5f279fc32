"""Where the gradient of GAAF with ReLU goes: to the side where the output is 0.

    dx = dy [x > 0] + dy s(x) + dy g(x) s'(x)      activation, acceleration, shape

For x < 0 the output is 0 and the loss depends on x no more, but s(x) = sigmoid(x + a)
is near 1 there for a = 4, so that the unit, which is off, gets almost all of dy. How
much that is, and how far it turns a step away from the loss's own gradient, is measured
on one batch: once with all terms, once with activation alone, which is that gradient.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigrad import nn
from minigrad.backend import array_module
from minigrad.inspect import Edge, Flow, drop, gradient_flow
from models.experiments.experiment import Explanation
from models.experiments.loop import Training
from models.experiments.tables import Table, as_text
from models.gaaf.cnn import CnnConfig, restore, weights_of

LEGEND = """\
nets < 0: of those that get a gradient, the share whose unit is off. their part: share
of the sum of |gradient| of the layer's nets that goes to them. acceleration: share of
that term in the gradient, as `share` of an edge. cosine: of the angle between what the
layer's weights get and the gradient of the loss, without acceleration and shape."""

Measured = dict[str, dict[str, float]]
"""Measure -> layer -> number."""


def dead_side(training: Training, size: int) -> Measured:
    """Measure the first size training examples; nothing where nothing is GAAF.

    Returns nets_off and gradient_off in percent, acceleration, and cosine, which also
    knows output; a measure is 0 where the gradients that it compares are.
    """
    if not _layers_of_activations(training.model):
        return {}
    sides, accelerated = _sides(training, size)
    with drop(("acceleration", "shape"), kernel="gaaf"):
        true = _weight_gradients(training, size)
    cosines = {name: _cosine(accelerated[name], dw) for name, dw in true.items()}
    return {**sides, "cosine": cosines}


def _sides(training: Training, size: int) -> tuple[Measured, dict[str, Any]]:
    """Measures of the nets by layer, and the gradients of the weights."""
    layers = _layers_of_activations(training.model)
    with gradient_flow(training.model, kernel="gaaf", keep="arrays") as flow:
        gradients = _weight_gradients(training, size)
    found: Measured = {"nets_off": {}, "gradient_off": {}, "acceleration": {}}
    for target in flow.targets.values():
        for edge in target.edges:
            for name, number in _side(edge).items():
                found[name][layers[edge.module]] = number
    return found, gradients


def _side(edge: Edge) -> dict[str, float]:
    terms = {term.name: term for term in edge.terms}
    names = ("activation", "acceleration", "shape")
    arrays: list[Any] = [terms[name].array for name in names]
    activation, acceleration, shape = arrays
    xp = array_module(activation)
    # Nets that no dy reached have no acceleration either, and are left out.
    off, reached = activation == 0, acceleration != 0
    size = xp.abs(activation + acceleration + shape).astype("float64")
    return {
        "nets_off": _percent((off & reached).sum(), reached.sum()),
        "gradient_off": _percent(size[off].sum(), size.sum()),
        "acceleration": terms["acceleration"].measures.share or 0.0,
    }


def _percent(part: Any, whole: Any) -> float:
    return 100 * float(part) / float(whole) if float(whole) else 0.0


def _weight_gradients(training: Training, size: int) -> dict[str, Any]:
    """Gradients of the weights by layer, of the first size training examples."""
    images, labels = training.examples.train
    training.model.train()
    training.model.zero_grad()
    training.loss(images[:size], labels[:size]).backward()
    return {
        layer: weight.grad.data.astype("float64")
        for layer, (_, weight) in weights_of(training.model).items()
    }


def _cosine(one: Any, other: Any) -> float:
    norms = float((one * one).sum() * (other * other).sum()) ** 0.5
    return float((one * other).sum()) / norms if norms else 0.0


def _layers_of_activations(model: nn.Module) -> dict[str, str]:
    """Name of each GAAF module -> name of the layer whose nets it activates."""
    weights, layer = weights_of(model), ""
    found: dict[str, str] = {}
    for name, part in model.named_children():
        layer = name if name in weights else layer
        if isinstance(part, nn.GAAF):
            found[name] = layer
    return found


def explain(config: CnnConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Show where the gradient of the trained GAAF network of seed 0 goes."""
    training = restore(config, "gaaf", checkpoints["gaaf"])
    found = dead_side(training, config.batch_size)
    with gradient_flow(training.model) as flow:
        _weight_gradients(training, config.batch_size)
    return Explanation(_text(found, flow), _sentence(found), flow)


def _text(found: Measured, flow: Flow) -> str:
    title = "Gradient of the trained GAAF network"
    nets = [
        target.table()
        for target in flow.targets.values()
        if any(edge.kernel == "gaaf" for edge in target.edges)
    ]
    return "\n\n".join([title, str(flow), *nets, as_text(layer_table(found)), LEGEND])


def layer_table(found: Measured) -> Table:
    """One row a layer."""
    rows = tuple(
        (
            layer,
            *(
                f"{found[name][layer]:{form}}{unit}" if layer in found[name] else "-"
                for name, form, unit in (
                    ("acceleration", ".2f", ""),
                    ("nets_off", ".0f", " %"),
                    ("gradient_off", ".0f", " %"),
                    ("cosine", ".2f", ""),
                )
            ),
        )
        for layer in found["cosine"]
    )
    header = ("layer", "acceleration", "nets < 0", "their part", "cosine")
    return Table("The nets of each layer, and the weights' gradient", header, rows)


def _sentence(found: Measured) -> str:
    first, last = (list(found["gradient_off"])[at] for at in (0, -1))
    off, cosine = found["gradient_off"], found["cosine"]
    return (
        f"Of the gradient that reaches the nets, {off[first]:.0f} % in {first} and "
        f"{off[last]:.0f} % in {last} goes to nets below 0, whose units are off: the "
        "loss does not depend on them, and all of it is acceleration. The weights are "
        f"moved by it as well, so the gradient of {first} has a cosine of "
        f"{cosine[first]:.2f} with that of the loss, that of {last} one of "
        f"{cosine[last]:.2f}."
    )
