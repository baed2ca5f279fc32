"""Recurrent layers as functions: what stands for None, and masks."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad import functional as F
from minigrad import tensor
from minigrad.errors import ShapeError

FUNCTIONS = {"rnn": (F.rnn, 1, 1), "gru": (F.gru, 3, 1), "lstm": (F.lstm, 4, 2)}
every_function = pytest.mark.parametrize("name", FUNCTIONS)


def draw(name):
    """Return the function, x (4, 2, 3), states, weights and biases of 5 units."""
    function, gates, states = FUNCTIONS[name]
    rng = np.random.default_rng(0)
    shapes = [(4, 2, 3)] + [(2, 5)] * states + [(5 * gates, 3), (5 * gates, 5)]
    shapes += [(5 * gates,)] * 2
    arrays = [tensor(rng.standard_normal(s), requires_grad=True) for s in shapes]
    return function, arrays[0], arrays[1:-4], arrays[-4:-2], arrays[-2:]


@every_function
def test_none_stands_for_zeros(name):
    function, x, states, weights, biases = draw(name)
    found = function(x, *[None] * len(states), *weights)
    zeros = [np.zeros(part.shape) for part in (*states, *biases)]
    expected = function(x, *zeros[:-2], *weights, *zeros[-2:])
    for one, other in zip(found, expected, strict=True):
        assert_array_equal(one.data, other.data)
    found.y.square().sum().backward()
    assert all(part.has_grad for part in (x, *weights))


@every_function
def test_every_input_gets_a_gradient_with_a_mask(name):
    function, x, states, weights, biases = draw(name)
    mask = np.array([[True, True], [True, False], [False, True], [True, False]])
    out = function(x, *states, *weights, *biases, mask)
    assert not out.y.data[~mask].any()
    out.y.square().sum().backward()
    for part in (x, *states, *weights, *biases):
        assert part.grad.shape == part.shape
    assert not x.grad.data[~mask].any()


@every_function
def test_the_last_state_is_that_of_time_zero_in_reverse(name):
    function, x, states, weights, biases = draw(name)
    out = function(x, *states, *weights, *biases, reverse=True)
    assert_array_equal(out.h.data, out.y.data[0])
    out = function(x, *states, *weights, *biases)
    assert_array_equal(out.h.data, out.y.data[-1])


@every_function
def test_wrong_shapes_are_refused_without_states_too(name):
    function, x, states, weights, _ = draw(name)
    nothing = [None] * len(states)
    with pytest.raises(ShapeError, match=rf"{name}: x has shape \(2, 3\), expected"):
        function(x[0], *nothing, *weights)
    with pytest.raises(ShapeError, match=rf"{name}: w_hh has shape \(5,\), expected"):
        function(x, *nothing, weights[0], weights[1][0])
