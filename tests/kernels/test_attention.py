"""Attention: its terms, its masks, and the way by which large scores go."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.backend import to_backend
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import attention
from minigrad.kernels.attention import ATTENTION_KERNEL, ATTENTION_WITH_BIAS_KERNEL
from minigrad.testing import booleans, check_kernel, kernel_cases, normal

NONE = np.ones((), bool)
SHAPES = {
    "q": normal("...", "L", "E"),
    "k": normal("...", "S", "E"),
    "v": normal("...", "S", "F"),
}
plain = kernel_cases(
    **SHAPES, mask=booleans(), keep=booleans(), params={"scale": 0.7}, broadcast=True
)
dropped = kernel_cases(
    **SHAPES,
    b=normal("L", "S"),
    keep=booleans("...", "L", "S"),
    params={"scale": -0.7, "keep_prob": st.sampled_from([0.0, 0.5, 1.0])},
)


@pytest.mark.parametrize("large", [attention.LARGE, 0])
def test_terms_sum_to_the_gradients(large, monkeypatch):
    monkeypatch.setattr(attention, "LARGE", large)

    @given(case=plain)
    def hold(case):
        check_kernel(ATTENTION_KERNEL, case)

    hold()


@pytest.mark.parametrize("large", [attention.LARGE, 0])
def test_terms_sum_to_the_gradients_with_bias_and_dropout(large, monkeypatch):
    monkeypatch.setattr(attention, "LARGE", large)

    @given(case=dropped)
    def hold(case):
        check_kernel(ATTENTION_WITH_BIAS_KERNEL, case)

    hold()


def drawn(*shapes):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(shape) for shape in shapes]


def test_a_query_reads_the_mean_of_the_values_that_fit():
    q, k, v = drawn((2, 3), (4, 3), (4, 5))
    mask = np.array([[True, False, True, True], [False, True, False, False]])
    y, _ = ATTENTION_KERNEL.run(q, k, v, mask, NONE, scale=0.5)
    for row in range(2):
        weights = [math.exp(0.5 * (q[row] @ key)) for key in k] * mask[row]
        assert_allclose(y[row], weights @ v / weights.sum(), rtol=1e-12)


def test_a_boolean_mask_is_a_bias_of_minus_infinity():
    q, k, v = drawn((2, 3, 4), (2, 5, 4), (2, 5, 1))
    mask = np.random.default_rng(1).random((3, 5)) < 0.6
    bias = np.where(mask, 0.0, -np.inf)
    y, _ = ATTENTION_KERNEL.run(q, k, v, mask, NONE, scale=1.0)
    also, _ = ATTENTION_WITH_BIAS_KERNEL.run(q, k, v, bias, NONE, scale=1.0)
    assert_array_equal(y, also)


def test_a_common_shift_of_the_keys_carries_no_gradient():
    arrays = drawn((6, 4), (5, 4), (5, 3))
    y, record = ATTENTION_KERNEL.run(*arrays, NONE, NONE, scale=0.5)
    dk = ATTENTION_KERNEL.backward(
        "k", np.sin(np.arange(y.size)).reshape(y.shape), record
    )
    # q (k + c)' adds the same to all scores of a query, which softmax does not see.
    assert_allclose(dk.sum(axis=0), 0, atol=1e-13)


@pytest.mark.parametrize("large", [attention.LARGE, 0])
def test_gradients_belong_to_who_asked_for_them(large, monkeypatch):
    monkeypatch.setattr(attention, "LARGE", large)
    y, record = ATTENTION_KERNEL.run(
        *drawn((2, 3, 4), (2, 5, 4), (2, 5, 3)), NONE, NONE, scale=0.5
    )
    for name in "qkv":
        one = ATTENTION_KERNEL.backward(name, y, record)
        before = one.copy()
        one += 1
        assert_array_equal(ATTENTION_KERNEL.backward(name, y, record), before)


def test_order_of_keys_and_their_values_does_not_matter():
    q, k, v = drawn((6, 4), (5, 4), (5, 3))
    y, _ = ATTENTION_KERNEL.run(q, k, v, NONE, NONE, scale=0.5)
    also, _ = ATTENTION_KERNEL.run(q, k[::-1], v[::-1], NONE, NONE, scale=0.5)
    assert_allclose(y, also, rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_large_scores_neither_overflow_nor_leave_the_dtype(dtype):
    x = np.array([[100, 0], [0, 100]], dtype)
    y, record = ATTENTION_KERNEL.run(x, x, x, NONE, NONE, scale=2.0)
    assert y.dtype == dtype
    assert_array_equal(y, x)
    for name in "qkv":
        dx = ATTENTION_KERNEL.backward(name, np.ones_like(y), record)
        assert dx.dtype == dtype
        assert np.isfinite(dx).all()


@pytest.mark.parametrize("shape", [(0, 3, 4), (2, 0, 4)])
def test_no_queries_give_no_results(shape):
    q = np.zeros(shape)
    k, v = drawn((*shape[:1], 5, 4), (*shape[:1], 5, 2))
    y, record = ATTENTION_KERNEL.run(q, k, v, NONE, NONE, scale=1.0)
    assert y.shape == (*shape[:2], 2)
    assert_array_equal(ATTENTION_KERNEL.backward("v", y, record), 0 * v)


@pytest.mark.parametrize("kernel", [ATTENTION_KERNEL, ATTENTION_WITH_BIAS_KERNEL])
def test_a_query_that_may_read_nothing_is_named(kernel, backend):
    q, k, v = (to_backend(x) for x in drawn((2, 3, 4), (2, 5, 4), (2, 5, 4)))
    mask = np.ones((2, 3, 5), bool)
    mask[1, 2] = False
    given_ = mask if kernel is ATTENTION_KERNEL else np.where(mask, 0.0, -np.inf)
    message = rf"{kernel.name}: row \[1, 2\] of the mask .* none of 5 keys, expected at"
    with pytest.raises(ArgumentError, match=message):
        kernel.run(q, k, v, to_backend(given_), to_backend(NONE), scale=1.0)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"q": np.zeros(4)}, ShapeError, r"q has shape \(4,\), expected at least two"),
        (
            {"q": np.zeros((2, 3, 5))},
            ShapeError,
            r"q has shape \(2, 3, 5\), .+ axis of 4",
        ),
        (
            {"v": np.zeros((2, 6, 4))},
            ShapeError,
            r"v has shape .+ second last axis of 5",
        ),
        (
            {"v": np.zeros((3, 5, 4))},
            ShapeError,
            r"axes \(2,\), \(2,\), \(3,\), expected",
        ),
        ({"k": np.zeros((2, 0, 4))}, ShapeError, r"k has shape .+ S >= 1 and E >= 1"),
        (
            {"mask": np.ones((5, 3), bool)},
            ShapeError,
            r"mask has shape \(5, 3\), expected",
        ),
        (
            {"mask": np.ones((7, 2, 3, 5), bool)},
            ShapeError,
            r"broadcasts to \(2, 3, 5\)",
        ),
        ({"keep": np.ones((4,), bool)}, ShapeError, r"keep has shape \(4,\), expected"),
        ({"mask": np.ones((3, 5), int)}, DTypeError, "int64, expected booleans, True"),
        (
            {"q": np.zeros((2, 3, 4), int)},
            DTypeError,
            "q has dtype int64, expected a fl",
        ),
        ({"scale": "a"}, ArgumentError, "scale 'a', expected a number"),
        ({"keep_prob": 1.5}, ArgumentError, "keep_prob 1.5, expected 0 <="),
    ],
    ids=str,
)
def test_what_does_not_fit_is_named(changed, error, message):
    q, k, v = drawn((2, 3, 4), (2, 5, 4), (2, 5, 4))
    call = {"q": q, "k": k, "v": v, "mask": NONE, "keep": NONE, "scale": 1.0} | changed
    arrays = [call.pop(name) for name in ("q", "k", "v", "mask", "keep")]
    # Without Kernel.run, which looks at dtypes first.
    with pytest.raises(error, match=message):
        attention.with_mask(*arrays, **call)
