"""VariationalLSTM: one mask for the inputs and one for the states of a sequence."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError
from minigrad.random import Streams
from minigrad.tape import tensor
from minigrad.testing import fake_device

X = np.random.default_rng(0).standard_normal((7, 5, 3))
LENGTHS = [7, 1, 4, 2, 7]


def pair(*, p=0.5, recurrent_p=0.5, dtype="float64", **options):
    """Make an LSTM and a VariationalLSTM with its weights."""
    plain = nn.LSTM(3, 16, **options, dtype=dtype)
    layer = nn.VariationalLSTM(
        3, 16, p=p, recurrent_p=recurrent_p, **options, dtype=dtype, rng=Streams(0)
    )
    layer.load_state_dict(plain.state_dict())
    return plain, layer


def flat(result):
    y, (h, c) = result
    return np.concatenate([part.numpy().ravel() for part in (y, h, c)])


def redrawn(widths, count=5, p=0.5):
    """Draw the factors (N, width) that a layer with Streams(0) has drawn, in order."""
    streams = Streams(0)
    ones = (tensor(np.ones((count, width))) for width in widths)
    return [F.dropout(one, p, rng=streams).numpy() for one in ones]


OPTIONS = [{}, {"bidirectional": True, "num_layers": 2}, {"bias": False}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_without_drops_every_bit_is_that_of_lstm(options, lengths):
    plain, layer = pair(**options)
    expected = flat(plain(tensor(X), lengths=lengths))
    assert_array_equal(flat(layer.eval()(tensor(X), lengths=lengths)), expected)
    layer.train()
    layer.p = layer.recurrent_p = 0
    assert_array_equal(flat(layer(tensor(X), lengths=lengths)), expected)
    assert layer.rng.steps == {}


def run_torch(torch, layer, x, factors):
    """Run PyTorch's cell step by step, by masks that are given."""
    by_x, by_h = (torch.from_numpy(factor) for factor in factors)
    cell = torch.nn.LSTMCell(3, 16, dtype=torch.float64)
    state = {name: torch.from_numpy(a) for name, a in layer.state_dict().items()}
    cell.load_state_dict({name[: -len("_l0")]: a for name, a in state.items()})
    h, c = torch.zeros(5, 16).double(), torch.zeros(5, 16).double()
    ys = []
    for step in x:
        h, c = cell(step * by_x, (h * by_h, c))
        ys.append(h)
    return cell, torch.stack(ys)


def test_values_and_gradients_are_those_of_pytorchs_cell_under_the_same_masks():
    torch = pytest.importorskip("torch")
    _, layer = pair()
    x, dy = tensor(X, requires_grad=True), np.random.default_rng(1).random((7, 5, 16))
    y, _ = layer(x)
    theirs = torch.from_numpy(X).requires_grad_()
    cell, expected = run_torch(torch, layer, theirs, redrawn([3, 16]))
    assert_allclose(y.numpy(), expected.detach(), rtol=1e-12, atol=1e-12)
    y.backward(tensor(dy))
    expected.backward(torch.from_numpy(dy))
    assert_allclose(x.grad.numpy(), theirs.grad, rtol=1e-10, atol=1e-12)
    wanted = dict(cell.named_parameters())
    for name, parameter in layer.named_parameters():
        found, right = parameter.grad.numpy(), wanted.pop(name[: -len("_l0")]).grad
        assert_allclose(found, right, rtol=1e-10, atol=1e-12)
    assert not wanted


def test_an_input_is_out_for_a_whole_sequence_or_not_at_all():
    _, layer = pair(recurrent_p=0.0)
    x = tensor(X, requires_grad=True)
    layer(x)[0].sum().backward()
    dropped = (x.grad.numpy() == 0).all(0)
    assert_array_equal((x.grad.numpy() == 0).any(0), dropped)
    assert_array_equal(dropped, redrawn([3])[0] == 0)
    assert 0 < dropped.sum() < dropped.size


def test_a_dropped_unit_feeds_no_gate_and_is_still_given():
    _, layer = pair(p=0.0)
    y, _ = layer(tensor(X[:, :1]))
    y.sum().backward()
    columns = layer.weight_hh_l0.grad.numpy()
    (factor,) = redrawn([16], count=1)
    assert_array_equal((columns == 0).all(0), factor[0] == 0)
    assert (y.numpy() != 0).all()


def test_dropping_everything_leaves_the_biases():
    plain, layer = pair(p=1.0, recurrent_p=1.0)
    plain.weight_hh_l0.data[...] = 0
    assert_array_equal(flat(layer(tensor(X))), flat(plain(tensor(0 * X))))


def test_every_call_layer_and_direction_has_masks_of_its_own():
    streams = Streams(0)
    layer = nn.VariationalLSTM(
        3, 4, 2, p=0.5, recurrent_p=0.5, bidirectional=True, dtype="float64",
        rng=streams, name="words",
    )  # fmt: skip
    first, second = flat(layer(tensor(X))), flat(layer(tensor(X)))
    assert not np.array_equal(first, second)
    assert streams.steps == {"words": 16}
    layer.rng = Streams(0)
    assert_array_equal(flat(layer(tensor(X))), first)


def test_masks_do_not_depend_on_the_order_of_axes():
    _, layer = pair()
    _, other = pair(batch_first=True)
    other.load_state_dict(layer.state_dict())
    y, _ = layer(tensor(X))
    swapped, _ = other(tensor(X.transpose(1, 0, 2)))
    assert_array_equal(swapped.numpy().transpose(1, 0, 2), y.numpy())


def test_a_sequence_that_has_ended_hands_its_state_on_undropped():
    _, layer = pair()
    y, (h, _) = layer(tensor(X), lengths=LENGTHS)
    for n, length in enumerate(LENGTHS):
        assert_array_equal(h.numpy()[0, n], y.numpy()[length - 1, n])
        assert not y.numpy()[length:, n].any()


def test_state_dicts_are_those_of_lstm():
    plain, layer = pair(num_layers=2, bidirectional=True)
    assert list(layer.state_dict()) == list(plain.state_dict())
    plain.load_state_dict(layer.state_dict())


def test_a_device_drops_the_same():
    with fake_device():
        _, expected = pair()
        _, layer = pair()
        layer.load_state_dict(expected.state_dict())
        found = flat(layer.to("fake")(tensor(X).to("fake"), lengths=LENGTHS))
        assert_allclose(found, flat(expected(tensor(X), lengths=LENGTHS)))


def test_a_factor_of_one_changes_no_bit():
    weights = [parameter.data for parameter in pair()[0].parameters()]
    ones = np.ones((5, 16))
    plain = F.lstm(X, None, None, *weights)
    found = F.lstm(X, None, None, *weights, state_factor=ones)
    for part, expected in zip(found, plain, strict=True):
        assert_array_equal(part.numpy(), expected.numpy())
    with pytest.raises(ShapeError, match=r"lstm_dropped: factor has shape \(5, 15\)"):
        F.lstm(X, None, None, *weights, state_factor=ones[:, 1:])


def test_the_drops_are_described():
    text = repr(nn.VariationalLSTM(2, 3, p=0.25, recurrent_p=0.5, name="words"))
    assert "2, 3, p=0.25, recurrent_p=0.5, name='words'" in text


def test_arguments_that_make_no_sense_are_refused():
    with pytest.raises(ArgumentError, match="VariationalLSTM: p 2, expected 0 <= p"):
        nn.VariationalLSTM(2, 3, p=2)
    with pytest.raises(
        ArgumentError, match="VariationalLSTM: recurrent_p -1, expected 0"
    ):
        nn.VariationalLSTM(2, 3, recurrent_p=-1)
    with pytest.raises(ArgumentError, match="VariationalLSTM: rng 3, expected Str"):
        nn.VariationalLSTM(2, 3, rng=3)
