from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit, softmax

import minigrad as mg
from minigrad import functional as F
from minigrad import nn
from minigrad.kernels.gaaf import shifted_sigmoid
from models.gaaf import cnn
from models.gaaf.measures.dead_side import dead_side, layer_table
from models.gaaf.table5 import PRESETS

CONFIG = replace(PRESETS["tiny"].config, max_examples=192, max_test=64, hidden=(16,))
GAAF_ARMS = [arm for arm, made in cnn.ARMS.items() if made.gaaf]


@pytest.fixture
def one_layer():
    """A training of x W + b, GAAF and an output, with a few random examples."""
    rng = np.random.default_rng(0)
    model = nn.Sequential(
        {
            "dense1": nn.Linear(4, 6),
            "dense_activation1": nn.GAAF("relu", shifted_sigmoid(1.0)),
            "output": nn.Linear(6, 3),
        }
    )
    for parameter in model.parameters():
        parameter.data[...] = rng.standard_normal(parameter.shape)
    x = rng.standard_normal((8, 4)).astype(np.float32)
    return SimpleNamespace(
        model=model,
        examples=SimpleNamespace(train=(x, rng.integers(0, 3, 8))),
        loss=lambda images, labels: F.cross_entropy(
            model(mg.tensor(images)), mg.tensor(labels)
        ),
    )


def test_the_dead_side_is_what_a_hand_computed_backward_finds(one_layer):
    found = dead_side(one_layer, 5)
    images, labels = one_layer.examples.train
    x, t = images[:5].astype(float), labels[:5]
    w, b, v, c = (p.numpy().astype(float) for p in one_layer.model.parameters())
    z = x @ w.T + b
    p = softmax(np.maximum(z, 0) @ v.T + c, axis=1)
    p[range(5), t] -= 1
    dy = p / 5 @ v
    relu, dz = dy * (z > 0), dy * ((z > 0) + expit(z + 1))
    part = np.abs(dz[z < 0]).sum() / np.abs(dz).sum()
    share = (dy * expit(z + 1) * dz).sum() / (dz * dz).sum()
    dw, dw_relu = dz.T @ x, relu.T @ x
    cosine = (dw * dw_relu).sum() / np.linalg.norm(dw) / np.linalg.norm(dw_relu)
    assert found["nets_off"] == {"dense1": pytest.approx(100 * (z < 0).mean())}
    assert found["gradient_off"]["dense1"] == pytest.approx(100 * part, rel=1e-3)
    assert found["acceleration"]["dense1"] == pytest.approx(share, rel=1e-3)
    assert found["cosine"]["dense1"] == pytest.approx(cosine, rel=1e-3)
    assert found["cosine"]["output"] == pytest.approx(1, abs=1e-6)
    assert 0.1 < part < 0.9
    assert cosine < 0.99


def test_units_without_any_gradient_are_left_out(one_layer):
    one_layer.model.output.weight.data[:, 2:] = 0
    whole = dead_side(one_layer, 8)["nets_off"]["dense1"]
    images = one_layer.examples.train[0]
    z = one_layer.model.dense1(mg.tensor(images)).numpy()[:, :2]
    assert whole == pytest.approx(100 * (z < 0).mean())


def test_nothing_is_measured_where_nothing_is_gaaf():
    assert dead_side(cnn.build(CONFIG, "bn", 0), 16) == {}


def test_a_network_without_gradient_has_no_part_and_no_direction(one_layer):
    one_layer.model.output.weight.data[...] = 0
    found = dead_side(one_layer, 4)
    assert found["gradient_off"] == {"dense1": 0.0}
    assert found["cosine"]["dense1"] == 0.0
    assert layer_table(found).rows[0] == ("dense1", "0.00", "0 %", "0 %", "0.00")


@pytest.mark.parametrize("arm", GAAF_ARMS)
def test_layers_are_those_whose_nets_are_activated(arm):
    found = dead_side(cnn.build(CONFIG, arm, 0), 16)
    layers = ["conv1", "conv2", "conv3", "conv4", "dense1"]
    for name in ("nets_off", "gradient_off", "acceleration"):
        assert list(found[name]) == layers
    assert list(found["cosine"]) == [*layers, "output"]
