"""The affine map of the last axis."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from minigrad.errors import ShapeError
from minigrad.kernels.linear import LINEAR_KERNEL, LINEAR_NO_BIAS_KERNEL
from minigrad.testing import Case, check_kernel, kernel_cases, normal


@given(kernel_cases(x=("...", "I"), w=("O", "I"), b=("O",)))
def test_terms_sum_to_the_gradient(case):
    check_kernel(LINEAR_KERNEL, case)


@given(kernel_cases(x=("...", "I"), w=("O", "I")))
def test_terms_sum_to_the_gradient_without_bias(case):
    check_kernel(LINEAR_NO_BIAS_KERNEL, case)


@pytest.mark.parametrize(
    ("x", "w"),
    [((2, 0), (3, 0)), ((2, 3), (0, 3)), ((2, 0, 3), (4, 3)), ((0,), (0, 0))],
)
def test_empty_axes_have_gradients(x, w):
    check_kernel(
        LINEAR_KERNEL, Case.draw(0, x=normal(*x), w=normal(*w), b=normal(w[0]))
    )


@given(kernel_cases(x=("...", "I"), w=("O", "I"), b=("O",)))
def test_forward_is_a_dot_product_per_output(case):
    x, w, b = case.arrays
    y, _ = LINEAR_KERNEL.run(x, w, b)
    plain, _ = LINEAR_NO_BIAS_KERNEL.run(x, w)
    for out in range(len(w)):
        products = (x * w[out]).sum(axis=-1)
        assert_allclose(plain[..., out], products, rtol=1e-12, atol=1e-13)
        assert_allclose(y[..., out], products + b[out], rtol=1e-12, atol=1e-13)


@given(kernel_cases(x=("N", "I"), w=("O", "I"), b=("O",)))
def test_rows_do_not_see_each_other(case):
    x, w, b = case.arrays
    y, record = LINEAR_KERNEL.run(x, w, b)
    dy = case.cotangent(y)
    dy[1:] = 0
    dx = LINEAR_KERNEL.backward("x", dy, record)
    assert not dx[1:].any()
    assert_allclose(LINEAR_KERNEL.run(x[:1], w, b)[0], y[:1], rtol=1e-12, atol=1e-13)


def test_a_sequence_keeps_its_layout_in_memory():
    case = Case.draw(0, x=normal(7, 4, 3), w=normal(5, 3), b=normal(5))
    x, w, b = case.arrays
    x = x.swapaxes(0, 1)  # (N, T, C) that lies as (T, N, C)
    y, record = LINEAR_KERNEL.run(x, w, b)
    dx = LINEAR_KERNEL.backward("x", case.cotangent(y), record)
    assert y.swapaxes(0, 1).flags.c_contiguous
    assert dx.swapaxes(0, 1).flags.c_contiguous


def test_the_gradients_of_weights_are_contiguous():
    case = Case.draw(0, x=normal(7, 3), w=normal(5, 3), b=normal(5))
    y, record = LINEAR_KERNEL.run(*case.arrays)
    for name, shape in {"w": (5, 3), "b": (5,)}.items():
        gradient = LINEAR_KERNEL.backward(name, case.cotangent(y), record)
        assert gradient.shape == shape
        assert gradient.flags.c_contiguous


@pytest.mark.parametrize(
    ("x", "w", "b", "message"),
    [
        (
            (4, 3),
            (2, 5),
            (2,),
            r"x has shape \(4, 3\), expected \(\.\.\., 5\), the last",
        ),
        ((), (2, 5), (2,), r"x has shape \(\), expected \(\.\.\., 5\)"),
        ((4, 3), (2, 3), (3,), r"b has shape \(3,\), expected \(2,\)"),
        ((4, 3), (3,), (3,), r"w has shape \(3,\), expected \(out, in\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(x, w, b, message):
    with pytest.raises(ShapeError, match=f"linear: {message}"):
        LINEAR_KERNEL.run(np.ones(x), np.ones(w), np.ones(b))
