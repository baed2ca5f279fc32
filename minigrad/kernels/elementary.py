"""Functions of one array, element by element, each with the one term `direct`.

    exp: y = e**x    log: y = ln x    log1p: y = ln(1 + x)    sqrt: y = x**(1/2)
    square: y = x * x    abs: y = |x|    sin, cos (radians)    reciprocal: y = 1 / x

Outside its domain a function gives what NumPy gives: NaN for log(-1), inf for 1 / 0.
The derivative of abs at 0 is 0, at NaN it is NaN (PyTorch: 0); those of log, sqrt and
reciprocal at 0 are infinite.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import array_module, elementwise
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array, Result


class SavedInput(NamedTuple):
    """The input x (...)."""

    x: Array


class SavedOutput(NamedTuple):
    """The output y (...): where the derivative is a simple function of it."""

    y: Array


def exp(x: Array) -> Result:
    """Compute e to the power of x."""
    y = array_module(x).exp(x)
    return y, SavedOutput(y)


def log(x: Array) -> Result:
    """Compute the natural logarithm of x."""
    return array_module(x).log(x), SavedInput(x)


def log1p(x: Array) -> Result:
    """Compute ln(1 + x), exact also where x is tiny."""
    return array_module(x).log1p(x), SavedInput(x)


@elementwise
def _log1p_x(xp: Any, dy: Array, x: Array, **out: Array) -> Array:
    return xp.divide(dy, 1 + x, **out)


def sqrt(x: Array) -> Result:
    """Compute the square root of x."""
    y = array_module(x).sqrt(x)
    return y, SavedOutput(y)


@elementwise
def _sqrt_x(xp: Any, dy: Array, y: Array, **out: Array) -> Array:
    return xp.divide(0.5 * dy, y, **out)


def square(x: Array) -> Result:
    """Compute x times x."""
    return x * x, SavedInput(x)


@elementwise
def _square_x(xp: Any, dy: Array, x: Array, **out: Array) -> Array:
    return xp.multiply(2 * dy, x, **out)


def absolute(x: Array) -> Result:
    """Compute the distance of x from 0."""
    xp = array_module(x)
    if x.dtype.kind == "c":
        # Not xp.abs: the complex modulus is not analytic.
        return xp.where(x.real < 0, -x, x), SavedInput(x)
    return xp.abs(x), SavedInput(x)


@elementwise
def _abs_x(xp: Any, dy: Array, x: Array, **out: Array) -> Array:
    return xp.multiply(dy, xp.sign(xp.real(x)), **out)


def sin(x: Array) -> Result:
    """Compute the sine of x in radians."""
    return array_module(x).sin(x), SavedInput(x)


@elementwise
def _sin_x(xp: Any, dy: Array, x: Array, **out: Array) -> Array:
    return xp.multiply(dy, xp.cos(x), **out)


def cos(x: Array) -> Result:
    """Compute the cosine of x in radians."""
    return array_module(x).cos(x), SavedInput(x)


@elementwise
def _cos_x(xp: Any, dy: Array, x: Array, **out: Array) -> Array:
    return xp.multiply(-dy, xp.sin(x), **out)


def reciprocal(x: Array) -> Result:
    """Compute 1 / x; integers give floats."""
    # Not xp.reciprocal, which cuts the reciprocal of an integer to 0.
    y = 1 / x
    return y, SavedOutput(y)


@elementwise
def _reciprocal_x(xp: Any, dy: Array, y: Array, **out: Array) -> Array:
    # -(dy * y) * y, not -dy * (y * y): y * y overflows before the product does.
    return xp.multiply(-(dy * y), y, **out)


EXP_KERNEL = Kernel(
    name="exp", forward=exp, terms={"x": lambda dy, saved: {"direct": dy * saved.y}}
)
LOG_KERNEL = Kernel(
    name="log", forward=log, terms={"x": lambda dy, saved: {"direct": dy / saved.x}}
)
LOG1P_KERNEL = Kernel(
    name="log1p",
    forward=log1p,
    terms={"x": lambda dy, saved: {"direct": _log1p_x(dy, saved.x)}},
)
SQRT_KERNEL = Kernel(
    name="sqrt",
    forward=sqrt,
    terms={"x": lambda dy, saved: {"direct": _sqrt_x(dy, saved.y)}},
)
SQUARE_KERNEL = Kernel(
    name="square",
    forward=square,
    terms={"x": lambda dy, saved: {"direct": _square_x(dy, saved.x)}},
)
ABS_KERNEL = Kernel(
    name="abs",
    forward=absolute,
    terms={"x": lambda dy, saved: {"direct": _abs_x(dy, saved.x)}},
)
SIN_KERNEL = Kernel(
    name="sin",
    forward=sin,
    terms={"x": lambda dy, saved: {"direct": _sin_x(dy, saved.x)}},
)
COS_KERNEL = Kernel(
    name="cos",
    forward=cos,
    terms={"x": lambda dy, saved: {"direct": _cos_x(dy, saved.x)}},
)
RECIPROCAL_KERNEL = Kernel(
    name="reciprocal",
    forward=reciprocal,
    terms={"x": lambda dy, saved: {"direct": _reciprocal_x(dy, saved.y)}},
)
