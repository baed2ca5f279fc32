"""Losses of log-probabilities: of labels, and of distributions. In nats.

    nll_loss: -x[n, t_n], weighted by class    kl_div: t (ln t - x)
    kl_div_log_target: exp(t) (t - x)

kl_div is the Kullback-Leibler divergence of the target from what x is the logarithm of:
the sum over classes of p (ln p - x), where p = t, or exp(t) for a target in logarithms.
Its gradient in t has two terms: `through_weight`, where p weighs the ratio, and
`through_ratio`, where ln p stands in it. That p and exp(x) sum to 1 is not checked.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import array_module, elementwise, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.kernels._indices import expect_within
from minigrad.kernels._reduction import expect_reduction, reduced, share
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Shape, Terms


class SavedLabels(NamedTuple):
    """Labels t (N,), the weight of each row (N,), and the shape of x."""

    t: Array
    weight: Array
    shape: Shape


class Saved(NamedTuple):
    """x and t of one shape, and the weight of an element."""

    x: Array
    t: Array
    weight: float


def nll(
    x: Array,
    t: Array,
    w: Array,
    *,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> Result:
    """Score log-probabilities x (N, K) against labels t (N,), 0 <= t < K.

    w (K,) weighs the classes. "mean" divides by the sum of the rows' weights; a row
    labelled ignore_index weighs 0. Raises BadIndexError for a label out of range and
    ArgumentError for the mean of rows that all weigh 0; looking waits for a device.
    """
    expect_float("nll_loss", x=x, w=w)
    if x.ndim != 2 or not x.shape[1]:
        raise ShapeError(got("nll_loss", "x has shape", x.shape, "(N, K), K >= 1"))
    expect_shapes("nll_loss", x.shape[:1], t=t)
    expect_shapes("nll_loss", x.shape[1:], w=w)
    if t.dtype.kind not in "iu":
        rule = "integers, the labels' numbers"
        raise DTypeError(got("nll_loss", "t has dtype", t.dtype, rule))
    share("nll_loss", reduction, x.shape, len(x))
    xp = array_module(x, t, w)
    kept = xp.ones(t.shape, bool) if ignore_index is None else t != ignore_index
    t = xp.where(kept, t, 0)
    rule = f"0 <= label < {x.shape[1]} (K classes)"
    expect_within("nll_loss", "t has label", t, 0, x.shape[1], rule)
    # Rows of float16 are counted in float32, which does not stick at 2048.
    dtype = "float32" if x.dtype.itemsize == 2 else x.dtype
    weight = w.astype(dtype, copy=False)[t] * kept
    if reduction == "mean":
        weight = weight / _expect_weight(weight.sum(), len(t))
    losses = x[xp.arange(len(t)), t] * -weight
    y = losses if reduction == "none" else losses.sum()
    return y.astype(x.dtype, copy=False), SavedLabels(t, weight, x.shape)


def _expect_weight(weight: Array, count: int) -> Array:
    if to_host(weight) == 0:
        raise ArgumentError(
            f"nll_loss: the weights of {count} labels sum to 0, expected a label that "
            'is not ignore_index and whose class weighs more, for reduction="mean"'
        )
    return weight


def _nll_terms(dy: Array, saved: SavedLabels) -> Terms:
    """Raise the log-probability of each label, in proportion to its weight."""
    xp = array_module(dy)
    t, weight, shape = saved
    down = dy * -weight
    dx = xp.zeros(shape, down.dtype)
    dx[xp.arange(len(t)), t] = down
    return {"direct": dx}


def _weight(name: str, x: Array, t: Array, reduction: str) -> float:
    """Check the inputs and return what an element weighs."""
    expect_float(name, x=x, t=t)
    if x.shape != t.shape:
        rule = f"{x.shape}, the shape of x"
        raise ShapeError(got(name, "t has shape", t.shape, rule, "reshape one of them"))
    if reduction == "batchmean":
        return share(name, "mean", x.shape, len(x) if x.ndim else 1)
    expect_reduction(name, reduction, "batchmean")
    return share(name, reduction, x.shape, x.size)


@elementwise
def _log_ratio(xp: Any, x: Array, t: Array, **out: Array) -> Array:
    # t ln t is 0 at t = 0, so there the logarithm may be that of 1.
    return xp.subtract(xp.log(xp.where(xp.real(t) == 0, 1, t)), x, **out)


def kl_div(x: Array, t: Array, *, reduction: str = "mean") -> Result:
    """Score log-probabilities x against probabilities t of the same shape.

    "mean" divides by the number of elements, "batchmean" by the length of the first
    axis, which gives the divergence itself. At t = 0 the loss is 0, and its slope in t
    is taken to be -x: that of t ln t, which is -inf there, counts as 0.
    """
    weight = _weight("kl_div", x, t, reduction)
    losses = t * _log_ratio(x, t)
    return reduced(losses, reduction, weight), Saved(x, t, weight)


def _kl_t_terms(dy: Array, saved: Saved) -> Terms:
    """Split by where t stands: it weighs the ratio, and is in it."""
    x, t, weight = saved
    dy = dy * weight
    xp = array_module(dy)
    return {
        "through_weight": dy * _log_ratio(x, t),
        "through_ratio": xp.where(t.real == 0, 0, dy),
    }


def kl_div_log_target(x: Array, t: Array, *, reduction: str = "mean") -> Result:
    """Score log-probabilities x against log-probabilities t of the same shape."""
    weight = _weight("kl_div_log_target", x, t, reduction)
    losses = array_module(x, t).exp(t) * (t - x)
    return reduced(losses, reduction, weight), Saved(x, t, weight)


def _kl_log_t_terms(dy: Array, saved: Saved) -> Terms:
    """Split by where t stands: its exponential weighs the ratio, and it is in it."""
    x, t, weight = saved
    probability = array_module(t).exp(t) * (dy * weight)
    return {
        "through_weight": probability * (t - x),
        "through_ratio": probability,
    }


NLL_KERNEL = Kernel(
    name="nll_loss", forward=nll, terms={"x": _nll_terms, "t": None, "w": None}
)
KL_DIV_KERNEL = Kernel(
    name="kl_div",
    forward=kl_div,
    terms={
        "x": lambda dy, saved: {"direct": saved.t * (dy * -saved.weight)},
        "t": _kl_t_terms,
    },
)
KL_DIV_LOG_TARGET_KERNEL = Kernel(
    name="kl_div_log_target",
    forward=kl_div_log_target,
    terms={
        "x": lambda dy, saved: {
            "direct": array_module(dy).exp(saved.t) * (dy * -saved.weight)
        },
        "t": _kl_log_t_terms,
    },
)
