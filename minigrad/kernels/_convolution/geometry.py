"""Where a convolution reads: sizes, and which input a tap meets at an output.

Output i of an axis meets input i * stride + tap * dilation - padding; what lies outside
counts as 0. Everything holds for any number of spatial axes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels._arguments import per_axis
from minigrad.typing import Shape


class Geometry(NamedTuple):
    """One entry per spatial axis in each field."""

    size: Shape
    """Of the input."""
    out: Shape
    """Of the output."""
    kernel: Shape
    stride: Shape
    dilation: Shape
    padding: tuple[tuple[int, int], ...]
    """Before and after."""

    def taps(self) -> Iterator[Shape]:
        """Yield the position of every tap in the kernel."""
        return itertools.product(*map(range, self.kernel))

    def shift(self, tap: Shape) -> Shape:
        """Return which input a tap meets at output 0; may lie before the first."""
        return tuple(
            place * step - before
            for place, step, (before, _) in zip(
                tap, self.dilation, self.padding, strict=True
            )
        )

    def reads(self, place: Shape) -> Iterator[tuple[Shape, Shape]]:
        """Yield (tap, input) for every tap that meets the input at output place."""
        for tap in self.taps():
            source = tuple(
                at * step + shift
                for at, step, shift in zip(
                    place, self.stride, self.shift(tap), strict=True
                )
            )
            if all(0 <= at < size for at, size in zip(source, self.size, strict=True)):
                yield tap, source


def conv_geometry(
    who: str,
    x: Shape,
    w: Shape,
    *,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Geometry:
    """Check x (N, C, *S) and w (O, C / groups, *K) against each other.

    Raises ShapeError or ArgumentError.
    """
    axes = _spatial_axes(who, x, w)
    (groups,) = per_axis(who, "groups", groups, 1, 1)
    _expect_groups(who, groups, x, w)
    kernel = w[2:]
    stride = per_axis(who, "stride", stride, axes, 1)
    dilation = per_axis(who, "dilation", dilation, axes, 1)
    reach = [step * (taps - 1) for step, taps in zip(dilation, kernel, strict=True)]
    pairs = padding_pairs(who, padding, stride, reach)
    padded = [size + sum(pair) for size, pair in zip(x[2:], pairs, strict=True)]
    free = [size - far - 1 for size, far in zip(padded, reach, strict=True)]
    if min(free) < 0:
        extent = tuple(far + 1 for far in reach)
        what = f"x has shape {x} and a padded size of"
        rule = f"at least {extent}, what the kernel {kernel} spans; pad more"
        raise ShapeError(got(who, what, tuple(padded), rule))
    out = tuple(room // step + 1 for room, step in zip(free, stride, strict=True))
    return Geometry(x[2:], out, kernel, stride, dilation, pairs)


def _spatial_axes(who: str, x: Shape, w: Shape) -> int:
    """Return how many spatial axes w says there are; x must have as many."""
    axes = len(w) - 2
    if len(x) != len(w):
        names = ("N", "C", "D", "H", "W") if axes == 3 else ("N", "C", "H", "W")
        shape = names if axes > 1 else ("N", "C", "L")
        rule = f"({', '.join(shape)}), as w {w} asks for"
        raise ShapeError(got(who, "x has shape", x, rule, "add the batch axis"))
    if 0 in w[2:]:
        raise ShapeError(got(who, "w has shape", w, "a kernel of at least one tap"))
    return axes


def _expect_groups(who: str, groups: int, x: Shape, w: Shape) -> None:
    """Raise unless w (O, C / groups, *K) fits the channels of x."""
    if x[1] != w[1] * groups:
        rule = f"{w[1] * groups} channels, {groups} x those of w {w}"
        raise ShapeError(got(who, "x has shape", x, rule))
    if w[0] % groups:
        rule = f"a number of filters that {groups} groups divide"
        raise ShapeError(got(who, "w has shape", w, rule))


def padding_pairs(
    who: str, padding: Any, stride: Shape, reach: list[int]
) -> tuple[tuple[int, int], ...]:
    """Return how much to pad before and after, per axis; reach is the kernel's, less 1.

    Raises ArgumentError.
    """
    if not isinstance(padding, str):
        numbers = per_axis(who, "padding", padding, len(reach), 0)
        return tuple((number, number) for number in numbers)
    if padding == "valid":
        return ((0, 0),) * len(reach)
    if padding == "same":
        if max(stride) > 1:
            rule = "a stride of 1, the only one that keeps the size"
            raise ArgumentError(got(who, "padding 'same' with stride", stride, rule))
        return tuple((far // 2, far - far // 2) for far in reach)
    if padding == "causal" and len(reach) == 1:
        return ((reach[0], 0),)
    causal = ", 'causal'" if len(reach) == 1 else ""
    rule = f"ints, 'same'{causal} or 'valid'"
    raise ArgumentError(got(who, "padding", repr(padding), rule))


def transposed_geometry(
    who: str,
    x: Shape,
    w: Shape,
    *,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Geometry:
    """Return the convolution whose adjoint takes x (N, O, *S) by w (O, C / groups, *K).

    Its output is x, its input the result. Raises ShapeError or ArgumentError.
    """
    axes = _spatial_axes(who, x, w)
    (groups,) = per_axis(who, "groups", groups, 1, 1)
    if x[1] != w[0] or w[0] % groups:
        rule = f"{w[0]} channels, those of w {w}, which {groups} groups must divide"
        raise ShapeError(got(who, "x has shape", x, rule))
    stride = per_axis(who, "stride", stride, axes, 1)
    dilation = per_axis(who, "dilation", dilation, axes, 1)
    before = per_axis(who, "padding", padding, axes, 0)
    extra = per_axis(who, "output_padding", output_padding, axes, 0)
    if any(e >= max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        rule = f"less than the stride {stride} or the dilation {dilation}"
        raise ArgumentError(got(who, "output_padding", extra, rule))
    size = tuple(
        (count - 1) * s - 2 * p + d * (k - 1) + 1 + e
        for count, s, p, d, k, e in zip(
            x[2:], stride, before, dilation, w[2:], extra, strict=True
        )
    )
    if min(size) < 1:
        what = f"x has shape {x}, which gives a result of size"
        raise ShapeError(got(who, what, size, "at least 1; use less padding"))
    pairs = tuple(zip(before, before, strict=True))
    return Geometry(size, x[2:], w[2:], stride, dilation, pairs)
