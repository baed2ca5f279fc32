"""The experiment on BlockDrop: what is measured, what decides, and how it is shown."""

import copy
from dataclasses import replace

import numpy as np
import pytest

from models.experiments.figures import save_figure
from models.experiments.pool import Hooks, Job
from models.experiments.verdicts import Verdict, decide
from models.layerout import blockdrop_curve as curve
from models.layerout.blockdrop.training import Recipe
from models.layerout.blockdrop_curve import ARM, BLOCKDROP

HOOKS = Hooks(lambda event: None, lambda: False)
CONFIG = replace(
    BLOCKDROP.presets["tiny"].config,
    epochs=5,
    batch_size=32,
    max_examples=160,
    max_test=40,
    blocks=(1, 1, 1),
    widths=(4, 4, 8),
    recipe=Recipe(
        pretraining=1, policy=3, policy_batch=24, joint_batch=24, policy_rate=0.1
    ),
)
METRICS = {
    "pretrained_accuracy": 96.0,
    "accuracy_change": -0.1,
    "blocks": 6,
    "kept": 3.6,
    "kept_share": 60.0,
    "usage": [1.0, 0.2, 1.0, 0.3, 1.0, 0.1],
    "paths": 5,
    "work": 70.0,
    "work_of_policy": 10.0,
    "multiply_adds": 4e5,
    "accuracy": {"policy": 95.9, "all": 95.5, "random": 88.0, "first": 80.0},
    "official_files": True,
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A trained network: its job and its results."""
    path = tmp_path_factory.mktemp("blockdrop") / "a.safetensors"
    names = (BLOCKDROP.id, ARM, 0, CONFIG, "hash", "numpy", path)
    job = Job(*names, train=curve.train)
    return job, curve.train(job, HOOKS)


def record(seed, changes=None):
    """One seed's results, with a little spread; changes are of METRICS."""
    metrics = copy.deepcopy(METRICS)
    for path, value in (changes or {}).items():
        *above, name = path.split(".")
        part = metrics
        for key in above:
            part = part[key]
        part[name] = value
    metrics["accuracy_change"] += 0.01 * seed
    metrics["paths"] += 0.01 * seed
    return {"seed": seed, "arms": {ARM: metrics}}


def verdict(claim, changes=None, preset="small", dataset="mnist"):
    records = [record(seed, changes) for seed in range(3)]
    return decide(claim, records, preset, dataset).verdict


def the_claim(words):
    (claim,) = (claim for claim in BLOCKDROP.claims if words in claim.name)
    return claim


def test_what_is_measured_belongs_to_the_last_epoch(run):
    _, result = run
    last = result["history"][-1]
    assert result["kept"] == pytest.approx(last["kept"])
    assert result["kept"] == pytest.approx(sum(result["usage"]))
    assert result["accuracy"]["policy"] == last["test_accuracy"]
    assert result["pretrained_accuracy"] == result["history"][0]["test_accuracy"]
    change = last["test_accuracy"] - result["history"][0]["test_accuracy"]
    assert result["accuracy_change"] == change


def test_work_is_that_of_the_policy_and_of_what_runs(run):
    _, result = run
    assert 0 < result["kept"] < 3, "the policy drops something"
    assert result["work_of_policy"] < result["work"] < 100 + result["work_of_policy"]
    assert 1 <= result["paths"] <= 8


def test_controls_keep_as_many_blocks():
    u = np.random.default_rng(0).random((50, 4)) < 0.6
    found = curve.ways(u, 0)
    assert found["policy"] is u
    assert found["all"].all()
    for control in ("random", "first"):
        assert (found[control].sum(axis=1) == u.sum(axis=1)).all()
    assert (found["first"][:, :-1] >= found["first"][:, 1:]).all()
    assert 0.4 < found["random"][:, 0].mean() < 0.8
    assert (found["random"] != u).any()


def test_the_explanation_tells_what_passes_gates_and_what_made_the_policy(run):
    job, _ = run
    found = BLOCKDROP.explain(CONFIG, {ARM: job.checkpoint})
    found.flow.assert_conserved()
    assert "% (block 1)" in found.sentence
    assert "(block 2)" not in found.sentence, "its shortcut is not the identity"
    assert "reward" in found.table
    assert "entropy" in found.table


def test_what_is_expected_reproduces_every_claim():
    for claim in BLOCKDROP.claims:
        assert verdict(claim) == Verdict.REPRODUCED, claim.name
        assert verdict(claim, preset="tiny", dataset="digits") == Verdict.NOT_RUN


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("less than 1 point below", {"accuracy_change": -1.5}),
        ("less than three quarters", {"kept_share": 76.0}),
        ("fewer multiply-adds", {"work": 101.0}),
        ("different paths", {"paths": 0.9}),
        ("at random", {"accuracy.random": 96.0}),
        ("that are the first", {"accuracy.first": 96.0}),
    ],
)
def test_each_claim_can_fail(words, changes):
    assert verdict(the_claim(words), changes) == Verdict.NOT_REPRODUCED


def test_the_table_and_the_figure_show_it(run, tmp_path):
    _, result = run
    (table,) = BLOCKDROP.tables([record(seed) for seed in range(3)])
    rows = dict(table.rows)
    assert rows["blocks kept for an image"] == "3.60 (0.00)"
    assert rows["- as many blocks, at random"] == "88.00 (0.00)"
    texts = []

    def draw(figure):
        BLOCKDROP.draw(figure, [{"seed": 0, "arms": {ARM: result}}])
        left, middle, right = figure.axes
        texts.extend(text.get_text() for text in middle.texts)
        assert left.lines[1].get_ydata()[0] == result["pretrained_accuracy"]
        assert len(right.patches) == 3

    save_figure(tmp_path / "figure.png", draw, BLOCKDROP.figure_size)
    assert texts == ["pretraining", "policy", "joint"]


@pytest.mark.slow
def test_on_digits_fewer_blocks_are_about_as_accurate():
    config = BLOCKDROP.presets["tiny"].config
    training = curve.build(config, ARM, 0)
    history = [training.run_epoch(epoch, HOOKS) for epoch in range(config.epochs)]
    before = history[config.recipe.pretraining - 1]
    assert before["kept"] == 6
    assert history[-1]["kept"] < 5
    assert history[-1]["test_accuracy"] >= before["test_accuracy"] - 1
