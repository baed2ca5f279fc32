"""Where two recordings part."""

import numpy as np
import pytest

from minigrad.backend import use_backend
from minigrad.errors import ArgumentError, GraphError
from minigrad.inspect import drop, gradient_flow
from minigrad.tape import tensor
from minigrad.testing import fake_device


@pytest.fixture
def record(network):
    """Record a pass of a network; change(model) may differ between two."""

    def run(change=lambda model: None, sizes=(3, 4, 2), steps=1):
        model = network(*sizes)
        change(model)
        data = np.random.default_rng(0).normal(size=(5, sizes[0]))
        with gradient_flow(model) as flow:
            for _ in range(steps):
                model(tensor(data)).square().sum().backward()
        return flow

    return run


def test_two_equal_runs_agree(record):
    found = record().diff(record())
    assert found.first_divergence() is None
    assert str(found) == "the recordings agree"


def test_two_backends_agree(record):
    host = record()
    with fake_device(), use_backend("fake"):
        device = record()
    assert host.diff(device).first_divergence(1e-12) is None


def test_the_first_in_the_order_of_backward_is_named(record):
    def scale_relu(model):
        model.first.bias.data[...] += 0.01

    found = record().diff(record(scale_relu)).first_divergence()
    # The forward differs; the slope of the square is the first to depend on it.
    assert (found.at, found.target, found.place) == (1, "second/linear#1", "")
    assert found.what == "norm"
    assert found.one != found.other


def test_a_variant_of_backward_is_found_at_its_term(record):
    one = record()
    with drop(kernel="relu"):
        other = record()
    found = one.diff(other).first_divergence()
    assert (found.target, found.place) == ("first/linear#1", "")
    assert str(found).startswith("pass 1: norm of `first/linear#1` is ")
    # Deeper in, what a single term differs by is listed, too.
    places = [d.place for d in one.diff(other).divergences()]
    assert "relu#1 (x)" in places
    assert "relu#1 (x) direct" in places


def test_other_shapes_calls_and_numbers_of_passes_are_told(record):
    shape = record().diff(record(sizes=(4, 4, 2))).first_divergence()
    assert shape.what in ("norm", "shape")
    longer = record().diff(record(steps=2)).first_divergence()
    assert str(longer) == "pass 2: number of passes is 1 and 2"

    x = tensor([1.0], requires_grad=True)
    flows = []
    for function in (lambda: x.exp() * 2, lambda: x.exp()):
        with gradient_flow(names={"x": x}) as flow:
            function().backward()
        flows.append(flow)
    found = flows[0].diff(flows[1]).first_divergence()
    assert str(found).startswith("pass 1: only the first recording has `mul#1` in its")
    assert found.line.startswith("test_diff.py:")


def test_rounding_is_no_divergence_unless_asked_for(record):
    def nudge(model):
        model.first.weight.data[...] *= 1 + 1e-9

    found = record().diff(record(nudge))
    assert found.first_divergence() is None
    assert found.first_divergence(1e-12) is not None


def test_nan_agrees_with_nan(record):
    def poison(model):
        model.first.weight.data[0, 0] = np.nan

    assert record(poison).diff(record(poison)).first_divergence() is None
    assert record(poison).diff(record()).first_divergence() is not None


def test_only_recordings_with_passes_are_compared(record):
    with gradient_flow() as empty:
        pass
    with pytest.raises(GraphError, match="diff: other: no backward pass was recorded"):
        record().diff(empty)
    with pytest.raises(ArgumentError, match="other is a dict, expected a Flow"):
        record().diff({})
