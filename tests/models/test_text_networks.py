import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ShapeError
from minigrad.random import Streams
from models.networks.text import embed_conv, embed_conv_lstm, embed_lstm

SMALL = {"vocabulary": 30, "width": 6}
BUILD = {
    "embed_lstm": (embed_lstm, {"units": 5}),
    "embed_conv": (embed_conv, {"filters": 7}),
    "embed_conv with a dense layer": (embed_conv, {"filters": 7, "dense": 4}),
    "embed_conv_lstm": (embed_conv_lstm, {"filters": 7, "units": 5}),
}
every = pytest.mark.parametrize("name", BUILD)


def build(name, seed=0, streams=None, **options):
    make, sizes = BUILD[name]
    return make(**SMALL, **sizes | options, streams=streams or Streams(1), seed=seed)


def words(count=4, length=20):
    return np.random.default_rng(0).integers(0, 30, (count, length)).astype("int32")


def torch_logits(torch, name, state, x):
    """The network in PyTorch's functions, from a state of its tensors."""
    f, y = torch.nn.functional, state["embedding.weight"][x]
    if "conv" in name:
        y = torch.relu(
            f.conv1d(y.transpose(1, 2), state["conv.weight"], state["conv.bias"])
        )
    if "lstm" in name:
        if "conv" in name:
            y = f.max_pool1d(y, 4).transpose(1, 2)
        lstm = torch.nn.LSTM(y.shape[2], 5, batch_first=True).double()
        prefix = "lstm.layer."
        weights = {k[len(prefix) :]: v for k, v in state.items() if prefix in k}
        _, (h, _) = torch.func.functional_call(lstm, weights, (y,))
        y = h[0]
    else:
        y = y.amax(2)
    if "dense" in name:
        y = torch.relu(f.linear(y, state["dense.weight"], state["dense.bias"]))
    return f.linear(y, state["output.weight"], state["output.bias"])


@every
def test_networks_and_gradients_are_those_of_pytorch(name):
    torch = pytest.importorskip("torch")
    model = build(name).to("float64").eval()
    state = {
        path: torch.from_numpy(array).requires_grad_()
        for path, array in model.state_dict().items()
    }
    x, dy = words(), np.random.default_rng(1).standard_normal((4, 1))
    logits = model(mg.tensor(x))
    expected = torch_logits(torch, name, state, torch.from_numpy(x).long())
    np.testing.assert_allclose(logits.numpy(), expected.detach(), rtol=1e-9)
    logits.backward(mg.tensor(dy))
    expected.backward(torch.from_numpy(dy))
    for path, parameter in model.named_parameters():
        wanted = state.pop(path).grad.numpy()
        scale = np.abs(wanted).max()
        assert scale
        np.testing.assert_allclose(parameter.grad, wanted, atol=1e-9 * scale, rtol=0)
    assert not state


@pytest.mark.parametrize(
    ("make", "options", "parameters"),
    [
        (embed_lstm, {}, 20_000 * 128 + 512 * 256 + 2 * 512 + 129),
        (embed_conv, {}, 20_000 * 128 + 250 * 128 * 3 + 250 + 251),
        (embed_conv, {"dense": 250}, 20_000 * 128 + 96_250 + 250 * 251 + 251),
        (
            embed_conv_lstm,
            {},
            20_000 * 128 + 64 * 128 * 5 + 64 + 280 * (64 + 70) + 2 * 280 + 71,
        ),
    ],
)
def test_default_sizes_are_those_of_the_examples(
    monkeypatch, make, options, parameters
):
    for filling in ("normal_", "uniform_"):
        monkeypatch.setattr(nn.init, filling, lambda weight, *_, **__: weight)
    model = make(**options, streams=Streams(0), seed=0)
    assert sum(parameter.size for parameter in model.parameters()) == parameters


@every
def test_first_weights_depend_on_seed_and_name_alone(name):
    one = build(name).state_dict()
    mg.manual_seed(5)
    same = build(name, streams=Streams(3), drop_prob=0.5).state_dict()
    other = build(name, seed=1).state_dict()
    for path, values in one.items():
        np.testing.assert_array_equal(values, same[path])
        if values.ndim > 1:
            assert not np.array_equal(values, other[path])
        else:
            assert not values.any()
    assert 0.04 < np.abs(one["embedding.weight"]).max() <= 0.05


def test_first_filters_are_he_normal():
    weight = build("embed_conv", filters=2000).state_dict()["conv.weight"]
    assert weight.std() == pytest.approx(np.sqrt(2 / 18), rel=0.02)


@every
def test_dropout_draws_from_the_streams_given(name):
    options = {"drop_prob": 0.5}
    one, other = (build(name, streams=Streams(7), **options) for _ in range(2))
    x = mg.tensor(words())
    first = one(x).numpy()
    np.testing.assert_array_equal(other(x).numpy(), first)
    assert not np.array_equal(one(x).numpy(), first)
    quiet = one.eval()(x).numpy()
    np.testing.assert_array_equal(one(x).numpy(), quiet)


def test_both_networks_with_an_lstm_drop_its_states():
    x = mg.tensor(words())
    for name in ("embed_lstm", "embed_conv_lstm"):
        model = build(name, drop_prob=0.0, recurrent_drop_prob=0.5)
        assert not np.array_equal(model(x).numpy(), model(x).numpy())


def test_a_text_shorter_than_the_filters_is_refused():
    with pytest.raises(ShapeError, match="conv1d"):
        build("embed_conv_lstm")(mg.tensor(words(length=4)))
