"""Cosines of the angles between vectors, in blocks and from block to block."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy
from numpy import ndarray


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
    def of(cls, values: ndarray, chance: float | None = None) -> Cosines:
        """Sum up |cos| of all pairs, one axis."""
        if not values.size:
            return cls(None, None, 0, chance)
        return cls(float(values.mean()), float(values.max()), values.size, chance)


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


def within(parts: Iterable[ndarray]) -> ndarray:
    """|cos| of all pairs i < j inside each block of parts (B, R, K), directions."""
    found: list[ndarray] = [numpy.zeros(0)]
    for blocks in parts:
        cosines, there = _between(blocks, blocks)
        rows = blocks.shape[-2]
        above = numpy.triu(numpy.ones((rows, rows), bool), 1)
        found.append(cosines[there & above])
    return numpy.concatenate(found)


def across(parts: Sequence[ndarray]) -> ndarray:
    """|cos| of each vector of a block with each of the next block; parts as in within.

    Behind the last block of a filter comes the first of the next filter.
    """
    found: list[ndarray] = [numpy.zeros(0)]
    for blocks in parts:
        cosines, there = _between(blocks[:-1], blocks[1:])
        found.append(cosines[there])
    return numpy.concatenate(found)


def mean_gram(blocks: ndarray) -> ndarray:
    """Mean |cos| (R, R) over blocks (B, R, K) of directions; 0 where there is none."""
    cosines, there = _between(blocks, blocks)
    count = there.sum(axis=0)
    return (cosines * there).sum(axis=0) / numpy.maximum(count, 1)
