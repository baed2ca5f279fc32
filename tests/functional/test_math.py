"""The functions of math.py are wired to their kernels, and agree with PyTorch."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad.errors import ShapeError
from minigrad.functional import math as fm
from minigrad.tape import tensor

torch = pytest.importorskip("torch")

UNARY = {
    "neg": torch.neg,
    "exp": torch.exp,
    "log": torch.log,
    "log1p": torch.log1p,
    "sqrt": torch.sqrt,
    "square": torch.square,
    "abs": torch.abs,
    "sin": torch.sin,
    "cos": torch.cos,
    "reciprocal": torch.reciprocal,
}
BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "div": torch.div,
    "power": torch.pow,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "matmul": torch.matmul,
}
REDUCTIONS = {
    "sum": torch.sum,
    "mean": torch.mean,
    "max": torch.amax,
    "logsumexp": torch.logsumexp,
}


def drawn(*shape):
    return np.random.default_rng(sum(shape)).uniform(0.5, 2, shape)


def gradients(y, *inputs):
    """Send one fixed cotangent back from y."""
    dy = np.random.default_rng(1).standard_normal(tuple(y.shape))
    y.backward(torch.from_numpy(dy) if isinstance(y, torch.Tensor) else dy)
    return [np.asarray(x.grad.numpy()) for x in inputs]


def expect_agreement(ours, theirs, *arrays):
    mine = [tensor(array, requires_grad=True) for array in arrays]
    other = [torch.from_numpy(array).requires_grad_() for array in arrays]
    y, expected = ours(*mine), theirs(*other)
    assert_allclose(y.numpy(), expected.detach().numpy(), rtol=1e-12)
    pairs = zip(gradients(y, *mine), gradients(expected, *other), strict=True)
    for found, wanted in pairs:
        assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_tensor(name):
    expect_agreement(getattr(fm, name), UNARY[name], drawn(2, 3))


@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_tensors(name):
    expect_agreement(getattr(fm, name), BINARY[name], drawn(4, 3, 3), drawn(3, 3))


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_ties_are_shared_as_in_pytorch(name):
    expect_agreement(getattr(fm, name), BINARY[name], drawn(3), drawn(3))


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [0, -1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(name, axis, keepdims):
    expect_agreement(
        lambda x: getattr(fm, name)(x, axis, keepdims),
        lambda x: REDUCTIONS[name](x, dim=axis, keepdim=keepdims),
        drawn(2, 3, 4),
    )


@pytest.mark.parametrize("axis", [0, -1])
def test_products(axis):
    x = drawn(3, 4)
    x[0, 1] = x[2, 1] = x[1, 3] = 0
    expect_agreement(lambda x: fm.prod(x, axis), lambda x: torch.prod(x, axis), x)


@pytest.mark.parametrize("name", ["sum", "mean", "max", "prod", "logsumexp"])
def test_reductions_take_all_axes_by_default(name):
    y = getattr(fm, name)(tensor(drawn(2, 3)))
    assert y.shape == ()


@pytest.mark.parametrize("name", sorted(BINARY.keys() - {"matmul"}))
def test_numbers_and_arrays_are_operands_too(name):
    x = tensor(np.float32([1.0, 2.0]))
    assert getattr(fm, name)(2.0, x).dtype == np.float32
    assert getattr(fm, name)(x, np.float32([3.0, 4.0])).shape == (2,)


def test_errors_of_kernels_come_through():
    with pytest.raises(ShapeError, match="matmul: a has shape"):
        fm.matmul(tensor(drawn(2, 3)), tensor(drawn(2, 3)))
