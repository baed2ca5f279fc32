"""Convolution aware weights: their mean and variance, shapes and random numbers."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import nn
from minigrad.nn.init import convolution_aware_
from minigrad.random import generator, manual_seed
from minigrad.tape import tensor

METHODS = ["svd", "eigh", "spd", "qr"]

counts = st.integers(1, 9)
kernels = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
methods = st.sampled_from(METHODS)
spectra = st.sampled_from(["real", "complex"])
seeds = st.integers(0, 2**32)


def rng(seed=3):
    return generator(seed, "test")


def weight(shape, dtype="float64"):
    return nn.Parameter(np.full(shape, np.nan, dtype))


def drawn(shape, *, seed=3, **options):
    return convolution_aware_(weight(shape), rng=rng(seed), **options).data


# -- the variance ----------------------------------------------------------------------


@given(
    counts,
    counts,
    kernels,
    st.sampled_from([("float64", 1e-12), ("float32", 1e-5), ("float16", 2e-2)]),
    methods,
    spectra,
    st.floats(0, 1),
    st.floats(0.5, 4),
    seeds,
)
def test_weight_has_exactly_its_variance(
    filters, channels, kernel, kind, method, spectrum, eps_std, scale, seed
):
    dtype, tolerance = kind
    w = weight((filters, channels, *kernel), dtype)
    assume(w.size > 1)
    convolution_aware_(
        w,
        method=method,
        spectrum=spectrum,
        eps_std=eps_std,
        variance_scale=scale,
        rng=rng(seed),
    )
    assert w.dtype == dtype
    expected = scale / (channels * math.prod(kernel))
    # Rounding counts for more where a small weight's mean is larger than its std.
    ratio = abs(w.data.mean(dtype="float64")) / math.sqrt(expected)
    assert_allclose(w.data.var(dtype="float64"), expected, rtol=tolerance * (1 + ratio))


@pytest.mark.parametrize("shape", [(16, 8, 1, 1), (16, 8, 3), (4, 1, 3, 3), (1, 4, 5)])
def test_default_variance_is_that_of_he_normal(shape):
    fan_in = math.prod(shape[1:])
    assert_allclose(drawn(shape).var(), 2 / fan_in, rtol=1e-12)
    he = nn.init.kaiming_normal_(weight((5000, *shape[1:])), nonlinearity="relu")
    assert_allclose(he.data.var(), 2 / fan_in, rtol=0.1)


def test_single_number_is_normal_with_that_variance():
    numbers = np.array([drawn((1, 1, 1), seed=seed).item() for seed in range(2000)])
    assert_allclose(numbers.var(), 2, rtol=0.1)
    assert_allclose((numbers**4).mean() / numbers.var() ** 2, 3, atol=0.5)


@pytest.mark.parametrize("eps_std", [0, 0.05])
@pytest.mark.parametrize("spectrum", ["real", "complex"])
def test_kernels_of_one_tap_are_normal(eps_std, spectrum):
    """Kurtosis 3; that of +-1 would be 1, that of uniform numbers 1.8."""
    values = drawn((128, 64, 1, 1), eps_std=eps_std, spectrum=spectrum)
    assert_allclose(values.var(), 2 / 64, rtol=1e-12)
    kurtosis = ((values - values.mean()) ** 4).mean() / values.var() ** 2
    assert abs(kurtosis - 3) < 0.3


def test_the_noise_is_normal():
    """Kernels are even before noise, so what is odd in them is noise alone."""
    values = drawn((64, 8, 7, 7))
    mirrored = np.roll(values[..., ::-1, ::-1], (1, 1), (-2, -1))
    odd = (values - mirrored)[..., 0, 1:4]
    kurtosis = (odd**4).mean() / (odd**2).mean() ** 2
    # The difference of two uniform numbers has kurtosis 2.4.
    assert abs(kurtosis - 3) < 0.3


# -- the mean --------------------------------------------------------------------------


def z_of_taps(shape, **options):
    """Return the mean of each tap over 20 seeds and all kernels, in standard errors."""
    pool = np.concatenate(
        [drawn(shape, seed=seed, **options) for seed in range(20)]
    ).reshape(-1, *shape[2:])
    return pool.mean(axis=0) / (pool.std(axis=0) / math.sqrt(len(pool)))


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kernel", [(2,), (3,), (5,), (3, 1), (3, 3), (2, 2, 2)])
def test_every_tap_is_zero_in_the_mean(kernel, method):
    """Equation 12."""
    z = z_of_taps((32, 24, *kernel), method=method)
    assert np.abs(z).max() <= 4


@pytest.mark.parametrize("width", [2, 3])
def test_without_random_signs_it_is_not(width):
    z = z_of_taps((32, 24, width), random_sign=False)
    assert np.abs(z).max() > 10


# -- shapes ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape",
    [(7, 3, 3, 3), (3, 7, 3, 3), (7, 3, 5), (2, 3, 3, 4, 5), (4, 1, 3, 3), (1, 9, 2)],
)
def test_filters_and_channels_may_differ(shape):
    values = drawn(shape)
    assert values.shape == shape
    assert len(np.unique(values)) == values.size


@given(st.integers(1, 3), counts, counts, kernels, spectra, seeds)
def test_transposed_weight_is_the_plain_one_in_its_layout(
    groups, outer, inner, kernel, spectrum, seed
):
    plain = drawn((groups * outer, inner, *kernel), seed=seed, spectrum=spectrum)
    stored = drawn(
        (groups * inner, outer, *kernel),
        seed=seed,
        spectrum=spectrum,
        transposed=True,
        groups=groups,
    )
    for group, o, i in itertools.product(range(groups), range(outer), range(inner)):
        assert_array_equal(stored[group * inner + i, o], plain[group * outer + o, i])


@pytest.mark.parametrize("groups", [1, 4])
def test_transposed_layer_has_the_variance_that_relu_needs(groups):
    layer = nn.ConvTranspose1d(32, 32, 3, groups=groups, bias=False)
    convolution_aware_(layer.weight, transposed=True, groups=groups, rng=rng())
    y = layer(tensor(rng(0).normal(size=(8, 32, 400)), dtype="float32"))
    assert_allclose(y.data[..., 2:-2].var(), 2, rtol=0.1)


@pytest.mark.parametrize("groups", [1, 4, 32])
def test_grouped_layer_has_the_variance_that_relu_needs(groups):
    layer = nn.Conv1d(32, 32, 3, groups=groups, bias=False)
    convolution_aware_(layer.weight, rng=rng())
    y = layer(tensor(rng(0).normal(size=(8, 32, 400)), dtype="float32"))
    assert_allclose(y.data.var(), 2, rtol=0.1)


@pytest.mark.parametrize("shape", [(6, 4), (2, 2, 2, 2, 2, 2)])
def test_what_is_no_kernel_is_left_to_dense(shape):
    w = weight(shape)
    assert convolution_aware_(w, dense=nn.init.orthogonal_, rng=rng()) is w
    expected = nn.init.orthogonal_(weight(shape), rng=rng())
    assert_array_equal(w.data, expected.data)


# -- where numbers come from -----------------------------------------------------------


def test_numbers_follow_the_seed():
    assert_array_equal(drawn((4, 3, 3, 3)), drawn((4, 3, 3, 3)))
    assert np.all(drawn((4, 3, 3, 3)) != drawn((4, 3, 3, 3), seed=4))


def test_default_numbers_are_of_the_default_streams():
    def pair():
        manual_seed(1)
        return [convolution_aware_(weight((2, 2, 3))).data for _ in range(2)]

    first, second = pair()
    assert_array_equal(pair(), [first, second])
    assert np.all(first != second)


def test_global_random_state_is_neither_read_nor_written():
    before = np.random.get_state()  # noqa: NPY002
    first = drawn((2, 2, 3))
    assert all(map(np.array_equal, before, np.random.get_state()))  # noqa: NPY002
    np.random.seed(5)  # noqa: NPY002
    assert_array_equal(drawn((2, 2, 3)), first)
    np.random.set_state(before)  # noqa: NPY002


@pytest.mark.parametrize("method", METHODS)
def test_layers_get_the_same_numbers_on_every_backend(backend, method):
    layer = nn.Conv2d(3, 8, 3)
    assert layer.weight.backend == backend
    convolution_aware_(layer.weight, method=method, rng=rng())
    expected = drawn((8, 3, 3, 3), method=method)
    assert_array_equal(layer.weight.numpy(), expected.astype("float32"))
