"""Measuring GAAF's function, its slope and its terms at given points.

Everything is computed by the engine: g alone is GAAF of an activation that is 0, with a
shape that is 1. No formula of the paper is written a second time here. Points and
results are NumPy arrays, whatever the backend.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad import functional as F
from minigrad import tensor
from minigrad.backend import to_host
from minigrad.inspect import gradient_flow
from minigrad.kernels.gaaf import ACTIVATIONS, ONE, RECOMMENDED, Curve
from minigrad.random import generator

PLAIN = {"tanh": F.tanh, "relu": F.relu, "sigmoid": F.sigmoid}
TERMS = ("activation", "acceleration", "shape")
ZERO = Curve("zero", lambda xp, x: x * 0, lambda xp, x, y: x * 0)

NEAR, FAR = 1.0, 12.0
"""Acceleration is compared at |x| <= NEAR and at |x| >= FAR."""
SATURATED = 0.1
"""A point counts as saturated where phi' is below this."""
TEETH = 50
"""Half of the teeth over which mean slopes are taken."""
BINADES = range(-2, 14)
"""Exponents e of the intervals [2^e, 2^(e + 1)) in which values of g are counted."""


def random_points(seed: int, count: int, largest: float, smallest: float = 1e-4) -> Any:
    """Draw x (count,) float64: |x| log-uniform in [smallest, largest], random sign."""
    rng = generator(seed, "points")
    magnitude = smallest * (largest / smallest) ** rng.random(count)
    return np.where(rng.random(count) < 0.5, -magnitude, magnitude)


def sawtooth(x: Any, k: float) -> Any:
    """Return g(x)."""
    return F.gaaf(tensor(x), ZERO, ONE, k).numpy()


def shape_of(activation: str) -> Curve:
    """Return s, the shape that goes with an activation."""
    return RECOMMENDED[ACTIVATIONS[activation]]


def values(activation: str, x: Any, k: float) -> tuple[Any, Any, Any]:
    """Return phi_new(x), phi(x) and s(x)."""
    modes = ("exact", "backward_only")
    new, plain = (F.gaaf(tensor(x), activation, k=k, mode=m).numpy() for m in modes)
    place = tensor(x).data
    return new, plain, to_host(shape_of(activation).value(place))


def plain_slope(activation: str, x: Any) -> Any:
    """Return phi'(x), by a backward of the plain activation."""
    leaf = tensor(x, requires_grad=True)
    PLAIN[activation](leaf).sum().backward()
    return leaf.grad.numpy()


def terms_of(
    activation: str | Curve,
    x: Any,
    k: float,
    shape: Curve | None = None,
    dy: Any = None,
) -> dict[str, Any]:
    """Return the terms of a gradient dy (default: 1) that arrives at phi_new(x)."""
    leaf = tensor(x, requires_grad=True)
    y = F.gaaf(leaf, activation, shape, k)
    with gradient_flow(names={"x": leaf}, keep="arrays") as flow:
        y.backward(tensor(np.ones_like(x) if dy is None else dy))
    (edge,) = flow.into("x").edges
    return {term.name: to_host(term.array) for term in edge.terms}


def off_jumps(x: Any, k: float, room: float, from_zero: float) -> Any:
    """Keep those x farther from the jumps of g than room, from 0 than from_zero."""
    to_jump = 0.5 / k - np.abs(sawtooth(x, k))
    return x[(to_jump > room) & (np.abs(x) > from_zero)]


# -- the numbers of the claims ---------------------------------------------------------


def size(activation: str, x: Any, k: float) -> dict[str, float]:
    """Measure how large g and phi_new - phi are, in the precision of x.

    Returns the greatest |g| K and |phi_new - phi| K, and by how much |phi_new - phi| is
    above s / 2K at most, in units of the last place of |phi| + s / K.
    """
    new, plain, s = values(activation, x, k)
    off = np.abs(new - plain).astype("float64")
    beyond = off - 0.5 * s.astype("float64") / k
    rounding = np.spacing(np.abs(plain) + s / np.asarray(k, x.dtype))
    return {
        "sawtooth": float(np.abs(sawtooth(x, k)).max() * k),
        "difference": float(off.max() * k),
        "beyond_bound": float(np.max(beyond / rounding)),
    }


def slopes(activation: str, x: Any, k: float) -> dict[str, float]:
    """Measure slopes by differences, x float64: within a tooth, and over whole teeth.

    Returns the greatest |slope of g - 1| by steps that meet no jump, and of slopes over
    2 TEETH teeth the greatest of g and the greatest |slope of phi_new - phi'|.
    """
    step = 0.2 / k
    inside = off_jumps(x, k, 1.01 * step, 0.0)
    # What rounds at a jump would be one tooth off.
    reach = TEETH / k
    whole = off_jumps(x, k, 1e-3 / k, 2 * reach)

    def slope(function: Any, at: Any, step: float) -> Any:
        low, high = at - step, at + step
        return (function(high) - function(low)) / (high - low)

    def g(x: Any) -> Any:
        return sawtooth(x, k)

    over = slope(lambda x: values(activation, x, k)[0], whole, reach)
    return {
        "slope_error": float(np.abs(slope(g, inside, step) - 1).max()),
        "mean_slope_sawtooth": float(np.abs(slope(g, whole, reach)).max()),
        "mean_slope_error": float(
            np.abs(over - plain_slope(activation, whole)).max(),
        ),
    }


def sum_error(activation: str, x: Any, k: float, seed: int) -> float:
    """Return the greatest |sum of terms - gradient| / sum |terms|, in roundings of x.

    The gradient is that of training, which is computed without terms.
    """
    dy = generator(seed, "cotangent").standard_normal(x.shape).astype(x.dtype)
    leaf = tensor(x, requires_grad=True)
    F.gaaf(leaf, activation, k=k).backward(tensor(dy))
    terms = list(terms_of(activation, x, k, dy=dy).values())
    spread: Any = sum(np.abs(term) for term in terms)
    error = np.abs(sum(terms) - leaf.grad.numpy())
    precision = np.finfo(x.dtype)
    normal = spread > precision.tiny / precision.eps
    return float(np.max(error[normal] / spread[normal]) / precision.eps)


def shares(terms: Mapping[str, Any]) -> dict[str, float]:
    """Return the part of each term in the sum of their absolute values."""
    sums = {name: float(np.abs(term).sum()) for name, term in terms.items()}
    return {name: found / sum(sums.values()) for name, found in sums.items()}


def gains(activation: str, x: Any, k: float) -> dict[str, dict[str, float]]:
    """Measure mean slopes: of phi and phi_new where phi saturates, of g s by place.

    Far out is to the left alone for ReLU, which does not saturate to the right.
    """
    terms = terms_of(activation, x, k)
    saturated = plain_slope(activation, x) < SATURATED
    saturated &= np.abs(x) < FAR
    far = (x <= -FAR) if activation == "relu" else (np.abs(x) >= FAR)
    acceleration = terms["acceleration"]
    total: Any = sum(terms.values())
    return {
        "saturated": {
            "plain": float(terms["activation"][saturated].mean()),
            "accelerated": float(total[saturated].mean()),
        },
        "acceleration": {
            "near": float(acceleration[np.abs(x) <= NEAR].mean()),
            "far": float(acceleration[far].mean()),
        },
    }


def resolution(k: float, dtype: str, seed: int, count: int) -> dict[str, Any]:
    """Count the values that g takes among count random numbers of each binade.

    Returns the counts by exponent, and the greatest x below which g still changes.
    """
    rng = generator(seed, "mantissa")
    mantissa = 1 + rng.integers(2**23, size=count) / 2**23
    xs = [(mantissa * 2.0**exponent).astype(dtype) for exponent in BINADES]
    gs = [sawtooth(x, k) for x in xs]
    x, g = np.concatenate(xs), np.concatenate(gs)
    changing = x[g != g[np.argmax(x)]]
    return {
        "values": {
            str(e): int(np.unique(g).size) for e, g in zip(BINADES, gs, strict=True)
        },
        "changes_until": float(changing.max()) if changing.size else 0.0,
    }
