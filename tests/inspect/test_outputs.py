"""What modules return, collected by name."""

from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import minigrad as mg
from minigrad import nn, optim
from minigrad.backend import to_host
from minigrad.errors import ArgumentError, ShapeError
from minigrad.inspect import outputs
from minigrad.nn.module import Module
from minigrad.tape import no_grad, tensor

X = np.random.default_rng(0).normal(size=(5, 3))


class Fixed(Module):
    """Gives the same whatever it is called with."""

    def __init__(self, y):
        self.y = y

    def forward(self, x):
        return self.y


def nested():
    mg.manual_seed(0)
    block = nn.Sequential(nn.Linear(3, 4), nn.Tanh())
    return nn.Sequential(block, nn.Linear(4, 2)).to("float64")


def test_each_call_adds_what_the_module_gave(network):
    model = network(3, 4, 2)
    with outputs(model, "first", "second") as seen:
        y = [model(tensor(x)).numpy() for x in (X, 2 * X, X[:2])]
    assert list(seen) == ["first", "second"]
    assert [h.shape for h in seen["first"]] == [(5, 4), (5, 4), (2, 4)]
    for given, found in zip(y, seen["second"], strict=True):
        assert type(found) is np.ndarray
        assert_array_equal(found, given)


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        ((), ["", "0", "0.0", "0.1", "1"]),
        (("0*",), ["0", "0.0", "0.1"]),
        (("1", "*.1"), ["0.1", "1"]),
        (("",), [""]),
        (("0.[01]",), ["0.0", "0.1"]),
    ],
)
def test_patterns_choose_modules_in_the_order_of_the_model(patterns, paths):
    with outputs(nested(), *patterns) as seen:
        pass
    assert seen == {path: [] for path in paths}


@pytest.mark.parametrize("training", [True, False])
def test_no_gradient_and_no_training_is_needed(training):
    model = nn.Sequential(nn.Dropout(0.5), nn.Flatten()).train(training)
    with no_grad(), outputs(model) as seen:
        y = model(tensor(X))
    for path in ("", "0", "1"):
        assert_array_equal(seen[path][0], y.numpy())
    assert (seen["0"][0] == 0).any() == training


def test_looking_changes_no_gradient():
    gradients = []
    for patterns in (("none",), ("*",)):
        model = nested()
        if patterns == ("*",):
            with outputs(model, *patterns):
                y = model(tensor(X))
        else:
            y = model(tensor(X))
        y.sum().backward()
        gradients.append(model[0][0].weight.grad.numpy())
    assert_array_equal(*gradients)


def test_what_was_seen_stays_when_parameters_and_results_are_written():
    weight = nn.Parameter(np.ones(3))
    model = nn.Sequential(Fixed(weight))
    with outputs(model) as seen:
        y = model(tensor(X))
        (y * y).sum().backward()
        optim.SGD(model.parameters(), lr=1.0).step()
    assert_array_equal(weight.numpy(), -np.ones(3))
    assert_array_equal(seen["0"][0], np.ones(3))


def test_arrays_may_be_written_while_the_graph_lives():
    model = nn.Sequential(nn.Tanh())
    x = tensor(X, requires_grad=True)
    with outputs(model, "0") as seen:
        y = model(x)
    seen["0"][0][...] = 7.0
    y.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 1 - np.tanh(X) ** 2)


class Pair(NamedTuple):
    y: object
    note: str


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((tensor([1.0]), [tensor([2.0]), None]), (1.0, [2.0, None])),
        ({"a": tensor([1.0]), "b": 3}, {"a": 1.0, "b": 3}),
        (Pair(tensor([1.0]), "seen"), Pair(1.0, "seen")),
        (np.ones(1), 1.0),
    ],
)
def test_several_results_keep_their_structure(given, expected):
    model = nn.Sequential(Fixed(given))
    with outputs(model, "0") as seen:
        model(None)
    (found,) = seen["0"]
    assert type(found) is (np.ndarray if expected == 1.0 else type(expected))
    assert found == expected


def test_a_recurrent_layer_gives_its_states_too():
    lstm = nn.LSTM(3, 2)
    with outputs(lstm) as seen:
        y, (h, c) = lstm(tensor(X[:, np.newaxis], dtype="float32"))
    found_y, (found_h, found_c) = seen[""][0]
    assert_array_equal(found_y, y.numpy())
    assert_array_equal(found_h, h.numpy())
    assert_array_equal(found_c, c.numpy())


def test_images_stay_as_they_lie_in_memory():
    conv = nn.Conv2d(3, 4, 3)
    with outputs(conv) as seen:
        y = conv(tensor(np.zeros((2, 3, 8, 8)), dtype="float32"))
    assert seen[""][0].strides == y.data.strides


def test_a_module_that_is_held_twice_is_seen_under_its_first_name(dense):
    layer = dense(np.eye(3), np.zeros(3))
    model = nn.Sequential(layer, nn.ReLU(), layer)
    with outputs(model) as seen:
        model(tensor(X))
    assert list(seen) == ["", "0", "1"]
    assert_array_equal(seen["0"][0], X)
    assert_array_equal(seen["0"][1], X.clip(0))


def test_collecting_ends_with_the_block_and_blocks_nest(network):
    model = network(3, 4, 2)
    with outputs(model, "first") as outer:
        with outputs(model, "*") as inner:
            model(tensor(X))
        model(tensor(X))
    model(tensor(X))
    assert len(outer["first"]) == 2
    assert [len(calls) for calls in inner.values()] == [1, 1, 1]


def test_an_error_ends_collecting_and_leaves_what_was_seen(network):
    model = network(3, 4, 2)
    model.second = model.first  # Takes 3 values, and is given 4.
    with pytest.raises(ShapeError), outputs(model) as seen:
        model(tensor(X))
    model.first(tensor(X))
    assert {path: len(calls) for path, calls in seen.items()} == {"": 0, "first": 1}


def test_arrays_stay_on_their_device(dense, device):
    layer = dense(np.eye(2), np.zeros(2))
    x = tensor([[1.0, 2.0]], dtype="float64")
    with outputs(layer) as seen:
        y = layer(x)
    assert type(seen[""][0]) is type(y.data)
    assert_array_equal(to_host(seen[""][0]), [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        (("frist",), "outputs: pattern 'frist', expected one .*, as 'first'"),
        (("first", "layer*"), r"outputs: pattern 'layer\*', expected one for a module"),
        ((3,), r"outputs: patterns \(3,\), expected a shell pattern"),
    ],
)
def test_a_pattern_that_no_module_fits_is_refused(network, patterns, message):
    with (
        pytest.raises(ArgumentError, match=message),
        outputs(network(3, 4, 2), *patterns),
    ):
        pass


def test_a_function_is_no_model():
    with (
        pytest.raises(ArgumentError, match="model is a function, expected a Module"),
        outputs(lambda x: x),
    ):
        pass
