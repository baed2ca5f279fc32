"""Choosing what is recorded by name, kernel and module."""

import numpy as np
import pytest

from minigrad.errors import ArgumentError
from minigrad.inspect import gradient_flow
from minigrad.kernels._spec import Kernel
from minigrad.tape import tensor


@pytest.fixture
def record(network):
    def run(**selection):
        model = network(3, 4, 2)
        with gradient_flow(model, **selection) as flow:
            model(tensor(np.random.default_rng(0).normal(size=(5, 3)))).sum().backward()
        return flow

    return run


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        ({"name": "*.weight"}, ["first.weight", "second.weight"]),
        ({"name": ["first.bias", "relu#?"]}, ["first.bias", "relu#1"]),
        ({"kernel": "relu"}, ["first/linear#1"]),
        ({"kernel": "[ls]*"}, None),
        ({"module": "first"}, ["first.weight", "first.bias"]),
        ({"module": "sec*", "name": "*.bias"}, ["second.bias"]),
        ({"module": ""}, ["first/linear#1", "second/linear#1"]),
    ],
)
def test_patterns_choose_gradients(record, selection, names):
    found = list(record(**selection).targets)
    # What backward() was called on is always there: reasons lead to it.
    assert found[-1] == "sum#1"
    if names is not None:
        assert found[:-1] == names


def test_measures_are_those_of_a_full_recording(record):
    full, chosen = record(), record(name="first.weight")
    assert chosen.into("first.weight").measures == full.into("first.weight").measures
    assert "without gradient" not in str(chosen)


def test_terms_of_what_is_not_chosen_are_never_formed(record, network, monkeypatch):
    formed = []
    original = Kernel.backward_terms

    def noting(self, name, dy, record):
        formed.append((self.name, name))
        return original(self, name, dy, record)

    monkeypatch.setattr(Kernel, "backward_terms", noting)
    record(name="second.bias")
    assert formed == [("linear", "b")]


@pytest.mark.parametrize("pattern", [3, [], [None]])
def test_a_pattern_is_text_or_a_list_of_texts(pattern):
    told = pytest.raises(ArgumentError, match=r"gradient_flow: kernel .*, expected a")
    with told, gradient_flow(kernel=pattern):
        pass


@pytest.mark.parametrize("factor", [1e-12, 0.0, np.nan, 1e9])
def test_reasons_say_where_the_selection_ends(network, factor):
    model = network(3, 4, 2)
    with gradient_flow(model, name="first.weight") as flow:
        (model(tensor(np.ones((5, 3)))) * factor).sum().backward()
    assert "what arrived at first/linear#1 (w) at conftest.py:" in flow.why(
        "first.weight"
    )
    assert "was left out of the recording, which chooses by" in flow.why("first.weight")
