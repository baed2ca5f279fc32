import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import Streams, generator, manual_seed
from minigrad.tape import tensor
from minigrad.testing.fake_device import fake_device

ACTIVATIONS = [
    ("ReLU", {}),
    ("LeakyReLU", {}),
    ("LeakyReLU", {"negative_slope": 0.3}),
    ("ELU", {"alpha": 0.5}),
    ("GELU", {}),
    ("GELU", {"approximate": "tanh"}),
    ("SiLU", {}),
    ("Sigmoid", {}),
    ("Tanh", {}),
    ("Hardtanh", {"min_val": -0.3, "max_val": 0.8}),
    ("Softplus", {"beta": 2.0, "threshold": 1.0}),
    ("Softmax", {"dim": 1}),
    ("LogSoftmax", {"dim": 0}),
    ("Identity", {}),
    ("Flatten", {}),
    ("Flatten", {"start_dim": 0}),
    ("Flatten", {"start_dim": 1, "end_dim": 2}),
    ("Flatten", {"start_dim": -1}),
]
LOSSES = [
    ("CrossEntropyLoss", {}, "labels"),
    ("CrossEntropyLoss", {"label_smoothing": 0.1, "reduction": "sum"}, "labels"),
    ("CrossEntropyLoss", {"ignore_index": 2, "reduction": "none"}, "labels"),
    ("MSELoss", {}, "numbers"),
    ("MSELoss", {"reduction": "sum"}, "numbers"),
    ("BCEWithLogitsLoss", {"reduction": "none"}, "numbers"),
    ("HuberLoss", {"delta": 0.4}, "numbers"),
]


def values(*shape):
    return generator(0, "values").normal(size=shape)


@pytest.mark.parametrize(("name", "options"), ACTIVATIONS)
def test_layer_is_that_of_pytorch(name, options):
    torch = pytest.importorskip("torch")
    ours, theirs = getattr(nn, name)(**options), getattr(torch.nn, name)(**options)
    array = values(3, 4, 2, 2)
    x = tensor(array, requires_grad=True)
    x_torch = torch.tensor(array, requires_grad=True)
    y, y_torch = ours(x), theirs(x_torch)
    assert y.shape == tuple(y_torch.shape)
    assert_allclose(y.data, y_torch.detach().numpy(), rtol=1e-12, atol=1e-14)
    if y is not x:
        dy = values(*y.shape)
        y.backward(dy)
        y_torch.backward(torch.tensor(dy))
        assert_allclose(x.grad.data, x_torch.grad.numpy(), rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("name", "options", "kind"), LOSSES)
def test_loss_is_that_of_pytorch(name, options, kind):
    torch = pytest.importorskip("torch")
    x = values(5, 3)
    t = numpy.array([0, 2, 1, 1, 0]) if kind == "labels" else values(5, 3) ** 2 / 9
    ours = getattr(nn, name)(**options)(tensor(x), tensor(t))
    theirs = getattr(torch.nn, name)(**options)(torch.tensor(x), torch.tensor(t))
    assert_allclose(ours.data, theirs.numpy(), rtol=1e-12)


@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_that_of_pytorch_with_its_state(bias):
    torch = pytest.importorskip("torch")
    theirs = torch.nn.Linear(4, 3, bias=bias)
    ours = nn.Linear(4, 3, bias=bias)
    state = {name: value.numpy() for name, value in theirs.state_dict().items()}
    ours.load_state_dict(state)
    x = values(2, 5, 4).astype("float32")
    expected = theirs(torch.tensor(x)).detach().numpy()
    assert_allclose(ours(tensor(x)).data, expected, rtol=1e-5, atol=1e-6)
    assert list(ours.state_dict()) == list(state)


def test_linear_starts_uniform_within_one_over_the_root_of_its_inputs():
    layer = nn.Linear(400, 50, rng=generator(0, "linear"))
    for parameter in layer.parameters():
        values = numpy.abs(parameter.data)
        assert 0.9 / 20 < values.max() <= 1 / 20
        assert parameter.dtype == "float32"


def test_linear_takes_a_dtype_and_refuses_empty_sides():
    assert nn.Linear(2, 2, dtype="float64").weight.dtype == "float64"
    with pytest.raises(
        ArgumentError, match="in_features 0 and out_features 2, expected"
    ):
        nn.Linear(0, 2)


def test_flatten_refuses_axes_in_the_wrong_order():
    with pytest.raises(ArgumentError, match="start_dim 2 lies behind end_dim 1"):
        nn.Flatten(2, 1)(tensor(values(2, 2, 2)))


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.Flatten(5), (2, 2, 2, 2), r"start_dim 5, expected an axis of x \(2, 2, 2"),
        (nn.Flatten(0, -3), (2, 2), r"end_dim -3, expected an axis of x \(2, 2\)"),
        (nn.Flatten(), (), r"start_dim 1, expected an axis of x \(\)"),
    ],
)
def test_flatten_refuses_axes_that_x_has_not(layer, shape, message):
    with pytest.raises(ArgumentError, match=message):
        layer(tensor(values(*shape)))


@pytest.mark.parametrize(
    ("layer", "shape", "flat"),
    [
        (nn.Flatten(), (0, 3, 2), (0, 6)),
        (nn.Flatten(), (2, 0, 3), (2, 0)),
        (nn.Flatten(0), (), (1,)),
    ],
)
def test_flatten_takes_nothing_and_numbers(layer, shape, flat):
    assert layer(tensor(numpy.ones(shape))).shape == flat


@pytest.mark.parametrize("layer", [nn.Dropout, nn.Dropout2d])
def test_dropout_keeps_the_mean_and_gates_the_gradient(layer):
    x = tensor(numpy.ones((200, 50, 2), "float32"), requires_grad=True)
    y = layer(0.25, rng=Streams(0))(x)
    assert_allclose(numpy.unique(y.data), [0, 4 / 3], rtol=1e-6)
    assert_allclose(y.data.mean(), 1, atol=0.02)
    y.backward(numpy.ones_like(x.data))
    assert_array_equal(x.grad.data, y.data)


def test_dropout2d_drops_whole_channels():
    y = nn.Dropout2d(0.5, rng=Streams(0))(tensor(numpy.ones((8, 8, 3, 3))))
    assert_array_equal(y.data, numpy.broadcast_to(y.data[..., :1, :1], y.shape))


def test_dropout_does_nothing_and_draws_nothing_in_evaluation():
    streams = Streams(0)
    layer = nn.Dropout(0.5, rng=streams)
    x = tensor([1.0, 2.0])
    assert layer.eval()(x) is x
    assert nn.Dropout(0, rng=streams)(x) is x
    assert streams.steps == {}
    assert_array_equal(nn.Dropout(1.0)(x).data, [0, 0])


def test_masks_follow_from_seed_stream_and_number_of_calls():
    x = tensor(numpy.ones(64, "float32"))

    def masks(name):
        layer = nn.Dropout(0.5, rng=Streams(7), name=name)
        return [layer(x).tolist() for _ in range(3)]

    assert masks("dropout") == masks("dropout")
    assert masks("dropout") != masks("other")
    assert len({tuple(mask) for mask in masks("dropout")}) == 3


def test_layers_that_share_a_stream_get_different_masks():
    manual_seed(3)
    x = tensor(numpy.ones(64, "float32"))
    first, second = nn.Dropout(), nn.Dropout()
    assert first(x).tolist() != second(x).tolist()


def test_device_gets_the_same_masks():
    x = tensor(numpy.ones(64, "float32"))
    expected = nn.Dropout(rng=Streams(1))(x).data
    with fake_device():
        y = nn.Dropout(rng=Streams(1))(x.to("fake"))
        assert_array_equal(y.numpy(), expected)


def test_dropout_refuses_what_is_no_probability():
    with pytest.raises(ArgumentError, match=r"Dropout: p 1\.5, expected 0 <= p <= 1"):
        nn.Dropout(1.5)
    with pytest.raises(ArgumentError, match="Dropout: p 'a', expected 0 <= p <= 1"):
        nn.Dropout("a")
    with pytest.raises(ArgumentError, match="Dropout2d: p None, expected 0 <= p <= 1"):
        nn.Dropout2d(None)


def test_dropout_draws_from_a_generator_and_refuses_what_is_none():
    x = tensor(numpy.ones(64, "float32"))
    layer = nn.Dropout(0.5, rng=numpy.random.default_rng(0))
    draws = numpy.random.default_rng(0)
    for _ in range(2):
        assert_array_equal(layer(x).data, F.dropout(x, 0.5, rng=draws).data)
    with pytest.raises(ArgumentError, match="Dropout: rng 3, expected Streams, a Num"):
        nn.Dropout(0.5, rng=3)


def test_gaaf_gives_the_plain_value_in_evaluation_and_the_same_gradient():
    layer = nn.GAAF("tanh", k=100.0)
    array = values(50)
    plain = numpy.tanh(array)
    x, x_eval = tensor(array, requires_grad=True), tensor(array, requires_grad=True)
    y = layer(x)
    y_eval = layer.eval()(x_eval)
    assert_array_equal(y_eval.data, plain)
    assert 0 < numpy.abs(y.data - plain).max() <= 0.5 / 100
    dy = values(50)
    y.backward(dy)
    y_eval.backward(dy)
    assert_array_equal(x.grad.data, x_eval.grad.data)


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (nn.ReLU(), "ReLU()"),
        (nn.LeakyReLU(0.2), "LeakyReLU(negative_slope=0.2)"),
        (nn.ELU(), "ELU(alpha=1.0)"),
        (nn.GELU(), "GELU(approximate='none')"),
        (nn.Hardtanh(), "Hardtanh(min_val=-1.0, max_val=1.0)"),
        (nn.Softplus(), "Softplus(beta=1.0, threshold=20.0)"),
        (nn.Softmax(), "Softmax(dim=-1)"),
        (nn.LogSoftmax(1), "LogSoftmax(dim=1)"),
        (nn.Flatten(), "Flatten(start_dim=1, end_dim=-1)"),
        (nn.Dropout(0.1), "Dropout(p=0.1)"),
        (nn.Dropout2d(name="a"), "Dropout2d(p=0.5, name='a')"),
        (nn.GAAF(), "GAAF('tanh', shape=None, k=10000, mode='exact')"),
    ],
)
def test_repr_shows_the_arguments(layer, text):
    assert repr(layer) == text
