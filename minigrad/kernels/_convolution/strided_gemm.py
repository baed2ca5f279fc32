"""Convolution with a stride: rows of pixels are gathered, then multiplied.

Where outputs skip inputs, no tap reads a range of a row. So the taps along the last
axis are laid side by side first, for every row that is read: (W', N, taps * C), with
zeros for padding. An output row is then one product for each tap along the other axes.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from minigrad.backend import add_product, array_module, parallel_for
from minigrad.kernels._convolution.geometry import Geometry
from minigrad.kernels._convolution.shares import fill_with_sum
from minigrad.typing import Array, Shape


def forward(x: Array, w: Array, g: Geometry, y: Array) -> None:
    """Fill y, each row with the products of the gathered rows it reads."""
    gathered = _gathered(x, g)
    outer, matrices = _outer(g), _matrices(w)
    places = _places(g.out)

    def body(index: int) -> None:
        row = y[places[index]]
        row = row.reshape(-1, row.shape[-1])
        beta = 0.0
        for tap, source in outer.reads(places[index]):
            add_product(row, gathered[source], matrices[tap], beta)
            beta = 1.0
        if not beta:
            row[...] = 0

    parallel_for(len(places), body)


def input_gradient(dy: Array, w: Array, g: Geometry, dx: Array) -> None:
    """Fill dx row by row: the gradient of a gathered row, put back where it came from.

    Every input row is filled once, so that threads never meet in one.
    """
    xp = array_module(dy)
    outer, matrices = _outer(g), _matrices(w)
    places = _places(g.size)
    senders: dict[Shape, list[tuple[Shape, Shape]]] = {place: [] for place in places}
    for place in _places(g.out):
        for tap, source in outer.reads(place):
            senders[source].append((tap, place))
    batch, channels = dx.shape[-2:]

    def body(index: int) -> None:
        row = dx[places[index]]
        row[...] = 0
        if not senders[places[index]]:
            return
        sides = xp.empty((g.out[-1], batch, g.kernel[-1], channels), dx.dtype)
        flat = sides.reshape(g.out[-1] * batch, g.kernel[-1] * channels)
        beta = 0.0
        for tap, place in senders[places[index]]:
            sent = dy[place]
            sent = sent.reshape(-1, sent.shape[-1])
            add_product(flat, sent, matrices[tap].T, beta)
            beta = 1.0
        for side, (outputs, inputs) in enumerate(_ranges(g)):
            row[inputs] += sides[outputs, :, side]

    parallel_for(len(places), body)


def weight_gradient(x: Array, dy: Array, g: Geometry, dw: Array) -> None:
    """Fill dw: per tap, the products of gathered rows and the outputs they made."""
    gathered, outer = _gathered(x, g), _outer(g)

    def add(place: Shape, sums: Array) -> None:
        matrices, sent = _matrices(sums), dy[place]
        sent = sent.reshape(-1, sent.shape[-1])
        for tap, source in outer.reads(place):
            add_product(matrices[tap], gathered[source].T, sent)

    fill_with_sum(dw, _places(g.out), add)


def _outer(g: Geometry) -> Geometry:
    """Return the geometry of all axes but the last."""
    numbers = [field[:-1] for field in g[:-1]]
    return Geometry(*numbers, padding=g.padding[:-1])


def _places(size: Shape) -> list[Shape]:
    """List the rows of pixels."""
    return list(itertools.product(*map(range, size[:-1])))


def _matrices(w: Array) -> Array:
    """View w (*K, C, O) as one matrix (taps of the last axis * C, O) per outer tap."""
    *outer, taps, channels, filters = w.shape
    return w.reshape(*outer, taps * channels, filters)


def _ranges(g: Geometry) -> Iterator[tuple[slice, slice]]:
    """Yield, per tap along the last axis, the outputs it serves and the inputs read."""
    size, out, stride = g.size[-1], g.out[-1], g.stride[-1]
    for tap in range(g.kernel[-1]):
        start = tap * g.dilation[-1] - g.padding[-1][0]
        first = max(0, math.ceil(-start / stride))
        last = max(first, min(out, (size - 1 - start) // stride + 1))
        begin = start + first * stride
        end = max(begin, start + (last - 1) * stride + 1)
        yield slice(first, last), slice(begin, end, stride)


def _gathered(x: Array, g: Geometry) -> dict[Shape, Array]:
    """Copy every row that is read, as a matrix (W' * N, taps * C)."""
    xp = array_module(x)
    batch, channels = x.shape[-2:]
    outer = _outer(g)
    read = sorted({s for place in _places(g.out) for _, s in outer.reads(place)})
    shape = (len(read), g.out[-1], batch, g.kernel[-1], channels)
    rows = xp.empty(shape, x.dtype)

    def body(index: int) -> None:
        source, row = x[read[index]], rows[index]
        for side, (outputs, inputs) in enumerate(_ranges(g)):
            row[: outputs.start, :, side] = 0
            row[outputs, :, side] = source[inputs]
            row[outputs.stop :, :, side] = 0

    parallel_for(len(read), body)
    matrices = rows.reshape(len(read), shape[1] * batch, shape[3] * channels)
    return {source: matrices[index] for index, source in enumerate(read)}
