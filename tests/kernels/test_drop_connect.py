"""DropConnect by masks that are given, one for each example."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.kernels import drop_connect
from minigrad.kernels.drop_connect import KERNEL
from minigrad.kernels.linear import LINEAR_NO_BIAS_KERNEL
from minigrad.testing import booleans, check_kernel, kernel_cases, normal

CASES = kernel_cases(
    x=normal("...", "I"),
    w=normal("O", "I"),
    mask=booleans("...", "O", "I"),
    params={"keep_prob": st.sampled_from([0.0, 0.3, 1.0])},
)


@given(CASES)
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


def reference(x, w, mask, keep_prob):
    """Apply each row's own matrix, in loops."""
    y = np.zeros(mask.shape[:-1])
    for n in np.ndindex(*x.shape[:-1]):
        for o in range(len(w)):
            y[n][o] = sum(
                w[o, i] * x[n][i] / keep_prob
                for i in range(w.shape[1])
                if mask[n][o, i]
            )
    return y


@pytest.mark.parametrize("block", [1, 7, 10**6])
@pytest.mark.parametrize("lead", [(), (4,), (2, 3), (0,)])
def test_each_example_has_weights_of_its_own(lead, block, monkeypatch):
    monkeypatch.setattr(drop_connect, "BLOCK", block)
    rng = np.random.default_rng(0)
    x, w = rng.standard_normal((*lead, 3)), rng.standard_normal((5, 3))
    mask = rng.random((*lead, 5, 3)) < 0.5
    y, record = KERNEL.run(x, w, mask, keep_prob=0.5)
    assert_allclose(y, reference(x, w, mask, 0.5), 1e-12, 1e-14)
    dy = rng.standard_normal(y.shape)
    gated = 2.0 * dy[..., None] * mask
    assert_allclose(KERNEL.backward("x", dy, record), (gated * w).sum(-2), 1e-12, 1e-14)
    dw = (gated * x[..., None, :]).sum(tuple(range(len(lead))))
    assert_allclose(KERNEL.backward("w", dy, record), dw, 1e-12, 1e-14)


@given(kernel_cases(x=normal("...", "I"), w=normal("O", "I"), dy=normal("...", "O")))
def test_a_mask_of_ones_gives_the_linear_map(case):
    x, w, dy = case.arrays
    y, record = KERNEL.run(x, w, np.ones((*x.shape[:-1], *w.shape), bool), keep_prob=1)
    expected, plain = LINEAR_NO_BIAS_KERNEL.run(x, w)
    assert_allclose(y, expected, 1e-12, 1e-14)
    for name in ("x", "w"):
        gradient = LINEAR_NO_BIAS_KERNEL.backward(name, dy, plain)
        assert_allclose(KERNEL.backward(name, dy, record), gradient, 1e-12, 1e-14)


def test_a_weight_that_no_example_kept_gets_no_gradient():
    mask = np.ones((4, 2, 3), bool)
    mask[:, 1, 2] = False
    _, record = KERNEL.run(np.ones((4, 3)), np.ones((2, 3)), mask, keep_prob=0.5)
    dw = KERNEL.backward("w", np.ones((4, 2)), record)
    assert_array_equal(dw, [[8, 8, 8], [8, 8, 0]])


@pytest.mark.parametrize("dtype", ["uint8", "float64"])
def test_mask_of_any_dtype_leaves_float32(dtype):
    x, w = np.ones((2, 3), "float32"), np.ones((1, 3), "float32")
    y, _ = KERNEL.run(x, w, np.ones((2, 1, 3), dtype), keep_prob=0.5)
    assert (y.dtype, y.tolist()) == (np.float32, [[6], [6]])


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((2, 3), (4,), (2, 4, 3)), r"w has shape \(4,\), expected \(out, in\)"),
        (((2, 3), (4, 5), (2, 4, 5)), r"x has shape \(2, 3\), expected \(\.\.\., 5\)"),
        (((), (4, 5), (4, 5)), r"x has shape \(\), expected \(\.\.\., 5\)"),
        (((2, 3), (4, 3), (4, 3)), r"mask has shape \(4, 3\), expected \(2, 4, 3\)"),
    ],
)
def test_shapes_that_disagree_are_refused(shapes, message):
    x, w, mask = (np.ones(shape) for shape in shapes)
    with pytest.raises(ShapeError, match=message):
        KERNEL.run(x, w, mask, keep_prob=0.5)


def test_other_wrong_arguments_are_refused():
    ones, mask = np.ones((1, 1)), np.ones((1, 1, 1), bool)
    with pytest.raises(ArgumentError, match=r"keep_prob 2, expected 0 <= keep_prob"):
        KERNEL.run(ones, ones, mask, keep_prob=2)
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        KERNEL.run(ones.astype(int), ones.astype(int), mask, keep_prob=1)
    _, record = KERNEL.run(ones, ones, mask, keep_prob=1)
    with pytest.raises(GraphError, match="input mask is not differentiable"):
        KERNEL.backward("mask", ones, record)
