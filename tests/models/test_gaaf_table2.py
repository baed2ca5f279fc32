import json
import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.figure import Figure

from models.experiments.pool import Hooks, Job
from models.experiments.verdicts import Verdict, decide
from models.gaaf import common, table2
from models.gaaf.common import LAYERS, GaafConfig
from models.gaaf.measures.curves import at_epoch, at_loss, curve, kept_epochs
from models.gaaf.table2_claims import (
    CLAIMS,
    PUBLISHED,
    AtCommonLoss,
    common_loss,
    published_ratio,
    ratio_at_common_loss,
)

CONFIG = GaafConfig(
    *("digits", (24, 20, 16)),
    epochs=2,
    image_size=8,
    max_examples=384,
    batch_size=64,
    sample_every=2,
)
EPOCHS = 30


def train(folder, arm, **changes):
    config = replace(CONFIG, **changes)
    place = folder / f"{arm}.safetensors"
    job = Job("gaaf.table2", arm, 0, config, "", "numpy", place, table2.train)
    return table2.train(job, Hooks(lambda event: None, lambda: False))


def arm_record(factors, rate, seed):
    """G is factor x loss, and the loss falls from 1 by rate in each epoch."""
    losses = [math.exp(-rate * epoch) for epoch in range(EPOCHS)]
    factors = {layer: factor * 1.01**seed for layer, factor in factors.items()}
    history = [
        {"train_loss": x, "gradient_batch": {k: f * x for k, f in factors.items()}}
        for x in losses
    ]
    columns = {"train_loss": lambda epoch: epoch["train_loss"]}
    columns |= {k: lambda e, k=k: e["gradient_batch"][k] for k in LAYERS}
    return {
        "gradient_batch": factors,
        "gradient_batch_control": factors,
        "gradient_sample": {k: 3 * f for k, f in factors.items()},
        "control_epoch": 20,
        "by_epoch": curve(history, columns),
        "history": history,
    }


def record(seed=0, **factors):
    """What is published; factors multiply an arm's G. Noisy arms have twice the base's.

    Arms differ in how fast they learn, so that they differ in loss in any one epoch.
    """
    twice = {layer: 2 * g for layer, g in PUBLISHED["base"].items()}
    arms = {}
    for number, arm in enumerate(table2.ARMS):
        factor = factors.get(arm, 1.0)
        g = {k: factor * v for k, v in PUBLISHED.get(arm, twice).items()}
        # A spread over seeds, or each test would have an infinite t.
        arms[arm] = arm_record(g, 0.2 - 0.02 * number, seed * (number % 2))
    for arm in ("drop_connect", "weight_noise"):
        del (
            arms[arm]["gradient_sample"]["layer2"],
            arms[arm]["gradient_sample"]["layer3"],
        )
    return {"seed": seed, "arms": arms}


def verdict(claim, **factors):
    records = [record(seed, **factors) for seed in range(3)]
    preset = claim.presets[-1] if claim.presets else "small"
    return decide(claim, records, preset, "mnist").verdict


@pytest.mark.parametrize(
    ("arm", "second"),
    [
        ("base", "layer2.weight"),
        ("noisy", "layer2.weight"),
        ("drop_connect", "layer2.weight"),
        ("weight_noise", "layer2.module.weight"),
    ],
)
def test_gradients_are_those_of_the_hidden_weights_wherever_they_are_kept(arm, second):
    training = common.build(CONFIG, arm, 0)
    images, labels = training.examples.train
    training.model.train()
    with training.probe.watch(1):
        training.loss(images[:32], labels[:32]).backward()
    weights = dict(training.model.named_parameters())
    measured = training.probe.finish_epoch()["gradient_batch"]
    names = ("layer1.weight", second, second.replace("2", "3"))
    assert list(measured) == list(LAYERS)
    for layer, name in zip(LAYERS, names, strict=True):
        expected = np.abs(weights[name].grad.numpy()).mean()
        assert measured[layer] == pytest.approx(expected)


@pytest.mark.parametrize("arm", table2.NOISES)
def test_noisy_networks_learn(tmp_path, arm):
    wide = {"hidden": (128, 64, 64), "epochs": 10, "sample_every": 0}
    result = train(tmp_path, arm, **wide)
    losses = result["by_epoch"]["train_loss"]
    assert losses[-1] < 0.5 * losses[0]
    assert result["test_accuracy"] > 60


def test_examples_are_told_apart_only_where_noise_is_not_common_to_them(tmp_path):
    found = {arm: train(tmp_path, arm)["gradient_sample"] for arm in table2.ARMS}
    whole, first = set(LAYERS), {"layer1"}
    assert {arm: set(layers) for arm, layers in found.items()} == {
        **dict.fromkeys(("base", "dropout", "gaaf", "noisy"), whole),
        **dict.fromkeys(("drop_connect", "weight_noise"), first),
    }


def test_losses_and_gradients_of_each_epoch_are_kept(tmp_path):
    result = train(tmp_path, "base", epochs=3)
    points, history = result["by_epoch"], result["history"]
    assert points["epoch"] == [1, 2, 3]
    assert points["train_loss"] == [epoch["train_loss"] for epoch in history]
    for layer in LAYERS:
        expected = [epoch["gradient_batch"][layer] for epoch in history]
        assert points[layer] == expected
    assert json.loads(json.dumps(points)) == points


@pytest.mark.parametrize("count", [1, 40, 41, 250, 10_000])
def test_long_trainings_keep_few_epochs_with_both_ends(count):
    epochs = kept_epochs(count)
    assert len(epochs) <= 40
    assert (epochs[0], epochs[-1]) == (1, count)
    assert all(a < b for a, b in pairwise(epochs))


def test_a_column_is_read_between_epochs():
    points = {"epoch": [1, 2, 4], "a": [10.0, 20.0, 60.0]}
    for epoch in (1, 1.25, 2, 3.5, 4, 9):
        expected = np.interp(epoch, points["epoch"], points["a"])
        assert at_epoch(points, "a", epoch) == pytest.approx(expected)
    assert math.isnan(at_epoch(points, "a", 0.5))


def test_a_column_is_read_where_the_loss_first_gets_there():
    points = {"train_loss": [2.0, 0.5, 0.8, 0.1], "a": [8.0, 2.0, 99.0, 1.0]}
    assert at_loss(points, "a", 2.0) == 8.0
    # A power law of exponent 1 between the first two.
    assert at_loss(points, "a", 0.6) == pytest.approx(2.4)
    assert at_loss(points, "a", 0.5) == pytest.approx(2.0)
    assert at_loss(points, "a", 0.1) == pytest.approx(1.0)


@pytest.mark.parametrize("loss", [2.1, 0.05])
def test_a_loss_that_a_network_never_had_gives_no_number(loss):
    assert math.isnan(at_loss({"train_loss": [2.0, 0.1], "a": [1.0, 1.0]}, "a", loss))


def test_the_common_loss_is_the_lowest_that_all_networks_reach():
    assert common_loss(record()) == pytest.approx(math.exp(-0.1 * (EPOCHS - 1)))


def test_gradients_at_equal_loss_do_not_depend_on_how_fast_networks_learn():
    for layer in LAYERS:
        found = ratio_at_common_loss("gaaf", layer).of(record())
        assert found == pytest.approx(published_ratio("gaaf", layer))
        g = AtCommonLoss("gaaf", layer, "").of(record())
        expected = PUBLISHED["gaaf"][layer] * common_loss(record())
        assert g == pytest.approx(expected)


def test_published_numbers_reproduce_every_claim_of_the_paper():
    for claim in CLAIMS:
        # The paper's own number is a third of dropout's there.
        own = "as large as dropout's in layer3" in claim.name
        assert (verdict(claim) == Verdict.REPRODUCED) == (not own), claim.name


NOT_MORE = {
    "dropout lets more": {"dropout": 0.15},
    "GAAF lets more": {"gaaf": 0.08},
    "dropout's gradient is around five": {"dropout": 2.0},
    "GAAF's gradients are as large as dropout's in layer1": {"gaaf": 0.2},
    "GAAF's gradients are as large as dropout's in layer2": {"gaaf": 0.4},
    "GAAF's gradients are as large as dropout's in layer3": {"gaaf": 0.4},
    "control: noisy activation lets more": {"noisy": 0.5},
    "control: DropConnect lets more": {"drop_connect": 0.4},
    "control: weight noise lets more": {"weight_noise": 0.5},
    "control: in one and the same epoch dropout": {"dropout": 0.15},
    "control: at equal training loss dropout": {"dropout": 0.15},
    "control: in one and the same epoch GAAF": {"gaaf": 0.08},
    "control: at equal training loss GAAF": {"gaaf": 0.08},
}


@pytest.mark.parametrize("start", NOT_MORE)
def test_other_numbers_do_not_reproduce_the_claims(start):
    (claim,) = [claim for claim in CLAIMS if claim.name.startswith(start)]
    assert verdict(claim, **NOT_MORE[start]) == Verdict.NOT_REPRODUCED


def test_gradients_equal_in_all_layers_do_not_reproduce_their_order():
    (claim,) = [claim for claim in CLAIMS if "most in layer1" in claim.name]
    records = [record(seed) for seed in range(3)]
    for one in records:
        one["arms"]["gaaf"]["gradient_batch"] = dict(PUBLISHED["base"])
    verdict = decide(claim, records, "small", "mnist").verdict
    assert verdict == Verdict.NOT_REPRODUCED


def test_rows_stand_for_each_layer_and_network():
    (table,) = table2.tables([record(0), record(1)])
    assert table.header[6:8] == ("ratio in epoch 20", "ratio at training loss 0.055")
    assert len(table.rows) == len(LAYERS) * len(table2.ARMS)
    assert {len(row) for row in table.rows} == {len(table.header)}
    dropout = table.rows[1]
    assert dropout[:5] == (
        "layer1",
        "+dropout",
        "5.93e-04",
        "5.96e-04 (4.19e-06)",
        "5.5",
    )
    assert table.rows[0][4:8] == ("1", "1", "1", "1")


def test_what_is_neither_published_nor_measured_is_a_dash():
    records = [record(0), record(1)]
    for one in records:
        # In its first epoch already, its loss is below the common one.
        one["arms"]["noisy"] = arm_record(PUBLISHED["base"], 0.2, 0)
        points = one["arms"]["noisy"]["by_epoch"]
        points["train_loss"] = [0.01 * loss for loss in points["train_loss"]]
    (table,) = table2.tables(records)
    rows = {row[:2]: row for row in table.rows}
    assert rows["layer2", "DropConnect"][2::2] == ("-", "-", "2.00 (0.00)", "-")
    assert rows["layer1", "DropConnect"][8] == "6.42e-04 (0.00e+00)"
    assert rows["layer1", "noisy activation"][7] == "-"


def test_the_figure_shows_all_networks_by_layer_epoch_and_loss():
    figure = Figure(layout="constrained")
    records = [record(0), record(1)]
    table2.draw(figure, records)
    layers, epochs, losses = figure.axes
    drawn = [list(line.get_ydata()) for line in layers.get_lines()]
    assert list(PUBLISHED["gaaf"].values()) in drawn
    assert len(epochs.get_lines()) == len(losses.get_lines()) == 2 * len(table2.ARMS)
    assert losses.get_xlim()[0] > losses.get_xlim()[1]
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    names = ["base", "+dropout", "+GAAF", "noisy activation", "DropConnect"]
    assert labels == [*names, "weight noise", "published", "measured"]
