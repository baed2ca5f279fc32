"""What dropout's masks do to the gradients that reach the nets of a trained network.

A net z, one number per unit and image, gets the gradient dz = s dh, where dh arrives at
the unit's output, and s = tanh'(z). All are recorded once without masks, z0, s0, dh0,
dz0, and in passes with masks. Units are told apart by z0 alone.

By how much masks raise the mean of |dz|, in nats, is the sum of three parts (`split`).
"""

import math
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy import ndarray

from minigrad import functional as F
from minigrad import tensor
from minigrad.backend import to_host
from minigrad.inspect import gradient_flow, outputs
from models.experiments.loop import Training
from models.gaaf.common import LAYERS

PASSES = 20
EDGES = np.linspace(0, 6, 13)
"""Of the bins of |z0|; the last bin holds what lies beyond, too."""
GROUPS = {
    "all": (0.0, np.inf),
    "linear": (0.0, 1.0),
    "bent": (1.0, 2.0),
    "saturated": (2.0, np.inf),
}
"""Ranges of |z0|."""


class Pass(NamedTuple):
    """One backward pass, by layer: arrays (N, J) over images and units, on the host.

    Attributes:
        nets: z.
        slopes: tanh'(z).
        arriving: dL/dh, where L is the sum over the images.
        leaving: dL/dz.
        start: mean |dL/dlogit|.
        loss: mean over the images, in nats.
    """

    nets: dict[str, ndarray]
    slopes: dict[str, ndarray]
    arriving: dict[str, ndarray]
    leaving: dict[str, ndarray]
    start: float
    loss: float


def slope(z: Any) -> ndarray:
    """Return tanh'(z), as the engine computes it."""
    leaf = tensor(z, requires_grad=True)
    F.tanh(leaf).sum().backward()
    return leaf.grad.numpy()


def run(training: Training, images: Any, labels: Any, *, masks: bool) -> Pass:
    """Run one pass of the loss of images forward and backward."""
    model = training.model
    model.train(masks)
    model.zero_grad()
    hidden = {layer: f"activation{layer[-1]}/tanh#1" for layer in LAYERS}
    nets = {layer: f"{layer}/linear#1" for layer in LAYERS}
    names = (*hidden.values(), *nets.values(), "output/linear#1")
    with (
        outputs(model, *LAYERS) as seen,
        gradient_flow(model, name=names, keep="arrays") as flow,
    ):
        loss = training.loss(images, labels)
        loss.backward()
    values = {layer: to_host(seen[layer][0]) for layer in LAYERS}

    def gradient(name: str) -> ndarray:
        # The loss is a mean over images; L is their sum.
        return to_host(flow.into(name).array) * len(labels)

    return Pass(
        values,
        {layer: slope(z) for layer, z in values.items()},
        {layer: gradient(name) for layer, name in hidden.items()},
        {layer: gradient(name) for layer, name in nets.items()},
        float(np.abs(gradient("output/linear#1")).mean()),
        loss.item(),
    )


# -- means over passes, images and units -----------------------------------------------

PRODUCTS = ("slope", "gradient", "slope_before", "arriving_before", "inward")
"""slope: s = tanh'(z). gradient: |dz| = s |dh|. slope_before, arriving_before: s0 |dh|
and s |dh0|, one factor as it is without masks. inward: s where |z| < |z0|, else 0."""


class Means(NamedTuple):
    """Means over passes.

    Attributes:
        products: layer -> name in PRODUCTS -> (N, J).
        variances: layer -> variance of the nets (ddof 1), mean over images and units; 0
            of a single pass.
        start, loss: those of Pass.
    """

    products: dict[str, dict[str, ndarray]]
    variances: dict[str, float]
    start: float
    loss: float


def _products(now: Pass, before: Pass, layer: str) -> dict[str, ndarray]:
    z, s, dh = now.nets[layer], now.slopes[layer], np.abs(now.arriving[layer])
    s0, dh0 = before.slopes[layer], np.abs(before.arriving[layer])
    dz, inward = np.abs(now.leaving[layer]), np.abs(z) < np.abs(before.nets[layer])
    found = (s, dz, s0 * dh, s * dh0, s * inward)
    return dict(zip(PRODUCTS, found, strict=True))


def mean_over(passes: Iterable[Pass], before: Pass) -> Means:
    """Average passes, which are seen one at a time; before is the one without masks."""
    sums: Any = {layer: dict.fromkeys(PRODUCTS, 0.0) for layer in LAYERS}
    moves: Any = dict.fromkeys(LAYERS, (0.0, 0.0))
    starts: list[float] = []
    losses: list[float] = []
    for one in passes:
        for layer in LAYERS:
            for name, product in _products(one, before, layer).items():
                sums[layer][name] = sums[layer][name] + product.astype("float64")
            # From z0, because a small variance would be lost in a large mean.
            move = one.nets[layer].astype("float64") - before.nets[layer]
            first, second = moves[layer]
            moves[layer] = first + move, second + move * move
        starts.append(one.start)
        losses.append(one.loss)
    count = len(losses)
    return Means(
        {
            layer: {name: np.asarray(total) / count for name, total in found.items()}
            for layer, found in sums.items()
        },
        {
            layer: float(np.mean(second - first * first / count)) / max(count - 1, 1)
            for layer, (first, second) in moves.items()
        },
        float(np.mean(starts)),
        float(np.mean(losses)),
    )


def by_group(means: Means, layer: str, net: ndarray) -> dict[str, dict[str, float]]:
    """Average products over each group of |z0|; 0 where a group is empty.

    Returns group -> {"share": of all units and images, product: its mean, ...}.
    """
    size, found = np.abs(net), dict[str, dict[str, float]]()
    for group, (low, high) in GROUPS.items():
        inside = (size >= low) & (size < high)
        found[group] = {"share": float(inside.mean())}
        for name, product in means.products[layer].items():
            found[group][name] = float(product[inside].mean()) if inside.any() else 0.0
    return found


def by_bin(
    means: Means, layer: str, net: ndarray
) -> dict[str, list[float] | list[float | None]]:
    """Average slope and gradient over each bin of |z0|; None where it is empty.

    Returns {"share": [...], "slope": [...], "gradient": [...]}.
    """
    count = len(EDGES) - 1
    bins = np.minimum(np.digitize(np.abs(net), EDGES) - 1, count - 1).ravel()
    members = np.bincount(bins, minlength=count)
    found: dict[str, Any] = {"share": (members / bins.size).tolist()}
    for name in ("slope", "gradient"):
        sums = np.bincount(bins, means.products[layer][name].ravel(), count)
        pairs = zip(sums.tolist(), members.tolist(), strict=True)
        found[name] = [total / n if n else None for total, n in pairs]
    return found


# -- what the increase is made of ------------------------------------------------------


def own_slope(
    still: Mapping[str, float], masked: Mapping[str, float]
) -> tuple[float, float]:
    """Split ln(mean |dz| masked / still) into what is due to tanh'(z), and to dh.

    Each of the two factors of |dz| = s |dh| is exchanged for its masked values, once
    before and once after the other one; the mean of both logarithms is its part, and
    the parts add up exactly. Arguments are those of one group of by_group; both parts
    are 0 if it is empty.
    """
    before, after = still["gradient"], masked["gradient"]
    if not before:
        return 0.0, 0.0
    by_slope, by_arriving = masked["arriving_before"], masked["slope_before"]
    part = 0.5 * (math.log(by_slope / before) + math.log(after / by_arriving))
    return part, math.log(after / before) - part


def split(
    start: float, parts: Mapping[str, tuple[float, float]]
) -> dict[str, dict[str, float]]:
    """Split ln(mean |dz| masked / still) of each layer into where it comes from.

    Args:
        start: ln(mean |dL/dlogit| masked / still).
        parts: layer -> what own_slope gave for all units.

    Returns layer -> {"total", "start", "slope", "rest", "other"}. start: the loss sends
    back more. slope: tanh' of this layer and of those above. rest: masks and weights on
    the way. total is the sum of these three, other that of start and rest.
    """
    found: dict[str, dict[str, float]] = {}
    above, slope = start, 0.0
    for layer in reversed(LAYERS):
        of_slope, of_arriving = parts[layer]
        slope += of_slope
        above = of_slope + of_arriving
        found[layer] = {
            "total": above,
            "start": start,
            "slope": slope,
            "rest": above - start - slope,
            "other": above - slope,
        }
    return {layer: found[layer] for layer in LAYERS}


def shaken_slope(z: Any, variance: float, nodes: int = 100) -> ndarray:
    """Return the mean of tanh'(z + e) over normal e of a variance, z (P,) -> (P,).

    By Gauss-Hermite quadrature: sum_i w_i tanh'(z + sqrt(2 variance) t_i) / sqrt(pi);
    relative error below 1e-4 up to a variance of 4.
    """
    at, weights = np.polynomial.hermite.hermgauss(nodes)
    places = np.asarray(z)[:, np.newaxis] + math.sqrt(2 * variance) * at
    return slope(places) @ weights / math.sqrt(math.pi)
