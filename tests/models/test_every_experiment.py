"""Every experiment runs to its end, from training to its figure, on a few digits."""

from dataclasses import fields, replace

import pytest

from models.experiments.figures import save_figure
from models.experiments.pool import Hooks, Job
from models.experiments.summary import decide_all, without_histories
from models.experiments.verdicts import Verdict
from models.registry import EXPERIMENTS

LITTLE = {
    "hidden": (8, 8, 8),
    "epochs": 2,
    "max_examples": 256,
    "max_test": 64,
    "warm_up": 1,
    "points": 2000,
    "numbers": 256,
}
# The code of Tables 2 and 3, on another data set; Table 5 has a test of its own, and so
# have the parts of bpga.stochastic, which takes longest. cai.table2 trains three of the
# networks of cai.table3.
AGAIN = ("layerout.table4", "layerout.table5", "bpga.stochastic", "cai.table2")
every = pytest.mark.parametrize(
    "experiment",
    [
        pytest.param(one, id=one.id, marks=[pytest.mark.slow] * (one.id in AGAIN))
        for one in EXPERIMENTS
    ],
)


def little(experiment):
    config = experiment.presets["tiny"].config
    known = {field.name: getattr(config, field.name) for field in fields(config)}
    changes = {
        name: value if isinstance(value, tuple) else min(value, known[name])
        for name, value in LITTLE.items()
        if known.get(name)
    }
    return replace(config, **changes)


@every
def test_it_runs_to_its_end(experiment, tmp_path, stable):
    config = little(experiment)
    experiment.prepare(config)
    hooks = Hooks(lambda event: None, lambda: False)
    checkpoints = {arm: tmp_path / f"{arm}.safetensors" for arm in experiment.arms}

    def train(arm):
        names = (experiment.id, arm, 0, config, "hash", "numpy", checkpoints[arm])
        return experiment.train(Job(*names, train=experiment.train), hooks)

    record = {"seed": 0, "arms": {arm: train(arm) for arm in experiment.arms}}
    again = {arm: train(arm) for arm in experiment.arms}
    assert stable(again) == stable(record["arms"]), "measured from checkpoints"
    numbers = [without_histories(record)] * 2
    decide_all(experiment, "tiny", config.dataset, numbers)
    for claim in experiment.claims:
        # Also of claims that this scale cannot decide: their numbers are there.
        for quantity in claim.relation.quantities():
            assert isinstance(quantity.of(numbers[0]), float)
    for table in experiment.tables(numbers):
        assert all(len(row) == len(table.header) for row in table.rows)
    picture = tmp_path / "figure.png"
    save_figure(
        picture,
        lambda figure: experiment.draw(figure, [record]),
        experiment.figure_size,
    )
    assert picture.stat().st_size > 10_000
    explanation = experiment.explain(config, checkpoints)
    explanation.flow.assert_conserved()
    assert explanation.sentence.endswith(".")


@every
def test_its_claims_can_be_decided_somewhere(experiment):
    for claim in experiment.claims:
        presets = claim.presets or tuple(experiment.presets)
        datasets = claim.datasets or experiment.datasets
        assert set(presets) <= set(experiment.presets)
        assert set(datasets) <= set(experiment.datasets)
        assert claim.name
        assert claim.published
        assert claim.source


@every
def test_ids_and_aliases_are_its_own(experiment):
    others = [one for one in EXPERIMENTS if one is not experiment]
    taken = {name for one in others for name in (one.id, *one.aliases, one.family)}
    assert not taken & {experiment.id, *experiment.aliases} - {experiment.family}


def test_verdicts_are_words_of_the_readme():
    from models.experiments import report

    text = (report.ROOT / "README.md").read_text(encoding="utf-8")
    for verdict in Verdict:
        assert f"`{verdict}`" in text
