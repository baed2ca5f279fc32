"""Softmax and its logarithm."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import softmax
from minigrad.testing import check_kernel, kernel_cases, normal

KERNELS = [softmax.SOFTMAX_KERNEL, softmax.LOG_SOFTMAX_KERNEL]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)
cases = kernel_cases(x=normal("N", "K", "T"), params={"axis": st.integers(-3, 2)})


@every_kernel
@given(case=cases)
def test_terms_sum_to_the_gradient(kernel, case):
    check_kernel(kernel, case)


@given(case=kernel_cases(x=normal("N", "K")))
def test_softmax_is_exp_over_its_sum(case):
    (x,) = case.arrays
    expected = [[math.exp(v) / sum(map(math.exp, row)) for v in row] for row in x]
    assert_allclose(softmax.softmax(x)[0], expected, rtol=1e-13)


@given(case=cases)
def test_log_softmax_is_the_logarithm_of_softmax(case):
    (x,), axis = case.arrays, case.params["axis"]
    logarithm = np.log(softmax.softmax(x, axis=axis)[0])
    found = softmax.log_softmax(x, axis=axis)[0]
    assert_allclose(found, logarithm, rtol=1e-12, atol=1e-14)


@every_kernel
@given(case=cases)
def test_constant_shift_changes_nothing(kernel, case):
    (x,) = case.arrays
    y, record = kernel.run(x, **case.params)
    shifted, _ = kernel.run(x + 3.7, **case.params)
    dx = kernel.backward("x", case.cotangent(y), record)
    assert_allclose(shifted, y, rtol=1e-12, atol=1e-12)
    assert_allclose(dx.sum(axis=case.params["axis"]), 0, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities_of_large_logits_stay_finite(dtype):
    x = np.array([[1e4, -1e4, 0.0], [-math.inf, 0.0, 0.0]], dtype)
    y, _ = softmax.SOFTMAX_KERNEL.run(x)
    log_y, _ = softmax.LOG_SOFTMAX_KERNEL.run(x[:1])
    assert_array_equal(y, [[1, 0, 0], [0, 0.5, 0.5]])
    assert_array_equal(log_y, [[0, -2e4, -1e4]])


@every_kernel
def test_missing_axis_is_refused(kernel):
    with pytest.raises(ShapeError, match="axis 2, expected one of the 2 axes of x"):
        kernel.run(np.zeros((2, 3)), axis=2)


@every_kernel
def test_empty_axis_is_refused(kernel):
    with pytest.raises(ShapeError, match="at least one element along axis 1"):
        kernel.run(np.zeros((2, 0)))


@every_kernel
def test_integers_are_refused(kernel):
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        kernel.run(np.zeros(3, int))


@every_kernel
@pytest.mark.parametrize("axis", [(0,), "a", [0], 0.0, None])
def test_axis_that_is_no_int_is_refused(kernel, axis):
    with pytest.raises(ArgumentError, match=r"softmax: axis .+, expected an int"):
        kernel.run(np.zeros((2, 3)), axis=axis)


@every_kernel
@pytest.mark.parametrize("axis", [0, 1])
def test_half_precision_adds_in_float32(kernel, axis):
    # In float16 a sum of ones stops at 2048.
    x = np.zeros((1, 5000) if axis else (5000, 1), "float16")
    dy = np.random.default_rng(0).random(x.shape).astype("float16")
    y, record = kernel.run(x, axis=axis)
    wide, wide_record = kernel.run(x.astype("float64"), axis=axis)
    dx = kernel.backward("x", dy, record)
    wide_dx = kernel.backward("x", dy.astype("float64"), wide_record)
    assert y.dtype == dx.dtype == "float16"
    assert_allclose(y, wide, rtol=1e-3)
    assert_allclose(dx, wide_dx, rtol=0, atol=0.01 * abs(wide_dx).max())
