"""Tables: alignment, width, order, numbers."""

import numpy as np
import pytest

from minigrad.inspect import gradient_flow
from minigrad.inspect.explain.tables import WIDTH, layout, number
from minigrad.tape import apply, tensor


def leaf(values):
    return tensor(values, dtype="float64", requires_grad=True)


def test_the_overview_is_printed_as_it_stands():
    x = leaf([1.0, -2.0])
    with gradient_flow(names={"x": x}) as flow:
        (x.relu() + x * 2.0).sum().backward()
    assert str(flow).splitlines() == [
        "gradient flow: 1 pass, 5 gradients, 5 edges, conservation error 0",
        "gradient  shape  edges  terms  norm  mean abs  cancel  dead %  finite",
        "x          (2,)      2      2  3.61       2.5  0.0582       0     yes",
        "relu#1     (2,)      1      1  1.41         1       0       0     yes",
        "mul#1      (2,)      1      1  1.41         1       0       0     yes",
        "add#1      (2,)      1      1  1.41         1       0       0     yes",
        "sum#1        ()      0      0     1         1       0       0     yes",
    ]
    assert repr(flow) == "<Flow: 1 passes, 5 gradients>"


def test_an_edge_of_several_terms_stands_above_them(layer_norm):
    x = leaf(np.random.default_rng(0).normal(size=(4, 16)))
    gamma, beta = leaf(np.ones(16)), leaf(np.zeros(16))
    with gradient_flow(names={"x": x}) as flow:
        (apply(layer_norm, x, gamma, beta) * x).sum().backward()
    lines = flow.into("x").table().splitlines()
    labels = [line.split("  ")[0] or line.split("  ")[1] for line in lines[1:]]
    assert labels == [
        "edge (input) term",
        "layer_norm#1 (x)",
        "direct",
        "through_mean",
        "through_var",
        "mul#1 (b) direct",
        "total",
    ]
    assert str(flow.into("x")) == flow.into("x").table()
    assert lines[-1].split()[2:4] == ["1", "1"]


def test_an_empty_recording_says_what_is_missing():
    with gradient_flow() as flow:
        pass
    assert "no backward pass was recorded" in str(flow)
    assert flow.to_records() == []


def test_long_names_lose_their_middle():
    lines = layout("", ["name", "norm"], [["a" * 90 + "/" + "z" * 60, "1.23e-45"]])
    row = lines.splitlines()[2]
    assert len(row) == WIDTH
    assert row.startswith("aaa")
    assert ".." in row
    assert "zzz" in row


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1234.0, "1.23e3"), (-0.001234, "-0.00123"), (float("nan"), "nan")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text
