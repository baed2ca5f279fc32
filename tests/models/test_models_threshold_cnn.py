import math

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError
from models.networks.threshold_cnn import threshold_cnn


def images(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def test_its_size_is_that_of_convnet4():
    model = threshold_cnn(seed=0)
    sizes = {name: p.size for name, p in model.named_parameters()}
    assert sizes["conv1.weight"] == 32 * 3 * 5 * 5
    assert sizes["dense1.weight"] == 1024 * 64 * 8 * 8
    assert sum(sizes.values()) == 4_259_274


def test_every_pooling_stands_before_its_sign():
    model = threshold_cnn((4, 8), hidden=(16, 12), image_size=8, seed=0)
    assert [name for name, _ in model.named_children()] == [
        *("conv1", "pool1", "activation1", "conv2", "pool2", "activation2"),
        *("flatten", "dense1", "dense_activation1", "dense2", "dense_activation2"),
        "output",
    ]


def test_it_computes_what_pytorch_does():
    torch = pytest.importorskip("torch")
    model = threshold_cnn(
        (4, 6), hidden=(16,), image_size=12, activation=nn.Tanh, seed=0
    )
    weights = {
        name: torch.tensor(p.numpy(), requires_grad=True)
        for name, p in model.named_parameters()
    }

    def layer(name, function, x, **options):
        return function(
            x, weights[f"{name}.weight"], weights[f"{name}.bias"], **options
        )

    pooled = torch.nn.functional.max_pool2d
    conv, linear = torch.nn.functional.conv2d, torch.nn.functional.linear
    x = images(3, 3, 12, 12)
    h = torch.tanh(pooled(layer("conv1", conv, torch.from_numpy(x), padding=3), 2))
    assert h.shape == (3, 4, 7, 7)
    h = torch.tanh(pooled(layer("conv2", conv, h, padding=2), 2))
    h = torch.tanh(layer("dense1", linear, h.flatten(1)))
    expected = layer("output", linear, h)
    logits = model(mg.tensor(x))
    np.testing.assert_allclose(logits.numpy(), expected.detach(), rtol=1e-4, atol=1e-5)
    dy = images(3, 10)
    logits.backward(mg.tensor(dy))
    expected.backward(torch.from_numpy(dy))
    for name, parameter in model.named_parameters():
        wanted = weights[name].grad.numpy()
        np.testing.assert_allclose(
            parameter.grad.numpy(), wanted, rtol=1e-3, atol=1e-4 * np.abs(wanted).max()
        )


def test_hidden_values_are_signs():
    model = threshold_cnn((4, 6), hidden=(16,), image_size=12, seed=0)
    with mg.inspect.outputs(model, "activation*", "dense_activation1") as seen:
        model(mg.tensor(images(3, 3, 12, 12)))
    assert len(seen) == 3
    for (values,) in seen.values():
        assert set(np.unique(values)) == {-1, 1}


@pytest.mark.parametrize(
    ("name", "fan_in", "fan_out"),
    [("conv2", 32 * 25, 64 * 25), ("dense1", 4096, 1024)],
)
def test_weights_are_glorot_uniform_or_as_in_pytorch(name, fan_in, fan_out):
    glorot = threshold_cnn(seed=0).state_dict()
    bound = math.sqrt(6 / (fan_in + fan_out))
    weight = glorot[f"{name}.weight"]
    assert np.abs(weight).max() == pytest.approx(bound, rel=1e-3)
    assert weight.std() == pytest.approx(bound / math.sqrt(3), rel=0.01)
    assert not glorot[f"{name}.bias"].any()
    pytorch = threshold_cnn(start="pytorch", seed=0).state_dict()
    for part, least in (("weight", 0.999), ("bias", 0.9)):
        largest = np.abs(pytorch[f"{name}.{part}"]).max()
        assert least / math.sqrt(fan_in) < largest <= 1 / math.sqrt(fan_in)


@pytest.mark.parametrize("start", ["glorot", "pytorch"])
def test_first_weights_depend_on_seed_and_name_alone(start):
    one = threshold_cnn((4,), start=start, image_size=8, seed=1).state_dict()
    options = {"activation": nn.ReLU, "hidden": (1024, 8), "start": start}
    same = threshold_cnn((4, 6), image_size=8, seed=1, **options).state_dict()
    other = threshold_cnn((4,), start=start, image_size=8, seed=2).state_dict()
    np.testing.assert_array_equal(one["conv1.weight"], same["conv1.weight"])
    np.testing.assert_array_equal(one["conv1.bias"], same["conv1.bias"])
    assert not np.array_equal(one["conv1.weight"], other["conv1.weight"])


def test_what_it_cannot_build_is_refused():
    with pytest.raises(ArgumentError, match=r"2 poolings for images of 1x1.*fewer"):
        threshold_cnn((4, 8), image_size=1, seed=0)
    with pytest.raises(ArgumentError, match="start is 'he', expected 'glorot' or"):
        threshold_cnn(start="he", seed=0)
