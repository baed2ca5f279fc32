"""Functions of one array, element by element."""

import math

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.kernels import elementary as ele
from minigrad.testing import (
    away_from_zero,
    check_kernel,
    kernel_cases,
    normal,
    positive,
)

DOMAINS = [
    (ele.EXP_KERNEL, normal, math.exp),
    (ele.LOG_KERNEL, positive, math.log),
    (ele.LOG1P_KERNEL, positive, math.log1p),
    (ele.SQRT_KERNEL, positive, math.sqrt),
    (ele.SQUARE_KERNEL, normal, lambda x: x**2),
    (ele.ABS_KERNEL, away_from_zero, math.fabs),
    (ele.SIN_KERNEL, normal, math.sin),
    (ele.COS_KERNEL, normal, math.cos),
    (ele.RECIPROCAL_KERNEL, away_from_zero, lambda x: x**-1),
]
every_kernel = pytest.mark.parametrize(
    ("kernel", "domain", "function"),
    [pytest.param(*row, id=row[0].name) for row in DOMAINS],
)


def gradient(kernel, x):
    y, record = kernel.run(np.asarray(x))
    return kernel.backward("x", np.ones_like(y), record)


def chained(outer, inner, case):
    """Run outer(inner(x)); return y and its gradient with respect to x, and dy."""
    h, first = inner.run(*case.arrays)
    y, second = outer.run(h)
    dy = case.cotangent(y)
    dh = outer.backward("x", dy, second)
    return y, inner.backward("x", dh, first), dy


@every_kernel
def test_terms_sum_to_the_gradient(kernel, domain, function):
    @given(kernel_cases(x=domain("...")))
    def hold(case):
        check_kernel(kernel, case)

    hold()


@every_kernel
def test_forward_is_what_the_math_module_computes(kernel, domain, function):
    @given(kernel_cases(x=domain("...")))
    def hold(case):
        (x,) = case.arrays
        y, _ = kernel.run(x)
        expected = np.reshape([function(float(value)) for value in x.flat], x.shape)
        assert_allclose(y, expected, rtol=1e-14, atol=1e-15)

    hold()


@every_kernel
def test_blocks_on_threads_change_no_bit(kernel, domain, function):
    rng = np.random.default_rng(0)
    x = rng.uniform(0.5, 2, 600_000).astype(np.float32)
    dy = rng.standard_normal(x.size).astype(np.float32)
    _, record = kernel.run(x)
    _, tail = kernel.run(x[-1000:])
    whole, part = (
        kernel.backward("x", dy, record),
        kernel.backward("x", dy[-1000:], tail),
    )
    assert_array_equal(whole[-1000:], part)


@pytest.mark.parametrize(
    ("outer", "inner"),
    [
        (ele.EXP_KERNEL, ele.LOG_KERNEL),
        (ele.LOG_KERNEL, ele.EXP_KERNEL),
        (ele.SQRT_KERNEL, ele.SQUARE_KERNEL),
        (ele.SQUARE_KERNEL, ele.SQRT_KERNEL),
        (ele.RECIPROCAL_KERNEL, ele.RECIPROCAL_KERNEL),
    ],
    ids=lambda kernel: kernel.name,
)
@given(case=kernel_cases(x=positive("...")))
def test_inverse_functions_pass_the_cotangent_through(outer, inner, case):
    y, dx, dy = chained(outer, inner, case)
    assert_allclose(y, case.arrays[0], rtol=1e-14)
    assert_allclose(dx, dy, rtol=1e-14)


@given(kernel_cases(x=("...",)))
def test_sine_and_cosine_stay_on_the_circle(case):
    sine, of_sine, dy = chained(ele.SQUARE_KERNEL, ele.SIN_KERNEL, case)
    cosine, of_cosine, _ = chained(ele.SQUARE_KERNEL, ele.COS_KERNEL, case)
    assert_allclose(sine + cosine, 1, rtol=1e-14)
    assert_allclose(of_sine + of_cosine, 0 * dy, atol=1e-14)


def test_the_derivative_of_abs_at_zero_is_zero():
    assert_array_equal(gradient(ele.ABS_KERNEL, [-2.0, 0.0, 3.0]), [-1.0, 0.0, 1.0])


@pytest.mark.parametrize(
    "kernel", [ele.LOG_KERNEL, ele.SQRT_KERNEL], ids=lambda kernel: kernel.name
)
def test_slopes_at_zero_are_infinite(kernel):
    with np.errstate(divide="ignore"):
        assert_array_equal(gradient(kernel, [0.0]), [np.inf])


def test_exp_of_minus_infinity_is_flat():
    assert_array_equal(gradient(ele.EXP_KERNEL, [-np.inf]), [0.0])


def test_log1p_keeps_tiny_numbers():
    y, _ = ele.LOG1P_KERNEL.run(np.array([1e-20, -1e-20]))
    assert_array_equal(y, [1e-20, -1e-20])


def test_the_slope_of_a_reciprocal_does_not_overflow_before_its_value():
    x = np.array([1e-25], np.float32)
    _, record = ele.RECIPROCAL_KERNEL.run(x)
    dx = ele.RECIPROCAL_KERNEL.backward("x", np.array([1e-30], np.float32), record)
    assert_allclose(dx, [-1e20], rtol=1e-5)


def test_the_reciprocal_of_integers_is_not_cut():
    y, _ = ele.RECIPROCAL_KERNEL.run(np.array([2, -4]))
    assert_array_equal(y, [0.5, -0.25])
