import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from minigrad import tensor
from models.experiments.pool import Job
from models.experiments.verdicts import Verdict, decide
from models.gaaf import common, shapes
from models.gaaf.arms import ARMS, LABELS, SATURATED
from models.gaaf.common import LAYERS, GaafConfig
from models.gaaf.shapes_claims import CLAIMS

CONFIG = GaafConfig("digits", hidden=(12, 8, 6), epochs=1, image_size=8)
FREE = ("gaaf", *shapes.SHAPES, *shapes.FREQUENCIES)
"""Arms whose activation is GAAF."""
ACCURACY = {
    **dict.fromkeys(shapes.ARMS, 95.6),
    **dict.fromkeys(("base", "one", *shapes.CONTROLS), 95.0),
    "wide": 96.2,
}
NETS = {**dict.fromkeys(shapes.ARMS, 20.0), "narrow": 10.0, "wide": 30.0}


def slope_of(arm, x):
    """What the activation of an arm multiplies a gradient with, at x."""
    activation = ARMS[arm].activation(CONFIG, None)
    leaf = tensor(x, requires_grad=True)
    activation(leaf).sum().backward()
    return leaf.grad.numpy()


SHAPE_VALUES = {
    "gaaf": lambda x: np.exp(-(x**2) / 3),
    "narrow": lambda x: np.exp(-(x**2)),
    "wide": lambda x: np.exp(-(x**2) / 12),
    "laplace": lambda x: np.exp(-abs(x)),
    "one": np.ones_like,
    "saturated": lambda x: np.exp(-(x**2) / 3) * np.tanh(x) ** 2,
    "k10": lambda x: np.exp(-(x**2) / 3),
    "k100": lambda x: np.exp(-(x**2) / 3),
    "k1e8": lambda x: np.exp(-(x**2) / 3),
}


@pytest.mark.parametrize("arm", FREE)
def test_gradients_are_those_of_tanh_and_the_shape(arm):
    x = np.linspace(-6, 6, 501).astype("float32")
    expected = 1 / np.cosh(x) ** 2 + SHAPE_VALUES[arm](x)
    # The term of s' is at most 0.5 / K, times |s'| < 1.
    atol = 0.05 if arm == "k10" else 5.1e-3 if arm == "k100" else 1e-4
    np.testing.assert_allclose(slope_of(arm, x), expected, atol=atol)


@pytest.mark.parametrize(("arm", "height"), [("k10", 0.05), ("k100", 0.005)])
def test_the_sawtooth_is_as_high_as_half_a_period(arm, height):
    x = np.linspace(-1, 1, 9999).astype("float32")
    activation = ARMS[arm].activation(CONFIG, None)
    away = abs(activation(tensor(x)).numpy() - np.tanh(x)).max()
    assert away == pytest.approx(height, rel=0.05)


def test_a_sawtooth_too_fine_for_float32_leaves_the_values_of_tanh():
    x = np.linspace(-4, 4, 999).astype("float32")
    y = ARMS["k1e8"].activation(CONFIG, None)(tensor(x)).numpy()
    np.testing.assert_allclose(y, np.tanh(x), atol=1e-7)


def test_the_derivative_of_the_shape_for_saturation_is_its_complex_step():
    x = np.linspace(-8, 8, 401)
    step = SATURATED.function(np, x + 1e-30j).imag / 1e-30
    slope = SATURATED.derivative(np, x, SATURATED.function(np, x))
    np.testing.assert_allclose(slope, step, rtol=1e-12, atol=1e-15)


def test_the_shape_for_saturation_adds_nothing_where_tanh_is_steep():
    s = SATURATED.function(np, np.array([0.0, 0.1, 1.3]))
    np.testing.assert_allclose(s, [0, 0.0099, 0.4227], atol=1e-4)


@pytest.mark.parametrize(
    ("arm", "factors"), [("rate2", [2, 2, 2, 2]), ("rate842", [8, 4, 2, 1])]
)
def test_controls_step_further_by_their_factors(arm, factors):
    steps = {}
    for name in ("base", arm):
        training = common.build(CONFIG, name, 0)
        images, labels = training.examples.train
        layers = [getattr(training.model, n) for n in (*LAYERS, "output")]
        before = [layer.weight.data.copy() for layer in layers]
        training.loss(images[:32], labels[:32]).backward()
        training.optimizer.step()
        pairs = zip(layers, before, strict=True)
        steps[name] = [layer.weight.data - old for layer, old in pairs]
    for step, base, factor in zip(steps[arm], steps["base"], factors, strict=True):
        np.testing.assert_allclose(step, factor * base, atol=1e-6)


def test_saturated_nets_are_counted_in_each_layer_and_in_all():
    nets = {
        "layer1": np.array([[2.0, -2.1, 3.0, 0.0]]),
        "layer2": np.array([[1.0, -9.0]]),
    }
    expected = {"layer1": 50.0, "layer2": 50.0, "all": 50.0}
    assert shapes.saturated_percent(nets) == expected
    nets["layer2"] = np.array([[1.0, 0.0]])
    assert shapes.saturated_percent(nets)["all"] == pytest.approx(100 / 3)


@pytest.mark.parametrize("arm", ["base", "k10"])
def test_nets_are_measured_on_the_test_images(arm):
    training = common.build(CONFIG, arm, 0)
    training.model.layer1.weight.data[...] *= 8
    job = Job("gaaf.shapes", arm, 0, CONFIG, "", "numpy", None, shapes.train)
    measured = shapes.measure(training, job)
    first = training.model.layer1
    x = training.examples.test.images.reshape(-1, 64) / 255
    z = x @ first.weight.data.T + first.bias.data
    expected = 100 * (abs(z) > 2).mean()
    assert 5 < expected < 95
    assert measured["saturated"]["layer1"] == pytest.approx(expected, abs=0.05)
    assert ("sawtooth_test_accuracy" in measured) == (arm == "k10")
    assert json.loads(json.dumps(measured)) == measured


def record(seed=0, accuracy=ACCURACY, nets=NETS):
    spread = {arm: 0.02 * ((seed + i) % 3) for i, arm in enumerate(shapes.ARMS)}
    arms = {}
    for arm in shapes.ARMS:
        arms[arm] = {
            "test_accuracy": accuracy[arm] + spread[arm],
            "last_test_accuracy": accuracy[arm],
            "best_epoch": 7 + seed,
            "last_train_loss": 2e-3,
            "saturated": dict.fromkeys(("all", *LAYERS), nets[arm] + spread[arm]),
            "gradient_batch": dict.fromkeys(LAYERS, 1e-3 if arm == "base" else 2e-3),
        }
        if arm in FREE:
            arms[arm]["sawtooth_test_accuracy"] = accuracy[arm] - 0.5
    return {"seed": seed, "arms": arms}


def verdict(claim, **changes):
    records = [record(seed, **changes) for seed in range(5)]
    return decide(claim, records, "small", "mnist").verdict


def test_what_the_paper_expects_reproduces_every_claim():
    for claim in CLAIMS:
        assert verdict(claim) == Verdict.REPRODUCED, claim.name


OTHER = {
    "GAAF is more accurate than the base (": {"base": 95.6},
    "without a shape": {"one": 95.8},
    "the wider shape": {"wide": 95.5},
    "control: K = 100 ": {"k100": 95.2},
    "control: K = 10^8": {"k1e8": 96.0},
    "control: K = 10,": {"k10": 95.0},
    "acceleration where tanh": {"saturated": 95.0},
    "control: acceleration": {"saturated": 95.2},
    "control: GAAF is more accurate than the base with a d": {"rate2": 95.6},
    "control: GAAF is more accurate than the base with rates": {"rate842": 95.7},
}


@pytest.mark.parametrize("start", OTHER)
def test_other_accuracies_do_not_reproduce_the_claims(start):
    (claim,) = [claim for claim in CLAIMS if claim.name.startswith(start)]
    changed = ACCURACY | OTHER[start]
    assert verdict(claim, accuracy=changed) == Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("start", "nets"),
    [("a wider", {"wide": 20.0}), ("control: a narrower", {"narrow": 20.5})],
)
def test_nets_no_more_saturated_do_not_reproduce_the_claims(start, nets):
    (claim,) = [claim for claim in CLAIMS if claim.name.startswith(start)]
    assert verdict(claim, nets=NETS | nets) == Verdict.NOT_REPRODUCED


def test_nothing_is_decided_on_digits():
    decisions = [decide(claim, [record()] * 3, "tiny", "digits") for claim in CLAIMS]
    assert {decision.verdict for decision in decisions} == {Verdict.NOT_RUN}


def test_every_network_has_a_row_in_both_tables():
    accuracies, nets = shapes.tables([record(0), record(1)])
    for table in (accuracies, nets):
        assert [row[0] for row in table.rows] == [LABELS[arm] for arm in shapes.ARMS]
        assert {len(row) for row in table.rows} == {len(table.header)}
    base, gaaf = accuracies.rows[:2]
    assert base[1:6] == ("95.01 (0.01)", "-", "7.5 (0.7)", "2.0e-03 (0.0e+00)", "-")
    assert gaaf[1:3] == ("95.63 (0.01)", "0.62 (0.00)")
    assert gaaf[5:] == ("95.10 (0.00)", "95.60 (0.00)")
    assert nets.rows[1][5:] == ("2.00 (0.00)",) * 3


def test_the_figure_shows_each_network_in_a_row():
    figure = Figure(layout="constrained")
    shapes.draw(figure, [record(0), record(1)])
    left = figure.axes[0]
    names = [label.get_text() for label in left.get_yticklabels()]
    assert names == [LABELS[arm] for arm in shapes.ARMS]
    drawn = [list(line.get_xdata()) for line in left.get_lines()]
    seeds = [record(seed)["arms"] for seed in (0, 1)]
    means = [
        np.mean([arms[arm]["test_accuracy"] for arms in seeds]) for arm in shapes.ARMS
    ]
    assert any(len(xs) == len(means) and np.allclose(xs, means) for xs in drawn)
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["accuracy of base", "accuracy of +GAAF", *LAYERS]
