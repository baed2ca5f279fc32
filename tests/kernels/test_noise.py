"""Noise that is given, added to x or multiplied with it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.kernels.noise import ADDITIVE_KERNEL, MULTIPLICATIVE_KERNEL
from minigrad.testing import check_kernel, kernel_cases, normal

KERNELS = [ADDITIVE_KERNEL, MULTIPLICATIVE_KERNEL]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
std = {"std": st.sampled_from([0.0, 0.3, 2])}


@every_kernel
def test_terms_sum_to_the_gradient(kernel):
    @given(kernel_cases(x=normal("..."), noise=normal("..."), params=std))
    def hold(case):
        check_kernel(kernel, case)

    hold()


@given(kernel_cases(x=normal("N", "C", "D"), noise=normal("C", 1)))
def test_noise_of_a_channel_moves_all_of_it(case):
    x, noise = case.arrays
    plus, times = (kernel.run(x, noise, std=0.5)[0] for kernel in KERNELS)
    for c, value in enumerate(noise[:, 0] / 2):
        assert_allclose(plus[:, c], x[:, c] + value, 1e-12, 1e-14)
        assert_allclose(times[:, c], x[:, c] * (1 + value), 1e-12, 1e-14)


@given(kernel_cases(x=normal("..."), noise=normal("...")))
def test_noise_and_its_mirror_image_average_to_x(case):
    x, noise = case.arrays
    for kernel in KERNELS:
        pair = [kernel.run(x, sign * noise, std=0.7)[0] for sign in (1, -1)]
        assert_allclose(sum(pair) / 2, x, 1e-12, 1e-14)


@every_kernel
@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
def test_noise_of_any_dtype_leaves_float32(kernel, dtype):
    x, noise = np.ones(3, "float32"), np.array([1, 0, -1], dtype)
    y, record = kernel.run(x, noise, std=0.5)
    assert y.tolist() == [1.5, 1, 0.5]
    dx = kernel.backward("x", x, record)
    assert y.dtype == dx.dtype == np.float32


@every_kernel
def test_without_noise_y_equals_x_in_an_array_of_its_own(kernel):
    x = np.arange(3.0)
    y, _ = kernel.run(x, x, std=0)
    assert_array_equal(y, x)
    assert not np.shares_memory(y, x)


@every_kernel
def test_what_does_not_fit_is_refused(kernel):
    x = np.ones((2, 3))
    with pytest.raises(ShapeError, match=r"noise has shape \(2,\), expected one that"):
        kernel.run(x, np.ones(2), std=1)
    with pytest.raises(ArgumentError, match="std 'a', expected a number"):
        kernel.run(x, x, std="a")
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        kernel.run(np.ones(3, int), np.ones(3), std=1)
    _, record = kernel.run(x, x, std=1)
    with pytest.raises(GraphError, match="input noise is not differentiable"):
        kernel.backward("noise", x, record)
