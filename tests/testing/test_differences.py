"""Derivatives without backward, and the detector of kinks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad.testing.differences import (
    CENTRAL_STEP,
    Slope,
    central_difference,
    complex_step,
    jacobian,
    slope,
)

X = np.array([0.3, -1.2, 2.0])
V = np.array([1.0, 0.5, -2.0])


def test_the_complex_step_is_exact():
    found = complex_step(np.exp, [X], 0, V)
    assert_allclose(found.parts[0], np.exp(X) * V, rtol=1e-15)


def test_the_complex_step_sees_through_a_steep_sawtooth():
    def sawtooth(x):
        return x - np.floor(1e6 * x.real) / 1e6

    assert_allclose(complex_step(sawtooth, [X], 0, V).parts[0], V, rtol=1e-15)


def test_one_input_moves_and_the_others_turn_complex_with_it():
    def product(a, b):
        assert a.dtype == b.dtype == complex
        return a * b

    assert_allclose(complex_step(product, [X, V], 1, V).parts[0], X * V)


@pytest.mark.parametrize(
    ("f", "why"),
    [
        (np.abs, "is real"),
        (np.floor, "TypeError: ufunc 'floor' not supported"),
        (lambda x: x.astype(float), "ComplexWarning"),
    ],
    ids=["abs", "floor", "astype"],
)
def test_what_is_not_analytic_says_why(f, why):
    assert why in complex_step(f, [X], 0, V)


def test_the_central_difference_is_of_fourth_order():
    found = central_difference(np.exp, [X], 0, V)
    assert_allclose(found.parts[0], np.exp(X) * V, rtol=1e-11)
    assert not found.kinked


@pytest.mark.parametrize("place", [0.0, 0.3, 2 / 3, 0.9, 1.5, -0.5, -1.9])
def test_a_kink_within_the_step_is_seen(place):
    at = np.array([-place * CENTRAL_STEP])
    found = central_difference(lambda x: np.maximum(x, 0), [at], 0, np.ones(1))
    assert found.kinked


def test_a_jump_is_seen():
    found = central_difference(np.floor, [np.array([1.0])], 0, np.ones(1))
    assert found.kinked


@pytest.mark.parametrize("place", [2.1, -2.1])
def test_a_kink_beyond_the_step_is_no_matter(place):
    at = np.array([-place * CENTRAL_STEP])
    found = central_difference(lambda x: np.maximum(x, 0), [at], 0, np.ones(1))
    assert not found.kinked
    assert_allclose(found.parts[0], float(place < 0), atol=1e-9)


def test_slope_falls_back_and_says_so():
    found = slope(np.abs, [X], 0, V)
    assert found.method == "central difference"
    assert found.why == "the result for complex input is real"
    assert_allclose(found.parts[0], np.sign(X) * V, rtol=1e-10)


def test_several_outputs_have_one_slope_each():
    found = complex_step(lambda x: (x * x, x.sum()), [X], 0, V)
    assert_allclose(found.parts[0], 2 * X * V)
    assert_allclose(found.parts[1], V.sum())


def test_along_adds_up_the_outputs():
    found = Slope((np.array([1.0, 2.0]), np.array(3.0)), "by hand")
    assert found.along((np.array([10.0, 1.0]), np.array(2.0))) == 18.0


def test_the_jacobian_has_the_axes_of_y_then_of_x():
    (found,) = jacobian(lambda a, b: a @ b, [np.ones((2, 3)), np.ones((3, 4))], 1)
    assert found.shape == (2, 4, 3, 4)
    assert_allclose(found[1, 2, :, 2], 1)
    assert_allclose(found[1, 2, :, 1], 0)
