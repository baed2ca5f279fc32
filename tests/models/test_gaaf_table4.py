"""Table 4: what decides its claims."""

import pytest

from models.experiments.verdicts import Verdict, decide
from models.gaaf.table4 import ACCURACY, CLAIMS, EPOCHS, TABLE4


def record(seed=0, **changes):
    """What is published, with a spread over seeds; changes are metrics by arm."""
    arms = {}
    for number, arm in enumerate(TABLE4.arms):
        noise = 0.01 * ((seed + number) % 3)
        arms[arm] = {
            "test_accuracy": ACCURACY[arm][0] + noise,
            "best_test_accuracy": ACCURACY[arm][0] + 0.1,
            "best_epoch": EPOCHS[arm][0] + noise,
            "epochs_run": 250,
            "fitted_epoch": None,
            "sawtooth_test_accuracy": 98.0 + noise / 10,
            "last_test_accuracy": 98.0 + noise / 10,
            "history": [{"train_loss": 0.5}, {"train_loss": 0.1 + noise}],
        }
        arms[arm] |= changes.get(arm, {})
    return {"seed": seed, "arms": arms}


def verdict(claim, preset="full", **changes):
    records = [record(seed, **changes) for seed in range(3)]
    return decide(claim, records, preset, "mnist").verdict


def claim_named(words):
    (found,) = [claim for claim in CLAIMS if words in claim.name]
    return found


def test_published_numbers_reproduce_every_claim():
    for claim in CLAIMS:
        assert verdict(claim) == Verdict.REPRODUCED, claim.name


@pytest.mark.parametrize(
    ("words", "changes"),
    [
        ("the base network reaches", {"base": {"test_accuracy": 97.0}}),
        ("GAAF is more accurate", {"gaaf": {"test_accuracy": 98.0}}),
        ("dropout is more accurate", {"dropout": {"test_accuracy": 98.0}}),
        ("GAAF is as accurate", {"gaaf": {"test_accuracy": 98.0}}),
        ("GAAF needs fewer", {"gaaf": {"best_epoch": 170}}),
        ("epochs to converge", {"base": {"best_epoch": 120}}),
        ("does not change", {"gaaf": {"sawtooth_test_accuracy": 97.0}}),
    ],
)
def test_other_numbers_do_not_reproduce_the_claims(words, changes):
    assert verdict(claim_named(words), **changes) == Verdict.NOT_REPRODUCED


@pytest.mark.parametrize("words", ["GAAF needs fewer", "epochs to converge"])
def test_epochs_of_trainings_that_were_cut_off_decide_nothing(words):
    ends = {"best_epoch": 20, "epochs_run": 20}
    changes = dict.fromkeys(TABLE4.arms, ends)
    assert verdict(claim_named(words), **changes) == Verdict.NOT_RUN


def test_rows_stand_for_each_network():
    (table,) = TABLE4.tables([record(seed) for seed in range(3)])
    assert [row[0] for row in table.rows] == ["base", "+dropout", "+GAAF"]
    assert table.rows[2][1:3] == ("98.35 (0.059)", "98.36 (0.01)")
    assert table.rows[0][-1] == "in 0 of 3"
