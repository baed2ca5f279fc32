"""Activations against PyTorch, and where formulas like to overflow."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError, DTypeError
from minigrad.kernels import activations as act
from minigrad.testing import check_kernel, kernel_cases, normal

numbers = st.floats(0.1, 3.0)
KERNELS = [
    (act.RELU_KERNEL, {}),
    (act.LEAKY_RELU_KERNEL, {"negative_slope": st.sampled_from([-1.0, 0.0, 0.3])}),
    (act.ELU_KERNEL, {"alpha": numbers}),
    (act.SIGMOID_KERNEL, {}),
    (act.TANH_KERNEL, {}),
    (act.HARDTANH_KERNEL, {"min_val": st.just(-0.7), "max_val": numbers}),
    (act.SOFTPLUS_KERNEL, {"beta": numbers, "threshold": numbers}),
]
every_kernel = pytest.mark.parametrize(
    ("kernel", "params"), [pytest.param(*row, id=row[0].name) for row in KERNELS]
)
LIMITS = {
    # y and the slope at +inf, then at -inf.
    "relu": (math.inf, 1, 0, 0),
    "leaky_relu": (math.inf, 1, -math.inf, 0.01),
    "elu": (math.inf, 1, -1, 0),
    "sigmoid": (1, 0, 0, 0),
    "tanh": (1, 0, -1, 0),
    "hardtanh": (1, 0, -1, 0),
    "softplus": (math.inf, 1, 0, 0),
}


def value_and_slope(kernel, x, **params):
    y, record = kernel.run(x, **params)
    return y, kernel.backward("x", np.ones_like(y), record)


@every_kernel
def test_terms_sum_to_the_gradient(kernel, params):
    @given(kernel_cases(x=normal("..."), params=params))
    def hold(case):
        check_kernel(kernel, case)

    hold()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("kernel", "name", "params"),
    [
        (act.RELU_KERNEL, "relu", {}),
        (act.LEAKY_RELU_KERNEL, "leaky_relu", {"negative_slope": 0.3}),
        (act.ELU_KERNEL, "elu", {"alpha": 0.5}),
        (act.SIGMOID_KERNEL, "sigmoid", {}),
        (act.TANH_KERNEL, "tanh", {}),
        (act.HARDTANH_KERNEL, "hardtanh", {"min_val": -0.5, "max_val": 2.0}),
        (act.SOFTPLUS_KERNEL, "softplus", {}),
        (act.SOFTPLUS_KERNEL, "softplus", {"beta": 2.0, "threshold": 1.5}),
    ],
)
def test_value_and_gradient_are_those_of_pytorch(kernel, name, params, dtype):
    torch = pytest.importorskip("torch")
    edges = [0.0, -0.0, 1e4, -1e4, 90.0, -90.0, 0.5, -0.5, 2.0]
    rng = np.random.default_rng(0)
    x = np.concatenate([3 * rng.standard_normal(100), edges]).astype(dtype)
    dy = rng.standard_normal(x.shape).astype(dtype)
    theirs = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, name)(theirs, **params)
    expected.backward(torch.tensor(dy))

    y, record = kernel.run(x, **params)

    tolerance = 1e-12 if dtype == "float64" else 2e-6
    assert_allclose(y, expected.detach().numpy(), tolerance, tolerance)
    assert_allclose(
        kernel.backward("x", dy, record), theirs.grad.numpy(), tolerance, tolerance
    )


@every_kernel
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_infinite_input_gives_the_limits(kernel, params, dtype):
    y, dx = value_and_slope(kernel, np.array([math.inf, -math.inf], dtype))

    high, high_slope, low, low_slope = LIMITS[kernel.name]
    assert_allclose(y, [high, low], atol=1e-30)
    assert_allclose(dx, [high_slope, low_slope], rtol=1e-3, atol=1e-30)


@every_kernel
def test_nan_stays_nan(kernel, params):
    assert np.isnan(kernel.run(np.array([math.nan]))[0]).all()


@every_kernel
def test_large_arrays_in_blocks_equal_small_ones(kernel, params):
    x = np.random.default_rng(0).standard_normal(600_001).astype("float32")
    whole = value_and_slope(kernel, x)
    parts = [value_and_slope(kernel, part) for part in np.array_split(x, 3)]
    for index in range(2):
        expected = np.concatenate([part[index] for part in parts])
        assert_array_equal(whole[index], expected)


def test_sigmoid_and_tanh_mirror_at_zero():
    x = np.random.default_rng(0).standard_normal(50) * 5
    assert_allclose(act.sigmoid(x)[0] + act.sigmoid(-x)[0], 1, rtol=1e-14)
    assert_array_equal(act.tanh(x)[0], -act.tanh(-x)[0])


def test_softplus_less_its_mirror_is_x():
    x = np.random.default_rng(0).standard_normal(50) * 5
    assert_allclose(act.softplus(x)[0] - act.softplus(-x)[0], x, rtol=1e-12)


@pytest.mark.parametrize(
    ("kernel", "slope"), [(act.RELU_KERNEL, 0), (act.LEAKY_RELU_KERNEL, 0.01)]
)
def test_kink_has_the_slope_on_its_left(kernel, slope):
    assert_allclose(value_and_slope(kernel, np.zeros(1))[1], slope)


def test_integers_are_refused():
    with pytest.raises(DTypeError, match="relu: x has dtype int64, expected a float"):
        act.RELU_KERNEL.run(np.arange(3))


def test_hardtanh_ends_in_wrong_order_are_refused():
    with pytest.raises(ArgumentError, match="min_val 2, expected at most max_val 1"):
        act.HARDTANH_KERNEL.run(np.zeros(1), min_val=2, max_val=1)


def test_softplus_beta_zero_is_refused():
    with pytest.raises(ArgumentError, match="softplus: beta 0, expected beta > 0"):
        act.SOFTPLUS_KERNEL.run(np.zeros(1), beta=0)


@pytest.mark.parametrize(
    ("kernel", "name"),
    [
        (act.RELU_KERNEL, "relu"),
        (act.HARDTANH_KERNEL, "hardtanh"),
        (act.LEAKY_RELU_KERNEL, "leaky_relu"),
        (act.ELU_KERNEL, "elu"),
    ],
)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("size", [1, 600_001])
def test_infinite_cotangents_are_gated_as_in_pytorch(kernel, name, dtype, size):
    torch = pytest.importorskip("torch")
    x = np.tile(np.array([-2, 0, 0.5, 2], dtype), (size // 4 + 1, 1))
    dy = np.full_like(x, math.inf)
    theirs = torch.tensor(x, requires_grad=True)
    getattr(torch.nn.functional, name)(theirs).backward(torch.tensor(dy))
    dx = kernel.backward("x", dy, kernel.run(x)[1])
    assert dx.dtype == dtype
    assert_allclose(dx, theirs.grad.numpy(), rtol=1e-3)


@pytest.mark.parametrize(
    ("kernel", "slope"),
    [
        (act.RELU_KERNEL, 1),
        (act.HARDTANH_KERNEL, 1),
        (act.LEAKY_RELU_KERNEL, 0.01),
        (act.ELU_KERNEL, 1),
    ],
)
def test_nan_lets_the_gradient_through(kernel, slope):
    # As in PyTorch, where vectors and single elements agree.
    assert_allclose(value_and_slope(kernel, np.full(3, math.nan))[1], slope)


@every_kernel
def test_gradient_of_a_number_is_a_0d_array(kernel, params):
    _, record = kernel.run(np.array(0.5, "float32"))
    dx = kernel.backward("x", np.array(2, "float32"), record)
    assert (type(dx), dx.shape, dx.dtype) == (np.ndarray, (), np.float32)
