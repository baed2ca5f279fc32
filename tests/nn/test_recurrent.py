"""Recurrent layers: lengths, masks, dropout, states, and what they refuse."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import inspect, manual_seed, nn, tensor
from minigrad.errors import ArgumentError, DTypeError, ShapeError
from minigrad.kernels import _over_time, _recurrent
from minigrad.tape import no_grad
from minigrad.testing import check_function

LAYERS = [nn.RNN, nn.GRU, nn.LSTM]
every_layer = pytest.mark.parametrize("kind", LAYERS)


def values(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


@every_layer
def test_names_and_shapes_are_those_of_pytorch(kind):
    layer = kind(2, 3, num_layers=2, bidirectional=True)
    gates = {"RNN": 1, "GRU": 3, "LSTM": 4}[kind.__name__]
    shapes = {name: value.shape for name, value in layer.named_parameters()}
    assert list(shapes)[:5] == [
        "weight_ih_l0",
        "weight_hh_l0",
        "bias_ih_l0",
        "bias_hh_l0",
        "weight_ih_l0_reverse",
    ]
    assert shapes["weight_ih_l1_reverse"] == (gates * 3, 6)
    assert shapes["weight_hh_l1"] == (gates * 3, 3)
    assert len(shapes) == 16
    bound = 1 / np.sqrt(3)
    assert all(np.abs(p.data).max() <= bound for p in layer.parameters())
    assert len(list(kind(2, 3, bias=False).parameters())) == 2


@every_layer
def test_the_gradient_is_that_of_the_whole_layer(kind):
    layer = kind(2, 2, 2, bidirectional=True, dtype="float64")
    check_function(lambda x: layer(x, lengths=[2, 3])[0], values(3, 2, 2))


@every_layer
def test_a_mask_says_what_lengths_say(kind):
    layer = kind(2, 3, bidirectional=True, batch_first=True)
    x = values(3, 4, 2)
    lengths = np.array([4, 1, 3])
    mask = np.arange(4) < lengths[:, None]
    by_lengths, by_mask = layer(x, lengths=lengths), layer(x, lengths=tensor(mask))
    assert_array_equal(by_lengths[0].data, by_mask[0].data)
    for n, length in enumerate(lengths):
        alone, _ = layer(x[n : n + 1, :length])
        assert_allclose(by_lengths[0].data[n, :length], alone.data[0], rtol=1e-5)
        assert not by_lengths[0].data[n, length:].any()


@every_layer
def test_full_lengths_are_no_lengths(kind):
    layer = kind(2, 3)
    x = values(4, 2, 2)
    assert_array_equal(layer(x, lengths=[4, 4])[0].data, layer(x)[0].data)
    assert layer(tensor(x), lengths=[4, 4])[0].node.scope is layer


@every_layer
def test_every_backend_gives_the_same(kind, backend):
    layer = kind(2, 3, 2, bidirectional=True)
    x = values(4, 2, 2)
    y, _ = layer.to(backend)(tensor(x), lengths=[4, 2])
    y.sum().backward()
    gradient = layer.weight_hh_l0.grad.numpy()
    y_host, _ = layer.to("numpy")(tensor(x).to("numpy"), lengths=[4, 2])
    y_host.sum().backward()
    assert_allclose(y.detach().numpy(), y_host.detach().numpy(), rtol=1e-6)
    assert_allclose(gradient, layer.weight_hh_l0.grad.numpy(), rtol=1e-4, atol=1e-6)


@every_layer
def test_a_frozen_weight_costs_no_product(kind, monkeypatch):
    calls = []
    product = _over_time.to_weight

    def counted(dz, x, order):
        calls.append(x.shape[2])
        return product(dz, x, order)

    monkeypatch.setattr(_recurrent.over, "to_weight", counted)
    monkeypatch.setattr(_recurrent.over, "to_x", lambda *_: pytest.fail("dx"))
    layer = kind(5, 3)
    layer.weight_hh_l0.requires_grad = False
    layer(tensor(values(4, 2, 5)))[0].sum().backward()
    assert calls == [5]
    assert not layer.weight_hh_l0.has_grad
    layer.requires_grad_(False)
    monkeypatch.undo()
    x = tensor(values(4, 2, 5), requires_grad=True)
    layer(x)[0].sum().backward()
    assert x.has_grad


@every_layer
def test_backward_twice_doubles_every_gradient(kind):
    layer = kind(2, 3)
    x = tensor(values(4, 2, 2), requires_grad=True)
    loss = layer(x)[0].square().sum()
    loss.backward(retain_graph=True)
    leaves = [x, *layer.parameters()]
    once = [leaf.grad.data.copy() for leaf in leaves]
    loss.backward()
    for leaf, gradient in zip(leaves, once, strict=True):
        assert_array_equal(leaf.grad.data, 2 * gradient)


@every_layer
def test_looking_changes_no_bit_and_shows_gates(kind):
    layer = kind(2, 3)
    x = values(4, 2, 2)
    layer(x)[0].square().sum().backward()
    plain = [p.grad.data.copy() for p in layer.parameters()]
    layer.zero_grad()
    with inspect.gradient_flow(layer) as flow:
        layer(x)[0].square().sum().backward()
    flow.assert_conserved()
    for parameter, gradient in zip(layer.parameters(), plain, strict=True):
        assert_array_equal(parameter.grad.data, gradient)
    gate = {"RNN": "direct", "GRU": "new_gate", "LSTM": "cell_gate"}[kind.__name__]
    assert gate in str(flow.into("weight_hh_l0").table())


@every_layer
def test_dropout_acts_between_layers_in_training_only(kind):
    layer = kind(2, 3, num_layers=2, dropout=0.5)
    x = values(4, 2, 2)
    manual_seed(1)
    y = layer(x)[0].data
    assert not np.array_equal(layer(x)[0].data, y)
    manual_seed(1)
    assert_array_equal(layer(x)[0].data, y)
    plain = kind(2, 3, num_layers=2)
    plain.load_state_dict(layer.state_dict())
    assert_array_equal(layer.eval()(x)[0].data, plain(x)[0].data)
    # With everything dropped the second layer sees zeros.
    layer = kind(2, 3, num_layers=2, dropout=1.0)
    assert_array_equal(layer(x)[0].data, layer(2 * x)[0].data)


def test_one_layer_has_nothing_to_drop():
    layer = nn.LSTM(2, 3, dropout=0.5)
    x = values(4, 2, 2)
    assert_array_equal(layer(x)[0].data, layer(x)[0].data)


def test_repr_shows_what_is_not_as_by_default():
    assert repr(nn.GRU(2, 3)) == "GRU(2, 3)"
    layer = nn.LSTM(2, 3, 2, bias=False, batch_first=True, bidirectional=True)
    options = "num_layers=2, bias=False, batch_first=True, bidirectional=True"
    assert repr(layer) == f"LSTM(2, 3, {options})"
    assert repr(nn.RNN(2, 3, nonlinearity="relu")) == "RNN(2, 3, nonlinearity=relu)"
    assert "(between): Dropout(p=0.5)" in repr(nn.RNN(2, 3, 2, dropout=0.5))
    assert repr(nn.LSTMCell(2, 3, bias=False)) == "LSTMCell(2, 3, bias=False)"


def test_an_empty_batch_passes():
    layer = nn.LSTM(2, 3, bidirectional=True)
    y, (h, c) = layer(values(4, 0, 2))
    assert (y.shape, h.shape, c.shape) == ((4, 0, 6), (2, 0, 3), (2, 0, 3))
    y.sum().backward()
    assert not layer.weight_hh_l0.grad.data.any()
    assert layer(values(4, 0, 2), lengths=[])[0].shape == (4, 0, 6)


def test_a_chain_of_cells_is_a_layer():
    layer, cell = nn.LSTM(2, 3), nn.LSTMCell(2, 3)
    state = {name.removesuffix("_l0"): p for name, p in layer.state_dict().items()}
    cell.load_state_dict(state)
    x = tensor(values(5, 2, 2))
    y, _ = layer(x)
    both = None
    for t in range(5):
        both = cell(x[t], both)
        assert_allclose(both[0].data, y.data[t], rtol=1e-5, atol=1e-6)
    both[0].square().sum().backward()
    y[-1].square().sum().backward()
    gradients = {name: p.grad.data for name, p in layer.named_parameters()}
    for name, parameter in cell.named_parameters():
        assert_allclose(
            parameter.grad.data, gradients[f"{name}_l0"], rtol=1e-4, atol=1e-6
        )


@pytest.mark.parametrize(
    ("lengths", "error", "message"),
    [
        (
            [4, 0, 3],
            ArgumentError,
            r"LSTM: lengths\[1\] is 0, expected 1 to 4, the steps of x; take empty",
        ),
        (
            [4, 3, 5],
            ArgumentError,
            r"lengths\[2\] is 5, expected 1 to 4, the steps of x$",
        ),
        ([-1, 3, 2], ArgumentError, r"lengths\[0\] is -1, expected 1 to 4"),
        ([True, True, False], ShapeError, r"mask has shape \(3,\), expected \(4, 3\)"),
        ([4, 3], ShapeError, r"lengths have shape \(2,\), expected \(3,\), one for"),
        ([1.0, 2.0, 3.0], DTypeError, "lengths have dtype float64, expected integers"),
        ([[1], [2, 3]], DTypeError, "lengths have dtype object, expected integers"),
        ("abc", DTypeError, "lengths have dtype <U3, expected integers"),
        (
            np.ones((3, 4), bool),
            ShapeError,
            r"mask has shape \(3, 4\), expected \(4, 3",
        ),
        (
            np.arange(4)[:, None] < [4, 2, 0],
            ArgumentError,
            "LSTM: the mask of sequence 2 is False at all steps, expected one step of",
        ),
    ],
)
def test_lengths_that_do_not_fit_are_refused(lengths, error, message):
    with pytest.raises(error, match=message):
        nn.LSTM(2, 3)(values(4, 3, 2), lengths=lengths)


def test_lengths_of_one_sequence_are_refused():
    with pytest.raises(ArgumentError, match="GRU: lengths are given, expected none"):
        nn.GRU(2, 3)(values(4, 2), lengths=[3])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nn.RNN(0, 3), "RNN: input_size 0, expected an integer >= 1"),
        (lambda: nn.GRU(2, 3.0), "GRU: hidden_size 3.0, expected an integer >= 1"),
        (lambda: nn.LSTM(2, 3, 0), "LSTM: num_layers 0, expected an integer >= 1"),
        (lambda: nn.GRUCell(2, -1), "GRUCell: hidden_size -1, expected an integer"),
        (lambda: nn.RNN(2, 3, 1, "elu"), "RNN: nonlinearity 'elu', expected 'tanh' or"),
        (lambda: nn.RNNCell(2, 3, nonlinearity=1), "RNNCell: nonlinearity 1, expected"),
        (lambda: nn.GRU(2, 3, dropout=2), "p 2, expected 0 <= p <= 1"),
        (
            lambda: nn.LSTM(2, 3)(values(4, 1, 2), tensor(values(1, 1, 3))),
            r"LSTM: state is a Tensor, expected a pair \(h, c\)",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(build, message):
    with pytest.raises(ArgumentError, match=message):
        build()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: nn.RNN(2, 3)(values(4, 1, 3)),
            r"RNN: x has shape \(4, 1, 3\), expect",
        ),
        (lambda: nn.RNN(2, 3)(values(2)), r"expected \(T, N, 2\) or \(T, 2\)"),
        (lambda: nn.RNN(2, 3)(values(0, 1, 2)), "at least one time step"),
        (
            lambda: nn.GRU(2, 3, batch_first=True)(values(4, 1, 2), values(1, 1, 3)),
            r"GRU: a state has shape \(1, 1, 3\), expected \(1, 4, 3\)",
        ),
        (lambda: nn.GRUCell(2, 3)(values(4, 3)), r"GRUCell: x has shape \(4, 3\)"),
        (
            lambda: nn.LSTMCell(2, 3)(values(2), (values(1, 3), values(1, 3))),
            r"LSTMCell: a state has shape \(1, 3\), expected \(3,\)",
        ),
    ],
)
def test_shapes_that_do_not_fit_are_refused(call, message):
    with pytest.raises(ShapeError, match=message):
        call()


def test_nothing_is_recorded_under_no_grad():
    with no_grad():
        y, (h, c) = nn.LSTM(2, 3)(values(4, 1, 2))
    assert not any(out.requires_grad for out in (y, h, c))
