"""Uniform quantiser with a gradient adapter: 2**bits levels forward, a slope backward.

    y = low + step round((x - low) / step), x cut to [low, high]
    step = (high - low) / (2**bits - 1)
    dx = dy g'((x - mid) / half), mid and half of [low, high]

Adapters of sign, on [-1, 1], serve here, too, stretched to the range: G(x) = mid + half
g((x - mid) / half), and `gradient_of` declares that the rule is G's derivative.
"identity" is the straight-through estimator; "hardtanh" stops where x is cut.

Halves between two levels go to the even one, counted from low. The highest level is
high to a rounding. With 1 bit on [-1, 1] y is sign(x), but for x = 0 and what is less
than a rounding of 1: it goes to -1.

Source: levels as in Zhou et al. 2016, "DoReFa-Net", arXiv:1606.06160, eq. 5; adapters
beyond sign are what Li, Ni, Sheng & Zhao 2019 leave for later.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

import numpy

from minigrad.backend import array_module, elementwise
from minigrad.errors import ArgumentError, got
from minigrad.kernels._adapter_check import adapter_of
from minigrad.kernels._adapters import Adapter, adapted
from minigrad.kernels._analytic import within
from minigrad.kernels._arguments import real
from minigrad.kernels._curve import Curve
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result

MAX_BITS: Final = 16
"""float32 tells so many levels apart, with 8 bits to spare for what lies between."""


class Range(NamedTuple):
    """Lowest and highest level, and the distance of two."""

    low: float
    high: float
    step: float

    @property
    def mid(self) -> float:
        """Middle of the range."""
        return self.low / 2 + self.high / 2

    @property
    def half(self) -> float:
        """Half of its length."""
        return self.high / 2 - self.low / 2

    def place(self, x: Array) -> Array:
        """Bring [low, high] to [-1, 1], its ends too, whatever rounding does."""
        xp = array_module(x)
        at, real = (x - self.mid) / self.half, xp.real(x)
        size = xp.maximum(xp.real(at), -xp.real(at))
        beside = (real >= self.low) & (real <= self.high) & (size > 1)
        return xp.where(beside, at / xp.where(beside, size, 1), at)


class Saved(NamedTuple):
    """x, the adapter whose slope is taken, and the range it is stretched to."""

    x: Array
    adapter: Curve
    range: Range


@elementwise
def _quantize(
    xp: Any, x: Array, low: float, high: float, step: float, **out: Array
) -> Array:
    at = within(xp, xp.real(x), low, high)
    return xp.add(xp.rint((at - low) / step) * step, low, **out)


def _range(bits: int, low: float, high: float) -> Range:
    whole = isinstance(bits, int | numpy.integer) and not isinstance(bits, bool)
    if not whole or not 1 <= bits <= MAX_BITS:
        rule = f"an integer from 1 to {MAX_BITS}"
        raise ArgumentError(got("quantize", "bits", repr(bits), rule))
    low, high = real("quantize", "low", low), real("quantize", "high", high)
    if not (low < high and math.isfinite(high / 2 - low / 2)):
        found = f"{low:g} and {high:g}"
        raise ArgumentError(got("quantize", "low and high", found, "low < high"))
    return Range(low, high, (high - low) / (2 ** int(bits) - 1))


def forward(
    x: Array,
    *,
    bits: int = 2,
    low: float = 0.0,
    high: float = 1.0,
    adapter: Adapter = "hardtanh",
) -> Result:
    """Round x to the nearest of 2**bits levels from low to high, element by element."""
    expect_float("quantize", x=x)
    levels = _range(bits, low, high)
    return _quantize(x, *levels), Saved(x, adapter_of(adapter), levels)


def _gradient(dy: Array, saved: Saved) -> Array:
    return adapted(saved.adapter)(dy, saved.range.place(saved.x))


def stretched(
    x: Array,
    *,
    bits: int = 2,
    low: float = 0.0,
    high: float = 1.0,
    adapter: Adapter = "hardtanh",
) -> Array:
    """Compute G(x), whose derivative the rule is."""
    levels = _range(bits, low, high)
    return adapter_of(adapter).value(levels.place(x)) * levels.half + levels.mid


KERNEL = Kernel(
    name="quantize",
    forward=forward,
    terms={"x": lambda dy, saved: {"adapter": _gradient(dy, saved)}},
    gradient_of=stretched,
)
