"""What options of optimizers and schedules must be."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any

from minigrad.errors import ArgumentError, got


def _is_number(value: Any) -> bool:
    """Tell whether value is a finite number; True and tensors are none."""
    return (
        isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    )


def expect_number(who: str, **options: Any) -> None:
    """Raise ArgumentError for the first option that is no finite number."""
    for name, value in options.items():
        if not _is_number(value):
            raise ArgumentError(got(who, name, repr(value), "a finite number"))


def expect_at_least(who: str, low: float, **options: Any) -> None:
    """Raise ArgumentError for the first option that is no finite number >= low."""
    for name, value in options.items():
        if not _is_number(value) or value < low:
            rule = f"a finite number >= {low}"
            raise ArgumentError(got(who, name, repr(value), rule))


def expect_fraction(who: str, **options: Any) -> None:
    """Raise ArgumentError for the first option outside [0, 1)."""
    for name, value in options.items():
        if not _is_number(value) or not 0 <= value < 1:
            raise ArgumentError(got(who, name, repr(value), f"0 <= {name} < 1"))


def expect_integer(who: str, low: int, **options: Any) -> None:
    """Raise ArgumentError for the first option that is no integer >= low."""
    for name, value in options.items():
        if not _is_number(value) or not isinstance(value, Integral) or value < low:
            rule = f"an integer >= {low}"
            raise ArgumentError(got(who, name, repr(value), rule))
