"""Watchpoints: stopping at a term that meets a condition."""

import numpy as np
import pytest

from minigrad.errors import ArgumentError, WatchpointError
from minigrad.inspect import watch
from minigrad.tape import modes, tensor


def leaf(values):
    return tensor(values, dtype="float64", requires_grad=True)


def test_the_first_term_that_meets_the_condition_stops_the_pass(network, device):
    model = network(3, 4, 2)
    x = tensor(np.random.default_rng(0).normal(size=(5, 3)))
    with (
        pytest.raises(WatchpointError) as caught,
        watch(lambda seen: seen.norm > 1, model=model, module="first"),
    ):
        model(x).sum().backward()
    seen = caught.value.seen
    assert (seen.consumer, seen.input, seen.term) == ("first/linear#1", "w", "direct")
    assert seen.into == "first.weight"
    assert seen.array.shape == (4, 3)
    assert seen.norm > 1
    # The line of the caller's code is that of the layer's forward.
    assert str(seen.line).startswith("conftest.py:")
    assert "watch: the condition holds for first/linear#1 (w) direct, into" in str(
        caught.value
    )
    assert not model.first.weight.has_grad


def test_a_condition_that_never_holds_changes_nothing(network):
    model = network(3, 4, 2)
    seen = []
    with watch(lambda one: seen.append(str(one)), model=model, term="direct"):
        model(tensor(np.ones((5, 3)))).sum().backward()
    assert len(seen) == 7
    assert seen[0].startswith("sum#1 (x) direct, into `second/linear#1`, at test_watch")
    assert model.first.weight.has_grad


def test_patterns_choose_what_is_looked_at():
    x = leaf([2.0])
    seen = []
    with watch(
        lambda one: seen.append((one.kernel, one.input)), kernel="m*", input="b"
    ):
        (x * x).exp().backward()
    assert seen == [("mul", "b")]


def test_measures_of_what_is_seen():
    x = leaf([3.0, 0.0, -4.0, 0.0])
    found = {}

    def look(seen):
        found.update(norm=seen.norm, rms=seen.rms, dead=seen.dead, finite=seen.finite)

    with watch(look, kernel="mul"):
        (x * tensor([1.0, 0.0, np.nan, 0.0], dtype="float64")).sum().backward()
    assert found["dead"] == 0.5
    assert not found["finite"]
    with watch(look, kernel="square"):
        x.square().sum().backward()
    assert found == {"norm": 10, "rms": 5, "dead": 0.5, "finite": True}


def test_an_error_of_the_condition_is_its_own_and_nothing_stays():
    def broken(seen):
        raise KeyError(seen.term)

    with pytest.raises(KeyError, match="direct"), watch(broken):
        leaf([1.0]).exp().backward()
    assert modes.observers.get() == modes.tracers.get() == ()
    assert modes.tracing == 0


def test_a_condition_is_a_function():
    told = pytest.raises(ArgumentError, match="condition is a int, expected a function")
    with told, watch(3):
        pass
