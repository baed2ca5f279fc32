"""What cai.bounds measures of drawn rows, spectra and kernels; float64 throughout.

Rows B (n, D) are half spectra, kernels W (F, S, *k). F filters of S = 2 D + 3 channels
have blocks of D rows and a cut one.
"""

import math
from typing import Any

import numpy as np

from minigrad import tensor
from minigrad.inspect import FilterSpectrum, filter_spectrum
from minigrad.nn.init import convolution_aware_, orthonormal_rows, spectral_std
from minigrad.random import generator
from models.conv_aware_init.bounds_arms import ARMS, SIZES, Arm, dimension
from models.conv_aware_init.initializers import INITIALIZERS

Size = tuple[int, ...]
EPS_STD = 0.05
"""Of the author's code, and the default of convolution_aware_."""
FILTERS = 2048
"""As many make the means of small kernels sure enough."""
CURVE = np.linspace(0, 1, 51)
"""Bounds on |cos| at which the share of pairs above is kept for the figure."""


def measure(name: str, numbers: int, seed: int) -> dict[str, dict[str, float]]:
    """Measure an arm at every size, from so many weights of each; size -> metrics."""
    return {key: at_size(name, size, numbers, seed) for key, size in SIZES.items()}


def at_size(name: str, size: Size, numbers: int, seed: int) -> dict[str, float]:
    """Return the metrics of one size: of kernels, and of rows where there are any.

    Half spectra that are not real are measured in eqs. 9-11 alone, at normal numbers.
    """
    arm, shape = ARMS[name], shape_of(size, numbers)
    weight = kernels_of(name, shape, seed)
    found = of_kernels(weight, _rows_per_block(arm, size))
    if arm.options is None:
        return found
    count, rng = shape[0] * shape[1], generator(seed, f"rows {size}")
    if not arm.has_rows:
        half = (2, count, *size[:-1], size[-1] // 2 + 1)
        real, imaginary = rng.standard_normal(half)
        return found | bounds(real + 1j * imaginary, size)
    clean = kernels_of(name, shape, seed, eps_std=0.0)
    rows = orthonormal_rows(count, dimension(size), rng=rng, **arm.options)
    return {
        **found,
        **{f"clean_{key}": value for key, value in of_kernels(clean).items()},
        **of_rows(rows),
        **of_transform(rows, size),
        **of_noise(clean, weight),
    }


def shape_of(size: Size, numbers: int) -> Size:
    """Return (F, S, *k) with about so many weights, but F from 2 to FILTERS."""
    channels = 2 * dimension(size) + 3
    filters = numbers // (channels * math.prod(size))
    return min(max(2, filters), FILTERS), channels, *size


def _rows_per_block(arm: Arm, size: Size) -> int | None:
    """Return how many kernels are orthogonal to each other; None: D."""
    return None if arm.has_rows or arm.options is None else math.prod(size)


def kernels_of(name: str, shape: Size, seed: int, **noise: float) -> Any:
    """Draw a weight as an arm does; noise is an option of convolution_aware_.

    Arms draw from the same numbers, and with or without noise from the same rows.
    """
    weight, rng = tensor(np.zeros(shape)), generator(seed, f"kernels {shape}")
    options = ARMS[name].options
    if options is None:
        INITIALIZERS[name].conv(weight, rng=rng)
    else:
        both: dict[str, Any] = {**options, **noise}
        convolution_aware_(weight, rng=rng, **both)
    return weight.numpy()


def of_kernels(weight: Any, rows: int | None = None) -> dict[str, float]:
    """Measure a weight: |cos|, energy, ranks, variance, and means of taps.

    Keys: half, half_max, space, space_max (|cos| inside blocks), two_space (of kernels
    of two blocks), filters (of whole filters), even, rank, effective, variance (times
    fan_in), off_variance, off_variance_float32 (how far variance / 2 is from 1, in
    float64 and rounded to float32), tap_mean (the greatest |mean| of a tap, in standard
    deviations of the tap), tap_z (in standard errors).
    """
    found = filter_spectrum(weight, rows=rows)
    half, space = found.within["half"], found.within["space"]
    mean, std = weight.mean(axis=(0, 1)), weight.std(axis=(0, 1))
    tap_mean = float(np.abs(mean / std).max())
    rounded = weight.astype("float32").astype("float64")
    return {
        "half": _number(half.mean),
        "half_max": _number(half.max),
        "space": _number(space.mean),
        "space_max": _number(space.max),
        "two_space": _number(found.across["space"].mean),
        "filters": _number(found.filters.mean),
        "even": found.even_share,
        "rank": found.rank,
        "effective": found.effective_rank,
        "variance": found.fan_in_variance,
        "off_variance": abs(found.fan_in_variance / 2 - 1),
        "off_variance_float32": abs(rounded.var() / weight.var() - 1),
        "tap_mean": tap_mean,
        "tap_z": tap_mean * math.sqrt(weight.shape[0] * weight.shape[1]),
    }


def _number(value: float | None) -> float:
    """Return value; every size here has pairs of kernels."""
    assert value is not None
    return value


def of_rows(rows: Any) -> dict[str, float]:
    """Measure rows B (n, D): orthonormal in blocks of D, entries, and their means.

    Keys: row_error, the greatest entry of |B B^T - I| in a block; entry, the greatest
    |B|; entry_mean, the greatest |mean| of a column, in units of 1 / sqrt(D).
    """
    count, D = rows.shape
    whole = rows[: count - count % D].reshape(-1, D, D)
    blocks = [whole, rows[len(whole) * D :][None]]
    errors = [np.abs(b @ b.swapaxes(1, 2) - np.eye(b.shape[1])) for b in blocks]
    return {
        "row_error": max(float(error.max(initial=0)) for error in errors),
        "entry": float(np.abs(rows).max()),
        "entry_mean": float(np.abs(rows.mean(axis=0)).max() * math.sqrt(D)),
    }


def of_transform(rows: Any, size: Size) -> dict[str, float]:
    """Measure what the inverse transform makes of rows, which are real half spectra.

    Keys: tap, the greatest |a|; those of bounds; kept, the energy of the half spectrum
    of a kernel in that of the row.
    """
    half = rows.reshape(-1, *size[:-1], size[-1] // 2 + 1)
    axes = tuple(range(1, half.ndim))
    kernels = np.fft.irfftn(half, size, axes=axes)
    back = np.fft.rfftn(kernels, axes=axes)
    return {
        "tap": float(np.abs(kernels).max()),
        **bounds(half, size),
        "kept": float((np.abs(back) ** 2).sum() / (half * half).sum()),
    }


def bounds(half: Any, size: Size) -> dict[str, float]:
    """Measure eqs. 9-11 of half spectra A (n, *k with k // 2 + 1 at the end).

    Sums run over whole spectra, where most frequencies of the half stand for two. Keys,
    both at most 1 if the equations hold: tap_per_mean, the greatest |a| of a kernel in
    its mean |A|; mean_per_max, that mean in the greatest |A|.
    """
    axes = tuple(range(1, half.ndim))
    magnitude = np.abs(half)
    mean = (magnitude * counted(size)).sum(axis=axes) / math.prod(size)
    taps = np.abs(np.fft.irfftn(half, size, axes=axes)).max(axis=axes)
    return {
        "tap_per_mean": float((taps / mean).max()),
        "mean_per_max": float((mean / magnitude.max(axis=axes)).max()),
    }


def counted(size: Size) -> Any:
    """How many frequencies of a whole spectrum each of the half one stands for.

    >>> counted((3,)).tolist(), counted((4,)).tolist()
    ([1, 2], [1, 2, 1])
    """
    last = np.arange(size[-1] // 2 + 1)
    return np.where((last == 0) | (2 * last == size[-1]), 1, 2)


def of_noise(clean: Any, weight: Any) -> dict[str, float]:
    """Measure the noise's share of the variance: 1 - r^2, kernels having the same rows.

    Keys: noise; noise_formula, eps^2 / (sigma^2 + eps^2) with sigma in closed form.
    """
    r = np.corrcoef(clean.ravel(), weight.ravel())[0, 1]
    sigma = spectral_std(weight.shape[2:])
    return {
        "noise": float(1 - r * r),
        "noise_formula": EPS_STD**2 / (sigma**2 + EPS_STD**2),
    }


def of_points(name: str, numbers: int, seed: int) -> dict[str, float]:
    """Measure 1x1 kernels, which have no pairs: their kurtosis, 3 of normal ones."""
    weight = kernels_of(name, (max(2, numbers // 16), 16, 1, 1), seed)
    centred = weight - weight.mean()
    return {"kurtosis": float((centred**4).mean() / (centred**2).mean() ** 2)}


def curves(name: str, numbers: int, seed: int) -> dict[str, list[float]]:
    """Return for 3x3 kernels the share of pairs in a block with |cos| above CURVE.

    Keys: half, space; of arms with rows also clean_half, clean_space, without noise.
    """
    size = SIZES["3x3"]
    shape = shape_of(size, numbers)
    found: dict[str, list[float]] = {}
    cases = {"": {}, "clean_": {"eps_std": 0.0}} if ARMS[name].has_rows else {"": {}}
    for prefix, noise in cases.items():
        weight = kernels_of(name, shape, seed, **noise)
        spectrum = filter_spectrum(weight, rows=_rows_per_block(ARMS[name], size))
        for sense in ("half", "space"):
            found[prefix + sense] = _above(spectrum, sense)
    return found


def _above(spectrum: FilterSpectrum, sense: str) -> list[float]:
    """Share of pairs of each filter's first block whose |cos| is above CURVE."""
    grams = [spectrum.gram(f, sense=sense) for f in range(spectrum.shape[0])]
    rows = len(grams[0])
    values = np.abs(np.stack(grams))[:, *np.triu_indices(rows, 1)]
    return [float((values > bound).mean()) for bound in CURVE]
