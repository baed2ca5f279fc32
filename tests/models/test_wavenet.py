import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad as mg
from minigrad import functional as F
from minigrad.errors import ArgumentError, BadIndexError, ShapeError
from models.networks.wavenet import OneHotConv, WaveNet
from models.networks.wavenet_sampling import Sampler, generate

SMALL = {"filters": 6, "skip_filters": 5, "dilations": (1, 2, 4, 1, 2), "bins": 16}
PUBLISHED_DILATIONS = [2**depth for depth in range(10)]


def wavenet(dtype="float64", seed=0, **changes):
    return WaveNet(**{**SMALL, **changes}, seed=seed).to(dtype)


def codes_of(batch, length, bins=16, seed=0):
    return np.random.default_rng(seed).integers(bins, size=(batch, length))


def size(model):
    return sum(parameter.size for parameter in model.parameters())


def torch_logits(torch, weights, codes, dilations, bins):
    """The network by the paper's formulas, on one-hot columns, with PyTorch alone."""
    functional = torch.nn.functional

    def conv(name, x, dilation=1):
        weight = weights[f"{name}.weight"]
        x = functional.pad(x, (dilation * (weight.shape[2] - 1), 0))
        return functional.conv1d(x, weight, dilation=dilation)

    one_hot = functional.one_hot(torch.from_numpy(codes), bins).transpose(1, 2)
    x, total = conv("first.conv", one_hot.to(weights["first.conv.weight"].dtype)), 0
    for number, dilation in enumerate(dilations):
        name = f"blocks.{number}"
        net = conv(f"{name}.filter", x, dilation)
        z = torch.tanh(net) * torch.sigmoid(conv(f"{name}.gate", x, dilation))
        total = total + conv(f"{name}.skip", z)
        if f"{name}.residual.weight" in weights:
            x = x + conv(f"{name}.residual", z)
    hidden = conv("head.hidden", torch.relu(total))
    return conv("head.output", torch.relu(hidden))


def expect_twin(torch, model, dilations, codes, targets, tolerance):
    """Logits and the gradients of every weight are PyTorch's."""
    weights = {
        name: torch.from_numpy(array.copy()).requires_grad_()
        for name, array in model.state_dict().items()
    }
    bins = model.first.conv.in_channels
    expected = torch_logits(torch, weights, codes, dilations, bins)
    logits = model(codes)
    np.testing.assert_allclose(
        logits.numpy(), expected.detach().numpy(), rtol=tolerance, atol=tolerance
    )
    F.cross_entropy(logits, targets).backward()
    torch.nn.functional.cross_entropy(expected, torch.from_numpy(targets)).backward()
    for name, parameter in model.named_parameters():
        wanted = weights[name].grad.numpy()
        error = np.abs(parameter.grad.numpy() - wanted).max()
        assert error <= tolerance * np.abs(wanted).max(), name


def test_logits_and_gradients_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    model = wavenet()
    codes, targets = codes_of(3, 23), codes_of(3, 23, seed=1)
    expect_twin(torch, model, SMALL["dilations"], codes, targets, 1e-9)


@pytest.mark.slow
def test_the_published_size_computes_what_pytorch_does():
    torch = pytest.importorskip("torch")
    model = WaveNet(seed=0).to("float64")
    codes, targets = codes_of(1, 1100, 256), codes_of(1, 1100, 256, seed=1)
    expect_twin(torch, model, PUBLISHED_DILATIONS, codes, targets, 1e-9)


def test_the_published_size_has_2_to_the_22_weights_but_for_one_unused_layer():
    first, head = 2 * 256 * 256, 2 * 256 * 256
    block = (2 + 2 + 1 + 1) * 256 * 256
    model = WaveNet(seed=0)
    assert size(model) == first + 10 * block - 256 * 256 + head == 4_128_768
    assert size(model) + 256 * 256 == 2**22
    assert model.receptive_field == 1025
    assert all(weight.ndim == 3 for weight in model.parameters()), "no biases"


@pytest.mark.slow
def test_a_step_at_the_published_size_lowers_the_loss():
    model = WaveNet(seed=0)
    codes, targets = codes_of(2, 1152, 256), codes_of(2, 128, 256, seed=1)
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True)
    losses = []
    for _ in range(2):
        loss = F.cross_entropy(model(codes, "valid"), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[1] < losses[0]


def test_looking_codes_up_is_convolving_one_hot_columns(backend):
    layer = OneHotConv("first", 16, 6, seed=0).to("float64").to(backend)
    codes = codes_of(3, 9)
    one_hot = mg.tensor(np.eye(16)[codes].transpose(0, 2, 1)).to(backend)
    dy = np.random.default_rng(2).standard_normal((3, 6, 9))
    gradients = []
    for padding, start in (("causal", 0), ("valid", 1)):
        made = layer(mg.tensor(codes).to(backend), padding)
        expected = F.conv1d(one_hot, layer.conv.weight, padding="causal")[:, :, start:]
        np.testing.assert_allclose(made.numpy(), expected.numpy(), rtol=1e-12)
        for y in (made, expected):
            layer.zero_grad()
            y.backward(mg.tensor(dy[:, :, start:]).to(backend))
            gradients.append(layer.conv.weight.grad.numpy())
        np.testing.assert_allclose(*gradients[-2:], rtol=1e-12, atol=1e-15)
    assert np.abs(gradients[0] - gradients[2]).max() > 0.1, "another y, another dw"


@given(
    dilations=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    extra=st.integers(0, 5),
    seed=st.integers(0, 2**32 - 1),
)
def test_valid_outputs_are_the_last_of_the_causal_ones(dilations, extra, seed):
    model = wavenet(dilations=dilations, filters=3, skip_filters=4, seed=seed)
    codes = codes_of(2, model.receptive_field + extra, seed=seed)
    valid, causal = model(codes, "valid").numpy(), model(codes).numpy()
    assert valid.shape == (2, 16, extra + 1)
    np.testing.assert_allclose(valid, causal[:, :, -extra - 1 :], rtol=1e-9, atol=1e-12)


def test_gradients_of_valid_outputs_are_those_of_the_causal_ones():
    model = wavenet()
    codes, targets = codes_of(2, 16), codes_of(2, 5, seed=1)
    gradients = []
    for logits in (model(codes, "valid"), model(codes)[:, :, -5:]):
        model.zero_grad()
        F.cross_entropy(logits, targets).backward()
        gradients.append([one.grad.numpy() for one in model.parameters()])
    for valid, causal in zip(*gradients, strict=True):
        np.testing.assert_allclose(valid, causal, rtol=1e-9, atol=1e-12)


def changes_behind(model, codes, place):
    """Positions whose logits change with the code at place."""
    other = codes.copy()
    other[0, place] = (other[0, place] + 1) % 16
    difference = model(codes).numpy() - model(other).numpy()
    return np.flatnonzero(np.abs(difference[0]).max(0))


def test_a_code_reaches_the_receptive_field_and_nothing_before_it():
    # Dilations that leave no gap: every output of the field sees the code.
    model = wavenet(dilations=(1, 2, 4))
    codes = codes_of(1, 30)
    reached = changes_behind(model, codes, 10)
    assert reached.tolist() == list(range(10, 10 + model.receptive_field))


def test_equal_seeds_start_equal_and_blocks_keep_their_start():
    one, again, other = wavenet(), wavenet(), wavenet(seed=1)
    longer = wavenet(dilations=(1, 2, 4, 1, 2, 4))
    state = one.state_dict()
    for name, weight in state.items():
        np.testing.assert_array_equal(weight, again.state_dict()[name])
        np.testing.assert_array_equal(weight, longer.state_dict()[name])
        assert (weight != other.state_dict()[name]).any()
        std = math.sqrt(2 / math.prod(weight.shape[1:]))
        assert 0.5 * std < weight.std() < 1.5 * std, name


@given(
    dilations=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    length=st.integers(1, 20),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_step_with_caches_is_the_forward_pass(dilations, length, seed):
    model = wavenet(dilations=dilations, seed=seed)
    codes = codes_of(1, length, seed=seed)
    sampler = Sampler(model)
    stepped = np.stack([sampler.step(code) for code in codes[0]], axis=1)
    np.testing.assert_allclose(stepped, model(codes).numpy()[0], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("temperature", [1.0, 0.5])
@pytest.mark.parametrize("start", [None, np.array([3, 9, 2])])
def test_drawn_codes_follow_the_softmax_of_the_plain_forward(start, temperature):
    model = wavenet()
    made = generate(model, 12, np.random.default_rng(5), start, temperature)
    heard = [8] if start is None else start.tolist()
    for code, number in zip(made, np.random.default_rng(5).random(12), strict=True):
        logits = model(np.array([heard])).numpy()[0, :, -1] / temperature
        p = np.exp(logits - logits.max())
        sums = np.cumsum(p / p.sum())
        assert (sums[code - 1] if code else 0) <= number < sums[code]
        heard.append(int(code))


def test_a_temperature_of_0_takes_the_likeliest_and_the_limit_agrees():
    model = wavenet()
    likeliest = generate(model, 20, np.random.default_rng(0), temperature=0)
    cold = generate(model, 20, np.random.default_rng(0), temperature=1e-300)
    np.testing.assert_array_equal(likeliest, cold)
    heard = np.array([[8, *likeliest[:-1]]])
    np.testing.assert_array_equal(model(heard).numpy()[0].argmax(0), likeliest)


def test_a_generator_fixes_the_sound():
    model = wavenet("float32")
    one, again, other = (
        generate(model, 50, np.random.default_rng(seed)) for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert generate(model, 0, np.random.default_rng(0)).shape == (0,)


BAD_NETWORKS = [
    (lambda: wavenet(dilations=()), "dilations are .*, expected at least one block"),
    (lambda: wavenet(dilations=(1, 0)), "dilation"),
    (lambda: wavenet(filters=0), "out_channels"),
]


@pytest.mark.parametrize(("make", "words"), BAD_NETWORKS)
def test_a_network_that_cannot_be_is_refused(make, words):
    with pytest.raises(ArgumentError, match=words):
        make()


BAD_CODES = [
    (np.zeros((1, 9), int), "same", ArgumentError, "padding is 'same', expected"),
    (np.zeros((1, 11), int), "valid", ShapeError, "T at least 12 for padding='valid'"),
    (np.zeros((1, 0), int), "causal", ShapeError, "T at least 1"),
    (np.zeros(9, int), "causal", ShapeError, r"have shape \(9,\), expected \(N, T\)"),
    (np.full((1, 9), 16), "causal", BadIndexError, "16"),
]


@pytest.mark.parametrize(("codes", "padding", "error", "words"), BAD_CODES)
def test_codes_that_cannot_be_are_refused(codes, padding, error, words):
    with pytest.raises(error, match=words):
        wavenet()(codes, padding)


BAD_SOUNDS = [
    ({"length": -1}, "length is -1, expected at least 0"),
    ({"temperature": -1.0}, "temperature is -1.0, expected a finite number"),
    ({"temperature": math.nan}, "temperature is nan"),
    ({"start": np.array([16])}, "from 16 to 16, expected 0 to 15"),
    ({"start": np.array([], int)}, r"shape \(0,\), expected integers"),
    ({"start": np.array([0.5])}, "float64"),
]


@pytest.mark.parametrize(("options", "words"), BAD_SOUNDS)
def test_sounds_that_cannot_be_are_refused(options, words):
    with pytest.raises(ArgumentError, match=words):
        generate(wavenet(), **{"length": 2, "rng": np.random.default_rng(0), **options})


def test_a_network_that_broke_is_said_to_have():
    model = wavenet()
    model.head[3].weight.data[0] = np.nan
    with pytest.raises(ArgumentError, match="not finite, expected finite ones"):
        generate(model, 1, np.random.default_rng(0))
