"""Softmax and cross-entropy in one: loss_n = -sum_k q_nk ln p_nk, p_n = softmax(x_n).

The target q is one for the label t_n, or the distribution t_n; label smoothing eps
makes it (1 - eps) q + eps / K (Szegedy et al. 2016, arXiv:1512.00567, section 7). In
nats.

The gradient p - q has two terms: `prediction`, by which a step makes each class less
likely in proportion to what the model gives it, and `target`, which makes the right
ones likelier. They cancel where the model is right.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy

from minigrad.backend import array_module, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.kernels._arguments import is_real
from minigrad.kernels._indices import expect_within, is_within
from minigrad.kernels._reduction import share, total
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Module, Result, Terms

SHORT: Final = 64
"""Rows of up to so many classes are laid down column by column, because NumPy reduces
short rows one at a time: the maxima of (4096, 10) take 180 microseconds by row, 20 by
column."""


class Saved(NamedTuple):
    """Probabilities p (N, K), labels t (N,), each row's weight (a float or (N, 1))."""

    p: Array
    t: Array
    weight: Any
    label_smoothing: float


class SavedSoft(NamedTuple):
    """ln p (N, K), smoothed targets q (N, K), the weight of every row."""

    log_p: Array
    q: Array
    weight: float
    label_smoothing: float


def _expect_logits(name: str, x: Array, label_smoothing: float) -> None:
    expect_float(name, x=x)
    if x.ndim != 2 or not x.shape[1]:
        raise ShapeError(got(name, "x has shape", x.shape, "(N, K), K >= 1"))
    if not (is_real(label_smoothing) and 0 <= label_smoothing <= 1):
        rule = "0 <= label_smoothing <= 1"
        raise ArgumentError(got(name, "label_smoothing", repr(label_smoothing), rule))


def _kept_rows(
    xp: Module, t: Array, num_classes: int, ignore_index: int | None
) -> Array | None:
    """Tell which labels are not ignore_index; None if surely all. Check the range."""
    ignorable = ignore_index is not None and 0 <= ignore_index < num_classes
    if not ignorable and is_within(t, 0, num_classes):
        return None
    kept = None if ignore_index is None else t != ignore_index
    seen = t if kept is None else xp.where(kept, t, 0)
    rule = f"0 <= label < {num_classes} (K classes)"
    expect_within("softmax_cross_entropy", "t has label", seen, 0, num_classes, rule)
    return kept


def softmax_cross_entropy(
    x: Array,
    t: Array,
    *,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
    ignore_index: int | None = None,
) -> Result:
    """Score logits x (N, K) against integer labels t (N,), 0 <= t < K.

    Rows labelled ignore_index count neither in the loss nor in the N of the mean. A
    label out of range raises BadIndexError, and a mean where all are ignored
    ArgumentError; to look for them waits for a device.
    """
    name = "softmax_cross_entropy"
    _expect_logits(name, x, label_smoothing)
    expect_shapes(name, x.shape[:1], t=t)
    if t.dtype.kind not in "iu":
        raise DTypeError(
            got(name, "t has dtype", t.dtype, "integers, the labels' numbers")
        )
    xp = array_module(x, t)
    count, num_classes = x.shape
    weight: Any = share(name, reduction, x.shape, count)
    kept = _kept_rows(xp, t, num_classes, ignore_index)
    if kept is not None:
        t = xp.where(kept, t, 0)
        weight = _weights(kept, x, reduction)

    p = _shifted(xp, x)
    losses = (label_smoothing - 1) * p[xp.arange(count), t]
    if label_smoothing:
        losses -= (label_smoothing / num_classes) * total(p, 1)
    xp.exp(p, out=p)
    s = total(p, 1, keepdims=True)
    p /= s
    losses = (losses + xp.log(s[:, 0])) * weight
    y = _summed(losses, reduction, x)
    if kept is not None:
        weight = weight[:, None]
    return y, Saved(p, t, weight, label_smoothing)


def _summed(losses: Array, reduction: str, x: Array) -> Array:
    """Add weighted losses, which for float16 are float32 until here."""
    y = losses if reduction == "none" else losses.sum()
    return y.astype(x.dtype) if x.dtype.char == "e" else y


def _shifted(xp: Module, x: Array) -> Array:
    """Take each row's maximum off, which changes nothing but the range of exponents."""
    if xp is numpy and x.shape[1] <= SHORT:
        x = xp.asfortranarray(x)
    return x - x.real.max(axis=1, keepdims=True)


def _weights(kept: Array, x: Array, reduction: str) -> Array:
    weight = kept.astype(x.dtype)
    if reduction != "mean":
        return weight
    if not to_host(kept.any()):
        raise ArgumentError(
            f"softmax_cross_entropy: all {kept.size} labels are ignore_index, "
            'expected at least one other for reduction="mean"'
        )
    return weight / total(weight)


def _scale(dy: Array, weight: Any) -> Array:
    """Give dL/dloss_n as a column: (N, 1), or (1, 1) if it is the same for all."""
    return dy.reshape(-1, 1) * weight


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Split p - q into its two sides."""
    xp = array_module(dy)
    p, t, weight, label_smoothing = saved
    scale = _scale(dy, weight)
    q = xp.full_like(p, label_smoothing / p.shape[1])
    q[xp.arange(len(p)), t] += 1 - label_smoothing
    return {"prediction": p * scale, "target": -q * scale}


def _x_fused(dy: Array, saved: Saved) -> Array:
    xp = array_module(dy)
    p, t, weight, label_smoothing = saved
    scale = _scale(dy, weight)
    dx = p * scale
    dx[xp.arange(len(p)), t] -= (1 - label_smoothing) * scale[:, 0]
    if label_smoothing:
        dx -= (label_smoothing / p.shape[1]) * scale
    return dx


def softmax_cross_entropy_soft(
    x: Array, t: Array, *, label_smoothing: float = 0.0, reduction: str = "mean"
) -> Result:
    """Score logits x (N, K) against a distribution t (N, K) per row.

    That rows of t sum to 1 is not checked; a row that sums to c counts c times.
    """
    name = "softmax_cross_entropy_soft"
    _expect_logits(name, x, label_smoothing)
    expect_shapes(name, x.shape, t=t)
    xp = array_module(x, t)
    weight = share(name, reduction, x.shape, len(x))
    log_p = _shifted(xp, x)
    log_p -= xp.log(total(xp.exp(log_p), 1, keepdims=True))
    q = (1 - label_smoothing) * t + label_smoothing / x.shape[1]
    losses = total(q * log_p, 1) * -weight
    return _summed(losses, reduction, x), SavedSoft(log_p, q, weight, label_smoothing)


def soft_x_terms(dy: Array, saved: SavedSoft) -> Terms:
    """Split p - q into its two sides; p counts as often as q sums to."""
    xp = array_module(dy)
    log_p, q, weight, _ = saved
    scale = _scale(dy, weight)
    often = total(q, 1, keepdims=True) * scale
    return {"prediction": xp.exp(log_p) * often, "target": -q * scale}


def soft_t_terms(dy: Array, saved: SavedSoft) -> Terms:
    """Follow t through q, which takes 1 - eps of it."""
    scale = _scale(dy, saved.weight * (saved.label_smoothing - 1))
    return {"direct": saved.log_p * scale}


SOFTMAX_CROSS_ENTROPY_KERNEL = Kernel(
    name="softmax_cross_entropy",
    forward=softmax_cross_entropy,
    terms={"x": x_terms, "t": None},
    fused={"x": _x_fused},
)
SOFTMAX_CROSS_ENTROPY_SOFT_KERNEL = Kernel(
    name="softmax_cross_entropy_soft",
    forward=softmax_cross_entropy_soft,
    terms={"x": soft_x_terms, "t": soft_t_terms},
)
