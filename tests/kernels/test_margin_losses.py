"""Hinge losses: slopes, kinks, rivals."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.backend import to_backend
from minigrad.errors import ArgumentError, BadIndexError, DTypeError, ShapeError
from minigrad.kernels.margin_losses import (
    HINGE_EMBEDDING_KERNEL,
    HINGE_KERNEL,
    MULTI_MARGIN_KERNEL,
)
from minigrad.testing import check_kernel, integers, kernel_cases, normal, positive

PARAMS = {
    "reduction": st.sampled_from(["mean", "sum", "none"]),
    "margin": st.sampled_from([1.0, 0.3]),
}
signed = kernel_cases(x=("...", "D"), t=("...", "D"), params=PARAMS, zero=False)
rivals = kernel_cases(
    x=normal("N", "K"),
    t=integers("N", high="K"),
    w=positive("K"),
    params={**PARAMS, "p": st.sampled_from([1, 2])},
)
binary = pytest.mark.parametrize(
    "kernel", [HINGE_KERNEL, HINGE_EMBEDDING_KERNEL], ids=lambda k: k.name
)


@binary
def test_terms_sum_to_the_gradient(kernel):
    @given(case=signed)
    def hold(case):
        x, t = case.arrays
        signs = np.where(t < 0, -1, 1)
        check_kernel(kernel, replace(case, arrays=(x, signs), recipe={}))

    hold()


@binary
@pytest.mark.parametrize("dtype", ["int8", "float64"])
def test_signs_of_any_dtype_give_the_dtype_of_the_prediction(kernel, dtype):
    x, t = np.array([0.5, -0.5, 0.25], "float32"), np.array([1, -1, -1])
    expected, _ = kernel.run(x, t)
    y, record = kernel.run(x, t.astype(dtype))
    assert y == expected
    assert y.dtype == record.saved.slope.dtype == "float32"


@given(case=rivals)
def test_terms_sum_to_the_gradient_with_rivals(case):
    check_kernel(MULTI_MARGIN_KERNEL, case)


@given(case=rivals)
def test_loss_is_the_sum_over_rivals_that_come_too_close(case):
    x, t, w = case.arrays
    p, margin = case.params["p"], case.params["margin"]
    expected = [
        sum(
            w[label] * max(0, margin - row[label] + row[k]) ** p / len(row)
            for k in range(len(row))
            if k != label
        )
        for row, label in zip(x, t, strict=True)
    ]
    y, _ = MULTI_MARGIN_KERNEL.run(x, t, w, p=p, margin=margin, reduction="none")
    assert_allclose(y, expected, rtol=1e-12, atol=1e-14)


@given(case=rivals)
def test_a_common_shift_of_the_scores_carries_no_gradient(case):
    y, record = MULTI_MARGIN_KERNEL.run(*case.arrays, **case.params)
    dx = MULTI_MARGIN_KERNEL.backward("x", case.cotangent(y), record)
    assert_allclose(dx.sum(axis=1), 0, atol=1e-13)


def test_values_are_those_of_the_definitions():
    x, t = np.array([0.25, 0.25, 3.0, -2.0]), np.array([1, -1, 1, -1])
    y, _ = HINGE_KERNEL.run(x, t, reduction="none")
    assert_array_equal(y, [0.75, 1.25, 0, 0])
    y, _ = HINGE_EMBEDDING_KERNEL.run(x, t, reduction="none", margin=2.0)
    assert_array_equal(y, [0.25, 1.75, 3.0, 4.0])


def test_slope_is_zero_where_the_margin_is_just_kept():
    one = np.ones(1)
    _, record = HINGE_KERNEL.run(one, one)
    assert HINGE_KERNEL.backward("x", np.ones(()), record) == 0
    _, record = HINGE_EMBEDDING_KERNEL.run(one, -one)
    assert HINGE_EMBEDDING_KERNEL.backward("x", np.ones(()), record) == 0
    _, record = MULTI_MARGIN_KERNEL.run(np.array([[1.0, 0]]), np.array([0]), np.ones(2))
    dx = MULTI_MARGIN_KERNEL.backward("x", np.ones(()), record)
    assert_array_equal(dx, [[0, 0]])


@binary
@pytest.mark.parametrize("t", [np.array([1, 0]), np.array([1.0, np.nan])])
def test_a_target_that_is_no_sign_is_refused(kernel, t, backend):
    message = f"{kernel.name}: t has other values, expected -1 or 1 everywhere; make 2"
    with pytest.raises(ArgumentError, match=message):
        kernel.run(to_backend(np.zeros(2)), to_backend(t))


@binary
def test_shapes_are_never_broadcast(kernel):
    with pytest.raises(ShapeError, match=r"t has shape \(2,\), expected \(2, 1\)"):
        kernel.run(np.zeros((2, 1)), np.ones(2))
    with pytest.raises(ShapeError, match="mean of an empty batch does not exist"):
        kernel.run(np.zeros(0), np.ones(0))


def test_a_label_out_of_range_is_named(backend):
    arrays = np.zeros((2, 3)), np.array([0, -1]), np.ones(3)
    message = r"multi_margin_loss: t has label -1 at \[1\], expected 0 <= label < 3"
    with pytest.raises(BadIndexError, match=message):
        MULTI_MARGIN_KERNEL.run(*map(to_backend, arrays))


def test_weights_of_a_wider_dtype_do_not_widen():
    x, t = np.zeros((2, 3), "float32"), np.array([0, 1])
    y, record = MULTI_MARGIN_KERNEL.run(x, t, np.ones(3), p=2)
    assert y.dtype == record.saved.slope.dtype == "float32"


X, T, W = np.zeros((2, 3)), np.zeros(2, int), np.ones(3)


@pytest.mark.parametrize(
    ("arrays", "params", "error", "message"),
    [
        ((X[0], T[0], W), {}, ShapeError, r"x has shape \(3,\), expected \(N, K\)"),
        ((X, T[:1], W), {}, ShapeError, r"t has shape \(1,\), expected \(2,\)"),
        ((X, T, W[:2]), {}, ShapeError, r"w has shape \(2,\), expected \(3,\)"),
        ((X, T * 1.0, W), {}, DTypeError, "t has dtype float64, expected integers"),
        ((X, T, W), {"p": 3}, ArgumentError, "p 3, expected 1 or 2"),
        ((X[:0], T[:0], W), {}, ShapeError, "mean of an empty batch does not exist"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(arrays, params, error, message):
    with pytest.raises(error, match=f"multi_margin_loss: .*{message}"):
        MULTI_MARGIN_KERNEL.run(*arrays, **params)
