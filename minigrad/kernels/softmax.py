"""Softmax and its logarithm along one axis.

    softmax: y = exp(x) / s    log_softmax: y = x - ln s    s = sum of exp(x) over axis

The maximum is taken off x first, which changes nothing but the range of the exponents.
In both gradients `direct` holds s fixed and `through_sum` is what changing s does.
"""

from __future__ import annotations

from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.errors import ShapeError, got
from minigrad.kernels._arguments import axis_of
from minigrad.kernels._reduction import total
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """The result y, and the axis along which exp(x) was summed."""

    y: Array
    axis: int


def _shifted(name: str, x: Array, axis: int) -> Array:
    """Check x and axis, and take the maximum off x."""
    expect_float(name, x=x)
    axis = axis_of(name, x, axis)
    if x.shape[axis] == 0:
        rule = f"at least one element along axis {axis}"
        raise ShapeError(got(name, "x has shape", x.shape, rule))
    return x - x.real.max(axis=axis, keepdims=True)


def softmax(x: Array, *, axis: int = -1) -> Result:
    """Turn x into probabilities, which sum to 1 along axis."""
    xp = array_module(x)
    y = xp.exp(_shifted("softmax", x, axis))
    y /= total(y, axis, keepdims=True)
    return y, Saved(y, axis)


def softmax_terms(dy: Array, saved: Saved) -> Terms:
    """Split by what of y = exp(x) / s is varied: the numerator, or s."""
    y, axis = saved
    direct = dy * y
    return {
        "direct": direct,
        "through_sum": -y * total(direct, axis, keepdims=True),
    }


def _softmax_fused(dy: Array, saved: Saved) -> Array:
    y, axis = saved
    dx = dy * y
    dx -= y * total(dx, axis, keepdims=True)
    return dx


def log_softmax(x: Array, *, axis: int = -1) -> Result:
    """Take the logarithm of softmax, exact also where softmax is 0 in floats."""
    xp = array_module(x)
    y = _shifted("log_softmax", x, axis)
    y -= xp.log(total(xp.exp(y), axis, keepdims=True))
    return y, Saved(y, axis)


def log_softmax_terms(dy: Array, saved: Saved) -> Terms:
    """Split by what of y = x - ln s is varied: x, or s."""
    return {"direct": dy, "through_sum": _through_sum(dy, saved)}


def _through_sum(dy: Array, saved: Saved) -> Array:
    xp = array_module(dy)
    return xp.exp(saved.y) * -total(dy, saved.axis, keepdims=True)


SOFTMAX_KERNEL = Kernel(
    name="softmax",
    forward=softmax,
    terms={"x": softmax_terms},
    fused={"x": _softmax_fused},
)
LOG_SOFTMAX_KERNEL = Kernel(
    name="log_softmax",
    forward=log_softmax,
    terms={"x": log_softmax_terms},
    fused={"x": lambda dy, saved: dy + _through_sum(dy, saved)},
)
