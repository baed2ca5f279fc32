"""Dropout by a mask that is given."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.backend import _elementwise
from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.kernels.dropout import KERNEL
from minigrad.testing import booleans, check_kernel, kernel_cases, normal

keep_prob = {"keep_prob": st.sampled_from([0.0, 0.3, 1.0])}


@given(kernel_cases(x=normal("..."), mask=booleans("..."), params=keep_prob))
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


@given(
    kernel_cases(x=normal("N", "C", "H", "W"), mask=booleans("N", "C", 1, 1)),
    st.sampled_from(["bool", "int64", "float64"]),
)
def test_one_mask_element_gates_a_whole_channel(case, dtype):
    x, mask = case.arrays
    y, _ = KERNEL.run(x, mask.astype(dtype), keep_prob=0.25)
    expected = [[4 * c * on for c, on in zip(*row, strict=True)] for row in _rows(case)]
    assert_allclose(y, expected)


def _rows(case):
    x, mask = case.arrays
    return zip(x, mask[:, :, 0, 0], strict=True)


@given(kernel_cases(x=normal("N", "D"), mask=booleans("N", "D")))
def test_a_mask_and_its_complement_give_x(case):
    x, mask = case.arrays
    kept, _ = KERNEL.run(x, mask, keep_prob=0.5)
    rest, _ = KERNEL.run(x, ~mask, keep_prob=0.5)
    assert_array_equal((kept + rest) / 2, x)


@pytest.mark.parametrize("axes", [(0, 1, 2, 3), (2, 3, 0, 1), (3, 2, 1, 0)])
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_large_input_is_gated_in_slices_of_any_layout(axes, dtype, monkeypatch):
    monkeypatch.setattr(_elementwise, "THRESHOLD", 1)
    monkeypatch.setattr(_elementwise, "BLOCK", 50)
    rng = np.random.default_rng(0)
    x = rng.standard_normal((5, 6, 7, 8)).astype(dtype).transpose(axes)
    mask = rng.random((*x.shape[:2], 1, 1)) < 0.5
    y, record = KERNEL.run(x, mask, keep_prob=0.5)
    assert y.dtype == dtype
    assert y.strides == x.strides
    assert_array_equal(y, x * mask * 2)
    assert_array_equal(KERNEL.backward("x", x, record), y)


def test_nothing_kept_gives_zeros():
    y, record = KERNEL.run(
        np.ones((2, 3), "float32"), np.zeros((2, 3), bool), keep_prob=0
    )
    assert_array_equal(y, np.zeros((2, 3)))
    assert_array_equal(KERNEL.backward("x", np.ones_like(y), record), np.zeros((2, 3)))


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float64"])
def test_mask_of_any_dtype_leaves_float32(dtype):
    x, mask = np.ones(3, "float32"), np.array([1, 0, 1], dtype)
    y, record = KERNEL.run(x, mask, keep_prob=0.5)
    assert (y.dtype, y.tolist()) == (np.float32, [2, 0, 2])
    assert KERNEL.backward("x", x, record).dtype == np.float32


def test_mask_has_no_gradient():
    _, record = KERNEL.run(np.ones(3), np.ones(3, bool), keep_prob=1)
    with pytest.raises(GraphError, match="input mask is not differentiable"):
        KERNEL.backward("mask", np.ones(3), record)


@pytest.mark.parametrize("shape", [(2,), (4, 3), (1, 2, 3)])
def test_mask_that_does_not_fit_is_refused(shape):
    with pytest.raises(ShapeError, match=r"expected one that broadcasts to \(2, 3\)"):
        KERNEL.run(np.ones((2, 3)), np.ones(shape, bool), keep_prob=0.5)


def test_keep_prob_above_one_is_refused():
    with pytest.raises(ArgumentError, match="expected 0 <= keep_prob <= 1"):
        KERNEL.run(np.ones(3), np.ones(3, bool), keep_prob=1.5)


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        KERNEL.run(np.ones(3, int), np.ones(3, bool), keep_prob=0.5)
