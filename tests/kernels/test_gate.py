"""The gate: what it takes for each example, and where it sends the gradient."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.inspect.model_summary.costs import cost
from minigrad.kernels.gate import KERNEL
from minigrad.testing import between, booleans, check_kernel, kernel_cases, normal


def cases(u):
    axes = st.integers(0, 2).map(lambda count: ("N", "C", "H")[: count + 1])
    return axes.flatmap(
        lambda axes: kernel_cases(a=normal(*axes), b=normal(*axes), u=u)
    )


@given(cases(between("N", low=0.0, high=1.0)) | cases(booleans("N")))
def test_terms_sum_to_the_gradient(case):
    check_kernel(KERNEL, case)


def draws(*shape):
    return np.random.default_rng(0).standard_normal((3, *shape))


@pytest.mark.parametrize("dtype", [bool, "int64", "float32"])
def test_each_example_comes_from_one_side_and_sends_its_gradient_there(dtype):
    a, b, dy = draws(4, 2, 5)
    u = np.array([1, 0, 0, 1]).astype(dtype)
    y, record = KERNEL.run(a, b, u)
    taken = np.array([True, False, False, True])
    assert y.dtype == a.dtype
    assert_array_equal(y, np.where(taken[:, None, None], a, b))
    for name, own in (("a", taken), ("b", ~taken)):
        (term,) = KERNEL.backward_terms(name, dy, record).items()
        assert term[0] == {"a": "kept", "b": "skipped"}[name]
        assert_array_equal(term[1], np.where(own[:, None, None], dy, 0))


def test_a_share_mixes():
    a, b, dy = draws(2, 3)
    y, record = KERNEL.run(a, b, np.array([0.25, 0.5]))
    share = np.array([[0.25], [0.5]])
    assert_allclose(y, share * a + (1 - share) * b, rtol=1e-15)
    assert_allclose(KERNEL.backward("b", dy, record), (1 - share) * dy, rtol=1e-15)


def test_large_inputs_are_computed_alike():
    a, b, dy = draws(8, 3, 300, 100).astype("float32")
    u = np.arange(8) % 2
    y, record = KERNEL.run(a, b, u)
    assert_array_equal(y[::2], b[::2])
    assert_array_equal(y[1::2], a[1::2])
    assert_array_equal(KERNEL.backward("a", dy, record)[1::2], dy[1::2])


def test_it_costs_three_operations_an_element():
    a, b, _ = draws(2, 3)
    assert cost(KERNEL, (a, b, np.ones(2)), a).flops == 3 * 6


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((), (), ()), r"a has shape \(\), expected \(N, \.\.\.\)"),
        (((2, 3), (2, 1), (2,)), r"b has shape \(2, 1\), expected \(2, 3\)"),
        (((2, 3), (2, 3), (3,)), r"u has shape \(3,\), expected \(2,\)"),
        (((2, 3), (2, 3), (2, 1)), r"u has shape \(2, 1\), expected \(2,\)"),
    ],
)
def test_shapes_that_disagree_are_refused(shapes, message):
    with pytest.raises(ShapeError, match=f"gate: {message}"):
        KERNEL.run(*(np.ones(shape) for shape in shapes))


def test_other_wrong_arguments_are_refused():
    ones = np.ones((2, 1))
    said = r"u has values from -1 to 1, expected values in \[0, 1\]"
    with pytest.raises(ArgumentError, match=said):
        KERNEL.run(ones, ones, np.array([1, -1]))
    with pytest.raises(ArgumentError, match="u has values from nan"):
        KERNEL.run(ones, ones, np.array([1, np.nan]))
    with pytest.raises(DTypeError, match="a has dtype int64, expected a float dtype"):
        KERNEL.run(ones.astype(int), ones.astype(int), ones[:, 0])
    with pytest.raises(DTypeError, match="u has dtype complex128, expected a real"):
        KERNEL.run(ones, ones, ones[:, 0] * 1j)
    _, record = KERNEL.run(ones, ones, ones[:, 0])
    with pytest.raises(GraphError, match="input u is not differentiable"):
        KERNEL.backward("u", ones, record)
