"""RnnDrop: one mask for the cells of a whole sequence."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import nn
from minigrad.errors import ArgumentError
from minigrad.random import Streams
from minigrad.tape import tensor
from minigrad.testing import fake_device

X = np.random.default_rng(0).standard_normal((7, 5, 3)).astype("float32")


def pair(**options):
    """Make an LSTM and a RnnDropLSTM with its weights."""
    plain = nn.LSTM(3, 16, **options)
    layer = nn.RnnDropLSTM(3, 16, **options, rng=Streams(0))
    layer.load_state_dict(plain.state_dict())
    return plain, layer


def flat(result):
    y, (h, c) = result
    return np.concatenate([part.numpy().ravel() for part in (y, h, c)])


OPTIONS = [{}, {"bidirectional": True, "num_layers": 2}, {"bias": False}]


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("lengths", [None, [7, 1, 4, 2, 7]])
def test_without_drops_every_step_is_that_of_lstm(options, lengths):
    plain, layer = pair(**options)
    expected = flat(plain(tensor(X), lengths=lengths))
    assert_array_equal(flat(layer.eval()(tensor(X), lengths=lengths)), expected)
    # So small a p is rounded to 0: the stepwise run, with nothing dropped.
    layer.train().p = 1e-9
    assert_allclose(
        flat(layer(tensor(X), lengths=lengths)), expected, rtol=1e-5, atol=1e-6
    )


def test_a_cell_is_out_for_a_whole_sequence_or_not_at_all():
    _, layer = pair()
    y, (h, c) = layer(tensor(X))
    dropped = (y.data == 0).all(0)
    assert_array_equal((y.data == 0).any(0), dropped)
    assert_array_equal(c.data[0] == 0, dropped)
    assert_array_equal(h.data[0], y.data[-1])
    assert 0.3 < dropped.mean() < 0.7
    assert len(np.unique(dropped, axis=0)) == 5


def test_a_dropped_cell_passes_no_gradient():
    _, layer = pair()
    y, _ = layer(tensor(X[:, :1]))
    dropped = (y.data == 0).all((0, 1))
    y.sum().backward()
    rows = layer.bias_ih_l0.grad.data.reshape(4, 16)
    assert_array_equal((rows == 0).all(0), dropped)


def test_dropping_all_cells_gives_zeros_and_no_gradient():
    layer = nn.RnnDropLSTM(3, 16, p=1.0)
    y, _ = layer(tensor(X))
    y.sum().backward()
    assert_array_equal(y.data, 0)
    for parameter in layer.parameters():
        assert_array_equal(parameter.grad.data, 0)


def test_every_call_layer_and_direction_has_masks_of_its_own():
    streams = Streams(0)
    layer = nn.RnnDropLSTM(3, 16, 2, bidirectional=True, rng=streams, name="cells")
    first, second = flat(layer(tensor(X))), flat(layer(tensor(X)))
    assert not np.array_equal(first, second)
    assert streams.steps == {"cells": 8}
    layer.rng = Streams(0)
    assert_array_equal(flat(layer(tensor(X))), first)


def test_the_mean_over_masks_is_that_of_lstm_for_one_step():
    plain, layer = pair()
    rows = tensor(np.repeat(X[:1, :1], 4000, 1))
    y, _ = layer(rows)
    expected, _ = plain(tensor(X[:1, :1]))
    assert_allclose(y.data.mean(1), expected.data[:, 0], atol=0.02)


@pytest.mark.parametrize("batch_first", [True, False])
def test_first_states_and_order_of_axes_are_those_of_lstm(batch_first):
    plain, layer = pair(batch_first=batch_first)
    x = X.transpose(1, 0, 2) if batch_first else X
    state = tuple(tensor(np.full((1, 5, 16), v, "float32")) for v in (0.5, -0.5))
    layer.p = 1e-9
    expected = flat(plain(tensor(x), state))
    assert_allclose(flat(layer(tensor(x), state)), expected, rtol=1e-5, atol=1e-6)


def test_a_device_drops_the_same_cells():
    with fake_device():
        expected = nn.RnnDropLSTM(3, 4, dtype="float64", rng=Streams(0))
        layer = nn.RnnDropLSTM(3, 4, dtype="float64", rng=Streams(0))
        layer.load_state_dict(expected.state_dict())
        x = X.astype("float64")
        found = flat(layer.to("fake")(tensor(x).to("fake"), lengths=[7, 1, 4, 2, 7]))
        assert_allclose(found, flat(expected(tensor(x), lengths=[7, 1, 4, 2, 7])))


def test_p_that_is_no_probability_is_refused():
    with pytest.raises(ArgumentError, match="RnnDropLSTM: p 2, expected 0 <= p <= 1"):
        nn.RnnDropLSTM(2, 3, p=2)
    with pytest.raises(ArgumentError, match="RnnDropLSTM: rng 3, expected Streams"):
        nn.RnnDropLSTM(2, 3, rng=3)
