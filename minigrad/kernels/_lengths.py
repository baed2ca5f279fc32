"""The length of vectors, as what divides by it needs it."""

from __future__ import annotations

from minigrad.backend import array_module
from minigrad.kernels._reduction import total
from minigrad.typing import Array


def length(x: Array, axis: int, eps: float) -> Array:
    """Return max(|x|, eps), of length 1 along axis; float32 for half precision."""
    xp = array_module(x)
    norm = xp.sqrt(total(x * x, axis, keepdims=True))
    return xp.where(xp.real(norm) > eps, norm, eps)
