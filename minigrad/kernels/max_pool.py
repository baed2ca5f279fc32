"""Max pooling: y is the greatest element of each window of x (N, C, *S).

    max_pool: y[i] = max over taps k of x[i * stride - padding + k * dilation]
    adaptive_max_pool: y[i] = max of x[floor(i S / O)] ... x[ceil((i + 1) S / O) - 1]

Works on any number of spatial axes. At a tie the first element in row-major order of
the window takes all of dy, as in PyTorch. A NaN makes y NaN, and the first element of
the window takes dy (PyTorch: the last NaN). Padding counts as -inf and takes no dy.

Saved is the winner's place in its window: a byte for each element of y, where saving x
would cost 16 in a 2x2 window, and would make backward twice as slow.
"""

from __future__ import annotations

import math
from itertools import product
from typing import Any, NamedTuple

import numpy

from minigrad.backend import array_module
from minigrad.kernels._analytic import unless
from minigrad.kernels._layout import channels_second, spatial_first
from minigrad.kernels._spec import Kernel
from minigrad.kernels._windows import (
    Axis,
    Link,
    Plan,
    adaptive_axes,
    clipped,
    in_blocks,
    sliding_axes,
    spatial_axes,
    steps,
    windows_of,
)
from minigrad.typing import Array, Module, Result, Shape, Terms


class Saved(NamedTuple):
    """Tap of the greatest element (*O, N * C), the axes, taps per axis."""

    taps: Array
    axes: tuple[Axis, ...]
    width: Shape


def max_pool(
    x: Array,
    *,
    kernel_size: int | Shape,
    stride: int | Shape | None = None,
    padding: int | Shape = 0,
    dilation: int | Shape = 1,
    ceil_mode: bool = False,
) -> Result:
    """Pool x (N, C, *S) to (N, C, *O), O = (S + 2 padding - span) // stride + 1.

    span = (kernel_size - 1) * dilation + 1. In ceil_mode the division rounds up, and
    the last window may stick out. stride None is kernel_size.
    """
    axes = spatial_axes("max_pool", x)
    windows = windows_of("max_pool", axes, kernel_size, stride, padding, dilation)
    links = sliding_axes("max_pool", x, windows, ceil_mode)
    return _greatest(x, links, windows.width)


def adaptive_max_pool(x: Array, *, output_size: Any) -> Result:
    """Pool x (N, C, *S) to (N, C, *output_size); None keeps an axis."""
    axes = adaptive_axes("adaptive_max_pool", x, output_size)
    width = tuple(1 + max(link.tap for link in a.forward.links) for a in axes)
    return _greatest(x, axes, width)


def _greatest(x: Array, axes: tuple[Axis, ...], width: Shape) -> Result:
    xp = array_module(x)
    source = spatial_first(x)
    batch, channels = x.shape[:2]
    source = source.reshape(*x.shape[2:], batch * channels)
    shape = tuple(axis.forward.size for axis in axes)
    y = xp.empty((*shape, batch * channels), x.dtype)
    # One number more than there are taps: none of them.
    taps = xp.empty(y.shape, numpy.min_scalar_type(math.prod(width)))

    def body(start: int, stop: int, columns: slice) -> None:
        plans = [clipped(axes[0].forward, start, stop)]
        plans += [axis.forward for axis in axes[1:]]
        block = (slice(start, stop), ..., columns)
        _greatest_of_block(
            xp, source[..., columns], y[block], taps[block], plans, width
        )

    in_blocks(xp, (y.shape, source.shape), body)
    y = channels_second(y.reshape(*shape, batch, channels))
    return y, Saved(taps, axes, width)


def _greatest_of_block(
    xp: Module, x: Array, y: Array, taps: Array, plans: list[Plan], width: Shape
) -> None:
    """Fill y and taps (rows, ..., columns) from x."""
    _fill_rest(y, plans, -math.inf)
    _fill_rest(taps, plans, math.prod(width))
    # Links come last tap first: at a tie the first tap, which comes last, wins.
    for links in product(*(plan.links for plan in plans)):
        place = tuple(steps(link.target) for link in links)
        part = x[tuple(steps(link.source) for link in links)]
        best, winner, tap = y[place], taps[place], _tap(links, width)
        if all(link.fresh for link in links):
            best[...], winner[...] = part, tap
            continue
        lower = xp.less(part.real, best.real)
        if x.dtype.kind == "c":
            best[...] = xp.where(lower, best, part)
        else:
            xp.maximum(best, part, out=best)
        # Keep the winner where part is lower, else take tap. winner *= lower and a
        # maximum with tap would do, but that maximum of bytes takes six times as long
        # as all three passes.
        winner -= tap
        winner *= lower.view("uint8")
        winner += tap


def _tap(links: tuple[Link, ...], width: Shape) -> int:
    """Number the taps of a window in row-major order."""
    number = 0
    for link, size in zip(links, width, strict=True):
        number = number * size + link.tap
    return number


def _x_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy to the greatest element of each window."""
    xp = array_module(dy)
    taps, axes, width = saved
    batch, channels = dy.shape[:2]
    source = spatial_first(dy).reshape(taps.shape)
    # Where windows overlap, terms are added: in float32 for float16.
    wide = source.astype("float32") if dy.dtype.char == "e" else source
    shape = tuple(axis.backward.size for axis in axes)
    dx = xp.empty((*shape, batch * channels), wide.dtype)

    def body(start: int, stop: int, columns: slice) -> None:
        plans = [clipped(axes[0].backward, start, stop)]
        plans += [axis.backward for axis in axes[1:]]
        _scatter(
            xp,
            wide[..., columns],
            taps[..., columns],
            dx[start:stop, ..., columns],
            plans,
            width,
        )

    in_blocks(xp, (dx.shape, taps.shape), body)
    return {"direct": channels_second(dx.reshape(*shape, batch, channels))}


def _scatter(
    xp: Module, dy: Array, taps: Array, dx: Array, plans: list[Plan], width: Shape
) -> None:
    """Fill dx (rows, ..., columns) with dy where an element was the greatest."""
    _fill_rest(dx, plans, 0)
    for links in product(*(plan.links for plan in plans)):
        place = dx[tuple(steps(link.target) for link in links)]
        at = tuple(steps(link.source) for link in links)
        others = taps[at] != _tap(links, width)
        if not all(link.fresh for link in links):
            place += unless(xp, others, dy[at])
            continue
        value = unless(xp, others, dy[at], out=place)
        if value is not place:
            place[...] = value


def _fill_rest(array: Array, plans: list[Plan], value: float) -> None:
    """Set what fresh links leave out."""
    for axis, plan in enumerate(plans):
        for place in plan.rest:
            array[(slice(None),) * axis + (place,)] = value


MAX_POOL_KERNEL = Kernel(name="max_pool", forward=max_pool, terms={"x": _x_terms})
ADAPTIVE_MAX_POOL_KERNEL = Kernel(
    name="adaptive_max_pool", forward=adaptive_max_pool, terms={"x": _x_terms}
)
