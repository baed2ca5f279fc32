import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import functional as F
from minigrad import nn, tensor
from minigrad.random import generator
from models.experiments.data import Part
from models.experiments.figures import save_figure
from models.experiments.verdicts import Verdict, decide
from models.gaaf import common, flatness
from models.gaaf.flatness import FLATNESS
from models.gaaf.flatness_claims import CURVES, RADIUS
from models.gaaf.measures import sharpness
from models.gaaf.measures.sharpness import RADII

CONFIG = replace(
    FLATNESS.presets["tiny"].config, hidden=(12, 8, 8), epochs=1, max_examples=140
)


def measure(arm, seed=0):
    training = common.build(CONFIG, arm, seed)
    return flatness.measure(training, SimpleNamespace(arm=arm, seed=seed))


@pytest.fixture(scope="module")
def records():
    arms = {arm: measure(arm) for arm in FLATNESS.arms}
    return [{"arms": copy.deepcopy(arms)} for _ in range(3)]


def small_network():
    """Two inputs, three GAAF units, two classes; float64, and data for it."""
    model = nn.Sequential(
        {"layer1": nn.Linear(2, 3), "activation1": nn.GAAF(), "output": nn.Linear(3, 2)}
    )
    for name, parameter in model.named_parameters():
        parameter.data = generator(0, name).standard_normal(parameter.shape)
    x = generator(0, "x").standard_normal((6, 2))
    return model, x, np.array([0, 1, 1, 0, 1, 0])


def loss_by_hand(w, x, labels):
    """Cross-entropy of small_network's function with tanh, weights in one vector."""
    hidden = np.tanh(x @ w[:6].reshape(3, 2).T + w[6:9])
    logits = hidden @ w[9:15].reshape(2, 3).T + w[15:]
    log_sum = np.log(np.exp(logits).sum(axis=1))
    return float((log_sum - logits[np.arange(len(labels)), labels]).mean())


def hessian_by_differences(w, *data, step=1e-4):
    moves = step * np.eye(len(w))
    return np.array(
        [
            [
                sum(
                    a * b * loss_by_hand(w + a * one + b * other, *data)
                    for a in (-1, 1)
                    for b in (-1, 1)
                )
                / (4 * step * step)
                for other in moves
            ]
            for one in moves
        ]
    )


# -- the function that is measured -----------------------------------------------------


def test_tanh_in_the_place_of_gaaf_changes_no_value():
    training = common.build(CONFIG, "gaaf", 0)
    plain = sharpness.without_acceleration(training.model)
    x = tensor(training.as_input(training.examples.test.images))
    assert (plain(x).numpy() == training.model.eval()(x).numpy()).all()
    kinds = [type(part) for part in plain]
    assert nn.GAAF not in kinds
    assert kinds.count(nn.Tanh) == 3
    pairs = zip(plain.parameters(), training.model.parameters(), strict=True)
    assert all(mine is its for mine, its in pairs)


def test_the_hessian_is_that_of_the_function():
    model, x, labels = small_network()
    w = np.concatenate([p.numpy().reshape(-1) for p in model.parameters()])
    expected = hessian_by_differences(w, x, labels)
    plain = sharpness.without_acceleration(model)

    found = sharpness.curvature(
        lambda: F.cross_entropy(plain(tensor(x)), tensor(labels)), plain
    )

    top = np.linalg.eigvalsh(expected)[-1]
    assert_allclose(found["loss"], loss_by_hand(w, x, labels), rtol=1e-12)
    assert_allclose(found["log_loss"], np.log(found["loss"]))
    assert_allclose(found["top"], top, rtol=1e-5)
    assert_allclose(found["top_per_loss"], top / found["loss"], rtol=1e-5)
    assert abs(found["trace"] - np.trace(expected)) < 5 * found["trace_error"]
    assert found["residual"] < 1e-3 * top


def test_through_gaafs_backward_it_would_be_another_one():
    model, x, labels = small_network()
    plain = sharpness.without_acceleration(model)
    tops = [
        sharpness.curvature(
            lambda network=network: F.cross_entropy(network(tensor(x)), tensor(labels)),
            network,
        )["top"]
        for network in (plain, model)
    ]
    assert abs(tops[1] / tops[0] - 1) > 0.1


# -- along directions ------------------------------------------------------------------


def test_loss_and_errors_are_those_of_the_moved_network():
    training = common.build(CONFIG, "base", 0)
    part = training.examples.test
    direction = {"output.bias": np.array([9.0, *[0.0] * 9])}
    model = sharpness.without_acceleration(training.model)
    curve = sharpness.along(training, model, part, direction)
    before = model.output.bias.numpy().copy()

    assert_allclose(curve.errors[0], 100 - training.accuracy(part), atol=1e-9)
    model.output.bias.data[0] += 9
    with_shift = training.loss(part.images, part.labels).item()
    assert_allclose(curve.losses[-1], with_shift, rtol=1e-5)
    assert_allclose(curve.errors[-1], 100 - training.accuracy(part), atol=1e-9)
    assert (before == 0).all()


def test_curves_are_averaged_over_directions():
    training = common.build(CONFIG, "base", 0)
    model = sharpness.without_acceleration(training.model)
    part = Part(*(array[:20] for array in training.examples.test))
    one, other, both = (
        sharpness.along_random(training, model, part, seeds, "filter")
        for seeds in ((3, 3), (4, 4), (3, 4))
    )
    a, b = np.array(one["loss"]), np.array(other["loss"])
    assert_allclose(both["loss"], (a + b) / 2)
    assert_allclose(both["std"], np.abs(a - b) / np.sqrt(2), atol=1e-12)
    assert_allclose(one["std"], 0, atol=1e-12)
    assert a[0] == b[0]
    assert a[-1] != b[-1]


def test_rises_are_taken_at_one_radius(records):
    found = records[0]["arms"]["gaaf"]
    for name in CURVES:
        curve, at = found["curves"][name], RADII.index(RADIUS)
        assert found["loss_rise"][name] == curve["loss"][at] - curve["loss"][0]
        assert found["error_rise"][name] == curve["error"][at] - curve["error"][0]
    assert found["train_error"] == found["curves"]["filter_train"]["error"][0]


def test_the_same_network_gives_the_same_numbers(records):
    assert measure("dropout") == records[0]["arms"]["dropout"]
    assert measure("dropout", 1) != records[0]["arms"]["dropout"]


# -- what it says ----------------------------------------------------------------------

NEAR_ONE = (1.0, 1.02, 0.98)


def filled(records, numbers):
    """Records with the numbers of an arm at a path, a little spread over seeds."""
    records = copy.deepcopy(records)
    for record, factor in zip(records, NEAR_ONE, strict=True):
        for (arm, path), value in numbers.items():
            *names, last = path.split(".")
            place = record["arms"][arm]
            for name in names:
                place = place[name]
            place[last] = value * factor
    return records


@pytest.mark.parametrize("arm", ["gaaf", "dropout"])
@pytest.mark.parametrize(
    ("words", "paths"),
    [
        ("greatest eigenvalue of the Hessian", ("curvature.top",)),
        (
            f"by {RADIUS} of each filter",
            ("loss_rise.filter_train", "loss_rise.filter_test"),
        ),
        ("each layer's weights", ("loss_rise.layer_train",)),
        ("when divided by the training loss", ("curvature.top_per_loss",)),
        (
            "the scale of the logits",
            ("error_rise.filter_train", "error_rise.filter_test"),
        ),
    ],
)
def test_flatter_than_the_base_holds_or_fails(records, arm, words, paths):
    name = {"gaaf": "GAAF", "dropout": "dropout"}[arm]
    (claim,) = (
        claim
        for claim in FLATNESS.claims
        if words in claim.name
        and f"{name}'s" in claim.name
        and ("logits" in claim.name) == ("logits" in words)
    )
    base = {("base", path): 2.0 for path in paths}
    for value, expected in ((1.0, Verdict.REPRODUCED), (3.0, Verdict.NOT_REPRODUCED)):
        mine = {(arm, path): value for path in paths}
        found = decide(claim, filled(records, base | mine), "small", "mnist")
        assert found.verdict == expected
    assert decide(claim, records, "tiny", "digits").verdict == Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("words", "path", "base", "near", "far"),
    [
        ("fit their training images alike", "train_error", 1.0, 1.1, 4.0),
        ("training losses are alike", "curvature.log_loss", -4.0, -4.2, -8.0),
    ],
)
def test_equal_fits_hold_or_fail(records, words, path, base, near, far):
    (claim,) = (claim for claim in FLATNESS.claims if words in claim.name)
    for value, expected in ((near, Verdict.REPRODUCED), (far, Verdict.NOT_REPRODUCED)):
        found = filled(records, {("base", path): base, ("gaaf", path): value})
        assert decide(claim, found, "small", "mnist").verdict == expected


# -- how it is shown -------------------------------------------------------------------


def test_tables_have_a_row_for_each_network_and_kind_of_step(records):
    hessians, rises = FLATNESS.tables(records)
    assert [row[0] for row in hessians.rows] == ["base", "+dropout", "+GAAF"]
    assert len(rises.rows) == 9
    assert rises.rows[-1][:3] == ("+GAAF", "each layer", "train")
    for table in (hessians, rises):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_the_figure_has_four_panels(records, tmp_path):
    panels = []

    def draw(figure):
        FLATNESS.draw(figure, records)
        panels.extend(figure.axes)

    save_figure(tmp_path / "figure.png", draw, FLATNESS.figure_size)
    assert len(panels) == 4
    assert all(axes.get_legend() for axes in panels)
