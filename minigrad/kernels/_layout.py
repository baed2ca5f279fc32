"""Where images and sequences lie in memory: spatial axes first, channels last.

To the user an image is (N, C, H, W) and a sequence (N, C, L). In memory both lie with
the spatial axes outermost, (H, W, N, C), under a transposed view: every shift of a
kernel tap is then a view that BLAS takes, and every copy moves long runs. NumPy's and
CuPy's elementwise results keep that order, so only the first layer ever converts.
Here S stands for the spatial axes, one or several.
"""

from __future__ import annotations

import math

from minigrad.backend import array_module, in_c_order
from minigrad.typing import Array, Shape


def spatial_first(x: Array) -> Array:
    """Return x (N, C, *S) as contiguous (*S, N, C); a view if it lies like that."""
    # (N, C, *S) -> (*S, N, C)
    return in_c_order(x.transpose(*range(2, x.ndim), 0, 1))


def channels_second(memory: Array) -> Array:
    """View memory (*S, N, C) as (N, C, *S); undoes spatial_first."""
    spatial = memory.ndim - 2
    # (*S, N, C) -> (N, C, *S)
    return memory.transpose(spatial, spatial + 1, *range(spatial))


def pixels(x: Array) -> Array:
    """Return x (N, C, *S) as rows (S, N * C), one a pixel: S is the product of *S.

    Sums over rows, then over N, are sums per channel; a vector of channels repeated N
    times broadcasts over the rows with a long inner loop.
    """
    count = math.prod(x.shape[2:])
    # Not -1: with N or C = 0 NumPy could not tell how many rows there are.
    return spatial_first(x).reshape(count, x.shape[0] * x.shape[1])


def from_pixels(rows: Array, shape: Shape) -> Array:
    """View rows (S, N * C) as shape (N, C, *S); undoes pixels."""
    batch, channels, *spatial = shape
    return channels_second(rows.reshape(*spatial, batch, channels))


def taps_first(w: Array) -> Array:
    """Return w (O, C, *K) as contiguous (*K, C, O); a view if it lies like that."""
    moved = w.transpose(*range(2, w.ndim), 1, 0)
    if moved.flags.c_contiguous:
        return moved
    return array_module(w).ascontiguousarray(moved)


def filters_first(memory: Array) -> Array:
    """View memory (*K, C, O) as (O, C, *K); undoes taps_first."""
    axes = memory.ndim
    return memory.transpose(axes - 1, axes - 2, *range(axes - 2))
