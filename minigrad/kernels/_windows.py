"""Windows that slide along spatial axes, as slices.

Every axis is handled alone: its `Axis` lists which positions of the result take from
which positions of x. Positions that are equally far apart make one `Link`, so that a
window of k taps is k pairs of slices, and all that kernels do is done by a few large
array operations on views.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import numpy

from minigrad.backend import parallel_for
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels._arguments import per_axis
from minigrad.kernels._spec import expect_float
from minigrad.typing import Array, Module, Shape

BLOCK: Final = 1 << 20
"""Elements per block, of x or y, whichever is larger. Max pooling 2x2 of 64x64x32x32
takes 1.2 ms, with a quarter of it 2.6: the calls get so short that threads wait for the
interpreter lock. Twice as many leave smaller images to one thread."""


class Link(NamedTuple):
    """Positions of the target and, pair by pair, the source's that go there."""

    target: range
    source: range
    tap: int = 0
    """Place in the window."""
    weight: float = 1.0
    fresh: bool = False
    """Whether no link before reaches any of the targets: it may write, not add."""


class Plan(NamedTuple):
    """All links into an axis of length size; rest: positions no fresh link reaches.

    The links of a window come from its last tap to its first.
    """

    size: int
    links: tuple[Link, ...]
    rest: tuple[int, ...]


class Axis(NamedTuple):
    """The plan from x to y, and the same links turned round."""

    forward: Plan
    backward: Plan


def axis_of_links(size: int, out: int, links: Iterable[Link]) -> Axis:
    """Make an axis from the links between x of length size and y of length out."""
    forth = tuple(links)
    back = (link._replace(target=link.source, source=link.target) for link in forth)
    return Axis(_plan(out, forth), _plan(size, back))


def _plan(size: int, links: Iterable[Link]) -> Plan:
    reached: set[int] = set()
    written: set[int] = set()
    known: list[Link] = []
    for link in links:
        fresh = reached.isdisjoint(link.target)
        reached.update(link.target)
        if fresh:
            written.update(link.target)
        known.append(link._replace(fresh=fresh))
    rest = tuple(place for place in range(size) if place not in written)
    return Plan(size, tuple(known), rest)


@lru_cache(512)
def sliding(
    size: int, out: int, width: int, stride: int, padding: int, dilation: int
) -> Axis:
    """Link y[i] to x[i * stride - padding + tap * dilation], where x has that."""
    links: list[Link] = []
    for tap in reversed(range(width)):
        offset = tap * dilation - padding
        first = max(0, -(offset // stride))
        last = min(out - 1, (size - 1 - offset) // stride)
        if first <= last:
            start, stop = first * stride + offset, last * stride + offset + 1
            links.append(Link(range(first, last + 1), range(start, stop, stride), tap))
    return axis_of_links(size, out, links)


@lru_cache(512)
def adaptive(size: int, out: int) -> Axis:
    """Link y[i] to x[floor(i * size / out)] up to x[ceil((i + 1) * size / out)]."""
    # Every `period` windows the pattern repeats, `jump` positions further on.
    repeats = math.gcd(size, out)
    period, jump = out // repeats, size // repeats
    links: list[Link] = []
    for place in range(period):
        start, stop = place * size // out, -(-(place + 1) * size // out)
        for tap in reversed(range(stop - start)):
            source = range(start + tap, start + tap + (repeats - 1) * jump + 1, jump)
            links.append(Link(range(place, out, period), source, tap))
    return axis_of_links(size, out, links)


def clipped(plan: Plan, start: int, stop: int) -> Plan:
    """Keep the targets from start up to stop, and count them from start."""
    if start == 0 and stop == plan.size:
        return plan
    links: list[Link] = []
    for link in plan.links:
        first, step = link.target.start, link.target.step
        low = max(0, -((first - start) // step))
        high = max(low, -((first - stop) // step))
        target = link.target[low:high]
        if target:
            moved = range(target.start - start, target.stop - start, step)
            links.append(link._replace(target=moved, source=link.source[low:high]))
    rest = tuple(place - start for place in plan.rest if start <= place < stop)
    return Plan(stop - start, tuple(links), rest)


def steps(positions: range) -> slice:
    """Turn a range that is not empty into the slice that selects it."""
    return slice(positions.start, positions.stop, positions.step)


def in_blocks(
    xp: Module, shapes: Sequence[Shape], body: Callable[[int, int, slice], None]
) -> None:
    """Call body(first row, last row + 1, columns) for blocks that make up the target.

    shapes are those of target and source, (rows, ..., columns). On NumPy the blocks run
    on all threads.
    """
    (rows, *_, columns), elements = shapes[0], max(map(math.prod, shapes))
    count = elements // BLOCK if xp is numpy else 1
    if count < 2:
        body(0, rows, slice(0, columns))
        return
    height = max(1, rows // count)
    tall = -(-rows // height)
    # Where there are too few rows, each is cut.
    width = -(-columns // max(1, count // tall))
    wide = -(-columns // width)

    def block(index: int) -> None:
        row, column = index // wide * height, index % wide * width
        body(row, min(rows, row + height), slice(column, column + width))

    parallel_for(tall * wide, block)


# -- arguments -------------------------------------------------------------------------


def spatial_axes(name: str, x: Array) -> int:
    """Return how many axes x (N, C, *S) has in S; raise unless x is float and fits."""
    expect_float(name, x=x)
    if x.ndim < 3 or 0 in x.shape[2:]:
        rule = "(N, C, ...) with at least one spatial axis, none of length 0"
        raise ShapeError(got(name, "x has shape", x.shape, rule))
    return x.ndim - 2


class Windows(NamedTuple):
    """Windows as they were asked for, one number an axis."""

    width: Shape
    stride: Shape
    padding: Shape
    dilation: Shape

    @property
    def spans(self) -> Shape:
        """Lengths of x that a window spans."""
        pairs = zip(self.width, self.dilation, strict=True)
        return tuple((width - 1) * dilation + 1 for width, dilation in pairs)


def windows_of(
    name: str, axes: int, kernel_size: Any, stride: Any, padding: Any, dilation: Any
) -> Windows:
    """Check the arguments of pooling, whatever x; see minigrad.kernels.max_pool."""
    width = per_axis(name, "kernel_size", kernel_size, axes, 1)
    steps = width if stride is None else per_axis(name, "stride", stride, axes, 1)
    padding = per_axis(name, "padding", padding, axes, 0)
    dilation = per_axis(name, "dilation", dilation, axes, 1)
    windows = Windows(width, steps, padding, dilation)
    if any(2 * pad > span for pad, span in zip(padding, windows.spans, strict=True)):
        rule = f"at most half of the window {windows.spans}"
        remedy = "pad x itself with functional.pad"
        raise ArgumentError(got(name, "padding", padding, rule, remedy))
    return windows


def sliding_axes(
    name: str, x: Array, windows: Windows, ceil_mode: bool
) -> tuple[Axis, ...]:
    """Link every axis of the result to its axis of x (N, C, *S)."""
    width, steps, padding, dilation = windows
    out = tuple(
        _count(size + 2 * pad, size + pad, span, step, ceil_mode)
        for size, pad, span, step in zip(
            x.shape[2:], padding, windows.spans, steps, strict=True
        )
    )
    if min(out) < 1:
        rule = f"at least the window {windows.spans} less twice the padding {padding}"
        remedy = "take a smaller kernel_size or more padding"
        raise ShapeError(got(name, "x has spatial shape", x.shape[2:], rule, remedy))
    return tuple(map(sliding, x.shape[2:], out, width, steps, padding, dilation))


def adaptive_sizes(name: str, axes: int, output_size: Any) -> tuple[int | None, ...]:
    """Return one length an axis, or None, which keeps it; check output_size."""
    many = isinstance(output_size, tuple | list)
    given = tuple(output_size) if many else (output_size,) * axes
    try:
        numbers = [1 if size is None else size for size in given]
        per_axis(name, "output_size", numbers, axes, 1)
    except ArgumentError:
        several = f", or {axes} of them" if axes > 1 else ""
        rule = f"an int >= 1{several}; None keeps an axis"
        raise ArgumentError(got(name, "output_size", repr(output_size), rule)) from None
    return given


def adaptive_axes(name: str, x: Array, output_size: Any) -> tuple[Axis, ...]:
    """Link x (N, C, *S) to windows of which output_size says how many there are."""
    sizes = adaptive_sizes(name, spatial_axes(name, x), output_size)
    pairs = zip(x.shape[2:], sizes, strict=True)
    return tuple(adaptive(old, old if new is None else int(new)) for old, new in pairs)


def _count(padded: int, end: int, span: int, stride: int, ceil_mode: bool) -> int:
    """Count the windows that fit into padded; in ceil mode one may stick out.

    That one must start before end, where x and the padding in front of it end.
    """
    room = padded - span
    if not ceil_mode:
        return room // stride + 1
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= end else count
