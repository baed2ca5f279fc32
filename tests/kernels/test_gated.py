"""Gated activations: x times a gate that opens with x."""

import math

import numpy as np
import pytest
from hypothesis import given
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import DTypeError
from minigrad.kernels import gated
from minigrad.testing import check_kernel, kernel_cases, normal

KERNELS = [gated.SILU_KERNEL, gated.GELU_KERNEL, gated.GELU_TANH_KERNEL]
every_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=lambda k: k.name)


@every_kernel
def test_terms_sum_to_the_gradient(kernel):
    @given(kernel_cases(x=normal("...")))
    def hold(case):
        check_kernel(kernel, case)

    hold()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("kernel", "name", "params"),
    [
        (gated.SILU_KERNEL, "silu", {}),
        (gated.GELU_KERNEL, "gelu", {}),
        (gated.GELU_TANH_KERNEL, "gelu", {"approximate": "tanh"}),
    ],
)
def test_value_and_gradient_are_those_of_pytorch(kernel, name, params, dtype):
    torch = pytest.importorskip("torch")
    edges = [0.0, 1e4, -1e4, 90.0, -90.0, 12.0, -12.0]
    rng = np.random.default_rng(0)
    x = np.concatenate([3 * rng.standard_normal(100), edges]).astype(dtype)
    dy = rng.standard_normal(x.shape).astype(dtype)
    theirs = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, name)(theirs, **params)
    expected.backward(torch.tensor(dy))

    y, record = kernel.run(x)

    tolerance = 1e-12 if dtype == "float64" else 2e-6
    assert_allclose(y, expected.detach().numpy(), tolerance, tolerance)
    assert_allclose(
        kernel.backward("x", dy, record), theirs.grad.numpy(), tolerance, tolerance
    )


@every_kernel
def test_value_less_that_of_the_mirror_image_is_x(kernel):
    # gate(x) + gate(-x) = 1.
    x = np.random.default_rng(0).standard_normal(50) * 5
    assert_allclose(kernel.run(x)[0] - kernel.run(-x)[0], x, rtol=1e-12)


@every_kernel
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_infinite_input_gives_the_limits(kernel, dtype):
    x = np.array([math.inf, -math.inf], dtype)
    y, record = kernel.run(x)
    terms = kernel.backward_terms("x", np.ones_like(y), record)
    assert y.dtype == dtype
    assert_array_equal(y, [math.inf, 0])
    assert_array_equal(terms["direct"], [1, 0])
    assert_array_equal(terms["through_gate"], [0, 0])


@every_kernel
def test_nan_stays_nan(kernel):
    y, record = kernel.run(np.array([math.nan]))
    assert np.isnan([y, kernel.backward("x", np.ones(1), record)]).all()


@every_kernel
def test_only_the_gate_bends_downwards(kernel):
    x = np.linspace(-8, 8, 33)
    y, record = kernel.run(x)
    terms = kernel.backward_terms("x", np.ones_like(y), record)
    assert (terms["direct"] >= 0).all()
    assert (terms["through_gate"][x < 0] <= 0).all()


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="gelu: x has dtype int64, expected a float"):
        gated.GELU_KERNEL.run(np.arange(3))
