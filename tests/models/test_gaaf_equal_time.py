import json
import math

import numpy as np
import pytest
from matplotlib.figure import Figure

from models.experiments.claims import Quantity
from models.experiments.verdicts import Verdict, decide
from models.gaaf import equal_time, table4
from models.gaaf.common import MAIN
from models.gaaf.equal_time_claims import (
    CLAIMS,
    InTimeOf,
    common_level,
    epochs_to_level,
    fastest_seconds,
    in_time_of,
    seconds_to_level,
    total_seconds,
)

EPOCHS = 30
PACE = {"base": 6.0, "dropout": 12.0, "gaaf": 3.0}
"""Epochs in which the error falls by a factor of e."""
SECONDS = {"base": 2.0, "dropout": 2.4, "gaaf": 2.2}


def history(pace, seconds, seed=0, epochs=EPOCHS):
    """Validation is one point above test; the third epoch was held up."""
    return [
        {
            "test_accuracy": 98.5 - 0.03 * seed - 40 * math.exp(-epoch / pace),
            "validation_accuracy": 99.5 - 40 * math.exp(-epoch / pace),
            "seconds": seconds * (10 if epoch == 3 else 1) * 1.01**seed,
        }
        for epoch in range(1, epochs + 1)
    ]


def record(seed=0, pace=PACE, seconds=SECONDS):
    arms = {}
    for number, arm in enumerate(MAIN):
        epochs = history(pace[arm], seconds[arm], seed * number)
        arms[arm] = {
            **equal_time.progress(epochs),
            "epochs_run": len(epochs),
            "history": epochs,
        }
    return {"seed": seed, "arms": arms}


def verdict(claim, **changes):
    records = [record(seed, **changes) for seed in range(3)]
    return decide(claim, records, "small", "mnist").verdict


def test_the_networks_are_those_of_table_4():
    assert equal_time.EQUAL_TIME.recipe == table4.TABLE4.recipe
    assert equal_time.EQUAL_TIME.arms == table4.TABLE4.arms
    assert equal_time.PRESETS == table4.PRESETS


def test_a_held_up_epoch_does_not_count():
    assert equal_time.progress(history(3.0, 2.0))["epoch_seconds"] == 2.0


def test_accuracies_are_read_after_so_many_epochs_or_the_last():
    epochs = history(3.0, 2.0, epochs=12)
    expected = {"5": epochs[4], "10": epochs[9], "20": epochs[11]}
    found = equal_time.progress(epochs)["after"]
    assert found == {n: epoch["test_accuracy"] for n, epoch in expected.items()}


def test_the_first_epoch_at_a_level_counts_though_later_ones_fall_back():
    levels = [70.0, 94.9, 95.0, 90.0, 97.9]
    epochs = [
        {"validation_accuracy": level, "test_accuracy": 90.0, "seconds": 1.0}
        for level in levels
    ]
    reached = equal_time.progress(epochs)["reached"]
    assert [reached[level] for level in ("60", "70", "90", "95", "96")] == [
        *(1, 1, 2, 3),
        5,
    ]
    assert reached["98"] is None


def test_what_is_kept_of_a_training_is_json():
    progress = equal_time.progress(history(3.0, 2.0, epochs=250))
    assert len(progress["curve"]["epoch"]) <= 40
    assert json.loads(json.dumps(progress)) == progress


def test_equal_time_is_a_number_of_epochs_of_each_network():
    # 10 epochs of the base, at 2 s, are 8 1/3 of dropout, at 2.4 s.
    accuracies = [epoch["test_accuracy"] for epoch in history(12.0, 2.4)]
    expected = np.interp(10 * 2.0 / 2.4, range(1, EPOCHS + 1), accuracies)
    assert in_time_of("dropout", 10).of(record()) == pytest.approx(expected)
    assert (
        in_time_of("base", 10).of(record()) == record()["arms"]["base"]["after"]["10"]
    )


def test_the_fastest_network_is_the_one_that_is_done_first():
    one = record()
    assert fastest_seconds(one) == total_seconds(one, "base") == 60.0
    one["arms"]["gaaf"]["epochs_run"] = 20
    assert fastest_seconds(one) == pytest.approx(44.0)
    last = one["arms"]["base"]["history"][21]["test_accuracy"]
    assert in_time_of("base", None).of(one) == pytest.approx(last)


def test_within_its_first_epoch_a_network_has_no_accuracy_yet():
    slow = record(seconds=SECONDS | {"dropout": 21.0})
    assert math.isnan(in_time_of("dropout", 10).of(slow))
    table, _ = equal_time.tables([slow])
    assert table.rows[1][4] == "-"


def test_the_common_level_is_one_that_all_networks_reach():
    one = record()
    # dropout ends at 99.5 - 40 / e^2.5 = 96.2.
    assert common_level(one) == 96
    assert epochs_to_level("gaaf").of(one) == math.ceil(3 * math.log(40 / 3.5))
    assert epochs_to_level("dropout").of(one) == math.ceil(12 * math.log(40 / 3.5))
    assert seconds_to_level("gaaf").of(one) == pytest.approx(8 * 2.2)


def test_without_a_common_level_there_is_no_number():
    one = record(pace=PACE | {"dropout": 1e9})
    one["arms"]["dropout"]["reached"] = dict.fromkeys(one["arms"]["base"]["reached"])
    assert common_level(one) is None
    assert math.isnan(epochs_to_level("gaaf").of(one))
    _, table = equal_time.tables([one])
    assert table.header[3] == "epochs to ? % (validation)"
    assert table.rows[0][3:5] == ("-", "-")


def test_quantities_of_equal_times_are_told_apart():
    assert in_time_of("gaaf", 5) != in_time_of("gaaf", 10)
    plain = Quantity("gaaf", "test_accuracy", "")
    assert InTimeOf("gaaf", "test_accuracy", "") != plain


def test_what_the_paper_states_reproduces_every_claim():
    for claim in CLAIMS:
        assert verdict(claim) == Verdict.REPRODUCED, claim.name


SLOW = {"pace": PACE | {"gaaf": 13.0}}
DEAR = {"seconds": {"base": 3.0, "dropout": 2.4, "gaaf": 12.0}}


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        ("after 5, 10", SLOW),
        ("control: after 5, 10", SLOW),
        ("in the time of", DEAR),
        ("control: in the time of", DEAR),
        ("GAAF reaches the validation accuracy that all reach in fewer", SLOW),
        ("GAAF reaches the validation accuracy that all reach in less", DEAR),
        ("control: an epoch", DEAR),
    ],
)
def test_other_numbers_do_not_reproduce_the_claims(start, changes):
    (claim,) = [claim for claim in CLAIMS if claim.name.startswith(start)]
    assert verdict(claim, **changes) == Verdict.NOT_REPRODUCED


def test_the_time_of_an_epoch_decides_nothing_about_equal_epochs():
    for claim in CLAIMS[:2]:
        assert verdict(claim, **DEAR) == Verdict.REPRODUCED


def test_nothing_is_decided_on_digits():
    decisions = [decide(claim, [record()] * 3, "tiny", "digits") for claim in CLAIMS]
    assert {decision.verdict for decision in decisions} == {Verdict.NOT_RUN}


def test_tables_have_a_row_for_each_network():
    accuracies, times = equal_time.tables([record(0), record(1)])
    for table in (accuracies, times):
        assert [row[0] for row in table.rows] == ["base", "+dropout", "+GAAF"]
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert times.header[3] == "epochs to 96 % (validation)"
    assert times.rows[2][1:4] == ("2.22 (0.03)", "1.11 (0.02)", "8.0 (0.0)")
    assert times.rows[1][5:] == ("in 0 of 2", "-")
    assert times.rows[2][5:] == ("10.0 (0.0)", "22.2 (0.3)")


def test_the_figure_shows_accuracy_over_epochs_and_over_seconds():
    figure = Figure(layout="constrained")
    equal_time.draw(figure, [record(0), record(1)])
    epochs, seconds = figure.axes
    ends = [line.get_xdata()[-1] for line in epochs.get_lines()]
    assert ends == [EPOCHS] * 3
    ends = [line.get_xdata()[-1] for line in seconds.get_lines()]
    assert ends == pytest.approx([60.0, 72.36, 66.6633], rel=1e-3)
    assert len(epochs.collections) == len(seconds.collections) == 3
    labels = [text.get_text() for text in epochs.get_legend().get_texts()]
    assert labels == ["base", "+dropout", "+GAAF"]
