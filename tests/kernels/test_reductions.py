"""Sums, means, maxima, products and logsumexp over axes."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels import reductions as red
from minigrad.testing import Case, axis_of, check_kernel, kernel_cases, normal

OF_NOTHING = [red.SUM_KERNEL, red.PROD_KERNEL]
OF_SOMETHING = [red.MEAN_KERNEL, red.MAX_KERNEL, red.LOGSUMEXP_KERNEL]
KERNELS = OF_NOTHING + OF_SOMETHING
PYTHON = {
    "sum": math.fsum,
    "mean": lambda values: math.fsum(values) / len(values),
    "max": max,
    "prod": math.prod,
    "logsumexp": lambda values: math.log(math.fsum(map(math.exp, values))),
}
PARAMS = {"axis": axis_of("x", several=True), "keepdims": st.booleans()}

every_kernel = pytest.mark.parametrize(
    "kernel", KERNELS, ids=lambda kernel: kernel.name
)
refusing = pytest.mark.parametrize(
    "kernel", OF_SOMETHING, ids=lambda kernel: kernel.name
)


def gradient(kernel, x, **params):
    y, record = kernel.run(np.asarray(x), **params)
    return kernel.backward("x", np.ones_like(y), record)


@every_kernel
@given(case=kernel_cases(x=("...",), params=PARAMS, zero=False))
def test_terms_sum_to_the_gradient(kernel, case):
    check_kernel(kernel, case)


@pytest.mark.parametrize("kernel", OF_NOTHING, ids=lambda kernel: kernel.name)
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), ()])
def test_empty_axes_have_gradients_too(kernel, axis):
    check_kernel(kernel, Case.draw(0, x=normal(2, 0), params={"axis": axis}))


@refusing
@pytest.mark.parametrize("axis", [1, (-1,), ()])
def test_an_empty_axis_that_stays_does_no_harm(kernel, axis):
    check_kernel(kernel, Case.draw(0, x=normal(0, 3), params={"axis": axis}))


@every_kernel
@pytest.mark.parametrize("axis", [(0, -1), (2, 0), (-2,), ()])
def test_tuples_of_axes_take_negative_numbers_in_any_order(kernel, axis):
    check_kernel(kernel, Case.draw(1, x=normal(2, 3, 4), params={"axis": axis}))


@every_kernel
@pytest.mark.parametrize("axis", [None, 0, 1, -1, (0, 2), (1, 2), (0, 1, 2)])
def test_forward_is_what_python_computes(kernel, axis):
    x = np.random.default_rng(0).standard_normal((2, 3, 4))
    y, _ = kernel.run(x, axis=axis, keepdims=True)
    for place in itertools.product(*map(range, y.shape)):
        index = tuple(
            slice(None) if kept == 1 else at
            for at, kept in zip(place, y.shape, strict=True)
        )
        expected = PYTHON[kernel.name](x[index].ravel().tolist())
        assert y[place] == pytest.approx(expected, rel=1e-13)


@every_kernel
@given(case=kernel_cases(x=("N", "D")))
def test_the_order_of_the_elements_does_not_matter(kernel, case):
    (x,) = case.arrays
    forward, _ = kernel.run(x, axis=1)
    backward, _ = kernel.run(x[:, ::-1], axis=1)
    assert_allclose(forward, backward, rtol=1e-12, atol=1e-14)


@refusing
@given(case=kernel_cases(x=("N", "D")))
def test_a_shift_of_all_elements_shifts_the_result(kernel, case):
    (x,) = case.arrays
    y, record = kernel.run(x, axis=1)
    shifted, _ = kernel.run(x + 3.0, axis=1)
    assert_allclose(shifted, y + 3.0, rtol=1e-12, atol=1e-12)
    dy = case.cotangent(y)
    # Hence the gradient's elements sum to dy.
    assert_allclose(kernel.backward("x", dy, record).sum(axis=1), dy, rtol=1e-12)


def test_ties_of_the_maximum_share_the_gradient_equally():
    dx = gradient(red.MAX_KERNEL, [[1.0, 3.0, 3.0], [2.0, 2.0, 2.0]], axis=1)
    assert_allclose(dx, [[0.0, 0.5, 0.5], [1 / 3, 1 / 3, 1 / 3]])


def test_the_maximum_with_a_nan_is_nan_and_divides_by_nothing():
    y, _ = red.MAX_KERNEL.run(np.array([1.0, np.nan]))
    assert np.isnan(y)
    assert_allclose(gradient(red.MAX_KERNEL, [1.0, np.nan]), [0.5, 0.5])


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ([2.0, 3.0, 4.0], [12.0, 8.0, 6.0]),
        ([2.0, 0.0, 4.0], [0.0, 8.0, 0.0]),
        ([0.0, 3.0, 0.0], [0.0, 0.0, 0.0]),
    ],
)
def test_products_have_gradients_at_zeros(x, expected):
    assert_array_equal(gradient(red.PROD_KERNEL, x), expected)
    check_kernel(red.PROD_KERNEL, Case((np.array(x),)), single=False)


def test_logsumexp_does_not_overflow():
    y, _ = red.LOGSUMEXP_KERNEL.run(np.array([1000.0, 1000.0], np.float32))
    assert y == pytest.approx(1000 + math.log(2))


def test_the_gradient_of_logsumexp_does_not_suffer_from_large_values():
    # exp(x - y) would give 1, 1 here, since y is 1e9 to float32 precision.
    x = np.array([1e9, 1e9], np.float32)
    assert_array_equal(gradient(red.LOGSUMEXP_KERNEL, x), [0.5, 0.5])


def test_logsumexp_of_minus_infinity_is_flat():
    x = np.array([[-np.inf, -np.inf], [-np.inf, 0.0]])
    y, _ = red.LOGSUMEXP_KERNEL.run(x, axis=1)
    assert_array_equal(y, [-np.inf, 0.0])
    dx = gradient(red.LOGSUMEXP_KERNEL, x, axis=1)
    assert_array_equal(dx, [[0.0, 0.0], [0.0, 1.0]])


@pytest.mark.parametrize(
    "kernel", [red.SUM_KERNEL, red.MEAN_KERNEL], ids=lambda kernel: kernel.name
)
def test_half_precision_adds_in_single(kernel):
    y, _ = kernel.run(np.ones((4096, 2), np.float16), axis=0)
    assert y.dtype == np.float16
    assert_array_equal(y, 4096.0 if kernel is red.SUM_KERNEL else 1.0)


@every_kernel
@pytest.mark.parametrize("axis", [2, -3, (0, 0), (1, -1)])
def test_axes_that_x_lacks_or_named_twice_are_refused(kernel, axis):
    message = rf"{kernel.name}: axis .+, expected different axes of x, .+ \(2, 3\)"
    with pytest.raises(ShapeError, match=message):
        kernel.run(np.ones((2, 3)), axis=axis)


@refusing
def test_reducing_an_empty_axis_is_refused(kernel):
    message = rf"{kernel.name}: x has shape \(2, 0\), expected at least one .+ axis 1"
    with pytest.raises(ShapeError, match=message):
        kernel.run(np.ones((2, 0)))


def test_logsumexp_of_half_precision_adds_in_float32():
    y, _ = red.logsumexp(np.zeros((5000, 1), "float16"), axis=0)
    assert y.dtype == "float16"
    assert_allclose(y, math.log(5000), rtol=1e-3)


@pytest.mark.parametrize("kernel", [red.SUM_KERNEL, red.MAX_KERNEL, red.MEAN_KERNEL])
@pytest.mark.parametrize("axis", ["a", [0], 0.0, (0, "a")])
def test_axis_that_is_no_int_is_refused(kernel, axis):
    with pytest.raises(ArgumentError, match=r"axis .+, expected an int, a"):
        kernel.run(np.zeros((2, 3)), axis=axis)


def test_number_without_axes_has_no_axis_0():
    with pytest.raises(ShapeError, match="sum: axis 0, expected different axes of x"):
        red.SUM_KERNEL.run(np.zeros(()), axis=0)
