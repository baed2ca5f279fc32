"""Sums and affine maps down the columns of a matrix, at the speed of memory.

This is what normalising by channel or group spends its time on. A matrix is (P, K) and
dense; a vector (K,) holds one number a column. On NumPy the matrix is cut into blocks
of rows that stay in a core's cache, and threads share the blocks. Two shapes matter:

- where a vector meets the matrix, rows are taken as lines of 8192 elements and the
  vector is repeated: over shorter ones NumPy copies what it broadcasts;
- sums are products with a vector of ones, which BLAS forms twice as fast as NumPy adds.

Sums have the matrix's dtype within a block and are float64 over the blocks. Wherever a
mean plays a part it is subtracted first, so that a large one costs few digits. Complex
and half precision matrices, and those on a device, take the plain formulas.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import parallel_for
from minigrad.kernels._layout import pixels
from minigrad.typing import Array

LINE = 1 << 13
"""Elements of a line, as many as NumPy's buffers have: x - mean takes 0.13 ns an
element, and 0.19 with less."""

SUMMED = 1 << 8
"""Columns that are summed at once: those of a narrow matrix in several parts, since a
float32 sum of very many rows loses digits."""

SMALLEST, LARGEST = 1 << 17, 1 << 18
"""Elements of a block: an eighth of the matrix, within these bounds. Larger ones need
more memory beside x and y; between shorter ones threads wait for the interpreter lock.
"""

SHARED = 1 << 20
"""From this many elements on threads share the blocks. Two take three quarters of the
time of one there, and a twentieth more with half as many elements."""


Places = list[ndarray]
"""Where the sums of one block go."""


class _Block(NamedTuple):
    """Some rows of a matrix (P, K), and the shapes in which they are worked on."""

    rows: slice
    lines: tuple[int, int]
    """Shape that meets repeated vectors."""
    parts: tuple[int, int]
    """Shape that is summed over its first axis."""


class _Grid(NamedTuple):
    """How a matrix is cut: blocks of whole lines, then what is left."""

    shape: tuple[int, int]
    line: int
    """Rows of a line, a multiple of those of a part."""
    part: int
    """Rows that are summed side by side."""
    blocks: list[_Block]

    @staticmethod
    def of(x: ndarray) -> _Grid:
        count, width = x.shape
        part = max(1, min(count, SUMMED // width))
        line = max(1, min(count, LINE // width) // part) * part
        rows = max(1, min(max(x.size // 8, SMALLEST), LARGEST) // (line * width)) * line
        whole = count // line * line

        def block(start: int, end: int, line: int, part: int) -> _Block:
            size = (end - start) * width
            lines = size // (line * width), line * width
            return _Block(
                slice(start, end), lines, (size // (part * width), part * width)
            )

        blocks = [
            block(start, min(start + rows, whole), line, part)
            for start in range(0, whole, rows)
        ]
        if whole < count:
            blocks.append(block(whole, count, count - whole, 1))
        return _Grid((count, width), line, part, blocks)

    def run(self, body: Callable[[int], None]) -> None:
        """Call body(index) for every block."""
        if self.shape[0] * self.shape[1] >= SHARED:
            parallel_for(len(self.blocks), body)
            return
        for index in range(len(self.blocks)):
            body(index)

    def run_back(self, body: Callable[[_Block], None]) -> None:
        """Call body(block) for every block from the last: sums have just read that."""
        self.run(lambda index: body(self.blocks[-1 - index]))

    def sums(
        self, number: int, body: Callable[[_Block, Places], None], dtype: Any
    ) -> ndarray:
        """Return sums over all blocks (number, K), float64; body adds up one block."""
        found = numpy.zeros(
            (len(self.blocks), number, self.part * self.shape[1]), dtype
        )
        places = [
            [place[: block.parts[1]] for place in row]
            for block, row in zip(self.blocks, found, strict=True)
        ]
        self.run(lambda index: body(self.blocks[index], places[index]))
        parts = found.reshape(len(self.blocks), number, self.part, self.shape[1])
        return parts.sum(axis=(0, 2), dtype=numpy.float64)

    def repeated(self, vector: Array, dtype: Any) -> ndarray:
        """Repeat vector (K,) until it is as long as a line."""
        return numpy.tile(vector.astype(dtype), self.line)

    def ones(self, dtype: Any) -> ndarray:
        """Make ones for the sums of every block."""
        return numpy.ones(max(block.parts[0] for block in self.blocks), dtype)


def _add_up(ones: ndarray, values: ndarray, block: _Block, place: ndarray) -> None:
    """Put the column sums of a block's values into place, part beside part."""
    parts = values.reshape(block.parts)
    numpy.matmul(ones[: len(parts)], parts, out=place)


def channel_rows(x: Array) -> Array:
    """Return x (N, C, *S) as rows (S * N, C), one a pixel of an example."""
    batch, channels, *spatial = x.shape
    return pixels(x).reshape(batch * math.prod(spatial), channels)


def moments(x: Array) -> tuple[Array, Array]:
    """Return mean and variance (K,) of the columns of x (P, K), 0 if P is 0.

    The variance is biased: the mean of squares. Squared is what is left of x without a
    guess at the mean, so that no digits are lost where the mean is large.
    """
    count = max(len(x), 1)
    if not is_plain(x):
        x = wide(x)
        mean = x.sum(axis=0) / count
        centred = x - mean
        return mean, (centred * centred).sum(axis=0) / count
    grid = _Grid.of(x)
    ones, first = grid.ones(x.dtype), x[grid.blocks[0].rows]
    guess = numpy.ones(len(first), x.dtype) @ first / x.dtype.type(len(first))
    line = grid.repeated(guess, x.dtype)

    def body(block: _Block, places: Places) -> None:
        off = x[block.rows].reshape(block.lines) - line[: block.lines[1]]
        _add_up(ones, off, block, places[0])
        off *= off
        _add_up(ones, off, block, places[1])

    off, squares = grid.sums(2, body, x.dtype) / count
    return guess + off, numpy.maximum(squares - off * off, 0)


def sums_and_dots(dy: Array, x: Array, mean: Array) -> tuple[Array, Array]:
    """Sum dy and dy * (x - mean) over the rows of dy and x (P, K), each to (K,)."""
    if not is_plain(dy, x, mean):
        dy = wide(dy)
        return dy.sum(axis=0), (dy * (wide(x) - mean)).sum(axis=0)
    grid = _Grid.of(x)
    ones, line = grid.ones(x.dtype), grid.repeated(mean, x.dtype)

    def body(block: _Block, places: Places) -> None:
        part = dy[block.rows]
        _add_up(ones, part, block, places[0])
        off = x[block.rows].reshape(block.lines) - line[: block.lines[1]]
        off *= part.reshape(block.lines)
        _add_up(ones, off, block, places[1])

    sums, dots = grid.sums(2, body, x.dtype)
    return sums, dots


def scaled(x: Array, a: Array) -> Array:
    """Compute a * x for x (P, K) and a (K,); the dtype is x's."""
    if not is_plain(x, a):
        return narrow(wide(x) * a, x)
    grid = _Grid.of(x)
    scale = grid.repeated(a, x.dtype)
    y = numpy.empty_like(x)

    def body(block: _Block) -> None:
        rows, shape, _ = block
        out = y[rows].reshape(shape)
        numpy.multiply(x[rows].reshape(shape), scale[: shape[1]], out=out)

    grid.run_back(body)
    return y


def standardised(x: Array, mean: Array, a: Array, c: Array) -> Array:
    """Compute a * (x - mean) + c for x (P, K) and vectors (K,); the dtype is x's."""
    if not is_plain(x, mean, a, c):
        return narrow((wide(x) - mean) * a + c, x)
    grid, centre = _Grid.of(x), mean.astype(x.dtype)
    # What x's dtype does not hold of the mean is part of the shift.
    vectors = (centre, a, c - (mean - centre) * a)
    line, scale, shift = (grid.repeated(v, x.dtype) for v in vectors)
    y = numpy.empty_like(x)

    def body(block: _Block) -> None:
        rows, shape, _ = block
        out, length = y[rows].reshape(shape), shape[1]
        numpy.subtract(x[rows].reshape(shape), line[:length], out=out)
        out *= scale[:length]
        out += shift[:length]

    grid.run_back(body)
    return y


def scaled_sum(dy: Array, a: Array, x: Array, mean: Array, b: Array, c: Array) -> Array:
    """Compute a * dy + b * (x - mean) + c for dy and x (P, K); the dtype is dy's."""
    if not is_plain(dy, a, x, mean, b, c):
        return narrow(wide(dy) * a + (wide(x) - mean) * b + c, dy)
    grid = _Grid.of(x)
    line, scale, slope, shift = (grid.repeated(v, x.dtype) for v in (mean, a, b, c))
    dx = numpy.empty_like(dy)

    def body(block: _Block) -> None:
        rows, shape, _ = block
        out, length = dx[rows].reshape(shape), shape[1]
        numpy.subtract(x[rows].reshape(shape), line[:length], out=out)
        out *= slope[:length]
        out += dy[rows].reshape(shape) * scale[:length]
        out += shift[:length]

    grid.run_back(body)
    return dx


def is_plain(x: Array, *others: Array) -> bool:
    """Tell whether blocks of NumPy take these arrays: real, x of single or double."""
    return (
        type(x) is ndarray
        and x.dtype.char in "fd"
        and x.size > 0
        and all(other.dtype.kind == "f" for other in others)
    )


def wide(x: Array) -> Array:
    """Cast half precision to float32, in which sums are right."""
    return x.astype("float32") if x.dtype.itemsize == 2 else x


def narrow(y: Array, x: Array) -> Array:
    """Cast back to the dtype of x, if that is half precision."""
    return y.astype(x.dtype) if x.dtype.itemsize == 2 else y


def statistics(x: Array, *vectors: Array) -> list[Array]:
    """Cast vectors to x's dtype; to float32 where that is half precision."""
    dtype = numpy.dtype("float32") if x.dtype.itemsize == 2 else x.dtype
    return [
        v.astype(dtype) if v.dtype != dtype and v.dtype.kind == "f" else v
        for v in vectors
    ]
