"""Checks of the values that measures are given."""

from __future__ import annotations

from typing import Any

from minigrad.backend import array_module, is_array, to_host
from minigrad.errors import ArgumentError, DTypeError, got
from minigrad.tape import Tensor
from minigrad.typing import Array


def real_values(who: str, what: str, given: Any) -> Array:
    """Return given in float64, on its backend; it may be the memory that was given.

    Raises ArgumentError for what is no array, DTypeError for what is not real.
    """
    array = given.data if isinstance(given, Tensor) else given
    if not is_array(array):
        kind = f"a {type(given).__name__}"
        raise ArgumentError(got(who, f"{what} is", kind, "an array or a Tensor"))
    if array.dtype.kind not in "fiub":
        rule = "real numbers"
        raise DTypeError(got(who, f"{what} has dtype", array.dtype, rule))
    return array.astype("float64", copy=False)


def finite_values(who: str, what: str, given: Any) -> Array:
    """Return real_values; raise ArgumentError also where one is not finite."""
    wide = real_values(who, what, given)
    finite = to_host(array_module(wide).isfinite(wide))
    if not finite.all():
        found = f"{finite.size - finite.sum()} infinite or NaN of {finite.size} numbers"
        raise ArgumentError(got(who, f"{what} has", found, "finite ones alone"))
    return wide
