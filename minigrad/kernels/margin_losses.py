"""Losses that are 0 once a prediction is right by a margin m.

    hinge_loss: max(0, m - t x), t is -1 or 1
    hinge_embedding_loss: x where t = 1, max(0, m - x) where t = -1
    multi_margin_loss: sum over k != t of w_t max(0, m - x[n, t] + x[n, k])**p / K

All have slope 0 at the kink, where the margin is just kept.

Sources: Cortes & Vapnik 1995, doi:10.1007/BF00994018 (hinge); Weston & Watkins 1999,
ESANN, eq. 3 (multi-class, which sums over the rivals; the division by K is PyTorch's).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import array_module, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.kernels._analytic import at_least
from minigrad.kernels._arguments import real
from minigrad.kernels._indices import expect_within
from minigrad.kernels._reduction import reduced, share, total
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Module, Result, Terms


class Saved(NamedTuple):
    """The loss's slope in x, of x's shape, and the weight of an element."""

    slope: Array
    weight: float


class SavedRivals(NamedTuple):
    """Slopes in the rivals (N, K), 0 at the labels t (N,), and the weight of a row."""

    slope: Array
    t: Array
    weight: float


def _signs(name: str, x: Array, t: Array) -> Array:
    """Check x and t, and return t as numbers of x's dtype."""
    expect_float(name, x=x)
    if x.shape != t.shape:
        rule = f"{x.shape}, the shape of x"
        raise ShapeError(got(name, "t has shape", t.shape, rule, "reshape one of them"))
    if to_host(((t != 1) & (t != -1)).any()):
        rule = "-1 or 1 everywhere"
        remedy = "make 2 * t - 1 of labels 0 and 1"
        raise ArgumentError(got(name, "t has", "other values", rule, remedy))
    return t.astype(x.dtype, copy=False)


def _positive(xp: Module, x: Array) -> Array:
    """Tell where x is above 0, as numbers of its dtype."""
    return (xp.real(x) > 0).astype(x.dtype)


def hinge(
    x: Array, t: Array, *, margin: float = 1.0, reduction: str = "mean"
) -> Result:
    """Ask x for the sign t (-1 or 1) and a size of at least margin.

    Other values of t raise ArgumentError; looking for them waits for a device.
    """
    t = _signs("hinge_loss", x, t)
    margin = real("hinge_loss", "margin", margin)
    weight = share("hinge_loss", reduction, x.shape, x.size)
    xp = array_module(x, t)
    short = margin - t * x
    y = reduced(at_least(xp, short, 0), reduction, weight)
    return y, Saved(-t * _positive(xp, short), weight)


def hinge_embedding(
    x: Array, t: Array, *, margin: float = 1.0, reduction: str = "mean"
) -> Result:
    """Ask distances x of pairs to be small where t = 1, and above margin where -1.

    Other values of t raise ArgumentError; looking for them waits for a device.
    """
    name = "hinge_embedding_loss"
    t = _signs(name, x, t)
    margin = real(name, "margin", margin)
    weight = share(name, reduction, x.shape, x.size)
    xp = array_module(x, t)
    short, alike = margin - x, t == 1
    losses = xp.where(alike, x, at_least(xp, short, 0))
    slope = alike - ~alike * _positive(xp, short)
    return reduced(losses, reduction, weight), Saved(slope, weight)


def multi_margin(
    x: Array,
    t: Array,
    w: Array,
    *,
    p: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Result:
    """Ask the score of the label t (N,) to exceed all others in x (N, K) by margin.

    w (K,) weighs the classes and p is 1 or 2. "mean" divides by N, whatever the
    weights. A label out of range raises BadIndexError; looking waits for a device.
    """
    name = "multi_margin_loss"
    expect_float(name, x=x, w=w)
    if x.ndim != 2 or not x.shape[1]:
        raise ShapeError(got(name, "x has shape", x.shape, "(N, K), K >= 1"))
    expect_shapes(name, x.shape[:1], t=t)
    expect_shapes(name, x.shape[1:], w=w)
    if t.dtype.kind not in "iu":
        rule = "integers, the labels' numbers"
        raise DTypeError(got(name, "t has dtype", t.dtype, rule))
    if p not in (1, 2):
        raise ArgumentError(got(name, "p", repr(p), "1 or 2"))
    margin = real(name, "margin", margin)
    weight = share(name, reduction, x.shape, len(x))
    rule = f"0 <= label < {x.shape[1]} (K classes)"
    expect_within(name, "t has label", t, 0, x.shape[1], rule)

    xp = array_module(x, t, w)
    rows = xp.arange(len(t))
    short = (margin - x[rows, t])[:, None] + x
    short[rows, t] = 0
    short = at_least(xp, short, 0)
    each = w.astype(x.dtype, copy=False)[t][:, None] / x.shape[1]
    slope = each * (_positive(xp, short) if p == 1 else 2 * short)
    losses = total(each * (short if p == 1 else short * short), 1)
    y = losses * weight if reduction == "none" else losses.sum() * weight
    return y.astype(x.dtype, copy=False), SavedRivals(slope, t, weight)


def _multi_margin_terms(dy: Array, saved: SavedRivals) -> Terms:
    """Push the rivals that come too close down, and the label up by their sum."""
    xp = array_module(dy)
    slope, t, weight = saved
    rivals = slope * (dy * weight).reshape(-1, 1)
    target = xp.zeros_like(rivals)
    target[xp.arange(len(t)), t] = -total(rivals, 1)
    return {"rivals": rivals, "target": target}


def _multi_margin_fused(dy: Array, saved: SavedRivals) -> Array:
    xp = array_module(dy)
    slope, t, weight = saved
    dx = slope * (dy * weight).reshape(-1, 1)
    dx[xp.arange(len(t)), t] = -total(dx, 1)
    return dx


def _direct(dy: Array, saved: Saved) -> dict[str, Any]:
    return {"direct": saved.slope * (dy * saved.weight)}


HINGE_KERNEL = Kernel(name="hinge_loss", forward=hinge, terms={"x": _direct, "t": None})
HINGE_EMBEDDING_KERNEL = Kernel(
    name="hinge_embedding_loss",
    forward=hinge_embedding,
    terms={"x": _direct, "t": None},
)
MULTI_MARGIN_KERNEL = Kernel(
    name="multi_margin_loss",
    forward=multi_margin,
    terms={"x": _multi_margin_terms, "t": None, "w": None},
    fused={"x": _multi_margin_fused},
)
