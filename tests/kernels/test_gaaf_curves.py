"""The curves that GAAF is made of: activations, and shapes that go with them."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.kernels import gaaf
from minigrad.kernels.gaaf import ACTIVATIONS, KERNEL, RECOMMENDED, SHAPES
from minigrad.tape import tensor

X = np.linspace(-60, 60, 4801)
CURVES = [*ACTIVATIONS.values(), *SHAPES.values(), gaaf.gaussian(27.0)]
BOTH = ["tanh", "hardtanh", "sigmoid", "softsign"]
LEFT = ["relu", "leaky_relu", "elu", "softplus", "silu", "gelu"]


def slope_of(curve, x):
    return curve.derivative(np, x, curve.value(x)) * np.ones_like(x)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_the_derivative_is_that_of_the_function(curve):
    x = X[(X != 0) & (np.abs(X) != 1)]  # Kinks.
    exact = curve.value(x + 1e-30j).imag / 1e-30
    assert_allclose(slope_of(curve, x), exact, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_the_derivative_is_analytic(curve):
    x = X[(X != 0) & (np.abs(X) != 1)] + 1e-30j
    found = curve.derivative(np, x, curve.value(x)) * np.ones_like(x)
    assert_allclose(found.real, slope_of(curve, x.real), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("curve", CURVES, ids=lambda curve: curve.name)
def test_float32_stays_float32_and_close(curve, dtype):
    x = X.astype(dtype)
    y = curve.value(x)
    slope = curve.derivative(np, x, y)
    assert y.dtype == dtype
    assert slope.dtype in (dtype, bool)
    rounding = 8 * np.finfo(dtype).eps
    wide = curve.value(x.astype("float64"))
    assert_allclose(y, wide, rtol=80 * rounding, atol=rounding)
    expected = slope_of(curve, x.astype("float64"))
    assert_allclose(slope.astype(dtype), expected, rtol=80 * rounding, atol=rounding)


def test_softsign_is_x_over_one_more_than_its_distance_from_zero():
    found = gaaf.SOFTSIGN.value(np.array([-3.0, -1.0, 0.0, 0.25, 9.0, 1e200]))
    assert_allclose(found, [-0.75, -0.5, 0, 0.2, 0.9, 1], rtol=1e-15)


@pytest.mark.parametrize("x", [0.0, 1e-300, -1e-300, 9.99e-4, 1.01e-3, -1e-3, 39, 41])
def test_gelu_has_its_slope_where_its_formula_changes(x):
    at = np.array([x])
    exact = gaaf.GELU.value(at + 1e-30j).imag / 1e-30
    assert_allclose(slope_of(gaaf.GELU, at), exact, rtol=1e-15)


def test_every_activation_saturates_somewhere():
    assert sorted(BOTH + LEFT) == sorted(ACTIVATIONS)


@pytest.mark.parametrize("name", BOTH + LEFT)
def test_the_shape_passes_on_the_side_where_the_activation_does_not_saturate(name):
    curve = ACTIVATIONS[name]
    left, right = np.abs(slope_of(curve, np.array([-12.0, 12.0])))
    assert left <= 0.01
    assert (right <= 0.01) == (name in BOTH)
    inner, left, right = RECOMMENDED[curve].value(np.array([-3.0, -60.0, 60.0]))
    assert inner > 0.04  # Where it saturates first, it is accelerated.
    assert left < 1e-4
    assert (right > 0.99) == (name in LEFT)


@pytest.mark.parametrize(("name", "factor"), [("sigmoid", 2), ("softsign", 3)])
def test_wider_activations_have_the_shape_of_tanh_widened(name, factor):
    found = RECOMMENDED[ACTIVATIONS[name]].value(factor * X)
    assert_allclose(found, gaaf.GAUSSIAN.value(X), rtol=1e-12)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_a_layer_takes_the_name_of_an_activation(name):
    x = tensor([-0.5, 0.5], requires_grad=True)
    layer = nn.GAAF(name)
    y = layer(x)
    y.sum().backward()
    curve = ACTIVATIONS[name]
    assert_allclose(y.numpy(), curve.value(x.numpy()), atol=0.6e-4)
    s = RECOMMENDED[curve].value(x.numpy())
    assert_allclose(x.grad.numpy(), slope_of(curve, x.numpy()) + s, atol=1e-4)
    assert name in repr(layer)


@pytest.mark.parametrize("name", ["swish", "GELU", "tanh ", "softmax"])
def test_an_unknown_name_is_answered_with_those_there_are(name):
    listed = ", ".join(map(repr, ACTIVATIONS))
    message = f"gaaf: activation '{name}', expected a Curve or one of {listed}"
    with pytest.raises(ArgumentError, match=message):
        nn.GAAF(name)


def test_a_whole_curve_may_be_made_of_anything():
    def running_mean(xp, x):
        assert type(x) is np.ndarray
        return xp.cumsum(x) / len(x)

    curve = gaaf.Curve("mean", running_mean, lambda xp, x, y: x * 0, whole=True)
    y, _ = KERNEL.run(X, activation=curve, mode="backward_only")
    assert_allclose(y, np.cumsum(X) / len(X))


def test_large_arrays_are_computed_in_blocks_with_the_same_values():
    x = np.random.default_rng(0).normal(size=600_000).astype("float32")
    for curve in ACTIVATIONS.values():
        y, record = KERNEL.run(x, activation=curve, shape=RECOMMENDED[curve])
        few, few_record = KERNEL.run(x[:99], activation=curve, shape=RECOMMENDED[curve])
        assert_allclose(y[:99], few, rtol=1e-6, atol=1e-6)
        slopes = record.saved.slope, few_record.saved.slope
        assert_allclose(slopes[0][:99], slopes[1], rtol=1e-6, atol=1e-6)


def test_copies_of_a_curve_are_the_curve():
    assert copy.copy(gaaf.TANH) is gaaf.TANH
    assert copy.deepcopy([gaaf.RELU])[0] is gaaf.RELU


@pytest.mark.parametrize(
    "curve",
    [
        gaaf.gaussian(np.float64(2)),
        gaaf.laplace(np.float64(2)),
        gaaf.shifted_sigmoid(np.float64(2), np.float64(3)),
    ],
    ids=lambda curve: curve.name,
)
def test_numpy_scalars_in_a_curve_keep_float32(curve):
    x = np.linspace(-1, 1, 5, dtype="float32")
    y, record = KERNEL.run(x, shape=curve)
    assert y.dtype == record.saved.slope.dtype == np.float32
