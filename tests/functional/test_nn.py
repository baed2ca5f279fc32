"""What the functions of layers add to their kernels: names, defaults, random masks."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad.errors import ArgumentError, ShapeError
from minigrad.functional import nn
from minigrad.kernels import gaaf
from minigrad.random import Streams, generator, manual_seed
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
        lambda x: nn.dropout(x, rng=generator(0, "mask")),
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


def test_dropout_keeps_the_mean():
    y = nn.dropout(tensor(np.ones(20_000)), 0.3, rng=Streams(0)).numpy()
    assert set(np.unique(y.round(3))) == {0, 1.429}
    assert_allclose(y.mean(), 1, atol=0.02)


def test_dropped_elements_get_no_gradient():
    x = tensor(X, requires_grad=True)
    y = nn.dropout(x, 0.5, rng=Streams(0))
    y.backward(np.ones(X.shape))
    assert_allclose(x.grad.numpy(), np.where(y.numpy() == 0, 0, 2))


def test_a_stream_gives_a_new_mask_each_time():
    streams = Streams(0)
    first, second = (nn.dropout(tensor(X), rng=streams).tolist() for _ in range(2))
    assert first != second
    assert first == nn.dropout(tensor(X), rng=Streams(0)).tolist()
    assert streams.state_dict()["steps"] == {"dropout": 2}


def test_default_masks_follow_the_seed():
    manual_seed(7)
    first = nn.dropout(tensor(X)).tolist()
    manual_seed(7)
    assert first == nn.dropout(tensor(X)).tolist()
    assert first == nn.dropout(tensor(X), rng=Streams(7)).tolist()


def test_dropout_does_nothing_in_evaluation_and_for_p_zero():
    x = tensor(X)
    assert nn.dropout(x, 0.5, training=False) is x
    assert nn.dropout(x, 0.0) is x


def test_dropout_of_everything_gives_zeros():
    x = tensor(X, requires_grad=True)
    y = nn.dropout(x, 1.0, rng=Streams(0))
    y.backward(np.ones(X.shape))
    assert_array_equal(y.numpy(), np.zeros(X.shape))
    assert_array_equal(x.grad.numpy(), np.zeros(X.shape))


def test_dropout2d_drops_whole_channels():
    y = nn.dropout2d(tensor(np.ones((8, 9, 3, 3))), rng=Streams(0)).numpy()
    assert_array_equal(y, np.broadcast_to(y[:, :, :1, :1], y.shape))
    assert 0 < (y[:, :, 0, 0] == 0).sum() < 72


@pytest.mark.parametrize("p", [-0.1, 1.1])
@pytest.mark.parametrize("training", [True, False])
def test_p_beyond_probabilities_is_refused(p, training):
    with pytest.raises(ArgumentError, match=f"dropout: p {p}, expected 0 <= p <= 1"):
        nn.dropout(tensor(X), p, training)


def test_dropout2d_without_channels_is_refused():
    with pytest.raises(ShapeError, match=r"x has shape \(3,\), expected \(N, C, ...\)"):
        nn.dropout2d(tensor(np.ones(3)))


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


def test_dropout_takes_lists():
    assert nn.dropout([1.0, 2.0], training=False).dtype == np.float32
