"""Resampling of spatial axes: x (N, C, *S) to y (N, C, *size).

    upsample_nearest: y[i] = x[floor(i * r)]
    upsample_linear: y[i] = (1 - f) x[j] + f x[j + 1], where j + f = (i + 1/2) r - 1/2,
        or i (S - 1) / (size - 1) with align_corners, cut to the positions of x

r is S / size, or 1 / scale where a scale is given. Works on any number of spatial axes,
one after the other: linear on two axes is bilinear. The maps are linear; backward is
their transpose. Coordinates are PyTorch's: those of nearest are rounded to float32,
which decides ties at whole numbers; those of linear are exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy

from minigrad.errors import ArgumentError, got
from minigrad.kernels._arguments import is_real, per_axis
from minigrad.kernels._separable import transform
from minigrad.kernels._spec import Kernel
from minigrad.kernels._windows import Axis, Link, axis_of_links, spatial_axes
from minigrad.typing import Array, Result, Shape

PERIODS: Final = 64
"""Longest pattern of weights looked for: without one, each position is a link."""

Sample = tuple[tuple[int, float], ...]
"""What one position of y takes: positions of x, each with its weight."""


class Saved(NamedTuple):
    """The axes."""

    axes: tuple[Axis, ...]


def upsample_nearest(
    x: Array, *, size: int | Shape, scale: tuple[float, ...] | None = None
) -> Result:
    """Take the nearest element before each position, for y (N, C, *size)."""
    name = "upsample_nearest"
    axes = tuple(
        _nearest(old, new, ratio) for old, new, ratio in _sizes(name, x, size, scale)
    )
    return transform(x, tuple(axis.forward for axis in axes)), Saved(axes)


def upsample_linear(
    x: Array,
    *,
    size: int | Shape,
    scale: tuple[float, ...] | None = None,
    align_corners: bool = False,
) -> Result:
    """Interpolate x linearly along each spatial axis, for y (N, C, *size).

    With align_corners the outermost elements of x and y coincide, and scale is not
    looked at; otherwise the outer edges of these elements do.
    """
    axes = tuple(
        _linear(old, new, ratio, bool(align_corners))
        for old, new, ratio in _sizes("upsample_linear", x, size, scale)
    )
    return transform(x, tuple(axis.forward for axis in axes)), Saved(axes)


def _sizes(
    name: str, x: Array, size: Any, scale: Any
) -> Iterator[tuple[int, int, float | None]]:
    """Check the arguments; for each axis return its lengths and the scale, or None."""
    axes = spatial_axes(name, x)
    size = per_axis(name, "size", size, axes, 1)
    ratios = (None,) * axes if scale is None else tuple(scale)
    fits = all(r is None or (is_real(r) and 0 < r < math.inf) for r in ratios)
    if len(ratios) != axes or not fits:
        rule = f"None, or {axes} numbers > 0"
        raise ArgumentError(got(name, "scale", scale, rule))
    return zip(x.shape[2:], size, ratios, strict=True)


def _ratio(size: int, out: int, scale: float | None) -> Fraction:
    """Return how many positions of x there are for one of y."""
    return Fraction(size, out) if scale is None else 1 / Fraction(scale)


@lru_cache(512)
def _nearest(size: int, out: int, scale: float | None) -> Axis:
    # PyTorch reads no scale where a length is kept or doubled. (In its forward on one
    # axis it does, in the backward it does not.)
    ratio = _ratio(size, out, None if out in (size, 2 * size) else scale)
    places = numpy.arange(out, dtype="float32") * numpy.float32(ratio)
    samples = [((min(int(place), size - 1), 1.0),) for place in places]
    return axis_of_links(size, out, _links(samples, _period(ratio, out)))


@lru_cache(512)
def _linear(size: int, out: int, scale: float | None, align_corners: bool) -> Axis:
    if align_corners:
        ratio, shift = Fraction(size - 1, max(1, out - 1)), Fraction(0)
    else:
        ratio = _ratio(size, out, None if out == size else scale)
        shift = (ratio - 1) / 2
    samples = [_neighbours(size, place * ratio + shift) for place in range(out)]
    return axis_of_links(size, out, _links(samples, _period(ratio, out)))


def _neighbours(size: int, position: Fraction) -> Sample:
    """Weigh the elements on both sides of a position of x."""
    left, beyond = divmod(max(position, Fraction(0)), 1)
    if left >= size - 1:
        return ((size - 1, 1.0),)
    if not beyond:
        return ((left, 1.0),)
    return (left, float(1 - beyond)), (left + 1, float(beyond))


def _period(ratio: Fraction, out: int) -> int:
    """Return after how many positions of y the weights repeat, at most out."""
    return ratio.denominator if ratio.denominator <= PERIODS else out


def _links(samples: list[Sample], period: int) -> Iterator[Link]:
    """Join samples a period apart if they weigh alike and move on by equal steps."""
    out = len(samples)
    for phase in range(min(period, out)):
        start = phase
        while start < out:
            stop, step = _run(samples, start, period)
            count = (stop - start) // period
            for place, weight in samples[start]:
                source = range(place, place + (count - 1) * step + 1, step)
                yield Link(range(start, stop, period), source, weight=weight)
            start = stop


def _run(samples: list[Sample], start: int, period: int) -> tuple[int, int]:
    """Find where samples that fit to the one at start end, and their step in x."""
    step = 0
    stop = start + period
    while stop < len(samples):
        before, after = samples[stop - period], samples[stop]
        moved = after[0][0] - before[0][0]
        alike = [weight for _, weight in before] == [weight for _, weight in after]
        if not alike or moved < 1 or moved != (step or moved):
            break
        step = moved
        stop += period
    return stop, step or 1


UPSAMPLE_NEAREST_KERNEL = Kernel(
    name="upsample_nearest",
    forward=upsample_nearest,
    terms={
        "x": lambda dy, saved: {
            "direct": transform(dy, tuple(axis.backward for axis in saved.axes))
        }
    },
)
UPSAMPLE_LINEAR_KERNEL = Kernel(
    name="upsample_linear",
    forward=upsample_linear,
    terms=UPSAMPLE_NEAREST_KERNEL.terms,
)
