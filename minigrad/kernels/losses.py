"""Losses of a prediction x against a target t of the same shape, element by element.

    mse_loss: (x - t)**2    huber_loss: d**2 / 2 where |d| <= delta, d = x - t,
                                        delta * (|d| - delta / 2) elsewhere
    bce_with_logits: -t ln p - (1 - t) ln(1 - p) with p = 1 / (1 + exp(-x)), in nats

reduction "mean" averages over all elements, "sum" adds them, "none" leaves them. x and
t must have one shape: silently broadcast, (N,) against (N, 1) would give N * N losses.

Source of huber_loss: Huber 1964, doi:10.1214/aoms/1177703732.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import elementwise
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels._analytic import at_least, at_most, logistic, within
from minigrad.kernels._arguments import is_real
from minigrad.kernels._reduction import reduced, share
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """The loss's slope in x - t, of x's shape, and the weight of an element."""

    slope: Array
    weight: float


class SavedLogits(NamedTuple):
    """The logits x and the targets t, and the weight of an element."""

    x: Array
    t: Array
    weight: float


def _weight(name: str, x: Array, t: Array, reduction: str) -> float:
    """Check the inputs and return what an element weighs."""
    expect_float(name, x=x, t=t)
    if x.shape != t.shape:
        rule = f"{x.shape}, the shape of x"
        raise ShapeError(got(name, "t has shape", t.shape, rule, "reshape one of them"))
    return share(name, reduction, x.shape, x.size)


def squared_error(x: Array, t: Array, *, reduction: str = "mean") -> Result:
    """Square x - t."""
    weight = _weight("mse_loss", x, t, reduction)
    difference = x - t
    y = reduced(difference * difference, reduction, weight)
    return y, Saved(difference, 2 * weight)


@elementwise
def _clipped(
    xp: Any, x: Array, t: Array, low: float, high: float, **out: Array
) -> Array:
    return within(xp, x - t, low, high, **out)


@elementwise
def _huber(xp: Any, x: Array, t: Array, slope: Array, **out: Array) -> Array:
    # Inside slope = d, which makes this d**2 / 2; outside delta * (|d| - delta / 2).
    return xp.multiply(slope, (x - t) - 0.5 * slope, **out)


def huber(x: Array, t: Array, *, delta: float = 1.0, reduction: str = "mean") -> Result:
    """Square small differences, take large ones (beyond delta > 0) linearly."""
    weight = _weight("huber_loss", x, t, reduction)
    if not (is_real(delta) and delta > 0):
        raise ArgumentError(got("huber_loss", "delta", repr(delta), "delta > 0"))
    slope = _clipped(x, t, -float(delta), float(delta))
    return reduced(_huber(x, t, slope), reduction, weight), Saved(slope, weight)


@elementwise
def _bce(xp: Any, x: Array, t: Array, **out: Array) -> Array:
    # max(x, 0) - x t + log(1 + exp(-|x|)): the logarithm of p itself overflows. Not the
    # difference of the first two: both may be infinite.
    above, below = at_least(xp, x, 0), at_most(xp, x, 0)
    bend = xp.log1p(xp.exp(below - above))
    return xp.add((1 - t) * above - t * below, bend, **out)


def bce_with_logits(x: Array, t: Array, *, reduction: str = "mean") -> Result:
    """Score logits x of "yes" against t in [0, 1], the probability of "yes".

    An infinite x costs inf, or NaN if its side is certain (x = inf with t = 1).
    """
    weight = _weight("bce_with_logits", x, t, reduction)
    return reduced(_bce(x, t), reduction, weight), SavedLogits(x, t, weight)


@elementwise
def _scaled(xp: Any, x: Array, dy: Array, weight: float, **out: Array) -> Array:
    return xp.multiply(x, dy * weight, **out)


@elementwise
def _prediction(xp: Any, x: Array, dy: Array, weight: float, **out: Array) -> Array:
    return xp.multiply(logistic(xp, x), dy * weight, **out)


@elementwise
def _prediction_less_target(
    xp: Any, x: Array, t: Array, dy: Array, weight: float, **out: Array
) -> Array:
    return xp.multiply(logistic(xp, x) - t, dy * weight, **out)


def _bce_x_terms(dy: Array, saved: SavedLogits) -> Terms:
    """Split p - t into its two sides."""
    x, t, weight = saved
    return {
        "prediction": _prediction(x, dy, weight),
        "target": _scaled(t, dy, -weight),
    }


def _bce_x_fused(dy: Array, saved: SavedLogits) -> Array:
    x, t, weight = saved
    return _prediction_less_target(x, t, dy, weight)


def _difference_x(dy: Array, saved: Saved) -> Terms:
    return {"direct": _scaled(saved.slope, dy, saved.weight)}


def _difference_t(dy: Array, saved: Saved) -> Terms:
    return {"direct": _scaled(saved.slope, dy, -saved.weight)}


SQUARED_ERROR_KERNEL = Kernel(
    name="mse_loss",
    forward=squared_error,
    terms={"x": _difference_x, "t": _difference_t},
)
HUBER_KERNEL = Kernel(
    name="huber_loss",
    forward=huber,
    terms={"x": _difference_x, "t": _difference_t},
)
BCE_WITH_LOGITS_KERNEL = Kernel(
    name="bce_with_logits",
    forward=bce_with_logits,
    terms={
        "x": _bce_x_terms,
        "t": lambda dy, saved: {"direct": _scaled(saved.x, dy, -saved.weight)},
    },
    fused={"x": _bce_x_fused},
)
