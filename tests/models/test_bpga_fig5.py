"""Hidden outputs by epoch: what is measured, the claims, tables and panels."""

import copy
import math
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import nn
from models.experiments.figures import save_figure
from models.experiments.pool import Hooks, Job
from models.experiments.verdicts import Verdict, decide
from models.gradient_adapter import fig5
from models.gradient_adapter.fig5 import ARMS, FIG5
from models.gradient_adapter.fig5_claims import DECAY

CONFIG = replace(
    FIG5.presets["tiny"].config,
    hidden=(7, 5),
    epochs=2,
    max_examples=140,
    image_size=8,
)
ACTIVATIONS = {
    "identity": lambda z: z,
    "hardtanh": lambda z: np.minimum(1, np.maximum(-1, z)),
    "tanh": np.tanh,
}
# (first epoch, last epoch) of MSE-HLO and of shares of outputs, in %.
LIKE_THE_PAPER = {
    "identity": {
        "mse_hlo": (0.48, 0.52),
        "near_zero": (12.0, 14.0),
        "near_one": (20.0, 18.0),
        "close_to_one": (4.0, 3.0),
    },
    "hardtanh": {
        "mse_hlo": (0.42, 0.03),
        "near_zero": (11.0, 5.0),
        "near_one": (25.0, 90.0),
        "close_to_one": (25.0, 90.0),
    },
    "tanh": {
        "mse_hlo": (0.45, 0.02),
        "near_zero": (11.0, 4.0),
        "near_one": (15.0, 92.0),
        "close_to_one": (15.0, 92.0),
    },
}


def hidden_by_hand(training, activation):
    """Outputs of both hidden layers on the test images, by NumPy in float64."""
    weights = {name: p.numpy() for name, p in training.model.named_parameters()}
    images = training.examples.test.images
    h = images.reshape(len(images), -1) / 255
    found = []
    for layer in ("layer1", "layer2"):
        h = activation(h @ weights[f"{layer}.weight"].T + weights[f"{layer}.bias"])
        found.append(h.ravel())
    return np.concatenate(found)


def trained(arm, tmp_path):
    checkpoint = tmp_path / f"{arm}.safetensors"
    job = Job("bpga.fig5", arm, 1, CONFIG, "hash", "numpy", checkpoint, fig5.train)
    return fig5.train(job, Hooks(lambda event: None, lambda: False))


def record(seed, changes=None):
    arms = {}
    for number, arm in enumerate(ARMS):
        metrics = copy.deepcopy(LIKE_THE_PAPER[arm.removesuffix(DECAY)])
        metrics |= (changes or {}).get(arm, {})
        noise = 1 + 1e-3 * ((seed + number) % 3)
        histogram = [1, *[0] * 28, 5, 5, *[0] * 28, 1]
        first, last = (
            {name: pair[end] * noise for name, pair in metrics.items()}
            | {"histogram": histogram}
            for end in (0, 1)
        )
        arms[arm] = {
            "epochs_run": 2,
            "start": first,
            "first": first,
            "last": last,
            "history": [first, last],
        }
    return {"seed": seed, "arms": arms}


def verdict(words, changes=None, preset="small", dataset="mnist"):
    (claim,) = (claim for claim in FIG5.claims if words in claim.name)
    records = [record(seed, changes) for seed in range(3)]
    return decide(claim, records, preset, dataset).verdict


# -- what is measured ------------------------------------------------------------------


@pytest.mark.parametrize("arm", list(ACTIVATIONS))
def test_numbers_are_those_of_all_hidden_outputs_on_test_images(arm):
    training = fig5.build(CONFIG, arm, 0)
    # So that outputs go beyond 1 and beyond the histogram.
    training.model.layer1.weight.data *= 4
    h = hidden_by_hand(training, ACTIVATIONS[arm])
    found = training.probe.finish_epoch()
    size = np.abs(h)
    assert math.isclose(found["mse_hlo"], np.mean((np.sign(h) - h) ** 2), rel_tol=1e-5)
    percent = {
        "near_zero": size < 0.1,
        "near_one": size > 0.9,
        "close_to_one": (size > 0.9) & (size < 1.1),
    }
    for name, share in percent.items():
        assert_allclose(found[name], 100 * share.mean(), atol=0.02)
    assert found["near_one"] > 0


def test_histograms_count_every_output_once():
    training = fig5.build(CONFIG, "identity", 0)
    training.model.layer1.weight.data *= 4
    h = hidden_by_hand(training, ACTIVATIONS["identity"])
    found = training.probe.finish_epoch()["histogram"]
    assert len(found) == 60
    assert sum(found) == h.size == len(training.examples.test.labels) * 12
    # What is beyond counts in the first and last bin.
    assert abs(found[0] - (h < -1.45).sum()) <= 2
    assert abs(found[-1] - (h >= 1.45).sum()) <= 2
    assert (h > 1.5).sum() > 10


def test_images_in_several_batches_give_the_same_numbers(monkeypatch):
    training = fig5.build(CONFIG, "hardtanh", 0)
    at_once = training.probe.finish_epoch()
    monkeypatch.setattr(fig5, "BATCH", 100)
    assert len(training.examples.test.labels) > 200
    in_parts = training.probe.finish_epoch()
    assert in_parts["histogram"] == at_once["histogram"]
    assert math.isclose(in_parts["mse_hlo"], at_once["mse_hlo"], rel_tol=1e-6)


def test_measuring_changes_nothing_that_training_needs():
    training = fig5.build(CONFIG, "tanh", 0)
    before = {n: p.numpy().copy() for n, p in training.model.named_parameters()}
    training.probe.finish_epoch()
    for name, parameter in training.model.named_parameters():
        assert (parameter.numpy() == before[name]).all()
        assert parameter.cotangent is None


def test_before_training_is_before_training_and_repeats(tmp_path):
    untrained = fig5.build(CONFIG, "tanh", 1).probe.finish_epoch()
    result = trained("tanh", tmp_path)
    assert result["start"] == untrained
    # From the checkpoint of the trained network.
    again = trained("tanh", tmp_path)
    assert again["start"] == untrained
    for when, epoch in (("first", 0), ("last", -1)):
        assert again[when] == result[when]
        assert result[when].keys() == untrained.keys()
        assert result[when]["mse_hlo"] == result["history"][epoch]["mse_hlo"]
    assert result["first"] != result["last"] != untrained


@pytest.mark.parametrize("arm", ARMS)
def test_weights_decay_where_the_arm_says_so_and_biases_never(arm):
    training = fig5.build(CONFIG, arm, 0)
    weights, biases = training.optimizer.param_groups
    assert {p.ndim for p in weights["params"]} == {2}
    assert {p.ndim for p in biases["params"]} == {1}
    assert len(weights["params"]) == len(biases["params"]) == 3
    assert weights["weight_decay"] == (5e-4 if arm.endswith(DECAY) else 0)
    assert biases.get("weight_decay", 0) == 0


@pytest.mark.parametrize(
    ("arm", "kind"),
    [("identity", nn.Identity), ("hardtanh", nn.Hardtanh), ("tanh_decay", nn.Tanh)],
)
def test_adapters_stand_in_the_place_of_sign(arm, kind):
    model = fig5.build(CONFIG, arm, 0).model
    assert type(model.activation1) is type(model.activation2) is kind
    assert not any(isinstance(part, nn.Sign) for part in model)


def test_all_arms_start_from_the_same_weights():
    starts = [fig5.build(CONFIG, arm, 2).model.layer2.weight.numpy() for arm in ARMS]
    assert all((start == starts[0]).all() for start in starts)


# -- what it says ----------------------------------------------------------------------


def test_what_the_paper_draws_reproduces_every_claim():
    for claim in FIG5.claims:
        assert verdict(claim.name, preset="full") == Verdict.REPRODUCED, claim.name


@pytest.mark.parametrize(
    ("words", "arm", "metric", "pair"),
    [
        ("MSE-HLO of I rises with", "identity", "mse_hlo", (0.5, 0.45)),
        ("MSE-HLO of Htanh and of tanh falls", "hardtanh", "mse_hlo", (0.42, 0.43)),
        ("MSE-HLO of Htanh and of tanh falls", "tanh", "mse_hlo", (0.42, 0.43)),
        ("at first MSE-HLO of Htanh", "tanh", "mse_hlo", (0.40, 0.02)),
        ("at first MSE-HLO of Htanh", "identity", "mse_hlo", (0.40, 0.52)),
        ("later that of tanh is lower", "tanh", "mse_hlo", (0.45, 0.04)),
        ("gets to 0", "hardtanh", "mse_hlo", (0.42, 0.07)),
        ("I's outputs converge to 0", "identity", "near_zero", (12.0, 11.0)),
        ("few of I's outputs", "identity", "close_to_one", (4.0, 6.0)),
        ("converge to -1 and 1", "tanh", "near_one", (15.0, 14.0)),
        ("closer to the sign function", "tanh", "near_one", (15.0, 89.0)),
        ("with weight decay I's", "identity" + DECAY, "mse_hlo", (0.5, 0.45)),
        ("with weight decay that of", "tanh" + DECAY, "mse_hlo", (0.3, 0.35)),
    ],
)
def test_each_claim_can_fail(words, arm, metric, pair):
    # "full" decides all of them.
    assert verdict(words, {arm: {metric: pair}}, "full") == Verdict.NOT_REPRODUCED


def test_getting_to_0_is_not_decided_by_few_epochs():
    assert verdict("gets to 0") == Verdict.NOT_RUN
    assert verdict("MSE-HLO of I rises with") == Verdict.REPRODUCED


def test_digits_decide_nothing():
    for claim in FIG5.claims:
        assert verdict(claim.name, None, "tiny", "digits") == Verdict.NOT_RUN


# -- how it is shown -------------------------------------------------------------------


def test_the_table_has_a_row_for_each_arm():
    (table,) = FIG5.tables([record(seed) for seed in range(3)])
    assert [row[0] for row in table.rows] == [
        "I",
        "Htanh",
        "tanh",
        "I, weight decay",
        "Htanh, weight decay",
        "tanh, weight decay",
    ]
    assert table.header[:4] == (
        "activation",
        "MSE-HLO: epoch 0",
        "MSE-HLO: 1",
        "MSE-HLO: 2",
    )
    assert {len(row) for row in table.rows} == {len(table.header)}
    assert table.rows[0][2] == "0.480 (0.000)"


def test_the_figure_has_curves_of_all_arms_and_three_histograms(tmp_path):
    seen = []

    def draw(figure):
        FIG5.draw(figure, [record(seed) for seed in range(3)])
        curves, *panels = figure.axes
        seen.append([len(line.get_xdata()) for line in curves.lines])
        seen.append([axes.get_title() for axes in panels])
        heights = panels[0].patches[0].get_data().values
        seen.append(math.isclose(heights.sum(), 100))

    save_figure(tmp_path / "figure.png", draw, FIG5.figure_size)
    assert seen == [[3] * 6, ["Fig. 6, I", "Fig. 7, Htanh", "Fig. 8, tanh"], True]
