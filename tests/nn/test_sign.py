"""The layer of signs in whole networks: known estimators bit for bit, and refusals."""

import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad import functional as F
from minigrad import nn, optim
from minigrad.errors import ArgumentError
from minigrad.kernels._spec import Kernel
from minigrad.kernels.activations import TANH_KERNEL
from minigrad.kernels.adapters import ADAPTERS, Curve, scaled_tanh
from minigrad.random import generator
from minigrad.tape import apply, tensor


def as_sign(x):
    return np.sign(x), (x,)


STRAIGHT_THROUGH = Kernel("ste", as_sign, {"x": lambda dy, saved: {"straight": dy}})
SATURATED = Kernel(
    "sste", as_sign, {"x": lambda dy, saved: {"inside": dy * (np.abs(saved[0]) <= 1)}}
)


class ByHand(nn.Module):
    def __init__(self, kernel):
        self.kernel = kernel

    def forward(self, x):
        return apply(self.kernel, x)


def network(make, dtype="float32"):
    rng = generator(0, "weights")
    return nn.Sequential(
        nn.Linear(6, 12, rng=rng, dtype=dtype),
        make(),
        nn.Linear(12, 12, rng=rng, dtype=dtype),
        make(),
        nn.Linear(12, 3, rng=rng, dtype=dtype),
    )


def trained(model, dtype="float32", steps=5):
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    draws = generator(0, "data")
    for _ in range(steps):
        x = 2 * draws.normal(size=(16, 6)).astype(dtype)
        t = draws.integers(3, size=16)
        optimizer.zero_grad()
        F.cross_entropy(model(tensor(x)), tensor(t)).backward()
        optimizer.step()
    return {key: value.tobytes() for key, value in model.state_dict().items()}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("adapter", "kernel"), [("identity", STRAIGHT_THROUGH), ("hardtanh", SATURATED)]
)
def test_known_estimators_train_the_same_weights_bit_for_bit(adapter, kernel, dtype):
    ours = trained(network(lambda: nn.Sign(adapter), dtype), dtype)
    assert ours == trained(network(lambda: ByHand(kernel), dtype), dtype)
    assert ours != trained(network(lambda: nn.Sign("tanh"), dtype), dtype)


def test_training_is_repeated_bit_for_bit_and_differs_by_adapter():
    results = {
        name: trained(network(lambda name=name: nn.Sign(name))) for name in ADAPTERS
    }
    again = trained(network(lambda: nn.Sign("tanh")))
    assert again == results["tanh"]
    assert len({tuple(weights.values()) for weights in results.values()}) == 8


@pytest.mark.parametrize("zero", [0, -1, 1])
@pytest.mark.parametrize("adapter", [*ADAPTERS, TANH_KERNEL, scaled_tanh(3.0)])
def test_swapping_the_adapter_changes_no_value_of_a_network(adapter, zero):
    x = tensor(generator(1, "data").normal(size=(64, 6)).astype("float32"))
    plain = network(lambda: nn.Sign(zero=zero))(x).numpy()
    assert_array_equal(network(lambda: nn.Sign(adapter, zero))(x).numpy(), plain)


@pytest.mark.parametrize("c", [0.01, 0.5, 3.0, 100.0])
def test_scaling_what_comes_in_keeps_the_units_and_changes_the_gradient(c):
    z = generator(2, "data").normal(size=(8, 5))

    def passed(scale):
        x = tensor(scale * z, requires_grad=True)
        h = nn.Sign()(x)
        h.backward(np.ones_like(z))
        return h.numpy(), x.grad.numpy()

    (h, dx), (scaled_h, scaled_dx) = passed(1), passed(c)
    assert_array_equal(scaled_h, h)
    # A unit deeper in saturation gets less, on either side.
    assert ((scaled_dx < dx) == (c > 1)).all()


@pytest.mark.parametrize("zero", [0, -1, 1])
def test_a_layer_without_input_gives_what_zero_says(zero):
    layer = nn.Sign(zero=zero)
    x = np.zeros((2, 3), "float32")
    assert_array_equal(layer(tensor(x)).numpy(), np.full((2, 3), zero))
    assert layer(tensor(x[:0])).shape == (0, 3)


def test_the_layer_describes_itself():
    assert repr(nn.Sign()) == "Sign(adapter='tanh')"
    assert repr(nn.Sign("hardtanh", -1)) == "Sign(adapter='hardtanh', zero=-1)"
    assert repr(nn.Sign(TANH_KERNEL)) == "Sign(adapter='tanh')"
    assert repr(nn.Sign(scaled_tanh(2))) == "Sign(adapter='tanh(beta=2, height=1)')"


def test_a_copy_of_the_layer_has_the_same_adapter():
    layer = nn.Sign(scaled_tanh(2.0))
    assert copy.deepcopy(layer).adapter is layer.adapter


RELU = Curve("half", lambda xp, x: xp.maximum(x, 0), lambda xp, x, y: x > 0)


@pytest.mark.parametrize(
    ("adapter", "said"),
    [
        (RELU, "sign: adapter 'half' gives 0 at x = -1, expected a number of x's sign"),
        ("Tanh", "sign: adapter 'Tanh', expected a Curve, a kernel, or one of"),
        (np.tanh, "sign: adapter <ufunc 'tanh'>, expected a Curve, a kernel, or"),
        ([1], r"sign: adapter \[1\], expected a Curve, a kernel, or one of"),
    ],
)
def test_what_is_no_adapter_is_refused_when_the_layer_is_made(adapter, said):
    for make in (nn.Sign, nn.Sign, lambda one: F.sign(tensor([1.0]), one)):
        with pytest.raises(ArgumentError, match=said):
            make(adapter)


def test_a_wrong_zero_is_refused_when_the_layer_is_made():
    with pytest.raises(ArgumentError, match="sign: zero 2, expected 0, -1 or 1"):
        nn.Sign(zero=2)
