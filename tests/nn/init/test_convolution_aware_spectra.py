"""The spectra of convolution aware weights, and the noise that is added to them."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import nn
from minigrad.nn.init import convolution_aware_, orthonormal_rows, spectral_std
from minigrad.random import generator

METHODS = ["svd", "eigh", "spd", "qr"]

counts = st.integers(1, 9)
kernels = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
methods = st.sampled_from(METHODS)
seeds = st.integers(0, 2**32)


def rng(seed=3):
    return generator(seed, "test")


def weight(shape, dtype="float64"):
    return nn.Parameter(np.full(shape, np.nan, dtype))


def drawn(shape, *, seed=3, **options):
    return convolution_aware_(weight(shape), rng=rng(seed), **options).data


def half(kernel):
    return (*kernel[:-1], kernel[-1] // 2 + 1)


def mirrored(values, axes):
    """Return values[..., -m, -n] for values[..., m, n], indices modulo the lengths."""
    return np.roll(np.flip(values, axes), 1, axes)


def spatial(values):
    return tuple(range(2, values.ndim))


@given(
    st.lists(st.integers(1, 9), min_size=1, max_size=3).map(tuple),
    st.booleans(),
    seeds,
)
def test_no_tap_exceeds_the_mean_of_the_spectrum(lengths, real, seed):
    """Equations 9 to 11: |a| <= (1 / MN) sum |A| <= max |A|."""
    draws = generator(seed, "spectrum")
    spectrum = draws.normal(size=lengths)
    if not real:
        spectrum = spectrum + 1j * draws.normal(size=lengths)
    taps = np.abs(np.fft.ifftn(spectrum))
    mean, largest = np.abs(spectrum).mean(), np.abs(spectrum).max()
    assert taps.max() <= mean * (1 + 1e-12)
    assert mean <= largest * (1 + 1e-12)


@given(kernels, seeds)
def test_rows_of_length_one_bound_their_kernels(kernel, seed):
    assume(math.prod(kernel) > 1)
    size = math.prod(half(kernel))
    rows = orthonormal_rows(size, size, rng=rng(seed)).reshape(size, *half(kernel))
    axes = range(1, rows.ndim)
    taps = np.abs(np.fft.irfftn(rows, kernel, axes=axes)).max()
    assert taps <= min(1, 2 * math.sqrt(size) / math.prod(kernel)) + 1e-12


def kept(rows):
    """Return what the inverse real FFT of 2-D spectra keeps: rfft2(irfft2(rows))."""
    mirror = np.roll(np.flip(rows, -2), 1, -2)
    return (rows + mirror) / 2


@given(counts, st.integers(2, 9), methods, st.booleans(), seeds)
def test_spectra_of_sequences_are_the_rows(channels, width, method, random_sign, seed):
    shape = (1, channels, width)
    options = {"method": method, "random_sign": random_sign}
    rows = orthonormal_rows(channels, width // 2 + 1, rng=rng(seed), **options)
    w = drawn(shape, seed=seed, eps_std=0, **options)
    spectra = np.fft.rfft(w[0])
    factor = np.linalg.norm(spectra) / np.linalg.norm(rows)
    assert_allclose(spectra, factor * rows, atol=1e-12 * factor)


@given(counts, st.integers(2, 5), st.integers(1, 5), methods, seeds)
def test_spectra_of_images_are_what_the_inverse_keeps(
    channels, height, width, method, seed
):
    kernel = (height, width)
    rows = orthonormal_rows(
        channels, math.prod(half(kernel)), method=method, rng=rng(seed)
    ).reshape(channels, *half(kernel))
    # Columns that are their own mirror image keep their even part, others everything.
    expected = rows.copy()
    own = [0] if width % 2 else [0, width // 2]
    expected[..., own] = kept(rows[..., own])
    w = drawn((1, channels, *kernel), seed=seed, method=method, eps_std=0)
    spectra = np.fft.rfft2(w[0])
    factor = np.linalg.norm(spectra) / np.linalg.norm(expected)
    assert_allclose(spectra, factor * expected, atol=1e-10 * factor)


@given(counts, st.integers(1, 12), st.integers(2, 7), methods, seeds)
def test_every_filter_has_bases_of_its_own(filters, channels, width, method, seed):
    w = drawn((filters, channels, width), seed=seed, method=method, eps_std=0)
    spectra = np.fft.rfft(w).real
    length = np.linalg.norm(spectra[0, 0])
    for rows, start in itertools.product(spectra, range(0, channels, width // 2 + 1)):
        block = rows[start : start + width // 2 + 1] / length
        assert_allclose(block @ block.T, np.eye(len(block)), atol=1e-10)
    for one, other in itertools.combinations(spectra, 2):
        assert not np.allclose(one, other)


@given(counts, counts, kernels, methods, seeds)
def test_kernels_without_noise_are_even(filters, channels, kernel, method, seed):
    assume(math.prod(kernel) > 1)
    w = drawn((filters, channels, *kernel), seed=seed, method=method, eps_std=0)
    assert_allclose(w, mirrored(w, spatial(w)), atol=1e-12 * np.abs(w).max())


@given(counts, counts, kernels, methods, st.floats(0, 1), seeds)
def test_complex_spectra_give_orthogonal_kernels(
    filters, channels, kernel, method, eps_std, seed
):
    taps = math.prod(kernel)
    assume(taps > 1)
    options = {"spectrum": "complex", "method": method, "seed": seed}
    w = drawn((filters, channels, *kernel), **options)
    assert_array_equal(
        drawn((filters, channels, *kernel), eps_std=eps_std, **options), w
    )
    flat = w.reshape(filters, channels, taps)
    flat = flat / np.linalg.norm(flat[0, 0])
    for rows, start in itertools.product(flat, range(0, channels, taps)):
        block = rows[start : start + taps]
        assert_allclose(block @ block.T, np.eye(len(block)), atol=1e-10)


# -- the noise -------------------------------------------------------------------------

SIGMAS = [((2,), 0.500, 0.010), ((3,), 0.408, 0.015), ((5,), 0.258, 0.036)]
SIGMAS += [((7,), 0.189, 0.065), ((2, 2), 0.250, 0.038), ((3, 3), 0.128, 0.132)]
SIGMAS += [((4, 4), 0.0675, 0.35), ((5, 5), 0.0495, 0.50), ((7, 7), 0.0262, 0.78)]


@pytest.mark.parametrize(("kernel", "sigma", "share"), SIGMAS)
def test_known_stds_of_taps_and_shares_of_noise(kernel, sigma, share):
    assert_allclose(spectral_std(kernel), sigma, rtol=3e-3)
    assert_allclose(0.05**2 / (0.05**2 + spectral_std(kernel) ** 2), share, rtol=0.03)


@pytest.mark.parametrize(
    ("kernel", "share"),
    [(kernel, share) for kernel, _, share in SIGMAS if max(kernel) > 2],
)
def test_noise_breaks_the_symmetry_by_its_share_of_the_variance(kernel, share):
    """Of noise half the square is odd, at all taps but those that mirror themselves."""
    w = drawn((200, 56, *kernel))
    odd = (w - mirrored(w, spatial(w))) / 2
    taps = math.prod(kernel)
    fixed = math.prod(2 - length % 2 for length in kernel)
    part = (odd**2).mean() / w.var() / ((taps - fixed) / taps / 2)
    assert_allclose(part, share, rtol=0.05)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3).map(tuple), methods, seeds)
def test_closed_form_is_exact_for_a_whole_basis(kernel, method, seed):
    """The sum of squares over a basis is a trace, whatever the basis."""
    size = math.prod(half(kernel))
    rows = orthonormal_rows(size, size, method=method, rng=rng(seed))
    spectra = rows.reshape(size, *half(kernel))
    taps = np.fft.irfftn(spectra, kernel, axes=range(1, spectra.ndim))
    assert_allclose((taps**2).mean(), spectral_std(kernel) ** 2, rtol=1e-10)


def test_relative_noise_is_in_units_of_the_taps():
    relative = drawn((4, 3, 7, 7), eps_rel=0.39)
    assert_array_equal(
        drawn((4, 3, 7, 7), eps_std=0.39 * spectral_std((7, 7))), relative
    )
    # It takes the place of the absolute noise.
    assert_array_equal(drawn((4, 3, 7, 7), eps_rel=0.39, eps_std=9), relative)
