"""The hard threshold itself, which kernels with several backward rules share."""

from __future__ import annotations

from typing import Any, Final

from minigrad.backend import elementwise
from minigrad.errors import ArgumentError, got
from minigrad.kernels._arguments import is_real
from minigrad.kernels._spec import expect_float
from minigrad.typing import Array

ZEROS: Final = (0, -1, 1)
"""What sign(0) may be: 0 in the paper on adapters, -1 in the code of DTP and FTP."""


@elementwise
def _sign(xp: Any, x: Array, **out: Array) -> Array:
    return xp.sign(xp.real(x), **out)


@elementwise
def _sign_of_zero(xp: Any, x: Array, zero: float, **out: Array) -> Array:
    sign = xp.sign(xp.real(x))
    return xp.where(sign == 0, zero, sign)


def hard_sign(who: str, x: Array, zero: int) -> Array:
    """Take -1, zero or 1: the sign of x, element by element; NaN stays.

    Raises DTypeError for what is no float, ArgumentError for another zero.
    """
    expect_float(who, x=x)
    if not is_real(zero) or zero not in ZEROS:
        raise ArgumentError(got(who, "zero", repr(zero), "0, -1 or 1"))
    return _sign_of_zero(x, zero) if zero else _sign(x)
