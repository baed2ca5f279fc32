"""The policy gradient: against the expected reward of all decisions, enumerated."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.kernels.policy_loss import KERNEL
from minigrad.testing import between, booleans, check_kernel, kernel_cases, normal

POLICIES = np.array(list(itertools.product([0, 1], repeat=2)))
REWARDS = np.array([0.3, -2.0, 0.7, 1.5])
"""Of the four POLICIES of two blocks."""


@given(
    kernel_cases(
        q=between("N", "K", low=0.05, high=0.95),
        u=booleans("N", "K"),
        advantage=normal("N"),
        mask=booleans("K"),
        params={"entropy_weight": st.sampled_from([0.0, 0.1, 2.0])},
    )
)
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


def probability(q):
    """Of each of POLICIES."""
    return np.prod(np.where(POLICIES == 1, q, 1 - q), axis=1)


def reward_gradient(q):
    """Slopes of the expected reward, which is linear in each probability."""

    def expected(place, value):
        return probability(np.where(np.arange(2) == place, value, q)) @ REWARDS

    return [expected(place, 1) - expected(place, 0) for place in range(2)]


def term(name, q, u, advantage, mask=(1, 1), weight=0.0):
    """One term of the gradient of q (N, K)."""
    arrays = (np.array(array, "float64") for array in (q, u, advantage, mask))
    _, record = KERNEL.run(*arrays, entropy_weight=weight)
    return KERNEL.backward_terms("q", np.array(1.0), record)[name]


@pytest.mark.parametrize("baseline", [0.0, 1.5, -40.0])
def test_over_all_policies_the_mean_gradient_is_that_of_the_expected_reward(baseline):
    q = np.array([0.3, 0.85])
    for_each = [
        term("reward", [q], [u], [reward - baseline])[0]
        for u, reward in zip(POLICIES, REWARDS, strict=True)
    ]
    found = probability(q) @ np.array(for_each)
    assert_allclose(-found, reward_gradient(q), rtol=1e-12)


def test_it_is_the_score_function_formula():
    q, advantage = np.array([0.3, 0.85]), 1.7
    for u in POLICIES:
        score = u / q - (1 - u) / (1 - q)
        found = term("reward", [q, q], [u, u], [advantage, 0])
        assert_allclose(found, [-advantage * score / 2, [0, 0]], rtol=1e-12)


def loss(q, u, advantage, mask=(1, 1), **params):
    arrays = (np.array(array, "float64") for array in (q, u, advantage, mask))
    return KERNEL.run(*arrays, **params)[0].item()


def test_values_by_hand():
    q, u = [[0.25, 0.5]], [[1, 0]]
    assert loss(q, u, [2]) == pytest.approx(2 * (math.log(4) + math.log(2)))
    bit = math.log(2)
    even = [[0.5, 0.5]]
    assert loss(even, u, [0], entropy_weight=3) == pytest.approx(-3 * 2 * bit)
    assert loss(even * 2, u * 2, [2, 1], (1, 0)) == pytest.approx(1.5 * bit)


def test_entropy_pulls_to_the_middle_and_no_further():
    found = term("entropy", [[0.2, 0.5, 0.8]], [[1, 1, 1]], [5], (1, 1, 1), 0.1)
    assert_allclose(found, [[-0.1 * math.log(4), 0, 0.1 * math.log(4)]], atol=1e-15)


def test_what_is_masked_gets_nothing():
    for name in ("reward", "entropy"):
        found = term(name, [[0.3, 0.6]] * 2, POLICIES[:2], [1, 2], (0, 1), 0.5)
        assert_array_equal(found[:, 0], [0, 0])
        assert found[:, 1].all()


def test_float32_stays():
    q = np.full((2, 3), 0.4, "float32")
    y, record = KERNEL.run(q, q > 1, np.ones(2), np.ones(3, int), entropy_weight=0.1)
    assert y.dtype == q.dtype == KERNEL.backward("q", y, record).dtype


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((3,), (3,), (1,), (3,)), r"q has shape \(3,\), expected \(N, K\)"),
        (((2, 3), (2, 1), (2,), (3,)), r"u has shape \(2, 1\), expected \(2, 3\)"),
        (((2, 3), (2, 3), (2, 1), (3,)), r"advantage has shape \(2, 1\)"),
        (((2, 3), (2, 3), (2,), (2,)), r"mask has shape \(2,\), expected \(3,\)"),
        (((0, 3), (0, 3), (0,), (3,)), r"\(0, 3\), expected at least one example"),
    ],
)
def test_shapes_that_disagree_are_refused(shapes, message):
    with pytest.raises(ShapeError, match=message):
        KERNEL.run(*(np.full(shape, 0.5) for shape in shapes))


@pytest.mark.parametrize("wrong", [0.0, 1.0, -0.1, math.nan])
def test_probabilities_outside_are_refused(wrong):
    said = r"q has others 1 times among 2, expected probabilities inside \(0, 1\)"
    with pytest.raises(ArgumentError, match=said):
        loss([[0.5, wrong]], [[1, 0]], [1])


@pytest.mark.parametrize(("at", "what"), [(1, "u"), (2, "advantage"), (3, "mask")])
def test_complex_constants_are_refused_unless_q_is_complex(at, what):
    arrays = [np.array([[0.5, 0.25]]), np.ones((1, 2)), np.ones(1), np.ones(2)]
    real = KERNEL.run(*arrays)[0]
    arrays[at] = arrays[at].astype(complex)
    with pytest.raises(DTypeError, match=f"{what} has dtype complex128, expected a re"):
        KERNEL.run(*arrays)
    arrays[0] = arrays[0].astype(complex)
    assert_allclose(KERNEL.run(*arrays)[0], real, rtol=1e-15)


def test_other_wrong_arguments_are_refused():
    with pytest.raises(ArgumentError, match=r"u has others 1 times .+ expected 0 and"):
        loss([[0.5, 0.5]], [[1, 0.5]], [1])
    with pytest.raises(ArgumentError, match="entropy_weight 'a', expected a number"):
        loss([[0.5, 0.5]], [[1, 1]], [1], entropy_weight="a")
    ones = np.ones((1, 2), int)
    with pytest.raises(DTypeError, match="q has dtype int64, expected a float dtype"):
        KERNEL.run(ones, ones, ones[:, 0], ones[0])
    _, record = KERNEL.run(ones * 0.5, ones, ones[:, 0], ones[0])
    with pytest.raises(GraphError, match="input u is not differentiable"):
        KERNEL.backward("u", np.array(1.0), record)
