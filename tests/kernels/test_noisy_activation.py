"""Activations with noise where they saturate."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels.noisy_activation import KERNEL
from minigrad.testing import between, check_kernel, kernel_cases, normal

PARAMS = {
    "function": st.sampled_from(["tanh", "sigmoid"]),
    "alpha": st.sampled_from([0.7, 1, 1.15]),
    "c": st.sampled_from([0.5, 2.0]),
}
X = between("...", "D", low=-5.0, high=5.0)


@given(kernel_cases(x=X, p=normal("D"), noise=normal("...", "D"), params=PARAMS))
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


@given(kernel_cases(x=X, p=normal(1), noise=normal(), params=PARAMS))
def test_one_p_and_one_noise_serve_all_elements(case):
    check_kernel(KERNEL, case)


def reference(x, p, noise, function, alpha, c):
    """Follow the paper's algorithm 1 for one number; d as the authors' code has it."""
    u = x if function == "tanh" else x / 4 + 0.5
    h = min(max(u, -1 if function == "tanh" else 0), 1)
    sigma = c * (1 / (1 + math.exp(-p * (h - u))) - 0.5) ** 2
    d = -math.copysign(1, x) * (-1 if alpha > 1 else 1)
    return alpha * h + (1 - alpha) * u + d * sigma * noise


@given(kernel_cases(x=X, p=normal("D"), noise=normal("...", "D"), params=PARAMS))
def test_value_is_that_of_the_paper_number_by_number(case):
    x, p, noise = case.arrays
    expected = [
        reference(*numbers, **case.params)
        for numbers in zip(
            x.flat, np.broadcast_to(p, x.shape).flat, noise.flat, strict=True
        )
    ]
    y, _ = KERNEL.run(*case.arrays, **case.params)
    assert_allclose(y.ravel(), expected, 1e-12, 1e-14)


@pytest.mark.parametrize(("function", "edge"), [("tanh", 1), ("sigmoid", 2)])
def test_noise_acts_only_where_the_function_saturates(function, edge):
    x = np.linspace(-4, 4, 81) + 0.001
    one, noise = np.ones(1), np.full(81, 3.0)
    y, record = KERNEL.run(x, one, noise, function=function)
    silent, _ = KERNEL.run(x, one, 0 * noise, function=function)
    inside = np.abs(x) < edge
    assert_array_equal(y[inside], silent[inside])
    assert (np.sign(y - silent)[~inside] == np.sign(x[~inside])).all()
    terms = KERNEL.backward_terms("x", np.ones(81), record)
    assert_array_equal(terms["through_sigma"][inside], 0)
    assert (np.abs(terms["through_sigma"][~inside]) > 0).all()
    assert_array_equal(terms["hard"][~inside], 0)


def test_odd_function_of_x_for_tanh():
    # h, u, v and d change their sign with x; sigma does not.
    x = np.random.default_rng(0).standard_normal(50) * 3
    one, noise = np.ones(1), np.full(50, 0.8)
    assert_allclose(KERNEL.run(x, one, noise)[0], -KERNEL.run(-x, one, noise)[0])


def test_with_alpha_one_and_p_zero_it_is_the_hard_function():
    x = np.linspace(-3, 3, 13)
    y, record = KERNEL.run(x, np.zeros(1), np.ones(13), alpha=1.0)
    assert_array_equal(y, x.clip(-1, 1))
    dx = KERNEL.backward("x", np.ones(13), record)
    assert_array_equal(dx, np.abs(x) < 1)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_infinite_input_gives_the_limits_and_finite_slopes(dtype):
    x = np.array([math.inf, -math.inf], dtype)
    y, record = KERNEL.run(x, np.ones(1, dtype), np.ones(2, dtype))
    assert_array_equal(y, [-math.inf, math.inf])
    dx = KERNEL.backward("x", np.ones_like(x), record)
    assert dx.dtype == dtype
    assert_allclose(dx, [-0.15, -0.15], rtol=3e-3)


def test_nan_stays_nan():
    y, record = KERNEL.run(np.array([math.nan]), np.ones(1), np.ones(1))
    assert np.isnan([y, KERNEL.backward("x", np.ones(1), record)]).all()


def test_wrong_arguments_are_refused():
    x, one = np.ones((2, 3)), np.ones(1)
    with pytest.raises(ArgumentError, match="function 'relu', expected one of 'tanh'"):
        KERNEL.run(x, one, x, function="relu")
    with pytest.raises(ArgumentError, match="function None, expected one of 'tanh'"):
        KERNEL.run(x, one, x, function=None)
    with pytest.raises(ShapeError, match=r"p has shape \(2,\), expected one that"):
        KERNEL.run(x, np.ones(2), x)
    with pytest.raises(ShapeError, match=r"noise has shape \(2,\), expected one that"):
        KERNEL.run(x, one, np.ones(2))
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        KERNEL.run(np.ones(3, int), np.ones(1, int), one)
