"""Layers that draw masks and noise: streams, modes, state, what they refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import Streams, generator
from minigrad.tape import tensor

X = np.random.default_rng(0).standard_normal((6, 4)).astype("float32")

LAYERS = {
    "Dropout1d": lambda **o: nn.Dropout1d(0.5, **o),
    "Dropout2d": lambda **o: nn.Dropout2d(0.5, **o),
    "GaussianNoise": lambda **o: nn.GaussianNoise(0.5, **o),
    "GaussianDropout": lambda **o: nn.GaussianDropout(0.5, **o),
    "NoisyActivation": lambda **o: nn.NoisyActivation(c=9.0, **o),
    "DropConnectLinear": lambda **o: fixed(nn.DropConnectLinear(4, 3, **o)),
    "WeightNoise": lambda **o: nn.WeightNoise(fixed(nn.Linear(4, 3)), **o),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=list(LAYERS))


def fixed(layer):
    """Fill the parameters with the same numbers every time."""
    for parameter in layer.parameters():
        nn.init.normal_(parameter, rng=generator(0, "weights"))
    return layer


@every_layer
def test_draws_follow_from_seed_stream_and_number_of_calls(make):
    def draws(**options):
        layer = make(rng=Streams(7), **options)
        return [layer(tensor(3 * X)).tolist() for _ in range(3)]

    first = draws()
    assert first == draws()
    assert first != draws(name="other")
    assert len({str(values) for values in first}) == 3


@every_layer
def test_evaluation_is_deterministic_and_draws_nothing(make):
    streams = Streams(0)
    layer = make(rng=streams).eval()
    assert layer(tensor(X)).tolist() == layer(tensor(X)).tolist()
    assert streams.steps == {}


@every_layer
def test_a_source_that_draws_nothing_is_refused(make):
    with pytest.raises(ArgumentError, match="rng 3, expected Streams, a NumPy Gen"):
        make(rng=3)


@pytest.mark.parametrize(
    "layer",
    [nn.GaussianNoise(), nn.GaussianNoise(0), nn.GaussianDropout(), nn.Dropout1d()],
)
def test_evaluation_returns_the_input_itself(layer):
    x = tensor(X)
    assert layer.eval()(x) is x


@pytest.mark.parametrize("per_example", [True, False])
def test_drop_connect_has_the_state_of_linear_and_equals_it_in_evaluation(per_example):
    plain = nn.Linear(4, 3)
    layer = nn.DropConnectLinear(4, 3, per_example=per_example)
    layer.load_state_dict(plain.state_dict())
    x = tensor(X)
    assert_array_equal(layer.eval()(x).data, plain(x).data)
    layer.train().p = 0
    assert_array_equal(layer(x).data, plain(x).data)


def test_drop_connect_trains_its_weights_through_the_masks():
    layer = fixed(nn.DropConnectLinear(4, 3, 0.25, rng=Streams(0)))
    given = [tensor(p.data, requires_grad=True) for p in layer.parameters()]
    expected = F.drop_connect(tensor(X), *given, 0.25, rng=Streams(0))
    y = layer(tensor(X))
    assert_array_equal(y.data, expected.data)
    for result in (y, expected):
        result.backward(np.ones((6, 3), "float32"))
    for ours, theirs in zip(layer.parameters(), given, strict=True):
        assert_array_equal(ours.grad.data, theirs.grad.data)


def test_drop_connect_averages_behind_its_activation_if_it_samples():
    options = {"activation": F.relu, "rng": Streams(0)}
    sampling = fixed(nn.DropConnectLinear(4, 3, samples=500, **options))
    plain = fixed(nn.DropConnectLinear(4, 3, **options))
    assert (plain(tensor(X)).data >= 0).all()
    found, mean = sampling.eval()(tensor(X)), plain.eval()(tensor(X))
    # relu is convex: the mean of relu is above relu of the mean.
    assert (found.data > mean.data - 0.05).all()
    expected = F.drop_connect_average(
        tensor(X), plain.weight, plain.bias, activation=F.relu, samples=2000
    )
    assert_allclose(found.data, expected.data, atol=0.4)


def test_samples_without_an_activation_are_refused():
    with pytest.raises(ArgumentError, match="samples 5, expected 0 without an activ"):
        nn.DropConnectLinear(4, 3, samples=5)


def test_sizes_that_are_none_are_refused():
    with pytest.raises(ArgumentError, match="in_features 0 and out_features 3, exp"):
        nn.DropConnectLinear(0, 3)


def test_weight_noise_is_taken_by_the_weights_only():
    layer = nn.WeightNoise(fixed(nn.Linear(4, 3)), 0.5, rng=Streams(0))
    weight, bias = layer.module.weight, layer.module.bias
    noisy = F.gaussian_noise(weight.detach(), 0.5, rng=Streams(0))
    expected = F.linear(tensor(X), noisy, bias.detach())
    y = layer(tensor(X))
    assert_array_equal(y.data, expected.data)
    y.sum().backward()
    assert_allclose(weight.grad.data, np.tile(X.sum(0), (3, 1)), rtol=1e-5)
    assert layer.module.weight is weight
    assert layer.module.bias is bias
    assert list(layer.state_dict()) == ["module.weight", "module.bias"]


def test_weight_noise_on_every_parameter_moves_the_bias_too():
    layer = nn.WeightNoise(fixed(nn.Linear(4, 3)), 0.5, every=True, rng=Streams(0))
    zeros = tensor(np.zeros((1, 4), "float32"))
    assert (layer(zeros).data != layer.module.bias.data).all()


def test_a_shared_weight_gets_one_noise():
    class Tied(nn.Module):
        def __init__(self):
            self.first = fixed(nn.Linear(4, 4, bias=False))
            self.second = nn.Linear(4, 4, bias=False)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.first(x), self.second(x)

    first, second = nn.WeightNoise(Tied(), 0.5)(tensor(X))
    assert_array_equal(first.data, second.data)


def test_weights_are_back_after_an_error():
    layer = nn.WeightNoise(nn.Linear(4, 3))
    weight = layer.module.weight
    with pytest.raises(Exception, match="expected"):
        layer(tensor(np.ones((2, 5), "float32")))
    assert layer.module.weight is weight


@pytest.mark.parametrize(
    ("shape", "count"), [((6, 4), 4), ((2, 4, 3, 3), 4), ((5,), 1)]
)
def test_noisy_activation_learns_one_p_or_one_a_channel(shape, count):
    x = tensor(np.random.default_rng(0).standard_normal(shape).astype("float32") * 3)
    layer = nn.NoisyActivation(num_parameters=count, start=0.5)
    y = layer(x)
    y.sum().backward()
    assert y.shape == shape
    assert layer.p.shape == (count,)
    assert (layer.p.grad.data != 0).all()
    assert list(layer.state_dict()) == ["p"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: nn.GaussianNoise(-1), "GaussianNoise: std -1, expected 0 <= std"),
        (lambda: nn.GaussianDropout(1), "GaussianDropout: p 1, expected 0 <= p < 1"),
        (lambda: nn.Dropout3d(2), "Dropout3d: p 2, expected 0 <= p <= 1"),
        (lambda: nn.WeightNoise(3), "WeightNoise: module 3, expected a Module"),
        (lambda: nn.WeightNoise(nn.ReLU(), "a"), "WeightNoise: std 'a', expected 0"),
        (lambda: nn.NoisyActivation("relu"), "function 'relu', expected one of"),
        (lambda: nn.NoisyActivation(alpha="a"), "alpha 'a', expected a number"),
        (lambda: nn.NoisyActivation(num_parameters=0), "num_parameters 0, expected"),
        (lambda: nn.NoisyActivation(start=None), "start None, expected a number"),
        (lambda: nn.DropConnectLinear(2, 2, True), "p True, expected 0 <= p <= 1"),
        (lambda: nn.DropConnectLinear(2, 2, activation="relu"), "activation 'relu', e"),
        (lambda: nn.DropConnectLinear(2, 2, samples=-1), "samples -1, expected an int"),
        (lambda: nn.DropConnectLinear(2, 2, -1), "DropConnectLinear: p -1, expected"),
    ],
)
def test_what_cannot_be_is_refused_when_the_layer_is_made(make, message):
    with pytest.raises(ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.Dropout1d(0.1), "Dropout1d(p=0.1)"),
        (nn.GaussianNoise(), "GaussianNoise(std=0.1)"),
        (nn.GaussianDropout(name="a"), "GaussianDropout(p=0.5, name='a')"),
        (nn.NoisyActivation(), "NoisyActivation('tanh', alpha=1.15, c=0.5)"),
        (
            nn.NoisyActivation("sigmoid", half_normal=False),
            "NoisyActivation('sigmoid', alpha=1.15, c=0.5, half_normal=False)",
        ),
        (
            nn.DropConnectLinear(2, 3, per_example=False),
            "DropConnectLinear(in_features=2, out_features=3, bias=True, p=0.5, "
            "per_example=False)",
        ),
        (
            nn.WeightNoise(nn.ReLU(), every=True),
            "WeightNoise(std=0.075, every=True\n  (module): ReLU()\n)",
        ),
        (nn.RnnDropLSTM(2, 3), "RnnDropLSTM(2, 3, p=0.5)"),
    ],
)
def test_repr_shows_the_arguments(layer, text):
    assert repr(layer) == text
