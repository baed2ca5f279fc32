"""What the functions of layers add to their kernels: names and defaults."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad.errors import ArgumentError
from minigrad.functional import nn
from minigrad.kernels import gaaf
from minigrad.tape import tensor
from minigrad.testing import check_function

RNG = np.random.default_rng(0)
X = RNG.standard_normal((4, 5)) + 0.1


@pytest.mark.parametrize(
    "function",
    [
        nn.relu,
        nn.leaky_relu,
        nn.elu,
        nn.gelu,
        nn.silu,
        nn.sigmoid,
        nn.tanh,
        nn.hardtanh,
        nn.softplus,
        nn.softmax,
        nn.log_softmax,
        nn.gaaf,
        lambda x: nn.gelu(x, "tanh"),
        lambda x: nn.softmax(x, axis=0),
    ],
)
def test_gradient_reaches_the_input(function):
    check_function(function, X)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_that_of_pytorch(bias):
    torch = pytest.importorskip("torch")
    arrays = [X, RNG.standard_normal((3, 5)), RNG.standard_normal(3)][: 2 + bias]
    expected = torch.nn.functional.linear(*map(torch.tensor, arrays))
    assert_allclose(nn.linear(*map(tensor, arrays)).numpy(), expected.numpy(), 1e-12)
    check_function(nn.linear, *arrays)


def test_unknown_approximation_of_gelu_is_refused():
    with pytest.raises(ArgumentError, match="approximate 'erf', expected 'none' or"):
        nn.gelu(tensor([1.0]), approximate="erf")


def test_gaaf_equals_its_composition_from_smaller_functions():
    arrays = [tensor(X, requires_grad=True) for _ in range(2)]
    dy = RNG.standard_normal(X.shape)
    x, k = arrays[1], 1e4
    sawtooth = (x * k - np.floor(X * k) - 0.5) / k
    composed = F.tanh(x) + sawtooth * F.exp(-(x * x) / 3.0)

    fused = nn.gaaf(arrays[0])
    fused.backward(dy)
    composed.backward(dy)

    assert_allclose(fused.numpy(), composed.numpy(), rtol=1e-12)
    assert_allclose(arrays[0].grad.numpy(), arrays[1].grad.numpy(), rtol=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu", "sigmoid"])
def test_gaaf_by_name_takes_the_recommended_shape(activation):
    curve = gaaf.ACTIVATIONS[activation]
    expected = nn.gaaf(tensor(X), curve, gaaf.RECOMMENDED[curve])
    assert_array_equal(nn.gaaf(tensor(X), activation).numpy(), expected.numpy())


@pytest.mark.parametrize("shape", list(gaaf.SHAPES))
def test_gaaf_takes_shapes_by_name(shape):
    expected = nn.gaaf(tensor(X), "tanh", gaaf.SHAPES[shape])
    assert_array_equal(nn.gaaf(tensor(X), "tanh", shape).numpy(), expected.numpy())


def test_gaaf_in_backward_only_mode_gives_tanh():
    found = nn.gaaf(tensor(X), mode="backward_only")
    assert_array_equal(found.numpy(), nn.tanh(tensor(X)).numpy())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        (
            {"activation": "swish"},
            "gaaf: activation 'swish', expected a Curve or one of",
        ),
        ({"shape": "round"}, "gaaf: shape 'round', expected a Curve or one of 'gauss"),
        ({"activation": gaaf.ONE}, "gaaf: shape None for activation 'one', expected a"),
    ],
)
def test_gaaf_of_unknown_functions_is_refused(params, message):
    with pytest.raises(ArgumentError, match=message):
        nn.gaaf(tensor(X), **params)


@pytest.mark.parametrize("name", [[1], None, 3, "cosine"])
def test_what_names_no_curve_is_refused(name):
    with pytest.raises(
        ArgumentError, match=r"gaaf: activation .+, expected a Curve or"
    ):
        nn.gaaf(tensor([1.0]), activation=name)
