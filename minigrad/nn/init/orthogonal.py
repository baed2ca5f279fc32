"""Initial values that are orthogonal matrices.

Sources: Saxe et al. 2014, arXiv:1312.6120 (orthogonal), Xiao et al. 2018,
arXiv:1806.05393 (delta orthogonal).
"""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.random import Generator

from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels._arguments import is_real
from minigrad.nn.init._fill import T, draws, fans, fill


def orthogonal_(tensor: T, gain: float = 1, *, rng: Generator | None = None) -> T:
    """Fill so that the rows, or else the columns, of (out, in * kernel) are orthogonal.

    Each has length gain. The matrix is drawn uniformly from all orthogonal ones. Raises
    ShapeError for a tensor of less than two axes, ArgumentError for another gain than a
    finite number.
    """
    fans(tensor, "orthogonal_")
    _expect_gain("orthogonal_", gain)
    rows, columns = tensor.shape[0], math.prod(tensor.shape[1:])
    matrix = _uniform(draws(rng, "orthogonal_"), rows, columns)
    return fill(tensor, gain * matrix.reshape(tensor.shape), "orthogonal_")


def delta_orthogonal_(tensor: T, gain: float = 1, *, rng: Generator | None = None) -> T:
    """Fill kernels whose centre taps form an orthogonal matrix; all others are 0.

    tensor is the weight (out, in, *kernel), of odd lengths, of a convolution with one
    group over 1 to 3 axes. With stride 1 and padding "same" such a convolution turns
    each pixel's channels like a rigid body: signals keep their norm, times gain, at any
    depth. This needs orthonormal columns, so out >= in, which the paper demands. Where
    in > out the rows are orthonormal instead, and in - out dimensions of the input are
    lost, as in every layer that narrows. The matrix is drawn uniformly.

    Raises ShapeError for other shapes, ArgumentError for a gain that is not finite.

    >>> from minigrad import nn
    >>> weight = nn.init.delta_orthogonal_(nn.Conv1d(1, 1, 3).weight, 2)
    >>> abs(weight.data).tolist()
    [[[0.0, 2.0, 0.0]]]
    """
    who = "delta_orthogonal_"
    fans(tensor, who)
    _expect_gain(who, gain)
    out, channels, *kernel = tensor.shape
    if not 1 <= len(kernel) <= 3 or any(length % 2 == 0 for length in kernel):
        rule = "(out, in, *kernel) with 1 to 3 odd kernel lengths"
        raise ShapeError(got(who, "tensor has shape", tensor.shape, rule))
    values = numpy.zeros(tensor.shape)
    centre = tuple(length // 2 for length in kernel)
    values[:, :, *centre] = gain * _uniform(draws(rng, who), out, channels)
    return fill(tensor, values, who)


def _expect_gain(who: str, gain: Any) -> None:
    if not (is_real(gain) and math.isfinite(gain)):
        raise ArgumentError(got(who, "gain", repr(gain), "a finite number"))


def _uniform(source: Generator, rows: int, columns: int) -> numpy.ndarray:
    """Draw a matrix with orthonormal rows, or else columns, uniformly from all."""
    size = (max(rows, columns), min(rows, columns))
    q, r = numpy.linalg.qr(source.normal(size=size))
    # QR's signs are arbitrary; with a positive diagonal of r the draw is uniform.
    q *= numpy.where(numpy.diagonal(r) < 0, -1, 1)
    return q.T if rows < columns else q
