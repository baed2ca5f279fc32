"""Cosines of the angles between vectors, in blocks and from block to block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy
from numpy import ndarray

PART: Final = 1 << 20
"""|cos| that are held at a time, unless a single vector has more: 8 MB."""


class Cosines(NamedTuple):
    """|cos| of the angles between pairs of vectors.

    Attributes:
        mean, max: in [0, 1]; None without a pair.
        pairs: how many there are; those with a vector of zeros do not count.
        chance: the mean for directions drawn at random in space; None where there is no
            formula.
    """

    mean: float | None
    max: float | None
    pairs: int
    chance: float | None

    @classmethod
    def of(cls, parts: Iterable[ndarray], chance: float | None = None) -> Cosines:
        """Sum up |cos| of all pairs, given in parts of one axis."""
        total, largest, pairs = 0.0, 0.0, 0
        for values in parts:
            if values.size:
                total += float(values.sum())
                largest = max(largest, float(values.max()))
                pairs += values.size
        if not pairs:
            return cls(None, None, 0, chance)
        return cls(total / pairs, largest, pairs, chance)


def chance(dimension: int) -> float:
    """Mean |cos| of two directions drawn at random: G(d/2) / (sqrt(pi) G((d+1)/2)).

    >>> round(chance(1), 3), round(chance(2), 3), round(chance(9), 3)
    (1.0, 0.637, 0.273)
    """
    half = dimension / 2
    return math.exp(math.lgamma(half) - math.lgamma(half + 0.5)) / math.sqrt(math.pi)


def directions(vectors: ndarray) -> ndarray:
    """Scale vectors (..., K) to length 1; zeros stay."""
    # By the largest entry first, so that no square leaves float64's range.
    largest = numpy.abs(vectors).max(axis=-1, keepdims=True)
    scaled = vectors / numpy.where(largest > 0, largest, 1)
    length = numpy.sqrt((scaled * scaled).sum(axis=-1, keepdims=True))
    return scaled / numpy.where(length > 0, length, 1)


def _between(a: ndarray, b: ndarray) -> tuple[ndarray, ndarray]:
    """|cos| (..., R, Q) of directions a (..., R, K), b (..., Q, K), and which are."""
    there = _any(a)[..., :, None] & _any(b)[..., None, :]
    return numpy.minimum(numpy.abs(a @ b.swapaxes(-1, -2)), 1), there


def _any(vectors: ndarray) -> ndarray:
    """Tell which of vectors (..., K) are not 0."""
    return numpy.asarray(vectors.any(axis=-1))


def _runs(a: ndarray, b: ndarray) -> Iterator[tuple[int, ndarray, ndarray]]:
    """Yield what _between gives of blocks a (B, R, K) and b (B, Q, K), PART at a time.

    Each run is of some whole blocks, or of some rows of one; in front is the number of
    its first row.
    """
    count, rows, _ = a.shape
    others = b.shape[1]
    blocks, lines = (max(1, PART // size) for size in (rows * others, others))
    for at in range(0, count, blocks):
        for row in range(0, rows, lines):
            run = a[at : at + blocks, row : row + lines]
            yield row, *_between(run, b[at : at + blocks])


def within(parts: Iterable[ndarray]) -> Iterator[ndarray]:
    """Yield |cos| of all pairs i < j inside each block of parts (B, R, K), directions.

    They come in runs of one axis, PART numbers at most.
    """
    for blocks in parts:
        for row, cosines, there in _runs(blocks, blocks):
            i, j = numpy.ogrid[: cosines.shape[-2], : cosines.shape[-1]]
            yield cosines[there & (j > row + i)]


def across(parts: Iterable[ndarray]) -> Iterator[ndarray]:
    """Yield |cos| of each vector of a block with each of the next; as within.

    Behind the last block of a filter comes the first of the next filter.
    """
    for blocks in parts:
        for _, cosines, there in _runs(blocks[:-1], blocks[1:]):
            yield cosines[there]


def mean_gram(blocks: ndarray) -> ndarray:
    """Mean |cos| (R, R) over blocks (B, R, K) of directions; 0 where there is none."""
    rows = blocks.shape[1]
    total, count = numpy.zeros((rows, rows)), numpy.zeros((rows, rows), int)
    for row, cosines, there in _runs(blocks, blocks):
        lines = slice(row, row + cosines.shape[1])
        total[lines] += (cosines * there).sum(axis=0)
        count[lines] += there.sum(axis=0)
    return total / numpy.maximum(count, 1)
