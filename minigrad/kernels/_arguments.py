"""Checks of what kernels are given beside arrays: numbers, axes, shapes."""

from __future__ import annotations

from collections.abc import Iterable
from operator import index
from typing import Any, Final

import numpy

from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.typing import Array, Axis, Shape

_REAL: Final = (int, float, numpy.integer, numpy.floating)


def is_real(value: object) -> bool:
    """Tell whether value is one real number; True and False are none."""
    return isinstance(value, _REAL) and not isinstance(value, bool)


def real(name: str, what: str, value: Any, least: float | None = None) -> float:
    """Return value as a float; raise ArgumentError if it is none, or below least."""
    if not is_real(value) or (least is not None and not value >= least):
        rule = "a number" if least is None else f"a number >= {least}"
        raise ArgumentError(got(name, what, repr(value), rule))
    return float(value)


def integers(name: str, what: str, given: Iterable[Any]) -> tuple[int, ...]:
    """Return given as a tuple of ints; raise ArgumentError if it is none."""
    try:
        return tuple([index(number) for number in given])
    except TypeError:
        raise ArgumentError(got(name, what, repr(given), "a tuple of ints")) from None


def per_axis(name: str, what: str, given: Any, axes: int, least: int) -> Shape:
    """Return given, one int or one an axis, as a tuple; none may be below least.

    True and False are no numbers here: they come of arguments in the wrong place.
    """
    many = given if isinstance(given, tuple | list) else (given,) * axes
    try:
        numbers = tuple([index(number) for number in many])
    except TypeError:
        numbers = ()
    flags = any(isinstance(number, bool) for number in many)
    if flags or len(numbers) != axes or min(numbers) < least:
        several = f", or {axes} of them" if axes > 1 else ""
        raise ArgumentError(got(name, what, repr(given), f"an int >= {least}{several}"))
    return numbers


def shape_of(name: str, given: Any) -> Shape:
    """Return given, a number or several, as a shape."""
    return integers(name, "shape", (given,) if isinstance(given, int) else given)


def axis_of(name: str, x: Array, axis: Any) -> int:
    """Return the number of an axis of x, counted from the front."""
    return axis_among(name, axis, x.ndim, f"axes of x, whose shape is {x.shape}")


def axis_among(name: str, axis: Any, ndim: int, whose: str) -> int:
    """Return the number of one of ndim axes, counted from the front."""
    try:
        place = index(axis)
    except TypeError:
        raise ArgumentError(got(name, "axis", repr(axis), "an int")) from None
    if not -ndim <= place < ndim:
        rule = f"one of the {ndim} {whose}"
        raise ShapeError(got(name, "axis", axis, rule))
    return place % ndim


def axes_of(name: str, x: Array, axis: Axis) -> tuple[int, ...]:
    """Return axis (None: all) as a sorted tuple without negative numbers."""
    if axis is None:
        return tuple(range(x.ndim))
    given = axis if isinstance(axis, tuple) else (axis,)
    try:
        numbers = [index(number) for number in given]
    except TypeError:
        rule = "an int, a tuple of ints or None"
        raise ArgumentError(got(name, "axis", repr(axis), rule)) from None
    axes = {number + x.ndim if number < 0 else number for number in numbers}
    if len(axes) != len(given) or not axes <= set(range(x.ndim)):
        rule = f"different axes of x, whose shape is {x.shape}"
        raise ShapeError(got(name, "axis", axis, rule))
    return tuple(sorted(axes))
