"""Layer-sequential unit variance: what it reaches, and what it leaves alone."""

import copy
import itertools
import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import inspect, nn
from minigrad.backend import use_backend
from minigrad.errors import ArgumentError, GraphError
from minigrad.kernels import KERNELS
from minigrad.nn.init import lsuv, lsuv_
from minigrad.random import generator, manual_seed
from minigrad.tape import is_grad_enabled, tensor


def rng(seed=3):
    return generator(seed, "test")


def images(count=16, channels=3):
    return tensor(2 + 3 * rng(0).normal(size=(count, channels, 8, 8)), dtype="float32")


def deep_network(bias=True):
    """Ten convolutions and two linear layers with relu between, as PyTorch starts."""
    channels = [3, 16, 16, 32, 32, 32, 32, 16, 16, 16, 16]
    layers = []
    for index, (inner, outer) in enumerate(itertools.pairwise(channels)):
        stride = 2 if index in (2, 6) else 1
        conv = nn.Conv2d(inner, outer, 3, stride, padding=1, bias=bias, rng=rng(index))
        layers += [conv, nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(64, 20, rng=rng(20)), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(20, 10, rng=rng(21)))


def variances(model, x):
    """Return the variance of what each such layer gives, less its bias."""
    with inspect.outputs(model) as seen:
        model(x)
    return [
        (seen[path][0] - bias_in(part, seen[path][0])).var()
        for path, part in model.named_modules()
        if isinstance(part, nn.Linear | nn.Conv2d)
    ]


def bias_in(layer, y):
    """Return the bias as it lies in y (N, C, ...)."""
    bias = np.zeros(y.shape[1]) if layer.bias is None else layer.bias.data
    return bias.reshape(-1, *[1] * (y.ndim - 2))


@pytest.mark.parametrize("bias", [True, False])
def test_every_layer_of_a_deep_network_has_unit_variance(bias):
    model, x = deep_network(bias), images()
    assert min(variances(model, x)) < 0.01
    assert lsuv_(model, x, rng=rng()) is model
    reached = variances(model, x)
    assert len(reached) == 12
    assert_allclose(reached, 1, atol=0.1)


def test_tighter_tolerance_is_reached():
    model = lsuv_(deep_network(), images(), tolerance=1e-3, rng=rng())
    assert_allclose(variances(model, images()), 1, atol=1e-3)


def test_weights_stay_orthogonal():
    model = lsuv_(deep_network(), images(), rng=rng())
    for weight in (part.weight for part in model if hasattr(part, "weight")):
        matrix = weight.data.reshape(len(weight.data), -1).astype("float64")
        matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)
        assert_allclose(matrix @ matrix.T, np.eye(len(matrix)), atol=1e-5)


def test_first_layer_is_that_of_orthogonal_divided_by_its_std():
    """Algorithm 1 by hand, for one layer without bias."""
    model, x = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False)), images()
    lsuv_(model, x, rng=rng())
    expected = nn.Conv2d(3, 8, 3, bias=False)
    nn.init.orthogonal_(expected.weight, rng=rng())
    std = math.sqrt(expected(x).data.var(dtype="float64"))
    assert_allclose(model[0].weight.data, expected.weight.data / std, rtol=1e-5)


@pytest.mark.parametrize("kind", [nn.Linear, nn.Conv2d, nn.ConvTranspose2d])
def test_bias_is_not_judged(kind):
    """Its variance of 100 would shrink the weight to nothing."""
    shape, options = ((64, 4), ()) if kind is nn.Linear else ((8, 4, 5, 5), (3,))
    layer = kind(4, 2, *options, dtype="float64")
    layer.bias.data[...] = [-10, 10]
    x = tensor(rng(0).normal(size=shape), dtype="float64")
    lsuv_(layer, x, tolerance=1e-9, rng=rng())
    assert_array_equal(layer.bias.data, [-10, 10])
    layer.bias.data[...] = 0
    assert_allclose(layer(x).data.var(), 1, atol=1e-9)


def test_layers_behind_a_bias_see_it():
    first, second = nn.Linear(4, 4), nn.Linear(4, 3, bias=False)
    first.bias.data[...] = [-5, 5, 10, 0]
    model, x = nn.Sequential(first, second), rng(0).normal(size=(64, 4))
    lsuv_(model, tensor(x, dtype="float32"), rng=rng())
    assert_allclose(model(tensor(x, dtype="float32")).data.var(), 1, atol=0.1)


class Stubborn(nn.Module):
    """Gives its second layer the smaller an input, the larger that layer's weight."""

    def __init__(self):
        self.first = nn.Linear(4, 4, bias=False)
        self.head = nn.Linear(4, 2, bias=False)

    def forward(self, x):
        return self.head(3 * self.first(x) / (self.head.weight**2).mean().sqrt())


@pytest.mark.parametrize("max_steps", [1, 3])
def test_variance_that_is_not_reached_is_named(max_steps):
    model, x = Stubborn(), tensor(rng(0).normal(size=(64, 4)), dtype="float32")
    message = (
        rf"lsuv_: after max_steps={max_steps} the variance by head\.weight is [\d.]+, "
        r"expected less than 0\.1 from 1; raise tolerance"
    )
    with pytest.raises(ArgumentError, match=message):
        lsuv_(model, x, max_steps=max_steps, rng=rng())
    weight = model.head.weight.data
    assert_allclose(weight @ weight.T, np.eye(2), atol=1e-6)
    assert model.training


def test_one_step_suffices_for_a_product():
    model = lsuv_(deep_network(), images(), max_steps=1, rng=rng())
    assert_allclose(variances(model, images()), 1, atol=0.1)


def test_layer_within_tolerance_is_not_scaled():
    layer = nn.Linear(6, 6, bias=False)
    x = tensor(1.03 * rng(0).normal(size=(2000, 6)), dtype="float32")
    lsuv_(layer, x, tolerance=0.2, rng=rng())
    expected = nn.init.orthogonal_(nn.Linear(6, 6).weight, rng=rng())
    assert_array_equal(layer.weight.data, expected.data)
    assert abs(layer(x).data.var() - 1) > 0.03
    lsuv_(layer, x, tolerance=0.03, rng=rng())
    assert np.all(layer.weight.data != expected.data)


def small_network():
    conv, linear = nn.Conv2d(3, 8, 3, rng=rng(1)), nn.Linear(288, 4, rng=rng(2))
    return nn.Sequential(conv, nn.ReLU(), nn.Flatten(), linear)


def test_same_seed_same_weights():
    def weights(seed):
        model = lsuv_(small_network(), images(), rng=rng(seed))
        return [model[0].weight.data, model[3].weight.data]

    assert_array_equal(weights(1)[0], weights(1)[0])
    assert_array_equal(weights(1)[1], weights(1)[1])
    assert np.all(weights(1)[0] != weights(2)[0])


def test_default_numbers_are_of_the_default_streams():
    def state():
        manual_seed(4)
        return lsuv_(small_network(), images()).state_dict()

    first, second = state(), state()
    for name, value in first.items():
        assert_array_equal(value, second[name])


def test_backends_agree_up_to_rounding(backend):
    x = 2 + 3 * rng(0).normal(size=(16, 3, 8, 8))

    def weights():
        model, batch = small_network(), tensor(x, dtype="float32")
        lsuv_(model, batch, rng=rng())
        return [model[0].weight, model[3].weight]

    found = weights()
    assert {weight.backend for weight in found} == {backend}
    with use_backend("numpy"):
        expected = weights()
    for ours, theirs in zip(found, expected, strict=True):
        assert_allclose(ours.numpy(), theirs.data, rtol=1e-5, atol=1e-6)


class Mixed(nn.Module):
    """Has parts that are no products, under two axes of weights, too."""

    def __init__(self):
        self.embedding = nn.Embedding(9, 6)
        self.lstm = nn.LSTM(6, 5, batch_first=True)
        self.norm = nn.LayerNorm((4, 5))
        self.head = nn.Linear(5, 3)

    def forward(self, x):
        hidden, _ = self.lstm(self.embedding(x))
        return self.head(self.norm(hidden))


def test_parts_that_are_no_products_stay_as_they_are():
    model = Mixed()
    before = model.state_dict()
    x = tensor(rng(0).integers(9, size=(10, 4)))
    lsuv_(model, x, rng=rng())
    changed = [
        name
        for name, value in model.state_dict().items()
        if not np.array_equal(value, before[name])
    ]
    assert changed == ["head.weight"]
    product = model(x).data - model.head.bias.data
    assert_allclose(product.var(), 1, atol=0.1)


def test_weights_used_by_hand_are_found():
    class ByHand(nn.Module):
        def __init__(self):
            self.kernel = nn.Parameter(np.ones((4, 3, 3, 3), "float32"))

        def forward(self, x):
            return F.conv2d(x, self.kernel).relu()

    model = lsuv_(ByHand(), images(), rng=rng())
    assert_allclose(F.conv2d(images(), model.kernel).data.var(), 1, atol=0.1)


def test_weight_that_is_used_twice_goes_by_its_first_output():
    layer = nn.Linear(6, 6, bias=False, rng=rng())
    model = nn.Sequential(layer, nn.ReLU(), layer)
    x = tensor(4 * rng(0).normal(size=(50, 6)), dtype="float32")
    lsuv_(model, x, rng=rng())
    assert_allclose(layer(x).data.var(), 1, atol=0.1)


def test_products_are_those_of_linear_and_convolutional_layers():
    names = [k.name for k in KERNELS if k.name.startswith(lsuv._PRODUCTS)]
    bases = {name.removesuffix("_no_bias") for name in names}
    assert bases == {
        "linear",
        *("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"),
    }


def test_model_is_evaluated_and_returns_to_its_modes():
    modes = []

    class Probe(nn.Module):
        def forward(self, x):
            modes.append((self.training, is_grad_enabled()))
            return x

    streams = manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Dropout(), Probe(), nn.Conv2d(8, 2, 3)
    )
    model[1].eval()
    steps = dict(streams.steps)
    running = copy.deepcopy({name: b.data for name, b in model.named_buffers()})
    lsuv_(model, images(), rng=rng())
    assert set(modes) == {(False, False)}
    assert [part.training for part in model] == [True, False, True, True, True]
    assert model.training
    assert streams.steps == steps
    for name, buffer in model.named_buffers():
        assert_array_equal(buffer.data, running[name])


def test_modes_return_after_an_error_too():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(4, 4))
    with pytest.raises(ValueError, match="linear"):
        lsuv_(model, tensor([[1.0, 2.0, 3.0]]))
    assert [part.training for part in model] == [True, True]
    assert is_grad_enabled()


@pytest.mark.parametrize("value", [0.0, np.nan])
def test_outputs_without_a_variance_leave_the_weight_orthogonal(value):
    model = nn.Sequential(nn.Linear(5, 4, bias=False), nn.Linear(4, 3, bias=False))
    lsuv_(model, tensor(np.full((6, 5), value, "float32")), rng=rng())
    for layer in model:
        gram = layer.weight.data @ layer.weight.data.T
        assert_allclose(gram, np.eye(len(gram)), atol=1e-6)


def test_one_dead_layer_does_not_stop_those_before_it():
    class Dead(nn.Module):
        def forward(self, x):
            return 0 * x

    model = nn.Sequential(nn.Linear(5, 5), Dead(), nn.Linear(5, 2, False))
    x = tensor(rng(0).normal(size=(64, 5)), dtype="float32")
    lsuv_(model, x, rng=rng())
    product = model[0](x).data - model[0].bias.data
    assert_allclose(product.var(), 1, atol=0.1)
    assert_allclose(np.linalg.norm(model[2].weight.data, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"model": len}, "model is a builtin_function_or_method, expected a Module"),
        ({"model": nn.ReLU()}, "model is ReLU, expected a model with a linear or"),
        ({"tolerance": 0}, "tolerance 0, expected a number > 0"),
        ({"tolerance": np.nan}, "tolerance nan, expected a number > 0"),
        ({"tolerance": "1"}, "tolerance '1', expected a number > 0"),
        ({"max_steps": 0}, "max_steps 0, expected an int >= 1"),
        ({"rng": 3}, "rng 3, expected a NumPy Generator or None"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    given = {"model": nn.Linear(2, 2), "x": tensor([[1.0, 2.0]]), **arguments}
    with pytest.raises(ArgumentError, match=f"lsuv_: {message}"):
        lsuv_(**given)


def test_weights_that_a_graph_needs_are_not_overwritten():
    layer = nn.Linear(2, 2)
    x = tensor([[1.0, 2.0]], requires_grad=True)
    y = layer(x)
    with pytest.raises(GraphError, match="orthogonal_: the values are needed"):
        lsuv_(layer, x.detach())
    y.sum().backward()
