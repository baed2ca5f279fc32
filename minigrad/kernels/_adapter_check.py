"""Whether g is an adapter of sign: it keeps the sign, and its derivative is its slope.

g is looked at in float64 and float32: at 0, the smallest normal numbers, powers of ten
to 1e30, and densely between -20 and 20. Slopes are compared with differences over cells
of 0.01, below 1 and beyond 20 of 1.2% of x; a cell or two may be wrong, as a kink or a
jump makes them. It is done once for each g.
"""

from __future__ import annotations

import functools
import math
from typing import Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.kernels._adapter_values import (
    DTYPES,
    FAR,
    cells,
    nearest_to_1,
    points,
    refusal,
    slope_at,
    value_at,
)
from minigrad.kernels._adapters import ADAPTERS, Adapter, curve_of
from minigrad.kernels._curve import Curve

FLAT: Final = 1e-6
"""How little g may change between the root of FAR and FAR, in parts of its limit."""

SLOPE: Final = 5e-3
"""How far slopes may be from differences: five times what cells make of tanh."""

BEND: Final = 0.05
"""What a cell may add, in parts of how much differences change from cell to cell: more
than w / 24, which is what the middle of a cell of w <= 1.2 does to exp."""

RUN: Final = 3
"""So many cells in a row are no kink."""


class AdapterReport(NamedTuple):
    """What is_gradient_adapter found; true where Proposition 3.1 holds.

    Attributes:
        name: what g is called.
        keeps_sign: Proposition 3.1, sign(g(x)) = sign(x).
        saturates: Proposition 3.2, g tends to a positive multiple of sign far out.
        limit: what |g| tends to; inf where it grows, NaN where sides differ.
        counterexample: an x whose sign g changes, the one nearest to 1; else None.
        value: g(counterexample); NaN where there is none.
    """

    name: str
    keeps_sign: bool
    saturates: bool
    limit: float
    counterexample: float | None
    value: float

    def __bool__(self) -> bool:
        return self.keeps_sign

    def __str__(self) -> str:
        first = "Proposition 3.1 holds, sign(g(x)) is sign(x)"
        if not self.keeps_sign:
            first = (
                "Proposition 3.1 does not hold, "
                f"g({self.counterexample:.4g}) is {self.value:.4g}"
            )
        holds = "holds" if self.saturates else "does not hold"
        link = "and" if self.saturates == self.keeps_sign else "but"
        tends = f"tends to {self.limit:.4g}"
        if math.isinf(self.limit):
            tends = "grows without a bound"
        elif math.isnan(self.limit):
            tends = "has no one limit"
        return f"{self.name}: {first}, {link} 3.2 {holds}, |g| {tends}."


def is_gradient_adapter(g: Adapter) -> AdapterReport:
    """Tell whether g keeps the sign (Proposition 3.1), and whether it saturates (3.2).

    g is a name, a Curve or a kernel of one input. Raises ArgumentError where it is none
    of them, and where its function raises, writes to x or gives another shape or dtype.

    >>> report = is_gradient_adapter("identity")
    >>> bool(report), report.saturates, report.limit
    (True, False, inf)
    """
    curve = curve_of(g)
    at, value = _changed_sign(curve)
    limit, saturates = _limit(curve)
    return AdapterReport(curve.name, at is None, saturates, limit, at, value)


def adapter_of(adapter: Adapter) -> Curve:
    """Return the curve that adapter stands for.

    Raises ArgumentError for what is no adapter: an unknown name, another type, a
    function that does not keep the sign, decreases or is NaN, and a derivative that is
    negative, NaN or not its slope.
    """
    curve = curve_of(adapter)
    return curve if isinstance(adapter, str) else _checked(curve)


@functools.lru_cache(maxsize=64)
def _checked(curve: Curve) -> Curve:
    """Return curve, or raise ArgumentError: each time, as errors are not kept."""
    if curve in ADAPTERS.values():
        return curve
    _expect_elements(curve)
    at, value = _changed_sign(curve)
    if at is not None:
        found = f"gives {value:.6g} at x = {at:.6g}"
        remedy = "take a function that is 0 at 0 and rises on both sides"
        raise refusal(curve, found, "a number of x's sign", remedy)
    for dtype in DTYPES:
        x = points(dtype)
        _expect_rising(curve, x)
        _expect_slope(curve, x)
    _expect_true_slope(curve, cells())
    return curve


def _expect_elements(curve: Curve) -> None:
    """Refuse what gives another shape, or an element that depends on its neighbours."""
    x = numpy.linspace(-2.9, 3.3, 12).reshape(3, 4)
    for dtype in DTYPES:
        for shape in ((0,), (), (3, 4)):
            at = x.ravel()[: math.prod(shape)].reshape(shape).astype(dtype)
            value_at(curve, at)
            slope_at(curve, at)
    for what, function in (("function", value_at), ("derivative", slope_at)):
        alone = numpy.stack([function(curve, row) for row in x])
        if not numpy.allclose(function(curve, x), alone, rtol=1e-9, equal_nan=True):
            rule = "one that looks at each element alone"
            raise refusal(curve, f"has a {what} that mixes the elements of x", rule)


def _changed_sign(curve: Curve) -> tuple[float | None, float]:
    """Return the x nearest to 1 in size whose sign is changed, if any, and g there."""
    for dtype in DTYPES:
        x = points(dtype)
        y = value_at(curve, x)
        with numpy.errstate(invalid="ignore"):
            wrong = numpy.sign(y) != numpy.sign(x)
        wrong &= ~(_underflow(x, y, x > 0) | _underflow(x, y, x < 0))
        if wrong.any():
            at = numpy.flatnonzero(wrong)[nearest_to_1(x[wrong])]
            return float(x[at]), float(y[at])
    return None, math.nan


def _underflow(x: ndarray, y: ndarray, side: ndarray) -> ndarray:
    """Mark x on one side where g is 0 as floats end, as that of x**3 is at 1e-110."""
    size = numpy.abs(x)
    first = numpy.min(size, initial=math.inf, where=side & (y != 0))
    least = numpy.abs(y[side & (size == first)])
    if not len(least) or not least[0] < math.sqrt(numpy.finfo(x.dtype).tiny):
        return numpy.zeros(x.shape, bool)
    return side & (size < first)


def _expect_rising(curve: Curve, x: ndarray) -> None:
    y = value_at(curve, x)
    with numpy.errstate(invalid="ignore"):
        # Functions of several roundings waver by some of them.
        fall = y[:-1] - y[1:] > 8 * numpy.finfo(x.dtype).eps * numpy.abs(y[:-1])
    if fall.any():
        at = int(numpy.argmax(fall))
        found = (
            f"falls from {y[at]:.6g} at x = {x[at]:.6g} "
            f"to {y[at + 1]:.6g} at {x[at + 1]:.6g}"
        )
        remedy = "take one that rises or stays, as slopes must be >= 0"
        raise refusal(curve, found, "a function that does not decrease", remedy)


def _expect_slope(curve: Curve, x: ndarray) -> None:
    """Refuse slopes that are NaN or negative, or infinite where units work."""
    slope = slope_at(curve, x)
    wrong = ~(slope >= 0) | numpy.isinf(slope) & (numpy.abs(x) < 20)
    if wrong.any():
        at = int(numpy.argmax(wrong))
        found = f"has derivative {slope[at]:.6g} at x = {x[at]:.6g} in {x.dtype}"
        raise refusal(curve, found, "a finite number >= 0")


def _expect_true_slope(curve: Curve, x: ndarray) -> None:
    """Compare the derivative in the middle of each cell with the difference over it."""
    width, y = numpy.diff(x), value_at(curve, x)
    middle = x[:-1] + width / 2
    slope = slope_at(curve, middle)
    # On the way out from 0, the steepest so far.
    half = len(middle) // 2
    right, left = (numpy.maximum.accumulate(s) for s in (slope[half:], slope[half::-1]))
    most = numpy.concatenate([left[:0:-1], right])
    with numpy.errstate(all="ignore"):
        rise = numpy.diff(y) / width
        rounding = 8 * numpy.finfo(x.dtype).eps * numpy.abs(y[1:]) / width
        size = numpy.maximum(slope, numpy.abs(rise))
        # Where g' bends within a cell, as that of sinh does far out.
        bend = numpy.abs(numpy.diff(rise, prepend=rise[0], append=rise[-1]))
        bend = BEND * numpy.maximum(bend[:-1], bend[1:])
        allowed = SLOPE * size + FLAT * most + bend + rounding
        wrong = numpy.abs(slope - rise) > allowed
    run = numpy.convolve(wrong, numpy.ones(RUN), "valid") == RUN
    if run.any():
        starts = numpy.flatnonzero(run)
        at = starts[nearest_to_1(middle[starts])]
        raise refusal(
            curve,
            f"has derivative {slope[at]:.6g} at x = {middle[at]:.6g}",
            f"the slope of its function there, {rise[at]:.6g}",
            "correct it, or give the function that it is the derivative of",
        )


def _limit(curve: Curve) -> tuple[float, bool]:
    """Return what |g| tends to on both sides, and whether g tends to limit * sign."""
    far = FAR ** numpy.linspace(0.5, 1, 16)
    left, right = value_at(curve, -far), value_at(curve, far)
    low, high = _tends_to(numpy.abs(left)), _tends_to(numpy.abs(right))
    if math.inf in (low, high):
        return math.inf, False
    if not math.isclose(low, high, rel_tol=FLAT):
        return math.nan, False
    return high, bool(high > 0 and left[-1] < 0 < right[-1])


def _tends_to(size: ndarray) -> float:
    """Return the limit of sizes; inf where they grow, NaN where they go up and down."""
    first, last = float(size[0]), float(size[-1])
    with numpy.errstate(invalid="ignore"):
        change = numpy.diff(size)
    if (numpy.abs(change) <= FLAT * last).all() and abs(last - first) <= FLAT * last:
        return last
    if math.isinf(last) or (change >= 0).all():
        return math.inf
    return 0.0 if last <= FLAT * first else math.nan
