"""The matrix product, batched and with vectors."""

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose

from minigrad.errors import ShapeError
from minigrad.kernels.matmul import KERNEL
from minigrad.testing import Case, check_kernel, kernel_cases, normal

VECTORS = [
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 4)),
    ((5, 2, 3), (3,)),
    ((3,), (5, 3, 4)),
]
EMPTY = [
    ((0, 3), (3, 4)),
    ((2, 0), (0, 4)),
    ((5, 0, 3), (3, 4)),
    ((5, 2, 0), (0, 4)),
    ((5, 2, 3), (3, 0)),
    ((0, 2, 3), (1, 3, 4)),
    ((0,), (0,)),
]


@given(kernel_cases(broadcast=True, a=("...", "M", "K"), b=("...", "K", "N")))
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


@given(kernel_cases(a=("...", "M", "K"), b=("K", "N")))
def test_one_matrix_for_a_whole_batch_gets_the_summed_gradient(case):
    check_kernel(KERNEL, case)


@pytest.mark.parametrize(("a", "b"), VECTORS + EMPTY)
def test_vectors_and_empty_matrices_have_gradients(a, b):
    case = Case.draw(0, a=normal(*a), b=normal(*b))
    check_kernel(KERNEL, case)
    y, _ = KERNEL.run(*case.arrays)
    assert_allclose(y, np.matmul(*case.arrays))


@given(kernel_cases(broadcast=True, a=("...", "M", "K"), b=("...", "K", "N")))
def test_forward_is_the_sum_over_the_inner_axis(case):
    a, b = case.arrays
    y, _ = KERNEL.run(a, b)
    expected = sum(a[..., :, k, None] * b[..., None, k, :] for k in range(a.shape[-1]))
    assert_allclose(y, expected, rtol=1e-12, atol=1e-13)


@given(kernel_cases(a=("...", "M", "K"), b=("...", "K", "N")))
def test_the_transposed_product_has_the_transposed_gradients(case):
    a, b = case.arrays
    y, record = KERNEL.run(a, b)
    dy = case.cotangent(y)
    turned, other = KERNEL.run(b.swapaxes(-1, -2), a.swapaxes(-1, -2))
    assert_allclose(turned, y.swapaxes(-1, -2), rtol=1e-12, atol=1e-13)
    da = KERNEL.backward("b", dy.swapaxes(-1, -2), other).swapaxes(-1, -2)
    assert_allclose(da, KERNEL.backward("a", dy, record), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ((2, 3), (2, 3), r"a has shape \(2, 3\), .+ last axis of 2, the second last"),
        ((2, 3), (4,), r"a has shape \(2, 3\), .+ last axis of 4, the length of b"),
        ((), (3,), r"a has shape \(\), expected at least one axis; use `\*`"),
        ((3,), (), r"b has shape \(\), expected at least one axis; use `\*`"),
        ((2, 1, 3), (4, 3, 1), r"batch axes \(2,\) that broadcast with \(4,\)"),
    ],
)
def test_shapes_that_do_not_fit_are_named(a, b, message):
    with pytest.raises(ShapeError, match=f"matmul: .*{message}"):
        KERNEL.run(np.ones(a), np.ones(b))
