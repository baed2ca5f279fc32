"""Convolution aware initial values: kernels whose spectra are orthonormal rows.

A convolution multiplies spectra. For each output filter the spectra of its kernels, one
an input channel, are drawn as rows of orthonormal bases; the inverse real FFT gives the
kernels, normal noise breaks their symmetry (a real spectrum's kernel is even), and one
factor scales the whole weight to variance 2 / fan_in.

Source: Aghajanyan 2017, arXiv:1702.06295, algorithms 1 and 2, with the author's public
code where the paper is silent: square symmetric matrices instead of its (D, n) ones,
noise of std 0.05, three spatial axes. Deviation: each row gets a random sign, without
which LAPACK's choice of signs gives the kernels a mean other than 0 (eq. 12).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import numpy
from numpy.random import Generator

from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.kernels._arguments import is_real, per_axis
from minigrad.nn.init._fill import T, draws, fans, fill
from minigrad.nn.init.bases import Law, law
from minigrad.typing import Shape

_WHO: Final = "convolution_aware_"


def spectral_std(kernel_size: int | Iterable[int]) -> float:
    """Return the std of the taps of an inverse real FFT of orthonormal rows.

    Closed form, for convolution_aware_ before noise and scaling. Of a row of length D
    each entry has mean square 1 / D. In a column of the half spectrum that is its own
    mirror image (the first; of an even last axis also the last) the FFT keeps the even
    part, half the square of all entries but the q that mirror onto themselves; any
    other column stands for two. Parseval's theorem makes a mean square of the sum.

    >>> from minigrad import nn
    >>> round(nn.init.spectral_std((3, 3)), 3), round(nn.init.spectral_std(3), 3)
    (0.128, 0.408)
    """
    given = tuple(kernel_size) if isinstance(kernel_size, Iterable) else (kernel_size,)
    kernel = per_axis("spectral_std", "kernel_size", given, max(1, len(given)), 1)
    *outer, last = kernel
    lines, half = math.prod(outer), last // 2 + 1
    fixed = math.prod(2 - length % 2 for length in outer)
    own = 2 - last % 2
    energy = own * (fixed + (lines - fixed) / 2) + (half - own) * 2 * lines
    return math.sqrt(energy / (lines * half)) / math.prod(kernel)


def convolution_aware_(
    tensor: T,
    *,
    eps_std: float = 0.05,
    eps_rel: float | None = None,
    random_sign: bool = True,
    method: str = "svd",
    spectrum: str = "real",
    variance_scale: float = 2.0,
    transposed: bool = False,
    groups: int = 1,
    dense: Callable[..., Any] | None = None,
    rng: Generator | None = None,
) -> T:
    """Fill the weight (out, in / groups, *kernel) of a convolution over 1 to 3 axes.

    The population variance of the whole weight becomes variance_scale / fan_in; where a
    weight has few numbers, as (1, 1, 2), that makes single ones huge now and then. Of a
    kernel with one tap nothing but the normal law is left.

    Args:
        tensor: weight of a float dtype.
        eps_std: std of the noise, absolute, beside taps of std spectral_std(kernel):
            13 % of the variance of 3x3 kernels, 78 % of 7x7 ones.
        eps_rel: std of the noise in units of spectral_std(kernel), in place of eps_std.
        random_sign: give each row of a basis a random sign, see orthonormal_rows.
        method: how bases are drawn, see orthonormal_rows.
        spectrum: "real"; or "complex" for kernels that are orthonormal themselves, as
            an orthonormal complex spectrum makes them. These are not even: no noise.
        variance_scale: 2 suits relu, as in kaiming_normal_.
        transposed: whether the weight is that of a transposed convolution,
            (in, out / groups, *kernel); fan_in is in / groups * kernel.
        groups: of a transposed convolution, whose weight does not tell.
        dense: fills a tensor with two axes, or more than five: dense(tensor, rng=rng).
        rng: draws the numbers: bases, then signs, then noise.

    Raises ShapeError for a tensor without kernels if there is no dense, DTypeError
    unless it is real, ArgumentError for the options.

    >>> from minigrad import nn, tensor
    >>> weight = nn.init.convolution_aware_(nn.Conv2d(3, 8, 3).weight)
    >>> bool(abs(weight.data.var() - 2 / 27) < 1e-6)
    True
    """
    fans(tensor, _WHO)
    how = law(_WHO, method, random_sign)
    _expect_numbers(eps_std, eps_rel, variance_scale)
    per_axis(_WHO, "groups", groups, 1, 1)
    if spectrum not in ("real", "complex"):
        raise ArgumentError(
            got(_WHO, "spectrum", repr(spectrum), "'real' or 'complex'")
        )
    if not 3 <= tensor.ndim <= 5:
        _expect_dense(tensor.shape, dense)(tensor, rng=rng)
        return tensor
    if tensor.dtype.kind != "f":
        rule = "a real float dtype, as 'float32'"
        raise DTypeError(got(_WHO, "tensor has dtype", tensor.dtype, rule))
    shape = _filters_first(tensor.shape, groups) if transposed else tensor.shape
    noise = eps_std if eps_rel is None else eps_rel * spectral_std(shape[2:])
    kernels = _kernels(draws(rng, _WHO), shape, how, spectrum, noise)
    kernels *= _scale(kernels, variance_scale)
    if transposed:
        kernels = _channels_first(kernels, groups)
    return fill(tensor, kernels, _WHO)


def _kernels(
    source: Generator, shape: Shape, how: Law, spectrum: str, noise: float
) -> numpy.ndarray:
    """Draw kernels of shape (filters, channels, *kernel) that are not yet scaled."""
    filters, channels, *kernel = shape
    taps = math.prod(kernel)
    if taps == 1:
        # A row of length 1 would be +-1; the law asked for here is the normal one.
        return source.normal(size=shape)
    if spectrum == "complex":
        return how.bases(source, filters, channels, taps).reshape(shape)
    inverse = _inverse_fft(kernel)
    rows = how.bases(source, filters, channels, len(inverse))
    return (rows @ inverse).reshape(shape) + source.normal(0, noise, shape)


def _inverse_fft(kernel: Sequence[int]) -> numpy.ndarray:
    """Return the inverse real FFT as a matrix (entries of a half spectrum, taps).

    For many spectra of few entries one product is faster than as many FFTs.
    """
    half = (*kernel[:-1], kernel[-1] // 2 + 1)
    units = numpy.eye(math.prod(half)).reshape(-1, *half)
    # The lengths must be told: a half spectrum does not tell an odd last axis.
    taps = numpy.fft.irfftn(units, kernel, axes=range(1, units.ndim))
    return taps.reshape(len(units), -1)


def _scale(kernels: numpy.ndarray, variance_scale: float) -> float:
    """Return the factor that gives kernels the population variance of the law."""
    std = math.sqrt(variance_scale / math.prod(kernels.shape[1:]))
    # The variance of one number is 0: it keeps that of the normal law.
    return std if kernels.size == 1 else std / float(kernels.std())


def _filters_first(shape: Shape, groups: int) -> Shape:
    """Return (out, in / groups, *kernel) for shape (in, out / groups, *kernel)."""
    (groups,) = per_axis(_WHO, "groups", groups, 1, 1)
    if shape[0] % groups:
        rule = f"a divisor of {shape[0]}, the first axis of {shape}"
        raise ArgumentError(got(_WHO, "groups", groups, rule))
    return groups * shape[1], shape[0] // groups, *shape[2:]


def _channels_first(kernels: numpy.ndarray, groups: int) -> numpy.ndarray:
    """Bring (out, in / groups, *kernel) to (in, out / groups, *kernel)."""
    out, channels, *kernel = kernels.shape
    grouped = kernels.reshape(groups, out // groups, channels, *kernel)
    swapped = numpy.swapaxes(grouped, 1, 2)
    return swapped.reshape(groups * channels, out // groups, *kernel)


def _expect_numbers(eps_std: Any, eps_rel: Any, variance_scale: Any) -> None:
    """Raise ArgumentError unless the noise is at least 0 and the variance above 0."""
    noises = {"eps_std": eps_std, "eps_rel": 0 if eps_rel is None else eps_rel}
    for name, value in noises.items():
        if not (is_real(value) and 0 <= value < math.inf):
            rule = "a finite number >= 0"
            raise ArgumentError(got(_WHO, name, repr(value), rule))
    if not (is_real(variance_scale) and 0 < variance_scale < math.inf):
        rule = "a finite number > 0"
        raise ArgumentError(got(_WHO, "variance_scale", repr(variance_scale), rule))


def _expect_dense(shape: Shape, dense: Any) -> Callable[..., Any]:
    """Return what fills a tensor that holds no kernels."""
    if not callable(dense):
        rule = "3 to 5 axes, (out, in, *kernel)"
        remedy = "pass what fills it, as dense=nn.init.orthogonal_"
        raise ShapeError(got(_WHO, "tensor has shape", shape, rule, remedy))
    return dense
