"""The cosine of the angle between two vectors."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels.cosine_similarity import KERNEL
from minigrad.testing import Case, check_kernel, kernel_cases, normal

PAIR = {"a": normal("N", "C"), "b": normal("N", "C")}
# An eps among the norms: some divide, some are too small to.
PARAMS = {"axis": st.integers(-2, 1), "eps": st.sampled_from([1e-8, 1.0])}


@given(kernel_cases(**PAIR, params=PARAMS))
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


@pytest.mark.parametrize(("a", "b"), [((2, 3), (3,)), ((2, 3), (2, 1)), ((1,), (2, 3))])
def test_terms_sum_to_the_gradient_where_a_and_b_broadcast(a, b):
    check_kernel(KERNEL, Case.draw(0, a=normal(*a), b=normal(*b)))


@given(kernel_cases(**PAIR))
def test_the_cosine_is_that_of_the_angle(case):
    a, b = case.arrays
    y, _ = KERNEL.run(a, b)
    expected = [
        sum(p * q for p, q in zip(v, w, strict=True)) / math.hypot(*v) / math.hypot(*w)
        for v, w in zip(a, b, strict=True)
    ]
    assert_allclose(y, expected, rtol=1e-12, atol=1e-13)


@given(kernel_cases(**PAIR))
def test_lengths_do_not_count(case):
    a, b = case.arrays
    assert_allclose(KERNEL.run(7 * a, b / 3)[0], KERNEL.run(a, b)[0], rtol=1e-12)
    assert_allclose(KERNEL.run(7 * a, a)[0], 1, rtol=1e-12)


def test_the_cosine_of_zeros_is_zero_with_a_finite_gradient():
    y, record = KERNEL.run(np.zeros((1, 2)), np.array([[3.0, 4.0]]))
    da = KERNEL.backward("a", np.ones(1), record)
    assert_array_equal(y, [0])
    assert_allclose(da, [[0.6e8, 0.8e8]])


@pytest.mark.parametrize("shape", [(2, 0), (0, 3)])
def test_empty_arrays_are_taken(shape):
    y, record = KERNEL.run(np.zeros(shape), np.zeros(shape))
    assert_array_equal(y, np.zeros(shape[:1]))
    assert KERNEL.backward("a", y, record).shape == shape


def test_half_precision_adds_in_float32():
    x = np.full((1, 40_000), 8, "float16")
    y, record = KERNEL.run(x, x)
    assert y.dtype == KERNEL.backward("b", y, record).dtype == "float16"
    assert_allclose(y, [1], rtol=2e-3)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"axis": 2}, ShapeError, r"axis 2, expected one of the 2 axes of a and b"),
        ({"axis": "a"}, ArgumentError, "axis 'a', expected an int"),
        ({"eps": "a"}, ArgumentError, "eps 'a', expected a number"),
    ],
)
def test_wrong_options_are_refused(options, error, message):
    with pytest.raises(error, match=f"cosine_similarity: {message}"):
        KERNEL.run(np.ones((2, 3)), np.ones((2, 3)), **options)


def test_wrong_arrays_are_refused():
    with pytest.raises(ShapeError, match=r"shapes a \(2, 3\), b \(2, 4\) do not broad"):
        KERNEL.run(np.ones((2, 3)), np.ones((2, 4)))
    with pytest.raises(DTypeError, match="a has dtype int64, expected a float dtype"):
        KERNEL.run(*np.ones((2, 2, 3), int))
