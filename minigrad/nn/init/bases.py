"""Random orthonormal bases, of which convolution aware initial values are made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

import numpy
from numpy.random import Generator

from minigrad.errors import ArgumentError, got
from minigrad.kernels._arguments import per_axis
from minigrad.nn.init._fill import draws


def _symmetric(draw: numpy.ndarray) -> numpy.ndarray:
    """Make draw (..., D, D) symmetric; variance 1 on the diagonal, 2 elsewhere."""
    transposed = numpy.swapaxes(draw, -2, -1)
    return draw + transposed - draw * numpy.eye(draw.shape[-1])


def _signed_qr(draw: numpy.ndarray) -> numpy.ndarray:
    q, r = numpy.linalg.qr(draw)
    signs = numpy.where(numpy.diagonal(r, axis1=-2, axis2=-1) < 0, -1, 1)
    return q * signs[..., None, :]


_METHODS: Final[dict[str, Callable[[numpy.ndarray], numpy.ndarray]]] = {
    "svd": lambda draw: numpy.linalg.svd(_symmetric(draw))[0],
    "eigh": lambda draw: numpy.linalg.eigh(_symmetric(draw))[1],
    "spd": lambda draw: numpy.linalg.eigh(draw @ numpy.swapaxes(draw, -2, -1))[1],
    "qr": _signed_qr,
}
"""Normal draws (..., D, D) -> orthogonal matrices, whose columns become the rows."""


_RUN: Final = 2**22
"""How many numbers are drawn at a time, if a set is not larger: 32 MiB."""


class Law(NamedTuple):
    """How a basis is drawn: see orthonormal_rows."""

    method: str
    random_sign: bool

    def bases(
        self, source: Generator, sets: int, count: int, dimension: int
    ) -> numpy.ndarray:
        """Draw sets times count rows of bases: float64 (sets, count, dimension)."""
        blocks = -(-count // dimension)
        rows = numpy.empty((sets, count, dimension))
        # In runs of sets: squares take several times the memory of the rows kept.
        run = max(1, _RUN // (blocks * dimension**2))
        for first in range(0, sets, run):
            part = rows[first : first + run]
            draw = source.normal(size=(len(part), blocks, dimension, dimension))
            squares = numpy.swapaxes(_METHODS[self.method](draw), -2, -1)
            part[...] = squares.reshape(len(part), -1, dimension)[:, :count]
        if self.random_sign:
            signs = source.integers(2, size=(sets, blocks * dimension, 1))
            rows *= 1 - 2 * signs[:, :count]
        return rows


def law(who: str, method: str, random_sign: bool) -> Law:
    """Return the law of that name, or raise ArgumentError."""
    if method not in tuple(_METHODS):
        rule = f"one of {', '.join(_METHODS)}"
        raise ArgumentError(got(who, "method", repr(method), rule))
    return Law(method, bool(random_sign))


def orthonormal_rows(
    count: int,
    dimension: int,
    *,
    method: str = "svd",
    random_sign: bool = True,
    rng: Generator | None = None,
) -> numpy.ndarray:
    """Draw count rows of random orthonormal bases: float64 (count, dimension).

    Rows 0 to dimension - 1 are one basis, the next dimension rows another one, and so
    on: beyond dimension rows cannot be all orthogonal. The last basis may be cut.

    Args:
        count: how many rows, at least 1.
        dimension: D, the length of a row, at least 1.
        method: where a basis comes from, given a square G of normal numbers: the
            singular vectors ("svd") or eigenvectors ("eigh") of the symmetric
            G + G^T - diag(G), the eigenvectors of the positive definite G G^T ("spd"),
            or the factor Q of G itself, the diagonal of R made positive ("qr").
        random_sign: multiply each row by +-1, which makes its mean 0. Without it the
            signs are LAPACK's, but for "qr", whose bases are uniform in any case.
        rng: draws the numbers.

    Raises ArgumentError for count, dimension and method.

    >>> from minigrad import nn
    >>> rows = nn.init.orthonormal_rows(3, 6)
    >>> abs(rows @ rows.T).round(12).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    who = "orthonormal_rows"
    (count,) = per_axis(who, "count", count, 1, 1)
    (dimension,) = per_axis(who, "dimension", dimension, 1, 1)
    how = law(who, method, random_sign)
    return how.bases(draws(rng, who), 1, count, dimension)[0]
