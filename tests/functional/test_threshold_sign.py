"""The gradient of a network of signs is that of a smooth network in its place.

Freeze c = sign(z) - g(z) where the network stands, and let every hidden unit be
g(z) + c: the same values, and a derivative. Finite differences of its loss are what
backward gives; those of the loss of signs are 0 below the last of them.
"""

import itertools
import math
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.lib.stride_tricks import sliding_window_view
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad.inspect import gradient_flow
from minigrad.kernels.adapters import ADAPTERS
from minigrad.kernels.sign import KERNEL
from minigrad.tape import tensor

SMOOTH = {
    "tanh": np.tanh,
    "arctan": lambda z: 2 / math.pi * np.arctan(math.pi / 2 * z),
    "softsign": lambda z: z / (1 + np.abs(z)),
}
H = 1e-6
MARGIN = 1e-4
"""So far from 0 no step of H in a parameter takes a pre-activation."""


class Network(NamedTuple):
    """w (O, I), b (O,) of each layer in turn, x (N, I), labels t (N,)."""

    params: list[np.ndarray]
    x: np.ndarray
    t: np.ndarray


def draw(seed, sizes, examples):
    rng = np.random.default_rng(seed)
    params = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        params += [
            rng.standard_normal((fan_out, fan_in)) / math.sqrt(fan_in),
            0.3 * rng.standard_normal(fan_out),
        ]
    x = rng.standard_normal((examples, sizes[0]))
    return Network(params, x, rng.integers(sizes[-1], size=examples))


def cross_entropy(z, t):
    top = z.max(axis=1)
    total = np.log(np.exp(z - top[:, None]).sum(axis=1)) + top
    return float((total - z[np.arange(len(t)), t]).mean())


def dense(network, hidden):
    """Return the loss, where hidden(layer, z) says what the units give."""
    h, last = network.x, len(network.params) // 2 - 1
    for layer in range(last + 1):
        w, b = network.params[2 * layer : 2 * layer + 2]
        z = h @ w.T + b
        h = z if layer == last else hidden(layer, z)
    return cross_entropy(h, network.t)


def pooled(network, hidden):
    """As dense; first a 3x3 convolution, max of 2x2, then the units."""
    w, b, *rest = network.params
    windows = sliding_window_view(network.x, (3, 3), axis=(2, 3))
    # (N, C, H, W, 3, 3), (O, C, 3, 3) -> (N, O, H, W)
    z = np.einsum("nchwij,ocij->nohw", windows, w) + b[:, None, None]
    n, o, height, width = z.shape
    z = z.reshape(n, o, height // 2, 2, width // 2, 2).max(axis=(3, 5))
    top = Network(rest, hidden(0, z).reshape(n, -1), network.t)
    return dense(top, lambda layer, z: hidden(layer + 1, z))


def signs(layer, z):
    return np.sign(z)


def pre_activations(network, loss):
    seen = []

    def hidden(layer, z):
        seen.append(z.copy())
        return np.sign(z)

    loss(network, hidden)
    return seen


def smooth_units(network, loss, g):
    """Make units g(z) + c with c frozen here, where they give the sign."""
    frozen = [np.sign(z) - g(z) for z in pre_activations(network, loss)]
    return lambda layer, z: g(z) + frozen[layer]


def differences(network, loss, hidden):
    """Return central differences by each element of each parameter."""
    found = []
    for array in network.params:
        slopes = np.empty(array.shape)
        for place in np.ndindex(array.shape):
            kept, ends = array[place], []
            for step in (H, -H):
                array[place] = kept + step
                ends.append(loss(network, hidden))
            array[place] = kept
            slopes[place] = (ends[0] - ends[1]) / (2 * H)
        found.append(slopes)
    return found


def engine_dense(network, adapter):
    """Return the loss and the gradients of backward."""
    params = [tensor(array, requires_grad=True) for array in network.params]
    h: Any = tensor(network.x)
    for place in range(0, len(params), 2):
        z = F.linear(h, params[place], params[place + 1])
        h = F.sign(z, adapter)
    loss = F.cross_entropy(z, tensor(network.t))
    loss.backward()
    return loss.item(), [param.grad.numpy() for param in params]


def engine_pooled(network, adapter):
    params = [tensor(array, requires_grad=True) for array in network.params]
    w, b, *rest = params
    h = F.sign(F.max_pool2d(F.conv2d(tensor(network.x), w, b), 2), adapter)
    h = h.reshape(len(network.x), -1)
    for place in range(0, len(rest), 2):
        z = F.linear(h, rest[place], rest[place + 1])
        h = F.sign(z, adapter)
    loss = F.cross_entropy(z, tensor(network.t))
    loss.backward()
    return loss.item(), [param.grad.numpy() for param in params]


def expect_surrogate(network, loss, engine, adapter):
    units = smooth_units(network, loss, SMOOTH[adapter])
    value, gradients = engine(network, adapter)
    assert value == pytest.approx(loss(network, signs), abs=1e-12)
    assert value == pytest.approx(loss(network, units), abs=1e-12)
    expected = differences(network, loss, units)
    for found, slopes in zip(gradients, expected, strict=True):
        assert_allclose(found, slopes, rtol=0, atol=1e-7)
    return gradients


def expect_flat_below_the_signs(network, loss, gradients):
    hard = differences(network, loss, signs)
    for slopes in hard[:-2]:
        assert not slopes.any()
    assert all(np.abs(dw).max() > 1e-4 for dw in gradients[:-2:2])
    # Above the last sign there is nothing to replace.
    for found, slopes in zip(gradients[-2:], hard[-2:], strict=True):
        assert_allclose(found, slopes, rtol=0, atol=1e-7)


@pytest.mark.parametrize("adapter", list(SMOOTH))
@pytest.mark.parametrize("hidden_layers", [1, 2])
def test_backward_is_the_slope_of_the_smooth_network(adapter, hidden_layers):
    @given(
        seed=st.integers(0, 2**32 - 1),
        widths=st.lists(
            st.integers(1, 5), min_size=hidden_layers + 1, max_size=hidden_layers + 1
        ),
        classes=st.integers(2, 4),
        examples=st.integers(1, 5),
    )
    def hold(seed, widths, classes, examples):
        network = draw(seed, [*widths, classes], examples)
        before = pre_activations(network, dense)
        assume(min(np.abs(z).min() for z in before) > MARGIN)
        expect_surrogate(network, dense, engine_dense, adapter)

    hold()


@pytest.mark.parametrize("adapter", list(SMOOTH))
@pytest.mark.parametrize("sizes", [[4, 5, 3], [4, 6, 5, 3]])
def test_the_network_of_signs_is_flat_but_for_its_output_layer(adapter, sizes):
    network = draw(0, sizes, 7)
    assert min(np.abs(z).min() for z in pre_activations(network, dense)) > MARGIN
    gradients = expect_surrogate(network, dense, engine_dense, adapter)
    expect_flat_below_the_signs(network, dense, gradients)


@pytest.mark.parametrize("adapter", list(ADAPTERS))
def test_the_output_layer_has_its_true_gradient_whatever_the_adapter(adapter):
    network = draw(1, [4, 6, 5, 3], 7)
    _, gradients = engine_dense(network, adapter)
    hard = differences(network, dense, signs)
    for found, slopes in zip(gradients[-2:], hard[-2:], strict=True):
        assert_allclose(found, slopes, rtol=0, atol=1e-7)


@pytest.mark.parametrize("adapter", list(SMOOTH))
def test_a_convolution_with_pooling_before_the_sign_is_no_exception(adapter):
    rng = np.random.default_rng(0)
    top = draw(1, [2 * 2 * 2, 4, 3], 4)
    filters = [rng.standard_normal((2, 1, 3, 3)) / 3, 0.3 * rng.standard_normal(2)]
    network = Network([*filters, *top.params], rng.standard_normal((4, 1, 6, 6)), top.t)
    assert min(np.abs(z).min() for z in pre_activations(network, pooled)) > MARGIN
    gradients = expect_surrogate(network, pooled, engine_pooled, adapter)
    expect_flat_below_the_signs(network, pooled, gradients)


def test_a_slope_at_the_sign_is_not_that_of_the_smooth_network():
    network = draw(0, [4, 6, 5, 3], 7)
    units = smooth_units(network, dense, SMOOTH["tanh"])
    # Units that read g' at h = sign(z) have the slope 1 - tanh(1)**2 everywhere.
    linear = smooth_units(network, dense, lambda z: (1 - math.tanh(1) ** 2) * z)
    right, wrong = (differences(network, dense, one) for one in (units, linear))
    assert max(np.abs(a - b).max() for a, b in zip(right, wrong, strict=True)) > 1e-3


@pytest.mark.parametrize("adapter", list(ADAPTERS))
@pytest.mark.parametrize("zero", [0, -1, 1])
def test_a_device_computes_the_same(adapter, zero, backend):
    x = np.linspace(-3, 3, 25, dtype="float32")
    dy = np.random.default_rng(0).standard_normal(25).astype("float32")
    y, record = KERNEL.run(x, adapter=adapter, zero=zero)
    at = tensor(x, requires_grad=True)
    found = F.sign(at, adapter, zero)
    found.backward(tensor(dy))
    assert_array_equal(found.numpy(), y)
    expected = KERNEL.backward("x", dy, record)
    assert_allclose(at.grad.numpy(), expected, rtol=1e-6)


def test_the_one_term_is_called_adapter():
    x = tensor([0.5, -2.0], requires_grad=True)
    with gradient_flow(names={"x": x}) as flow:
        F.sign(x).sum().backward()
    (edge,) = flow.into("x").edges
    assert (edge.kernel, [term.name for term in edge.terms]) == ("sign", ["adapter"])
