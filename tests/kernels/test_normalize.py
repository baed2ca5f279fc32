"""L2 normalisation."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels.normalize import KERNEL
from minigrad.testing import check_kernel, kernel_cases, normal

# An eps among the norms: some divide, some are too small to.
PARAMS = {"axis": st.integers(-2, 1), "eps": st.sampled_from([1e-12, 1.0])}


@given(kernel_cases(x=normal("N", "C"), params=PARAMS))
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


@given(kernel_cases(x=normal("N", "C")))
def test_rows_get_the_length_one(case):
    y, _ = KERNEL.run(*case.arrays)
    assert_allclose([math.hypot(*row) for row in y], 1, rtol=1e-13)
    assert_allclose(y, KERNEL.run(3 * case.arrays[0])[0], rtol=1e-13)


@given(kernel_cases(x=normal("N", "C")))
def test_the_gradient_is_at_right_angles_to_x(case):
    y, record = KERNEL.run(*case.arrays)
    dx = KERNEL.backward("x", case.cotangent(y), record)
    assert_allclose((dx * y).sum(axis=1), 0, atol=1e-10)


def test_zeros_are_divided_by_eps():
    y, record = KERNEL.run(np.zeros((1, 2)), eps=0.5)
    dx = KERNEL.backward_terms("x", np.ones((1, 2)), record)
    assert_array_equal(y, [[0, 0]])
    assert_array_equal(dx["direct"], [[2, 2]])
    assert_array_equal(dx["through_norm"], [[0, 0]])


@pytest.mark.parametrize("shape", [(2, 0), (0, 3)])
def test_empty_arrays_are_taken(shape):
    y, record = KERNEL.run(np.zeros(shape))
    assert KERNEL.backward("x", y, record).shape == y.shape == shape


def test_half_precision_adds_in_float32():
    y, record = KERNEL.run(np.full((1, 40_000), 8, "float16"))
    dx = KERNEL.backward("x", y, record)
    assert y.dtype == dx.dtype == "float16"
    assert_allclose(y, np.full(y.shape, 0.005), rtol=2e-3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"axis": 2}, ShapeError, "axis 2, expected one of the 2 axes of x"),
        ({"axis": "a"}, ArgumentError, "axis 'a', expected an int"),
        ({"eps": "a"}, ArgumentError, "eps 'a', expected a number"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    with pytest.raises(error, match=f"l2_normalize: {message}"):
        KERNEL.run(np.ones((2, 3)), **options)


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        KERNEL.run(np.ones((2, 3), int))
