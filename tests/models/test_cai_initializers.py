import math

import numpy as np
import pytest

from minigrad import nn
from models.conv_aware_init.initializers import INITIALIZERS, start
from models.networks.text import EMBEDDING_BOUND

VARIANCES = {
    "cai": lambda inputs, outputs: 2 / inputs,
    "cai_orthogonal": lambda inputs, outputs: 2 / inputs,
    "he_normal": lambda inputs, outputs: 2 / inputs,
    "he_uniform": lambda inputs, outputs: 2 / inputs,
    "glorot_normal": lambda inputs, outputs: 2 / (inputs + outputs),
    "glorot_uniform": lambda inputs, outputs: 2 / (inputs + outputs),
    "lecun_normal": lambda inputs, outputs: 1 / inputs,
    "lecun_uniform": lambda inputs, outputs: 1 / inputs,
    "uniform_005": lambda inputs, outputs: 0.1**2 / 12,
    "normal_03": lambda inputs, outputs: 0.3**2,
    "normal_02": lambda inputs, outputs: 0.2**2,
}
GAINS = {
    "orthogonal": 1.0,
    "orthogonal_11": 1.1,
    "orthogonal_sqrt2": math.sqrt(2),
    "orthogonal_03": 0.3,
    "orthogonal_02": 0.2,
}


class Model(nn.Module):
    """One layer of each kind."""

    def __init__(self):
        self.words = nn.Embedding(50, 6)
        self.conv1d = nn.Conv1d(6, 8, 3)
        self.conv = nn.Conv2d(16, 32, 3)
        self.norm = nn.BatchNorm2d(32)
        self.lstm = nn.LSTM(8, 12)
        self.output = nn.Linear(12, 3)


def started(name, seed=0):
    model = Model()
    start(model, INITIALIZERS[name], seed)
    return model


def test_all_laws_are_known():
    assert {*VARIANCES, *GAINS, "delta_orthogonal"} == set(INITIALIZERS)


@pytest.mark.parametrize("name", VARIANCES)
def test_convolutions_have_the_variance_of_the_law(name):
    weight = started(name).conv.weight.numpy()
    expected = VARIANCES[name](16 * 9, 32 * 9)
    assert weight.var() == pytest.approx(expected, rel=0.1)
    assert abs(weight.mean()) < 0.1 * math.sqrt(expected)


@pytest.mark.parametrize("name", GAINS)
def test_orthogonal_matrices_have_their_scale_gate_by_gate(name):
    model = started(name)
    flat = model.conv.weight.numpy().reshape(32, -1)
    gram = GAINS[name] ** 2 * np.eye(32)
    np.testing.assert_allclose(flat @ flat.T, gram, atol=1e-6)
    for weight in (model.lstm.weight_ih_l0, model.lstm.weight_hh_l0):
        gates = np.split(weight.numpy(), 4)
        for gate in gates:
            small = gate.T @ gate
            want = GAINS[name] ** 2 * np.eye(len(small))
            np.testing.assert_allclose(small, want, atol=1e-6)
        assert (gates[0] != gates[1]).any()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_biases_norms_and_embeddings_start_alike_in_all_arms(name):
    state = started(name).state_dict()
    hidden = 12
    forget = np.repeat([0.0, 1.0, 0.0, 0.0], hidden)
    np.testing.assert_array_equal(state["lstm.bias_ih_l0"], forget)
    for zeros in ("lstm.bias_hh_l0", "conv.bias", "norm.bias", "output.bias"):
        assert not state[zeros].any()
    assert (state["norm.weight"] == 1).all()
    words = state["words.weight"]
    assert abs(words).max() <= EMBEDDING_BOUND
    assert (words == started("he_normal").words.weight.numpy()).all()


@pytest.mark.parametrize("name", INITIALIZERS)
def test_weights_depend_on_the_seed_and_the_name(name):
    one, same, other = started(name), started(name), started(name, seed=1)
    for key, value in one.state_dict().items():
        assert (same.state_dict()[key] == value).all()
    assert (other.conv.weight.numpy() != one.conv.weight.numpy()).any()
    assert (one.conv1d.weight.numpy() != other.conv1d.weight.numpy()).any()


def test_cai_is_an_initialization_of_convolutions_alone():
    cai, he, text = map(started, ("cai", "he_normal", "cai_orthogonal"))
    orthogonal = started("orthogonal")
    assert (cai.output.weight.numpy() == he.output.weight.numpy()).all()
    assert (cai.lstm.weight_hh_l0.numpy() == he.lstm.weight_hh_l0.numpy()).all()
    assert (text.output.weight.numpy() == orthogonal.output.weight.numpy()).all()
    assert (cai.conv.weight.numpy() == text.conv.weight.numpy()).all()
    assert (cai.conv.weight.numpy() != he.conv.weight.numpy()).all()
