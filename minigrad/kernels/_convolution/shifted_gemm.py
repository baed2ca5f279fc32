"""Convolution as a sum of shifted matrix products, one per tap, without copies.

With the spatial axes outermost, a row of pixels (W, N, C) is one matrix (W * N, C), and
so is every range of it: a tap multiplies a shifted range of an input row by its (C, O)
matrix and adds to the output row in place. Padding needs no padded copy, the range is
shorter. With a stride no range is read whole: see `strided_gemm`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from minigrad.backend import add_product, parallel_for
from minigrad.kernels._convolution import strided_gemm
from minigrad.kernels._convolution.geometry import Geometry
from minigrad.kernels._convolution.shares import fill_with_sum
from minigrad.typing import Array, Shape

ROWS = 1024
"""Rows of one matrix product, pixels x images: inputs and results stay in cache."""


class Part(NamedTuple):
    """What one tap does: out[i] += source[i + shift] @ matrix."""

    source: Array
    shift: Shape
    matrix: Array


class Piece(NamedTuple):
    """A range of one row of pixels."""

    row: Shape
    start: int
    stop: int


class Overlap(NamedTuple):
    """The rows of a source that a shifted piece meets; their range in the result."""

    source: Array
    start: int
    stop: int


def forward(x: Array, w: Array, g: Geometry, y: Array) -> None:
    """Fill y, each range of an output row by all taps in turn."""
    if max(g.stride) > 1:
        strided_gemm.forward(x, w, g, y)
        return
    _accumulate(y, [Part(x, g.shift(tap), w[tap]) for tap in g.taps()])


def input_gradient(dy: Array, w: Array, g: Geometry, dx: Array) -> None:
    """Fill dx: the same sum with shifts turned round and transposed matrices."""
    if max(g.stride) > 1:
        strided_gemm.input_gradient(dy, w, g, dx)
        return
    parts = [
        Part(dy, tuple(-step for step in g.shift(tap)), w[tap].T) for tap in g.taps()
    ]
    _accumulate(dx, parts)


def weight_gradient(x: Array, dy: Array, g: Geometry, dw: Array) -> None:
    """Fill dw: per tap, the product of all shifted inputs with all outputs."""
    if max(g.stride) > 1:
        strided_gemm.weight_gradient(x, dy, g, dw)
        return

    def add(piece: Piece, sums: Array) -> None:
        rows = dy[piece.row]
        for tap in g.taps():
            found = _overlap(x, g.shift(tap), piece)
            if found is not None:
                sent = _matrix(rows[found.start : found.stop])
                add_product(sums[tap], found.source.T, sent)

    fill_with_sum(dw, _pieces(dy), add)


def _pieces(out: Array) -> list[Piece]:
    """Cut the rows of out (*S, N, O) into ranges of about ROWS rows of a matrix."""
    *outer, width, batch, _ = out.shape
    step = max(1, ROWS // batch)
    return [
        Piece(row, start, min(start + step, width))
        for row in itertools.product(*map(range, outer))
        for start in range(0, width, step)
    ]


def _matrix(pixels: Array) -> Array:
    """View pixels (L, N, C) as a matrix (L * N, C)."""
    length, batch, channels = pixels.shape
    return pixels.reshape(length * batch, channels)


def _overlap(source: Array, shift: Shape, piece: Piece) -> Overlap | None:
    """Return what of source a shifted piece meets; None if nothing."""
    row = tuple(at + step for at, step in zip(piece.row, shift[:-1], strict=True))
    if any(not 0 <= at < size for at, size in zip(row, source.shape, strict=False)):
        return None
    step = shift[-1]
    a = max(piece.start, -step)
    b = min(piece.stop, source.shape[len(row)] - step)
    if a >= b:
        return None
    return Overlap(_matrix(source[row][a + step : b + step]), a, b)


def _accumulate(out: Array, parts: Sequence[Part]) -> None:
    """Fill out[i] with the sum of source[i + shift] @ matrix over parts."""
    pieces = _pieces(out)

    def body(index: int) -> None:
        piece = pieces[index]
        target = out[piece.row]
        found = [
            (overlap, part.matrix)
            for part in parts
            if (overlap := _overlap(part.source, part.shift, piece)) is not None
        ]
        # A tap that covers the whole range goes first: it need not add to zeros.
        whole = piece.start, piece.stop
        found.sort(key=lambda item: item[0][1:] != whole)
        beta = 0.0
        if not found or found[0][0][1:] != whole:
            target[piece.start : piece.stop] = 0
            beta = 1.0
        for (source, start, stop), matrix in found:
            add_product(_matrix(target[start:stop]), source, matrix, beta)
            beta = 1.0

    parallel_for(len(pieces), body)
