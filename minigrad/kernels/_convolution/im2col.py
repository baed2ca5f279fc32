"""Convolution as one matrix product a row: the windows are copied into columns first.

The columns of an output row hold every input value that each output reads: (C * taps,
W' * N). Inputs lie channels first here, (C, *S, N), so that a column is made of long
runs. The copies cost taps times the input, which pays where there are few channels, as
in a first layer: one product of depth C * taps, not many of depth C.
"""

from __future__ import annotations

import itertools
import math

from minigrad.backend import add_product, array_module, parallel_for
from minigrad.kernels._convolution.geometry import Geometry
from minigrad.kernels._convolution.shares import fill_with_sum
from minigrad.typing import Array, Shape


def forward(x: Array, w: Array, g: Geometry, y: Array) -> None:
    """Fill y row by row: columns' times the weights (C * taps, O)."""
    matrix = _weight_matrix(w)
    padded = _padded(x, g)
    rows = _rows(g)

    def body(index: int) -> None:
        row = y[rows[index]]
        columns = _columns(padded, g, rows[index])
        add_product(row.reshape(-1, row.shape[-1]), columns.T, matrix, 0.0)

    parallel_for(len(rows), body)


def input_gradient(dy: Array, w: Array, g: Geometry, dx: Array) -> None:
    """Fill dx: the columns' gradients, added where the windows overlap."""
    xp = array_module(dy)
    matrix = _weight_matrix(w)
    channels, batch = dx.shape[-1], dx.shape[-2]
    size = _padded_size(g)
    padded = xp.zeros((channels, *size, batch), dx.dtype)
    for place in _rows(g):
        rows = dy[place]
        columns = matrix @ rows.reshape(-1, rows.shape[-1]).T
        columns = columns.reshape(channels, -1, g.out[-1], batch)
        for number, tap in enumerate(g.taps()):
            padded[_window(g, place, tap)] += columns[:, number]
    # (C, *S, N) -> (*S, N, C)
    inner = padded[(slice(None), *_inside(g))]
    dx[...] = inner.transpose(*range(1, inner.ndim), 0)


def weight_gradient(x: Array, dy: Array, g: Geometry, dw: Array) -> None:
    """Fill dw: the columns times the gradients of what they made."""
    xp = array_module(x)
    padded = _padded(x, g)
    filters, channels = dw.shape[-1], dw.shape[-2]
    total = xp.empty((channels * math.prod(g.kernel), filters), dw.dtype)

    def add(place: Shape, sums: Array) -> None:
        row = dy[place].reshape(-1, filters)
        add_product(sums, _columns(padded, g, place), row)

    fill_with_sum(total, _rows(g), add)
    # (C * taps, O) -> (*K, C, O)
    total = total.reshape(channels, *g.kernel, filters)
    dw[...] = total.transpose(*range(1, total.ndim - 1), 0, total.ndim - 1)


def _weight_matrix(w: Array) -> Array:
    """Return w (*K, C, O) as (C * taps, O)."""
    channels, filters = w.shape[-2:]
    axes = (w.ndim - 2, *range(w.ndim - 2), w.ndim - 1)
    # (*K, C, O) -> (C, *K, O)
    return w.transpose(axes).reshape(channels * math.prod(w.shape[:-2]), filters)


def _padded_size(g: Geometry) -> Shape:
    return tuple(s + sum(pair) for s, pair in zip(g.size, g.padding, strict=True))


def _inside(g: Geometry) -> tuple[slice, ...]:
    """Index what is not padding."""
    pairs = zip(g.padding, g.size, strict=True)
    return tuple(slice(before, before + size) for (before, _), size in pairs)


def _padded(x: Array, g: Geometry) -> Array:
    """Copy x (*S, N, C) to (C, *S, N) with zeros around."""
    xp = array_module(x)
    *_, batch, channels = x.shape
    padded = xp.zeros((channels, *_padded_size(g), batch), x.dtype)
    # (*S, N, C) -> (C, *S, N)
    padded[(slice(None), *_inside(g))] = x.transpose(x.ndim - 1, *range(x.ndim - 1))
    return padded


def _rows(g: Geometry) -> list[Shape]:
    """List the rows of output pixels: all axes but the last."""
    return list(itertools.product(*map(range, g.out[:-1])))


def _window(g: Geometry, row: Shape, tap: Shape) -> tuple[int | slice, ...]:
    """Index, in the padded input, what a tap reads for a row of outputs."""
    starts = [place * step for place, step in zip(tap, g.dilation, strict=True)]
    outer = [
        start + at * step
        for start, at, step in zip(starts, row, g.stride, strict=False)
    ]
    step = g.stride[-1]
    last = slice(starts[-1], starts[-1] + (g.out[-1] - 1) * step + 1, step)
    return (slice(None), *outer, last)


def _columns(padded: Array, g: Geometry, row: Shape) -> Array:
    """Copy what a row of outputs reads to (C * taps, W' * N)."""
    xp = array_module(padded)
    channels, batch = padded.shape[0], padded.shape[-1]
    count = math.prod(g.kernel)
    columns = xp.empty((channels, count, g.out[-1], batch), padded.dtype)
    for number, tap in enumerate(g.taps()):
        columns[:, number] = padded[_window(g, row, tap)]
    return columns.reshape(channels * count, g.out[-1] * batch)
