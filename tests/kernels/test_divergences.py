"""Losses of log-probabilities: labels and distributions."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.backend import to_backend
from minigrad.errors import ArgumentError, BadIndexError, DTypeError, ShapeError
from minigrad.kernels.divergences import (
    KL_DIV_KERNEL,
    KL_DIV_LOG_TARGET_KERNEL,
    NLL_KERNEL,
)
from minigrad.testing import (
    check_kernel,
    integers,
    kernel_cases,
    normal,
    positive,
)

REDUCTIONS = ["mean", "sum", "none"]
labels = kernel_cases(
    x=normal("N", "K"),
    t=integers("N", high="K"),
    w=positive("K"),
    params={"reduction": st.sampled_from(REDUCTIONS)},
)
KL = {"reduction": st.sampled_from([*REDUCTIONS, "batchmean"])}
both = pytest.mark.parametrize(
    "kernel", [KL_DIV_KERNEL, KL_DIV_LOG_TARGET_KERNEL], ids=lambda k: k.name
)


@given(case=labels)
def test_terms_sum_to_the_gradient_for_labels(case):
    check_kernel(NLL_KERNEL, case)


@given(kernel_cases(x=("N", "..."), t=positive("N", "..."), params=KL, zero=False))
def test_terms_sum_to_the_gradient_for_distributions(case):
    check_kernel(KL_DIV_KERNEL, case)


@given(kernel_cases(x=("N", "..."), t=("N", "..."), params=KL, zero=False))
def test_terms_sum_to_the_gradient_for_logarithms(case):
    check_kernel(KL_DIV_LOG_TARGET_KERNEL, case)


@given(case=labels)
def test_nll_is_the_weighted_mean_surprise(case):
    x, t, w = case.arrays
    weights = [w[label] for label in t]
    surprises = [-row[label] for row, label in zip(x, t, strict=True)]
    expected = np.dot(weights, surprises) / sum(weights)
    assert_allclose(NLL_KERNEL.run(x, t, w)[0], expected, rtol=1e-12, atol=1e-13)


def test_ignored_rows_weigh_nothing_and_get_no_gradient():
    x, w = np.log([[0.5, 0.5], [0.1, 0.9], [0.2, 0.8]]), np.ones(2)
    y, record = NLL_KERNEL.run(x, np.array([0, -7, 1]), w, ignore_index=-7)
    assert_allclose(y, NLL_KERNEL.run(x[::2], np.array([0, 1]), w)[0])
    dx = NLL_KERNEL.backward("x", np.ones(()), record)
    assert_array_equal(dx, [[-0.5, 0], [0, 0], [0, -0.5]])


@given(kernel_cases(x=normal("N", "K"), t=normal("N", "K")))
def test_divergence_of_a_distribution_from_itself_is_the_least(case):
    x, t = (a - np.log(np.exp(a).sum(axis=1, keepdims=True)) for a in case.arrays)
    assert_allclose(KL_DIV_KERNEL.run(x, np.exp(x), reduction="sum")[0], 0, atol=1e-12)
    for value in (
        KL_DIV_KERNEL.run(x, np.exp(t), reduction="batchmean")[0],
        KL_DIV_LOG_TARGET_KERNEL.run(x, t, reduction="batchmean")[0],
    ):
        expected = (np.exp(t) * (t - x)).sum() / len(x)
        assert expected > -1e-12
        assert_allclose(value, expected, rtol=1e-9, atol=1e-12)


def test_a_target_of_zero_costs_nothing_and_has_a_finite_slope():
    x, t = np.array([-1.0, -2.0]), np.array([0.0, 0.5])
    y, record = KL_DIV_KERNEL.run(x, t, reduction="none")
    assert_allclose(y, [0, 0.5 * (math.log(0.5) + 2)])
    terms = KL_DIV_KERNEL.backward_terms("t", np.ones(2), record)
    assert_allclose(terms["through_weight"], [1, math.log(0.5) + 2])
    assert_allclose(terms["through_ratio"], [0, 1])


def test_half_precision_counts_labels_in_float32():
    x = np.full((5000, 2), -0.5, "float16")
    y, record = NLL_KERNEL.run(x, np.zeros(5000, int), np.ones(2, "float16"))
    dx = NLL_KERNEL.backward("x", np.ones_like(y), record)
    assert y.dtype == dx.dtype == "float16"
    assert_allclose(y, 0.5, rtol=1e-3)


def test_weights_of_a_wider_dtype_do_not_widen():
    x, t = np.zeros((2, 3), "float32"), np.array([0, 1])
    y, record = NLL_KERNEL.run(x, t, np.ones(3))
    assert y.dtype == record.saved.weight.dtype == "float32"


@pytest.mark.parametrize("bad", [3, -1])
def test_a_label_out_of_range_is_named(bad, backend):
    x, t, w = np.zeros((2, 3)), np.array([0, bad]), np.ones(3)
    message = rf"nll_loss: t has label {bad} at \[1\], expected 0 <= label < 3"
    with pytest.raises(BadIndexError, match=message):
        NLL_KERNEL.run(*map(to_backend, (x, t, w)), ignore_index=-100)


@pytest.mark.parametrize(("ignored", "weight"), [(1, 1.0), (None, 0.0)])
def test_the_mean_of_rows_that_weigh_nothing_is_refused(ignored, weight, backend):
    arrays = np.zeros((2, 3)), np.array([1, 1]), np.full(3, weight)
    with pytest.raises(ArgumentError, match="weights of 2 labels sum to 0, expected a"):
        NLL_KERNEL.run(*map(to_backend, arrays), ignore_index=ignored)


X, T, W = np.zeros((2, 3)), np.zeros(2, int), np.ones(3)


@pytest.mark.parametrize(
    ("arrays", "params", "error", "message"),
    [
        ((X[0], T[0], W), {}, ShapeError, r"x has shape \(3,\), expected \(N, K\)"),
        ((X[:, :0], T, W[:0]), {}, ShapeError, r"x has shape \(2, 0\), expected"),
        ((X, T[:1], W), {}, ShapeError, r"t has shape \(1,\), expected \(2,\)"),
        ((X, T, W[:2]), {}, ShapeError, r"w has shape \(2,\), expected \(3,\)"),
        ((X, T * 1.0, W), {}, DTypeError, "t has dtype float64, expected integers"),
        ((X[:0], T[:0], W), {}, ShapeError, "mean of an empty batch does not exist"),
        ((X, T, W), {"reduction": "avg"}, ArgumentError, "reduction 'avg', expected"),
    ],
    ids=str,
)
def test_what_does_not_fit_labels_is_named(arrays, params, error, message):
    with pytest.raises(error, match=f"nll_loss: .*{message}"):
        NLL_KERNEL.run(*arrays, **params)


@both
def test_what_does_not_fit_distributions_is_named(kernel):
    with pytest.raises(ShapeError, match=r"t has shape \(3,\), expected \(2, 3\)"):
        kernel.run(X, X[0])
    with pytest.raises(ArgumentError, match="'sum' or 'none' or 'batchmean'"):
        kernel.run(X, X, reduction="avg")
    with pytest.raises(ShapeError, match="mean of an empty batch does not exist"):
        kernel.run(X[:0], X[:0], reduction="batchmean")
    with pytest.raises(DTypeError, match="float"):
        kernel.run(X.astype(int), X.astype(int))


@both
def test_a_number_is_a_batch_of_one(kernel):
    x, t = np.array(-0.5), np.array(0.25)
    y = kernel.run(x, t, reduction="batchmean")[0]
    assert y == kernel.run(x, t, reduction="sum")[0]


def test_a_large_divergence_in_half_precision_is_summed_in_float32():
    x, t = np.zeros(20000, "float16"), np.full(20000, 1.0, "float16")
    y, _ = KL_DIV_LOG_TARGET_KERNEL.run(x, t)
    assert_allclose(y, math.e, rtol=1e-3)
