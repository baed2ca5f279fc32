"""Pearson's r of all pairs of nodes (GAAF, table 1)."""

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.backend import new_array
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.inspect import node_correlations
from minigrad.tape import tensor

seeds = st.integers(0, 2**32 - 1)


def pairs_of(matrix):
    return matrix[np.triu_indices(len(matrix), 1)]


def mixed(seed, inputs, nodes):
    """Values of nodes that are correlated."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(inputs, nodes)) @ rng.normal(size=(nodes, nodes))


def test_three_nodes_by_hand():
    # Centred: (-1, 0, 1), (-1, 1, 0) and (1, 0, -1).
    h = np.array([[0.0, 4.0, 9.0], [1.0, 6.0, 8.0], [2.0, 5.0, 7.0]])
    found = node_correlations(h)
    assert_allclose(found.coefficients, [0.5, -1.0, -0.5], rtol=1e-15)
    assert found.constant == 0
    assert [found.num_above(t) for t in (0.4, 0.6, 1.0)] == [3, 1, 0]


@given(seed=seeds, inputs=st.integers(2, 30), nodes=st.integers(2, 6))
def test_coefficients_are_those_of_numpy(seed, inputs, nodes):
    h = mixed(seed, inputs, nodes)
    found = node_correlations(h).coefficients
    assert found.dtype == np.float64
    assert_allclose(found, pairs_of(np.corrcoef(h, rowvar=False)), atol=1e-12)
    assert (np.abs(found) <= 1).all()


@given(seed=seeds)
def test_shifts_and_scales_of_nodes_change_nothing_but_signs(seed):
    h = mixed(seed, 20, 4)
    rng = np.random.default_rng(seed)
    factors, shifts = rng.normal(size=4), 1e3 * rng.normal(size=4)
    signs = pairs_of(np.outer(np.sign(factors), np.sign(factors)))
    found = node_correlations(h * factors + shifts).coefficients
    assert_allclose(found, signs * node_correlations(h).coefficients, atol=1e-8)


@given(seed=seeds)
def test_the_order_of_inputs_is_of_no_account(seed):
    h = mixed(seed, 20, 4)
    mixed_up = np.random.default_rng(seed).permutation(h)
    expected = node_correlations(h).coefficients
    assert_allclose(node_correlations(mixed_up).coefficients, expected, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("value", [0.0, 0.1, -0.3, 1e30])
def test_nodes_that_do_not_vary_are_counted_and_left_out(dtype, value):
    h = mixed(0, 1003, 3).astype(dtype)
    fixed = np.full((1003, 1), value, dtype)
    found = node_correlations(np.hstack([fixed, h[:, :2], fixed, h[:, 2:]]))
    assert found.constant == 2
    assert_array_equal(found.coefficients, node_correlations(h).coefficients)


def test_without_two_nodes_that_vary_there_are_no_pairs():
    h = np.array([[1.0, 2.0], [1.0, 3.0]])
    for given_h, constant in ((h, 1), (h[:, :1], 1), (h[:, 1:], 0), (h[:, :0], 0)):
        found = node_correlations(given_h)
        assert (found.coefficients.shape, found.constant) == ((0,), constant)
        assert found.num_above(0) == 0


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_squares_beyond_the_range_of_floats_do_no_harm(scale):
    h = mixed(1, 20, 4)
    expected = node_correlations(h).coefficients
    assert_allclose(node_correlations(h * scale).coefficients, expected, atol=1e-12)


def test_a_great_mean_costs_no_more_than_its_own_rounding():
    h = mixed(2, 50, 4).astype("float32")
    shifted = h.astype("float64") + 1e8
    expected = node_correlations(shifted - 1e8).coefficients
    assert_allclose(node_correlations(shifted).coefficients, expected, atol=1e-7)


def test_equal_and_opposite_nodes_are_at_the_ends():
    h = mixed(3, 1000, 1)
    found = node_correlations(np.hstack([h, h, -3 * h])).coefficients
    assert_allclose(found, [1, -1, -1], rtol=1e-14)
    assert (np.abs(found) <= 1).all()


def test_float32_is_summed_in_float64():
    h = mixed(4, 3000, 3).astype("float32") + np.float32(100)
    expected = pairs_of(np.corrcoef(h.astype("float64"), rowvar=False))
    assert_allclose(node_correlations(h).coefficients, expected, atol=1e-12)


def test_arrays_and_tensors_of_a_device_are_taken(device):
    h = np.hstack([mixed(5, 9, 3), np.ones((9, 1))])
    expected = node_correlations(h)
    for given_h in (new_array(h), tensor(h, requires_grad=True).tanh().detach()):
        found = node_correlations(given_h)
        assert type(found.coefficients) is np.ndarray
        assert found.constant == expected.constant == 1
    moved = node_correlations(new_array(h)).coefficients
    assert_allclose(moved, expected.coefficients, atol=1e-15)


def test_whole_numbers_and_truth_values_are_taken():
    h = np.array([[0, 1], [1, 1], [1, 0], [1, 0]])
    expected = np.corrcoef(h, rowvar=False)[0, 1]
    assert_allclose(node_correlations(h).coefficients, expected)
    assert_allclose(node_correlations(h == 1).coefficients, expected)


def test_what_was_given_stays_as_it_is():
    h = mixed(6, 5, 3)
    before = h.copy()
    found = node_correlations(h)
    assert_array_equal(h, before)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.constant = 3
    assert repr(found) == "<Correlations: 3 pairs, 0 constant nodes>"


@pytest.mark.parametrize("shape", [(), (5,), (1, 5), (0, 5), (2, 3, 4)])
def test_other_axes_and_a_single_input_are_refused(shape):
    with pytest.raises(ShapeError, match=r"h has shape \(.*\), expected \(N, J\) with"):
        node_correlations(np.zeros(shape))


@pytest.mark.parametrize(
    ("h", "error", "message"),
    [
        ([[1.0], [2.0]], ArgumentError, "h is a list, expected an array or a Tensor"),
        (np.ones((2, 2), complex), DTypeError, "h has dtype complex128, expected"),
        (
            np.array([[1.0, np.nan], [np.inf, 2.0]]),
            ArgumentError,
            "h has 2 infinite or NaN of 4 numbers, expected finite ones",
        ),
    ],
)
def test_what_has_no_correlation_is_refused(h, error, message):
    with pytest.raises(error, match=f"node_correlations: {message}"):
        node_correlations(h)


def test_a_threshold_is_a_number():
    with pytest.raises(ArgumentError, match="threshold 'high', expected a number"):
        node_correlations(np.eye(3)).num_above("high")
