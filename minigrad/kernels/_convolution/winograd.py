"""Winograd's minimal filtering F(4x4, 3x3): 36 products per 16 outputs, not 144.

    y = A' [(G w G') . (B' d B)] A    for every 6 x 6 window d of the input

The windows overlap by two, so a tile of 4 x 4 outputs costs a quarter of the direct
products, and sums of the input and of the result besides. In float32 the largest error
is 5e-6 to 2e-5 of the largest result, where the direct sum has 2e-7 to 5e-7.

All work is matrix products over views, with no gather and no scatter: a window is
transformed along the width tile by tile, along the height for a whole block of tiles,
and the 36 products of a block are one call. Blocks run on all threads.

Source: Lavin & Gray 2015, arXiv:1509.09308, section 4.1 (points 0, +-1, +-2, infinity).
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy

from minigrad.backend import add_product, num_threads, parallel_for, scratch
from minigrad.kernels._convolution.geometry import Geometry
from minigrad.typing import Array, Shape

BT = numpy.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ],
    "float32",
)
G = numpy.array(
    [
        [1 / 4, 0, 0],
        [-1 / 6, -1 / 6, -1 / 6],
        [-1 / 6, 1 / 6, -1 / 6],
        [1 / 24, 1 / 12, 1 / 6],
        [1 / 24, -1 / 12, 1 / 6],
        [0, 0, 1],
    ],
    "float32",
)
AT = numpy.array(
    [
        [1, 1, 1, 1, 1, 0],
        [0, 1, -1, 2, -2, 0],
        [0, 1, 1, 4, 4, 0],
        [0, 1, -1, 8, -8, 1],
    ],
    "float32",
)
A = numpy.ascontiguousarray(AT.T)
GG = numpy.kron(G, G)
"""(36, 9): both sides of G w G' in one product."""

ELEMENTS = 4096
"""Values of one of the 36 windows' entries in a block, tiles x images x channels: with
it, what a block works on (1.2 MB) stays in the cache of a core."""


LARGE = 1 << 13
"""From this many weights a tap the 36 products of a block add up one by one, in place;
below, the calls would cost more than adding them all at once."""


class Block(NamedTuple):
    """Tiles of 4 x 4 outputs, given by their first output, and a range of images."""

    tiles: list[Shape]
    images: slice

    def size(self) -> int:
        """Count the images."""
        return self.images.stop - self.images.start


def _blocks(out: Shape, batch: int, rows: int) -> list[Block]:
    """Cut all tiles of all images into blocks of about rows (tile, image) pairs."""
    tiles = list(itertools.product(*(range(0, size, 4) for size in out)))
    # At least two blocks a thread, so that none waits long for the other.
    limit = max(1, len(tiles) * batch // (2 * num_threads()))
    rows = min(rows, limit)
    parts = math.ceil(batch / rows)
    per_part = math.ceil(batch / parts)
    group = max(1, rows // per_part)
    images = [
        slice(start, min(start + per_part, batch))
        for start in range(0, batch, per_part)
    ]
    return [
        Block(tiles[at : at + group], part)
        for at in range(0, len(tiles), group)
        for part in images
    ]


def _rows(channels: int, filters: int) -> int:
    """Return how many (tile, image) pairs a block holds: what products are fast at."""
    return min(max(ELEMENTS // max(channels, filters), 32), 128)


def _gathered(
    block: Block, x: Array, matrix: Array, offset: tuple[int, int], t: Array, v: Array
) -> None:
    """Transform the windows of a block's tiles to v (36, tiles, images, C).

    matrix (6, L) takes windows of L x L pixels, which begin offset before the tile's
    first output; pixels outside of x count as 0. t is working memory (L, 6, ...).
    """
    height, width = x.shape[:2]
    length = matrix.shape[1]
    for j, (top, left) in enumerate(block.tiles):
        top, left = top - offset[0], left - offset[1]
        r0, r1 = max(0, -top), min(length, height - top)
        c0, c1 = max(0, -left), min(length, width - left)
        t[:r0, :, j] = 0
        t[max(r1, 0) :, :, j] = 0
        if r0 >= r1 or c0 >= c1:
            t[:, :, j] = 0
            continue
        window = x[top + r0 : top + r1, left + c0 : left + c1, block.images]
        # (rows, columns, images, C) -> (rows, columns, images * C)
        window = window.reshape(r1 - r0, c1 - c0, -1)
        numpy.matmul(matrix[:, c0:c1], window, out=t[r0:r1, :, j])
    numpy.matmul(matrix, t.reshape(length, -1), out=v.reshape(6, -1))


def forward(x: Array, w: Array, g: Geometry, y: Array) -> None:
    """Fill y."""
    channels, filters = w.shape[-2:]
    u = GG @ w.reshape(9, channels * filters)
    _correlate(x, u.reshape(36, channels, filters), _before(g), y)


def input_gradient(dy: Array, w: Array, g: Geometry, dx: Array) -> None:
    """Fill dx: dy filtered by the kernel turned by half a circle, O to C."""
    channels, filters = w.shape[-2:]
    # The turned kernel's taps stand in reverse order, as the reversed columns say.
    u = GG[:, ::-1] @ w.reshape(9, channels * filters)
    u = u.reshape(36, channels, filters).transpose(0, 2, 1)
    top, left = _before(g)
    _correlate(dy, u, (2 - top, 2 - left), dx)


def weight_gradient(x: Array, dy: Array, g: Geometry, dw: Array) -> None:
    """Fill dw: the adjoint, in the weights, of the same sums of products."""
    du = _weight_sums(x, dy, _before(g))
    numpy.matmul(GG.T, du.reshape(36, -1), out=dw.reshape(9, -1))


def _before(g: Geometry) -> tuple[int, int]:
    (top, _), (left, _) = g.padding
    return top, left


def _correlate(x: Array, u: Array, offset: tuple[int, int], y: Array) -> None:
    """Fill y (H', W', N, O) with x (H, W, N, C) filtered by u (36, C, O)."""
    channels, filters = u.shape[1:]
    blocks = _blocks(y.shape[:2], x.shape[2], _rows(channels, filters))

    def body(index: int) -> None:
        block = blocks[index]
        tiles, count = len(block.tiles), block.size()
        rows = tiles * count
        size = 36 * rows * max(channels, filters)
        first, second = scratch(2, size, "float32")
        t = first[: 36 * rows * channels].reshape(6, 6, tiles, count * channels)
        v = second[: 36 * rows * channels].reshape(36, rows, channels)
        _gathered(block, x, BT, offset, t, v)
        # t is used up: its place takes the products, and theirs the half result.
        m = first[: 36 * rows * filters].reshape(36, rows, filters)
        numpy.matmul(v, u, out=m)
        half = second[: 24 * rows * filters].reshape(4, 6, tiles, count * filters)
        numpy.matmul(AT, m.reshape(6, -1), out=half.reshape(4, -1))
        for j, (top, left) in enumerate(block.tiles):
            place = y[top : top + 4, left : left + 4, block.images]
            high, wide = place.shape[:2]
            place = place.reshape(high, wide, -1)
            numpy.matmul(AT[:wide], half[:high, :, j], out=place)

    parallel_for(len(blocks), body)


def _weight_sums(x: Array, dy: Array, offset: tuple[int, int]) -> Array:
    """Sum over tiles and images what u (36, C, O) of _correlate gets as gradient."""
    channels, filters = x.shape[3], dy.shape[3]
    wide = max(channels, filters)
    blocks = _blocks(dy.shape[:2], x.shape[2], max(_rows(channels, filters), 64))
    parts = min(num_threads(), len(blocks))
    sums = numpy.empty((parts, 36, channels, filters), "float32")

    def body(part: int) -> None:
        du = sums[part]
        for number, block in enumerate(blocks[part::parts]):
            tiles, count = len(block.tiles), block.size()
            rows = tiles * count
            first, second, third = scratch(3, 36 * rows * wide, "float32")
            t = first[: 36 * rows * channels].reshape(6, 6, tiles, count * channels)
            v = second[: 36 * rows * channels].reshape(36, rows, channels)
            _gathered(block, x, BT, offset, t, v)
            t = first[: 24 * rows * filters].reshape(4, 6, tiles, count * filters)
            dm = third[: 36 * rows * filters].reshape(36, rows, filters)
            _gathered(block, dy, A, (0, 0), t, dm)
            if not number:
                numpy.matmul(v.transpose(0, 2, 1), dm, out=du)
            elif channels * filters <= LARGE and channels * filters <= rows * wide:
                product = first[: du.size].reshape(du.shape)
                du += numpy.matmul(v.transpose(0, 2, 1), dm, out=product)
            else:
                for at in range(36):
                    add_product(du[at], v[at].T, dm[at])

    parallel_for(parts, body)
    return sums[0] if parts == 1 else sums.sum(axis=0)
