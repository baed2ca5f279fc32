"""Accuracy against depth: what is measured, and what decides the claims."""

import copy
import math
from dataclasses import replace
from types import SimpleNamespace

import pytest

from minigrad import nn
from models.experiments.figures import save_figure
from models.experiments.trained import record_flow
from models.experiments.verdicts import Verdict, decide
from models.gradient_adapter import depth
from models.gradient_adapter.depth import DEPTH, DEPTHS, KINDS, NETWORKS

CONFIG = replace(
    DEPTH.presets["tiny"].config, width=8, epochs=1, max_examples=140, image_size=8
)
# Highest accuracy, in %, of a kind of network with 2 hidden layers, and what each two
# more cost.
LIKE_THE_PAPER = {
    "ste": (94.0, 2.0),
    "sste": (95.0, 0.6),
    "bpga": (96.0, 0.5),
    "tanh": (96.5, 0.1),
}


def record(seed, changes=None):
    arms = {}
    for number, (arm, (kind, layers)) in enumerate(NETWORKS.items()):
        start, cost = {**LIKE_THE_PAPER, **(changes or {})}[kind]
        best = start - cost * (layers - 2) / 2 + 0.01 * ((seed + number) % 3)
        reach = {"norms": [1.0] * layers, "ratio": 0.5, "activations": 0.25}
        arms[arm] = {
            "best_test_accuracy": best,
            "last_test_accuracy": best - 0.1,
            "best_test_epoch": 7,
            "last_train_loss": 0.1,
            "start": copy.deepcopy(reach),
            "end": copy.deepcopy(reach),
        }
    return {"seed": seed, "arms": arms}


def verdict(words, changes=None):
    (claim,) = (claim for claim in DEPTH.claims if words in claim.name)
    records = [record(seed, changes) for seed in range(3)]
    return decide(claim, records, "small", "mnist").verdict


# -- what is measured ------------------------------------------------------------------


@pytest.mark.parametrize("arm", ["ste2", "bpga8", "tanh4"])
def test_an_arm_names_estimator_and_number_of_hidden_layers(arm):
    model = depth.build(CONFIG, arm, 0).model
    layers = [part for part in model if isinstance(part, nn.Linear)]
    signs = [part for part in model if isinstance(part, nn.Sign)]
    count = int(arm[-1])
    assert [layer.weight.shape for layer in layers] == [
        (8, 64),
        *[(8, 8)] * (count - 1),
        (10, 8),
    ]
    assert len(signs) == (0 if arm.startswith("tanh") else count)
    assert {sign.adapter for sign in signs} <= {"identity", "tanh"}


def test_every_kind_is_there_in_every_depth():
    assert len(DEPTH.arms) == len(KINDS) * len(DEPTHS) == 16


def test_estimators_start_from_the_same_weights():
    weights = [
        depth.build(CONFIG, arm, 3).model.layer2.weight.numpy()
        for arm in ("ste8", "bpga8", "tanh2")
    ]
    assert (weights[0] == weights[1]).all()
    assert (weights[0] == weights[2]).all()


def test_reach_is_the_product_of_what_activations_and_weights_do():
    training = depth.build(CONFIG, "bpga4", 0)
    flow = record_flow(training, 50)
    found = depth.reach(flow)
    at = [flow.into(f"layer{n}/linear#1").measures.norm for n in (1, 2, 3, 4)]
    above = [flow.into(f"activation{n}/sign#1").measures.norm for n in (1, 2, 3)]
    signs = math.prod(low / high for low, high in zip(at, above, strict=False))
    weights = math.prod(high / low for low, high in zip(at[1:], above, strict=True))
    assert found["norms"] == at
    assert math.isclose(found["ratio"], at[0] / at[3], rel_tol=1e-12)
    assert math.isclose(found["activations"], signs, rel_tol=1e-6)
    assert math.isclose(found["ratio"], signs * weights, rel_tol=1e-6)
    assert found["activations"] < 1


def test_the_identity_lets_everything_through():
    flow = record_flow(depth.build(CONFIG, "ste4", 0), 50)
    assert depth.reach(flow)["activations"] == 1


def test_before_training_is_before_training():
    job = SimpleNamespace(config=CONFIG, arm="sste2", seed=0)
    training = depth.build(CONFIG, "sste2", 0)
    same = depth.measure(training, job)
    assert same["start"] == same["end"]
    training.model.layer2.weight.data *= 3
    other = depth.measure(training, job)
    assert other["start"] == same["start"]
    assert other["end"] != same["end"]


# -- what it says ----------------------------------------------------------------------


def test_what_is_expected_reproduces_every_claim():
    for claim in DEPTH.claims:
        assert verdict(claim.name) == Verdict.REPRODUCED, claim.name


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("STE loses accuracy from", {"ste": (94.0, -0.5)}),
        ("SSTE is more accurate than STE", {"sste": (94.5, 2.5)}),
        ("BPGA is more accurate than STE", {"bpga": (93.0, 0.5)}),
        ("BPGA is more accurate than SSTE", {"sste": (95.0, 0.1)}),
        ("at least as accurate as SSTE", {"bpga": (94.9, 0.9)}),
        ("BPGA loses less accuracy than STE", {"bpga": (96.0, 2.5)}),
        ("networks of tanh", {"tanh": (96.5, 2.5)}),
    ],
)
def test_each_claim_can_fail(words, changes):
    assert verdict(words, changes) == Verdict.NOT_REPRODUCED


def test_a_tie_of_bpga_and_sste_is_at_least_as_accurate_but_not_more():
    tie = {"bpga": LIKE_THE_PAPER["sste"]}
    assert verdict("at least as accurate as SSTE", tie) == Verdict.REPRODUCED
    assert verdict("BPGA is more accurate than SSTE", tie) == Verdict.NOT_REPRODUCED


def test_digits_decide_nothing():
    records = [record(seed) for seed in range(3)]
    for claim in DEPTH.claims:
        assert decide(claim, records, "tiny", "digits").verdict == Verdict.NOT_RUN


# -- how it is shown -------------------------------------------------------------------


def test_tables_have_a_row_for_each_network():
    accuracies, gradients = DEPTH.tables([record(seed) for seed in range(3)])
    assert [row[:2] for row in accuracies.rows[:5]] == [
        ("STE", "2"),
        ("SSTE", "2"),
        ("BPGA tanh", "2"),
        ("tanh", "2"),
        ("STE", "4"),
    ]
    assert accuracies.rows[0][2] == "94.01 (0.01)"
    for table in (accuracies, gradients):
        assert len(table.rows) == 16
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_the_figure_has_a_line_for_each_kind(tmp_path):
    lines = []

    def draw(figure):
        DEPTH.draw(figure, [record(seed) for seed in range(3)])
        left, _, right = figure.axes
        lines.append([text.get_text() for text in left.get_legend().get_texts()])
        lines.append(len(right.containers))

    save_figure(tmp_path / "figure.png", draw, DEPTH.figure_size)
    assert lines == [["STE", "SSTE", "BPGA tanh", "tanh, no sign"], 2 * len(KINDS)]
