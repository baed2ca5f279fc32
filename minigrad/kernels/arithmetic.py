"""Sums, products, quotients, powers, maxima of two arrays that broadcast.

    add: y = a + b    sub: y = a - b    mul: y = a * b    div: y = a / b
    power: y = a ** b    maximum, minimum: the greater, the smaller    neg: y = -a

Every rule has one term, `direct`. A rule returns it in the broadcast shape; Kernel sums
it to the input's shape. At a tie maximum and minimum give half to each side, and where
one is NaN all to both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import array_module, elementwise
from minigrad.kernels._analytic import unless
from minigrad.kernels._spec import NOTHING, Kernel, expect_broadcastable
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """Both operands, each of its own shape."""

    a: Array
    b: Array


class SavedPower(NamedTuple):
    """Both operands and the result y of the broadcast shape."""

    a: Array
    b: Array
    y: Array


def add(a: Array, b: Array) -> Result:
    """Add a and b."""
    # Shapes are looked at after the fact: looking before costs a third of a small sum.
    try:
        return a + b, NOTHING
    except ValueError:
        expect_broadcastable("add", a=a, b=b)
        raise


def sub(a: Array, b: Array) -> Result:
    """Subtract b from a."""
    try:
        return a - b, NOTHING
    except ValueError:
        expect_broadcastable("sub", a=a, b=b)
        raise


def mul(a: Array, b: Array) -> Result:
    """Multiply a by b."""
    try:
        return a * b, Saved(a, b)
    except ValueError:
        expect_broadcastable("mul", a=a, b=b)
        raise


def div(a: Array, b: Array) -> Result:
    """Divide a by b; integers give floats."""
    try:
        return a / b, Saved(a, b)
    except ValueError:
        expect_broadcastable("div", a=a, b=b)
        raise


def neg(a: Array) -> Result:
    """Negate a."""
    return -a, NOTHING


@elementwise
def _div_b(xp: Any, dy: Array, a: Array, b: Array, **out: Array) -> Array:
    # -(dy / b) * (a / b), not dy * a / b**2: b**2 overflows long before b does.
    return xp.multiply(-(dy / b), a / b, **out)


def power(a: Array, b: Array) -> Result:
    """Raise a to b; a < 0 with a fractional b gives NaN, as in NumPy."""
    expect_broadcastable("power", a=a, b=b)
    y = a**b
    return y, SavedPower(a, b, y)


@elementwise
def _power_a(xp: Any, dy: Array, a: Array, b: Array, **out: Array) -> Array:
    # b * a**(b - 1) divides by zero at a = 0 with b = 0, where the slope is 0.
    exponent = xp.where(xp.real(b) == 0, 1, b)
    return xp.multiply(dy, b * a ** (exponent - 1), **out)


@elementwise
def _power_b(xp: Any, dy: Array, a: Array, y: Array, **out: Array) -> Array:
    # log(0) is -inf, but 0**b is flat in b for b > 0: its slope is 0.
    base = xp.where(xp.real(a) == 0, 1, a)
    return xp.multiply(dy, y * xp.log(base), **out)


def maximum(a: Array, b: Array) -> Result:
    """Take the greater of a and b; NaN if either is NaN."""
    expect_broadcastable("maximum", a=a, b=b)
    xp = array_module(a, b)
    if a.dtype.kind == "c" or b.dtype.kind == "c":
        return xp.where(a.real >= b.real, a, b), Saved(a, b)
    return xp.maximum(a, b), Saved(a, b)


def minimum(a: Array, b: Array) -> Result:
    """Take the smaller of a and b; NaN if either is NaN."""
    expect_broadcastable("minimum", a=a, b=b)
    xp = array_module(a, b)
    if a.dtype.kind == "c" or b.dtype.kind == "c":
        return xp.where(a.real <= b.real, a, b), Saved(a, b)
    return xp.minimum(a, b), Saved(a, b)


@elementwise
def _where_greater(xp: Any, dy: Array, a: Array, b: Array, **out: Array) -> Array:
    """Pass dy where a > b, half of it where a == b, all where one is NaN."""
    a, b = xp.real(a), xp.real(b)
    half = 0.5 * dy
    return xp.add(unless(xp, a < b, half), unless(xp, a <= b, half), **out)


def _maximum_a(dy: Array, saved: Saved) -> Terms:
    return {"direct": _where_greater(dy, saved.a, saved.b)}


def _maximum_b(dy: Array, saved: Saved) -> Terms:
    return {"direct": _where_greater(dy, saved.b, saved.a)}


ADD_KERNEL = Kernel(
    name="add",
    forward=add,
    terms={
        "a": lambda dy, saved: {"direct": dy},
        "b": lambda dy, saved: {"direct": dy},
    },
)
SUB_KERNEL = Kernel(
    name="sub",
    forward=sub,
    terms={
        "a": lambda dy, saved: {"direct": dy},
        "b": lambda dy, saved: {"direct": -dy},
    },
)
MUL_KERNEL = Kernel(
    name="mul",
    forward=mul,
    terms={
        "a": lambda dy, saved: {"direct": dy * saved.b},
        "b": lambda dy, saved: {"direct": dy * saved.a},
    },
)
DIV_KERNEL = Kernel(
    name="div",
    forward=div,
    terms={
        "a": lambda dy, saved: {"direct": dy / saved.b},
        "b": lambda dy, saved: {"direct": _div_b(dy, saved.a, saved.b)},
    },
)
NEG_KERNEL = Kernel(
    name="neg", forward=neg, terms={"a": lambda dy, saved: {"direct": -dy}}
)
POWER_KERNEL = Kernel(
    name="power",
    forward=power,
    terms={
        "a": lambda dy, saved: {"direct": _power_a(dy, saved.a, saved.b)},
        "b": lambda dy, saved: {"direct": _power_b(dy, saved.a, saved.y)},
    },
)
MAXIMUM_KERNEL = Kernel(
    name="maximum", forward=maximum, terms={"a": _maximum_a, "b": _maximum_b}
)
MINIMUM_KERNEL = Kernel(
    name="minimum",
    forward=minimum,
    # a passes where a < b, that is where b > a.
    terms={"a": _maximum_b, "b": _maximum_a},
)
