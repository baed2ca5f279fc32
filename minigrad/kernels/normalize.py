"""L2 normalisation along an axis: y = x / max(|x|, eps), where |x| = sqrt(sum x**2).

In the gradient `direct` holds the norm fixed, and `through_norm` is what changing it
does: -y sum(dy y) / |x|, and 0 where |x| <= eps, since there eps divides.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import array_module, elementwise
from minigrad.kernels._arguments import axis_of, real
from minigrad.kernels._lengths import length
from minigrad.kernels._reduction import total
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """y; the divisor, of length 1 along axis; axis; eps."""

    y: Array
    divisor: Array
    axis: int
    eps: float


@elementwise
def _divide(xp: Any, x: Array, divisor: Array, **out: Array) -> Array:
    return xp.divide(x, divisor, **out)


@elementwise
def _project(
    xp: Any, dy: Array, y: Array, along: Array, divisor: Array, **out: Array
) -> Array:
    return xp.divide(dy - y * along, divisor, **out)


def l2_normalize(x: Array, *, axis: int = 1, eps: float = 1e-12) -> Result:
    """Divide x by its norm along axis, or by eps where that is greater."""
    expect_float("l2_normalize", x=x)
    axis = axis_of("l2_normalize", x, axis)
    divisor = length(x, axis, real("l2_normalize", "eps", eps))
    y = _divide(x, divisor)
    y = y.astype(x.dtype) if x.dtype.itemsize == 2 else y
    return y, Saved(y, divisor, axis, eps)


def _along(dy: Array, saved: Saved) -> Array:
    """Sum dy * y along axis; 0 where the norm does not divide."""
    y, divisor, axis, eps = saved
    xp = array_module(dy)
    sums = total(dy * y, axis, keepdims=True)
    return xp.where(xp.real(divisor) > eps, sums, 0)


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Split by what of y = x / |x| is varied: x, or its norm."""
    return {
        "direct": _divide(dy, saved.divisor),
        "through_norm": _divide(saved.y * -_along(dy, saved), saved.divisor),
    }


def _x_fused(dy: Array, saved: Saved) -> Array:
    return _project(dy, saved.y, _along(dy, saved), saved.divisor)


KERNEL = Kernel(
    name="l2_normalize",
    forward=l2_normalize,
    terms={"x": x_terms},
    fused={"x": _x_fused},
)
