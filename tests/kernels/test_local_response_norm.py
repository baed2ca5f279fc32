"""Local response norm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels.local_response_norm import KERNEL
from minigrad.testing import check_kernel, kernel_cases, normal

cases = kernel_cases(
    x=normal("N", "C", "H", "W"),
    params={
        "size": st.integers(1, 7),
        "alpha": st.floats(0.1, 2),
        "beta": st.floats(0.1, 1),
        "k": st.floats(0.5, 2),
    },
)


@given(cases)
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


@given(cases)
def test_each_channel_is_damped_by_its_neighbours(case):
    (x,), (size, alpha, beta, k) = case.arrays, case.params.values()
    y, _ = KERNEL.run(x, **case.params)
    for c in range(x.shape[1]):
        near = range(max(c - size // 2, 0), min(c + (size - 1) // 2 + 1, x.shape[1]))
        squares = sum(x[:, other] ** 2 for other in near)
        expected = x[:, c] / (k + alpha / size * squares) ** beta
        assert_allclose(y[:, c], expected, rtol=1e-12)


@given(cases)
def test_the_sign_of_x_is_the_sign_of_y(case):
    (x,) = case.arrays
    y, _ = KERNEL.run(x, **case.params)
    assert_allclose(KERNEL.run(-x, **case.params)[0], -y)


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 2), (2, 3, 0)])
def test_empty_arrays_are_taken(shape):
    y, record = KERNEL.run(np.ones(shape), size=3)
    assert KERNEL.backward("x", y, record).shape == y.shape == shape


def test_wrong_inputs_are_refused():
    x = np.ones((2, 3, 4))
    with pytest.raises(ArgumentError, match="size 0, expected at least 1"):
        KERNEL.run(x, size=0)
    with pytest.raises(ArgumentError, match=r"size \(1.5,\), expected a tuple of ints"):
        KERNEL.run(x, size=1.5)
    with pytest.raises(ShapeError, match=r"x has shape \(2, 3\), expected \(N, C, ..."):
        KERNEL.run(x[..., 0], size=2)
    with pytest.raises(DTypeError, match="x has dtype int64, expected a float dtype"):
        KERNEL.run(x.astype(int), size=2)


@pytest.mark.parametrize("name", ["alpha", "beta", "k"])
def test_what_is_no_number_is_refused(name):
    message = f"local_response_norm: {name} 'a', expected a number"
    with pytest.raises(ArgumentError, match=message):
        KERNEL.run(np.ones((2, 3, 4)), size=2, **{name: "a"})
