"""Kernels of a convolution's filters, their half spectra and their blocks.

A half spectrum is what the real FFT gives: of the last axis the frequencies 0 to k // 2
alone. D is how many numbers it has, 6 for 3x3. Here it is a vector of real and
imaginary parts, so that a product of two is Re <a, conj(b)>.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import is_array, to_host
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.inspect.units._values import finite_values
from minigrad.kernels._arguments import per_axis
from minigrad.tape import Tensor
from minigrad.typing import Shape


class Given(NamedTuple):
    """Kernels (F, S, *k) in float64 on the host, and what their dtype was.

    epsilon is the spacing of numbers around 1 in that dtype.
    """

    kernels: ndarray
    epsilon: float


def kernels_of(who: str, given: Any, transposed: bool, groups: int) -> Given:
    """Return the kernels of an array, a Tensor, or a module with a weight, copied.

    A module says itself whether it is transposed, and how many groups it has.
    """
    weight = given
    if not (is_array(given) or isinstance(given, Tensor)):
        weight = getattr(given, "weight", None)
        if not isinstance(weight, Tensor):
            kind = f"a {type(given).__name__}"
            rule = "an array, a Tensor or a convolution"
            raise ArgumentError(got(who, "weight is", kind, rule))
        transposed = getattr(given, "transposed", False)
        groups = getattr(given, "groups", 1)
    kernels = numpy.array(to_host(finite_values(who, "weight", weight)), order="C")
    if kernels.ndim < 3 or kernels.size == 0:
        rule = "(F, S, *k) with one spatial axis or more, and no axis of length 0"
        raise ShapeError(got(who, "weight has shape", kernels.shape, rule))
    dtype = weight.dtype if weight.dtype.kind == "f" else kernels.dtype
    if transposed:
        kernels = _filters_first(who, kernels, groups)
    return Given(kernels, float(numpy.finfo(dtype).eps))


def _filters_first(who: str, weight: ndarray, groups: int) -> ndarray:
    """Turn the weight of a transposed convolution into filters that sum over S."""
    (groups,) = per_axis(who, "groups", groups, 1, 1)
    if len(weight) % groups:
        rule = f"a divisor of {len(weight)}, the first axis of {weight.shape}"
        raise ArgumentError(got(who, "groups", groups, rule))
    # (in, out / groups, *k) -> (groups, out / groups, in / groups, *k)
    split = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    # -> (out, in / groups, *k)
    return split.reshape(-1, *split.shape[2:])


def half_dimension(size: Shape) -> int:
    """D of kernels of a size k: how many frequencies a half spectrum has."""
    return math.prod(size[:-1]) * (size[-1] // 2 + 1)


def even_dimension(size: Shape) -> int:
    """Count the taps of an even kernel, a[m] = a[-m mod k], that may be chosen freely.

    A tap is its own mirror image where each coordinate is 0 or half an even length.
    """
    own = math.prod(2 - length % 2 for length in size)
    return (math.prod(size) + own) // 2


def taps(kernels: ndarray) -> ndarray:
    """Kernels (F, S, *k) as vectors (F, S, K) of their taps."""
    return kernels.reshape(*kernels.shape[:2], -1)


def half_spectra(kernels: ndarray) -> ndarray:
    """Kernels (F, S, *k) as vectors (F, S, 2 D): half spectra, real and imaginary."""
    # The real FFT of so few numbers takes many times what a product with its matrix
    # does: the spectra (K, D) of kernels with a single 1.
    size = kernels.shape[2:]
    units = numpy.eye(math.prod(size)).reshape(-1, *size)
    spectra: Any = numpy.fft.rfftn(units, axes=tuple(range(1, units.ndim)))
    matrix = spectra.reshape(len(units), -1)
    return taps(kernels) @ numpy.concatenate([matrix.real, matrix.imag], axis=1)


SENSES: Final[Mapping[str, Callable[[ndarray], ndarray]]] = {
    "half": half_spectra,
    "space": taps,
}
"""In what sense two kernels are compared: name -> kernels as vectors."""

WORDS: Final[Mapping[str, str]] = {"half": "half spectrum", "space": "space"}


def mirrored(kernels: ndarray) -> ndarray:
    """Kernels a[m] as a[-m mod k], whose spectra are the complex conjugates."""
    spatial = tuple(range(2, kernels.ndim))
    return numpy.roll(numpy.flip(kernels, spatial), 1, spatial)


def blocks_of(vectors: ndarray, rows: int) -> list[ndarray]:
    """Cut the S vectors of each filter (F, S, K) into blocks of rows.

    Returns the whole blocks (B, rows, K), filter by filter, and what is left of each
    filter (F, S mod rows, K), if there is any.
    """
    filters, count, length = vectors.shape
    whole = count - count % rows
    parts = (
        vectors[:, :whole].reshape(filters * whole // rows, rows, length),
        vectors[:, whole:],
    )
    return [part for part in parts if part.size]
