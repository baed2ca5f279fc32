"""Where an adapter g is looked at, and its values there, or an error in words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final

import numpy
from numpy import ndarray

from minigrad.errors import ArgumentError, got
from minigrad.kernels._adapters import slope_of
from minigrad.kernels._curve import Curve

DTYPES: Final = ("float64", "float32")
FAR: Final = 1e30
"""Where g is taken to be at its limit; its square root is compared with it."""


@functools.cache
def points(dtype: str) -> ndarray:
    """List the x that g is looked at, in rising order."""
    limits = numpy.finfo(dtype)
    # 1e-300, ..., 1e30 in float64, 1e-30, ..., 1e30 in float32.
    powers = [float(f"1e{n}") for n in range(-300, 31) if 10.0**n > limits.tiny]
    positive = numpy.unique(numpy.concatenate([_magnitudes(), powers]))
    positive = numpy.append(limits.tiny, positive)
    return numpy.concatenate([-positive[::-1], [-0.0, 0.0], positive]).astype(dtype)


@functools.cache
def _magnitudes() -> ndarray:
    """Make the ends of cells; none is where people put kinks."""
    small = numpy.geomspace(1.0123e-30, 1, 5600, endpoint=False)
    middle = numpy.arange(1, 20, 0.01) + 1 / 300
    large = numpy.geomspace(20.0123, FAR, 5740)
    return numpy.concatenate([small, middle, large])


@functools.cache
def cells() -> ndarray:
    positive = _magnitudes()
    return numpy.concatenate([-positive[::-1], positive])


def nearest_to_1(x: ndarray) -> int:
    """Return the place of the x whose size is, as a factor, nearest to 1."""
    size = numpy.maximum(numpy.abs(x.astype("float64")), 1e-320)
    return int(numpy.argmin(numpy.abs(numpy.log(size))))


def refusal(curve: Curve, found: str, rule: str, remedy: str = "") -> ArgumentError:
    return ArgumentError(got("sign", f"adapter {curve.name!r}", found, rule, remedy))


def _call(
    curve: Curve, what: str, function: Callable[[ndarray], Any], x: ndarray
) -> Any:
    """Give function a copy of x; refuse where it raises or writes to the copy."""
    given = x.copy()
    try:
        with numpy.errstate(all="ignore"):
            y = function(given)
    except Exception as error:
        said = f"{type(error).__name__}: {error}".rstrip(": ")
        rule, remedy = "one that takes any array of floats", ""
        if what == "derivative" and curve.from_x:
            remedy = "leave out from_x=True if it reads y"
        found = f"has a {what} that raised {said}"
        raise refusal(curve, found, rule, remedy) from error
    if given.tobytes() != x.tobytes():
        raise refusal(
            curve, f"has a {what} that writes to x", "one that leaves x as it is"
        )
    return y


def value_at(curve: Curve, x: ndarray) -> ndarray:
    """Return g(x), of the shape and dtype of x."""
    y = _call(curve, "function", curve.value, x)
    said = f"for x of shape {x.shape} and {x.dtype}"
    remedy = "compute it from x element by element"
    if not isinstance(y, ndarray | numpy.generic):
        raise refusal(curve, f"gives a {type(y).__name__} {said}", "an array", remedy)
    if y.shape != x.shape or y.dtype != x.dtype:
        found = f"gives shape {y.shape} and {y.dtype} {said}"
        raise refusal(curve, found, "the same", remedy)
    return numpy.asarray(y)


def slope_at(curve: Curve, x: ndarray) -> ndarray:
    """Return g'(x) as float64, of the shape of x."""
    slope = _call(curve, "derivative", lambda x: slope_of(curve, x), x)
    try:
        array = numpy.asarray(slope)
        if array.dtype.kind in "biuf":
            return numpy.broadcast_to(array, x.shape).astype("float64")
        found = f"dtype {array.dtype}"
    except ValueError:
        found = f"shape {numpy.shape(slope)}"
    raise refusal(
        curve,
        f"has a derivative of {found} for x of shape {x.shape}",
        "real numbers that broadcast to it",
    )
