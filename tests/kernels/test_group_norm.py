"""Group norm."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, ShapeError
from minigrad.kernels import _columns
from minigrad.kernels.group_norm import KERNEL
from minigrad.testing import Case, check_kernel, kernel_cases, normal


def divisors(shapes):
    channels = shapes["x"][1]
    return st.sampled_from([n for n in range(1, channels + 1) if channels % n == 0])


cases = kernel_cases(
    x=normal("N", "C", "H", "W"),
    w=normal("C"),
    b=normal("C"),
    sizes={"C": (1, 8)},
    params={"num_groups": divisors, "eps": st.floats(1e-5, 1)},
)


@given(cases)
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (0, 4, 2), (2, 4, 0), (1, 4, 1)])
def test_terms_sum_to_the_gradient_for_other_shapes(shape):
    inputs = {"x": normal(*shape), "w": normal(4), "b": normal(4)}
    check_kernel(KERNEL, Case.draw(0, params={"num_groups": 2}, **inputs))


def test_blocks_and_threads_change_nothing(monkeypatch):
    monkeypatch.setattr(_columns, "SHARED", 1)
    for name in ("SMALLEST", "LARGEST"):
        monkeypatch.setattr(_columns, name, 40)
    monkeypatch.setattr(_columns, "LINE", 16)
    inputs = {"x": normal(2, 4, 11, 7), "w": normal(4), "b": normal(4)}
    check_kernel(KERNEL, Case.draw(0, params={"num_groups": 2}, **inputs))


@given(cases)
def test_each_group_is_normalised_by_itself(case):
    (x, w, b), groups = case.arrays, case.params["num_groups"]
    y, _ = KERNEL.run(*case.arrays, **case.params)
    width = x.shape[1] // groups
    for n in range(x.shape[0]):
        for g in range(groups):
            at = slice(g * width, (g + 1) * width)
            part = x[n, at]
            hat = (part - part.mean()) / np.sqrt(part.var() + case.params["eps"])
            expected = w[at, None, None] * hat + b[at, None, None]
            assert_allclose(y[n, at], expected, rtol=1e-11, atol=1e-11)


@given(cases)
def test_constant_shift_of_an_example_carries_no_gradient(case):
    y, record = KERNEL.run(*case.arrays, **case.params)
    dx = KERNEL.backward("x", case.cotangent(y), record)
    assert_allclose(dx.sum(axis=(1, 2, 3)), 0, atol=1e-9)


def test_a_large_mean_costs_y_no_digits_and_gradients_few():
    rng = np.random.default_rng(0)
    x = (rng.standard_normal((2, 6, 40, 30)) + 1000).astype("float32")
    arrays = x, *rng.standard_normal((2, 6)).astype("float32")
    dy = rng.standard_normal(x.shape).astype("float32")
    y, record = KERNEL.run(*arrays, num_groups=2)
    exact, known = KERNEL.run(*(a.astype("float64") for a in arrays), num_groups=2)
    assert y.dtype == "float32"
    assert_allclose(y, exact, rtol=1e-5, atol=1e-5)
    for name in KERNEL.terms:
        found = KERNEL.backward(name, dy, record)
        assert found.dtype == "float32"
        expected = KERNEL.backward(name, dy.astype("float64"), known)
        assert_allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_a_group_of_one_value_gives_b():
    x, b = np.float32([[0.34558419, -7.3]]), np.float32([0.33043708, 2.1])
    y, record = KERNEL.run(x, np.ones(2, "f"), b, num_groups=2)
    assert_array_equal(y[0], b)
    assert not KERNEL.backward("x", np.ones_like(y), record).any()


@pytest.mark.parametrize("groups", [3, 0, -1])
def test_groups_that_do_not_divide_the_channels_are_refused(groups):
    with pytest.raises(ArgumentError, match=f"num_groups {groups}, expected a divisor"):
        KERNEL.run(np.ones((2, 4)), np.ones(4), np.ones(4), num_groups=groups)


@pytest.mark.parametrize("groups", ["a", 2.0, None])
def test_groups_that_are_no_integer_are_refused(groups):
    with pytest.raises(ArgumentError, match=r"group_norm: num_groups .+, expected"):
        KERNEL.run(np.ones((2, 4)), np.ones(4), np.ones(4), num_groups=groups)


def test_wrong_shapes_are_refused():
    with pytest.raises(ShapeError, match=r"group_norm: x has shape \(4,\), expected"):
        KERNEL.run(np.ones(4), np.ones(4), np.ones(4), num_groups=2)
    with pytest.raises(ShapeError, match=r"group_norm: b has shape \(3,\), expected"):
        KERNEL.run(np.ones((2, 4)), np.ones(4), np.ones(3), num_groups=2)
