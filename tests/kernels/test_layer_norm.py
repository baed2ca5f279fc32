"""Layer norm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels import layer_norm
from minigrad.kernels.layer_norm import KERNEL
from minigrad.testing import Case, check_kernel, kernel_cases, normal

cases = kernel_cases(
    x=normal("...", "D"),
    w=normal("D"),
    b=normal("D"),
    params={"eps": st.floats(1e-5, 1)},
)


@given(cases)
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


@given(kernel_cases(x=normal("...", "H", "W"), w=normal("H", "W"), b=normal("H", "W")))
def test_terms_sum_to_the_gradient_over_two_axes(case):
    check_kernel(KERNEL, case)


def test_blocks_and_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(layer_norm, "SHARED", 1)
    monkeypatch.setattr(layer_norm, "BLOCK", 10)
    check_kernel(KERNEL, Case.draw(0, x=normal(7, 5, 4), w=normal(4), b=normal(4)))


@given(cases)
def test_rows_are_normalised_as_in_numpy(case):
    x, w, b = case.arrays
    y, _ = KERNEL.run(*case.arrays, **case.params)
    std = np.sqrt(x.var(axis=-1, keepdims=True) + case.params["eps"])
    expected = w * (x - x.mean(axis=-1, keepdims=True)) / std + b
    assert_allclose(y, expected, rtol=1e-11, atol=1e-11)


@given(cases)
def test_constant_shift_carries_no_gradient(case):
    y, record = KERNEL.run(*case.arrays, **case.params)
    dx = KERNEL.backward("x", case.cotangent(y), record)
    assert_allclose(dx.sum(axis=-1), 0, atol=1e-9)


@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (2, 1)])
def test_empty_and_single_rows_are_taken(shape):
    ones = np.ones(shape[1])
    y, record = KERNEL.run(np.ones(shape), ones, 2 * ones)
    assert_allclose(y, np.full(shape, 2.0))
    assert_allclose(KERNEL.backward("x", y, record), np.zeros(shape))


def test_results_lie_as_x_does():
    x = np.random.default_rng(0).standard_normal((3, 2, 4)).transpose(1, 0, 2)
    y, record = KERNEL.run(x, np.ones(4), np.ones(4))
    assert record.saved.rows.base is x.base
    assert y.strides == KERNEL.backward("x", y, record).strides == x.strides


def test_a_large_mean_costs_float32_few_digits():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((40, 700)) + 1000).astype("float32")
    arrays = x, *rng.standard_normal((2, 700)).astype("float32")
    dy = rng.standard_normal(x.shape).astype("float32")
    y, record = KERNEL.run(*arrays)
    exact, known = KERNEL.run(*(a.astype("float64") for a in arrays))
    assert_allclose(y, exact, rtol=1e-5, atol=1e-5)
    for name in KERNEL.terms:
        found = KERNEL.backward(name, dy, record)
        expected = KERNEL.backward(name, dy.astype("float64"), known)
        # 1000 takes ten of the mean's 24 bits.
        assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


def test_gradients_belong_to_who_asked_for_them():
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(shape) for shape in ((3, 4), 4, 4)]
    y, record = KERNEL.run(*arrays)
    for name in KERNEL.terms:
        one = KERNEL.backward(name, y, record)
        before = one.copy()
        one += 1
        assert_allclose(KERNEL.backward(name, y, record), before, rtol=1e-14)


@pytest.mark.parametrize("w_shape", [(3,), (2, 4), (1, 2, 4)])
def test_x_whose_last_axes_are_others_is_refused(w_shape):
    ones = np.ones(w_shape)
    with pytest.raises(ShapeError, match=r"layer_norm: x has shape .+ the shape of w"):
        KERNEL.run(np.ones((3, 4)), ones, ones)


def test_vectors_that_disagree_are_refused():
    with pytest.raises(ShapeError, match=r"b has shape \(3,\), expected \(4,\)"):
        KERNEL.run(np.ones((3, 4)), np.ones(4), np.ones(3))
    with pytest.raises(ShapeError, match=r"w has shape \(\), expected at least one"):
        KERNEL.run(np.ones((3, 4)), np.ones(()), np.ones(()))
    with pytest.raises(ArgumentError, match=r"layer_norm: eps 'a', expected a number"):
        KERNEL.run(np.ones((3, 4)), np.ones(4), np.ones(4), eps="a")
