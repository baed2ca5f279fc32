"""Sums, products, quotients, powers, maxima of two arrays."""

import math
import operator

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ShapeError
from minigrad.kernels import arithmetic as ari
from minigrad.testing import check_kernel, kernel_cases, positive

LINEAR = [ari.ADD_KERNEL, ari.SUB_KERNEL, ari.MUL_KERNEL]
PICKING = [ari.MAXIMUM_KERNEL, ari.MINIMUM_KERNEL]
CURVED = [ari.DIV_KERNEL, ari.POWER_KERNEL]
BINARY = LINEAR + PICKING + CURVED
PYTHON = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "power": operator.pow,
    "maximum": max,
    "minimum": min,
}


def gradients(kernel, a, b, dy=None):
    y, record = kernel.run(np.asarray(a), np.asarray(b))
    dy = np.ones(y.shape) if dy is None else dy
    return kernel.backward("a", dy, record), kernel.backward("b", dy, record)


def name_of(kernel):
    return kernel.name


@pytest.mark.parametrize("kernel", LINEAR + PICKING, ids=name_of)
@given(case=kernel_cases(broadcast=True, a=("...",), b=("...",)))
def test_terms_sum_to_the_gradient(kernel, case):
    check_kernel(kernel, case)


@pytest.mark.parametrize("kernel", CURVED, ids=name_of)
@given(case=kernel_cases(broadcast=True, a=positive("..."), b=positive("...")))
def test_terms_sum_to_the_gradient_of_quotients_and_powers(kernel, case):
    check_kernel(kernel, case)


@given(case=kernel_cases(a=("...", "D")))
def test_terms_sum_to_the_gradient_of_neg(case):
    check_kernel(ari.NEG_KERNEL, case)


@pytest.mark.parametrize("exponent", [-2.0, -1.0, 0.0, 1.0, 2.0, 3.0])
def test_power_of_a_negative_base_has_a_gradient(exponent):
    a = np.array([-2.0, -0.5])
    y, record = ari.POWER_KERNEL.run(a, np.array(exponent))
    da = ari.POWER_KERNEL.backward("a", np.ones_like(y), record)
    assert_allclose(da, [exponent * x ** (exponent - 1) for x in a.tolist()])


@pytest.mark.parametrize("kernel", BINARY, ids=name_of)
@given(case=kernel_cases(broadcast=True, a=positive("..."), b=positive("...")))
def test_forward_is_what_python_computes(kernel, case):
    a, b = case.arrays
    y, _ = kernel.run(a, b)
    pairs = np.broadcast(a, b)
    expected = [PYTHON[kernel.name](float(p), float(q)) for p, q in pairs]
    assert_allclose(y, np.reshape(expected, pairs.shape), rtol=1e-14)


@given(case=kernel_cases(a=("...", "D"), b=("...", "D")))
def test_maximum_and_minimum_split_the_cotangent(case):
    a, b = case.arrays
    dy = case.cotangent(a)
    of_maximum = gradients(ari.MAXIMUM_KERNEL, a, b, dy)
    of_minimum = gradients(ari.MINIMUM_KERNEL, a, b, dy)
    for greater, smaller in zip(of_maximum, of_minimum, strict=True):
        assert_array_equal(greater + smaller, dy)


@given(case=kernel_cases(a=positive("...", "D"), b=positive("...", "D")))
def test_a_quotient_does_not_change_along_its_rays(case):
    a, b = case.arrays
    da, db = gradients(ari.DIV_KERNEL, a, b, case.cotangent(a))
    # d/dt (t a) / (t b) = 0
    assert_allclose(a * da + b * db, 0, atol=1e-12)


@pytest.mark.parametrize("kernel", PICKING, ids=name_of)
def test_ties_give_half_to_each_side(kernel):
    da, db = gradients(kernel, [1.0, 2.0], [1.0, 2.0])
    assert_array_equal(da, [0.5, 0.5])
    assert_array_equal(db, [0.5, 0.5])


@pytest.mark.parametrize("kernel", PICKING, ids=name_of)
def test_nan_wins(kernel):
    y, _ = kernel.run(np.array([np.nan, 0.0]), np.array([0.0, np.nan]))
    assert np.isnan(y).all()


def test_powers_of_zero_have_finite_slopes():
    da, db = gradients(ari.POWER_KERNEL, [0.0, 0.0, 0.0], [0.0, 1.0, 2.0])
    assert_array_equal(da, [0.0, 1.0, 0.0])
    assert_array_equal(db, [0.0, 0.0, 0.0])


def test_the_slope_of_a_quotient_does_not_overflow_before_its_value():
    huge = np.array([1e30], np.float32)
    _, db = gradients(ari.DIV_KERNEL, huge, huge, np.ones(1, np.float32))
    assert_allclose(db, [-1e-30], rtol=1e-6)


def test_integers_divide_to_floats():
    y, _ = ari.DIV_KERNEL.run(np.array([1, 2]), np.array([2, 4]))
    assert_array_equal(y, [0.5, 0.5])


@pytest.mark.parametrize("kernel", BINARY, ids=name_of)
def test_shapes_that_do_not_broadcast_are_named(kernel):
    message = rf"{kernel.name}: shapes a \(2, 3\), b \(2,\) do not broadcast"
    with pytest.raises(ShapeError, match=message):
        kernel.run(np.ones((2, 3)), np.ones(2))


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_infinite_cotangents_and_nan_pass_as_in_pytorch(name):
    torch = pytest.importorskip("torch")
    a, b = np.array([[-1.0, 0.0, 2.0, math.nan, 1.0], [0.0, 0.0, 0.0, 0.0, math.nan]])
    dy = np.array([math.inf, -math.inf, math.inf, 2.0, 3.0])
    kernel = {"maximum": ari.MAXIMUM_KERNEL, "minimum": ari.MINIMUM_KERNEL}[name]
    theirs = [torch.tensor(v, requires_grad=True) for v in (a, b)]
    getattr(torch, name)(*theirs).backward(torch.tensor(dy))
    record = kernel.run(a, b)[1]
    for role, wanted in zip("ab", theirs, strict=True):
        assert_array_equal(kernel.backward(role, dy, record), wanted.grad.numpy())
