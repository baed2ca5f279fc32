"""Average pooling: y is the mean of each window of x (N, C, *S).

    avg_pool: y[i] = sum over taps k of x[i * stride - padding + k] / divisor
    adaptive_avg_pool: y[i] = mean of x[floor(i S / O)] ... x[ceil((i + 1) S / O) - 1]

Works on any number of spatial axes, one after the other. The map is linear; backward is
its transpose: each element of a window gets dy / divisor.
"""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy

from minigrad.backend import array_module
from minigrad.kernels._arguments import per_axis
from minigrad.kernels._layout import (
    channels_second,
    from_pixels,
    pixels,
    spatial_first,
)
from minigrad.kernels._separable import transform
from minigrad.kernels._spec import Kernel
from minigrad.kernels._windows import (
    Axis,
    Windows,
    adaptive_axes,
    sliding_axes,
    spatial_axes,
    windows_of,
)
from minigrad.typing import Array, Result, Shape, Terms


class Saved(NamedTuple):
    """The axes, and what sums are multiplied with: a number or (*O, 1) in memory."""

    axes: tuple[Axis, ...]
    scale: Any


def avg_pool(
    x: Array,
    *,
    kernel_size: int | Shape,
    stride: int | Shape | None = None,
    padding: int | Shape = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Result:
    """Pool x (N, C, *S) to (N, C, *O), O = (S + 2 padding - kernel_size) // stride + 1.

    The divisor is the number of elements in the window, with or without the padding, or
    divisor_override; what sticks out in ceil_mode never counts. stride None is
    kernel_size.
    """
    number = spatial_axes("avg_pool", x)
    windows = windows_of("avg_pool", number, kernel_size, stride, padding, 1)
    axes = sliding_axes("avg_pool", x, windows, ceil_mode)
    if divisor_override is None:
        out = tuple(axis.forward.size for axis in axes)
        counts = _counts(x.shape[2:], out, windows, count_include_pad)
        return _average(x, axes, _scale(x, counts))
    (divisor,) = per_axis("avg_pool", "divisor_override", divisor_override, 1, 1)
    return _average(x, axes, 1 / divisor)


def adaptive_avg_pool(x: Array, *, output_size: Any) -> Result:
    """Pool x (N, C, *S) to (N, C, *output_size); None keeps an axis."""
    axes = adaptive_axes("adaptive_avg_pool", x, output_size)
    counts = [numpy.zeros(axis.forward.size) for axis in axes]
    for count, axis in zip(counts, axes, strict=True):
        for link in axis.forward.links:
            count[link.target] += 1
    return _average(x, axes, _scale(x, counts))


def _counts(
    sizes: Shape, out: Shape, windows: Windows, pad: bool
) -> list[numpy.ndarray]:
    """Count along each axis what the divisor counts, for each of out windows."""
    counts: list[numpy.ndarray] = []
    for size, many, width, stride, padding, _ in zip(sizes, out, *windows, strict=True):
        start = numpy.arange(many) * stride - padding
        stop = numpy.minimum(start + width, size + padding if pad else size)
        counts.append(stop - (start if pad else numpy.maximum(start, 0)))
    return counts


def _scale(x: Array, counts: list[numpy.ndarray]) -> Any:
    """Return 1 / (product of counts): a number, where all windows have the same."""
    if all(count.min() == count.max() for count in counts):
        return 1 / math.prod(int(count[0]) for count in counts)
    # float16 is averaged in float32.
    dtype = "float32" if x.dtype.char == "e" else x.real.dtype
    scale = 1 / functools.reduce(numpy.multiply.outer, counts)
    return array_module(x).asarray(scale[..., None], dtype=dtype)


def _is_whole(axes: tuple[Axis, ...]) -> bool:
    """Tell whether there is one window, which holds all of x."""
    return all(axis.forward.size == 1 and not axis.backward.rest for axis in axes)


def _average(x: Array, axes: tuple[Axis, ...], scale: Any) -> Result:
    if not _is_whole(axes):
        y = transform(x, tuple(axis.forward for axis in axes), scale)
        return y, Saved(axes, scale)
    rows = pixels(x)
    if x.dtype.char == "e":
        rows = rows.astype("float32")
    # Not a sum over axis 0: the product with ones is a BLAS call, 4 times as fast.
    ones = array_module(x).ones(len(rows), rows.dtype)
    y = from_pixels(ones @ rows * scale, x.shape[:2] + (1,) * len(axes))
    return y.astype(x.dtype, copy=False), Saved(axes, scale)


def _x_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy times the scale to all elements of the window."""
    axes, scale = saved
    if _is_whole(axes):
        # Kernel repeats it.
        return {"direct": dy * scale}
    first, *others = (axis.backward for axis in axes)
    if isinstance(scale, float):
        # As weights: where windows do not overlap that costs nothing.
        links = tuple(link._replace(weight=scale) for link in first.links)
        first = first._replace(links=links)
    else:
        dy = channels_second(spatial_first(dy) * scale[..., None])
    return {"direct": transform(dy, (first, *others))}


AVG_POOL_KERNEL = Kernel(name="avg_pool", forward=avg_pool, terms={"x": _x_terms})
ADAPTIVE_AVG_POOL_KERNEL = Kernel(
    name="adaptive_avg_pool", forward=adaptive_avg_pool, terms={"x": _x_terms}
)
