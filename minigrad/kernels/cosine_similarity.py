"""Cosine of the angle between a and b along an axis: y = sum(a b) / (|a| |b|).

Norms below eps count as eps. In the gradient of a, `direct` holds |a| fixed, and
`through_norm` is what changing it does: -dy y a / |a|**2, and 0 where |a| <= eps, since
there eps divides. (PyTorch lets the norm's slope through there as well.)
"""

from __future__ import annotations

from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.kernels._arguments import axis_among, real
from minigrad.kernels._lengths import length
from minigrad.kernels._reduction import total
from minigrad.kernels._spec import Kernel, expect_broadcastable, expect_float
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """a and b, broadcast; y and both norms, of length 1 along axis; axis; eps."""

    a: Array
    b: Array
    y: Array
    a_norm: Array
    b_norm: Array
    axis: int
    eps: float


def cosine_similarity(
    a: Array, b: Array, *, axis: int = 1, eps: float = 1e-8
) -> Result:
    """Compare a and b, which broadcast, along axis of their common shape."""
    name = "cosine_similarity"
    expect_float(name, a=a, b=b)
    shape = expect_broadcastable(name, a=a, b=b)
    axis = axis_among(name, axis, len(shape), f"axes of a and b, together {shape}")
    eps = real(name, "eps", eps)
    xp = array_module(a, b)
    a, b = xp.broadcast_to(a, shape), xp.broadcast_to(b, shape)
    a_norm, b_norm = length(a, axis, eps), length(b, axis, eps)
    y = total(a * b, axis, keepdims=True) / (a_norm * b_norm)
    result = y.squeeze(axis)
    if a.dtype.itemsize == 2:
        result = result.astype(a.dtype)
    return result.copy(), Saved(a, b, y, a_norm, b_norm, axis, eps)


def _terms(
    dy: Array, saved: Saved, one: Array, other: Array, norms: tuple[Array, Array]
) -> Terms:
    """Split by what of y is varied: the array `one`, or its norm."""
    xp, (norm, other_norm) = array_module(dy), norms
    dy = xp.expand_dims(dy, saved.axis)
    slope = xp.where(xp.real(norm) > saved.eps, dy * saved.y, 0)
    return {
        "direct": dy / norm * (other / other_norm),
        "through_norm": one / norm * (-slope / norm),
    }


def _a_terms(dy: Array, saved: Saved) -> Terms:
    return _terms(dy, saved, saved.a, saved.b, (saved.a_norm, saved.b_norm))


def _b_terms(dy: Array, saved: Saved) -> Terms:
    return _terms(dy, saved, saved.b, saved.a, (saved.b_norm, saved.a_norm))


KERNEL = Kernel(
    name="cosine_similarity",
    forward=cosine_similarity,
    terms={"a": _a_terms, "b": _b_terms},
)
