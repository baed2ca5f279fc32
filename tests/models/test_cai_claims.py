"""Claims of Tables 2 to 6 of CAI: published numbers hold, reversed ones do not."""

import pytest

from models.conv_aware_init import paired
from models.conv_aware_init.image_claims import (
    TABLE2,
    TABLE3_ACCURACY,
    TABLE3_LOSS,
    TABLE4_ACCURACY,
    TABLE4_LOSS,
)
from models.conv_aware_init.table2 import TABLE2 as CAI_TABLE2
from models.conv_aware_init.table3 import TABLE3
from models.conv_aware_init.table4 import TABLE4
from models.conv_aware_init.table5 import TABLE5
from models.conv_aware_init.table5_claims import ACCURACY
from models.conv_aware_init.table6 import TABLE6
from models.conv_aware_init.table6_claims import PUBLISHED
from models.experiments.verdicts import Verdict, decide

TABLES = [
    (CAI_TABLE2, "cifar10", TABLE2["cifar10"], {}),
    (CAI_TABLE2, "cifar100", TABLE2["cifar100"], {}),
    (TABLE3, "cifar10", TABLE3_ACCURACY, TABLE3_LOSS),
    (TABLE4, "svhn", TABLE4_ACCURACY, TABLE4_LOSS),
    (TABLE5, "imdb", ACCURACY, {}),
    (TABLE6, "vctk", {}, PUBLISHED),
]
every = pytest.mark.parametrize(("experiment", "dataset", "accuracy", "loss"), TABLES)


def records(experiment, accuracy, loss, sign=1):
    """Three seeds around the published numbers, or around what mirrors them."""
    middle = [sum(one.values()) / max(len(one), 1) for one in (accuracy, loss)]

    def arm(name, noise):
        high = accuracy.get(name, middle[0])
        low = loss.get(name, middle[1])
        high = middle[0] + sign * (high - middle[0]) + noise
        low = middle[1] + sign * (low - middle[1]) + noise / 1e3
        return {
            **dict.fromkeys(("last_test_accuracy", "test_accuracy"), high),
            "last_test_loss": low,
            "mean_test_loss": 0.4 + sign * (0 if "cai" in name else 0.02) + noise / 10,
            "best_test_epoch": 60 + sign * (0 if "cai" in name else 20) + noise,
            "majority_accuracy": 50.0,
            "unigram_loss": 4.85,
            "bigram_loss": 4.83,
        }

    return [
        {"arms": {name: arm(name, noise) for name in experiment.arms}}
        for noise in (-0.001, 0.0, 0.001)
    ]


def verdicts(experiment, dataset, numbers, wanted):
    """Verdict of each claim that `full` decides and whose name wanted takes."""
    return {
        claim.name: decide(claim, numbers, "full", dataset).verdict
        for claim in experiment.claims
        if claim.decidable("full", dataset) and wanted(claim)
    }


def by_the_paper(claim):
    return not claim.source.startswith("beyond")


@every
def test_the_published_numbers_reproduce_every_claim(
    experiment, dataset, accuracy, loss
):
    numbers = records(experiment, accuracy, loss)
    found = verdicts(experiment, dataset, numbers, by_the_paper)
    assert found
    assert set(found.values()) == {Verdict.REPRODUCED}, found


@every
def test_reversed_numbers_reproduce_no_order(experiment, dataset, accuracy, loss):
    numbers = records(experiment, accuracy, loss, sign=-1)

    def is_order(claim):
        return by_the_paper(claim) and hasattr(claim.relation, "pairs")

    found = verdicts(experiment, dataset, numbers, is_order)
    assert found
    assert set(found.values()) == {Verdict.NOT_REPRODUCED}, found


@pytest.mark.parametrize(
    ("experiment", "words", "arm", "metric", "value"),
    [
        (TABLE3, "learn alike", "cai", "mean_test_loss", 1.0),
        (TABLE3, "scale of orthogonal", "orthogonal_sqrt2", "last_test_loss", 1.0),
        (TABLE3, "every initialization learns", "cai_soft", "last_test_loss", 2.3),
        (TABLE5, "Embed-Conv is more", "embed_conv.normal_03", "test_accuracy", 49),
        (TABLE5, "Embed-LSTM is more", "embed_lstm.normal_03", "test_accuracy", 49),
        (
            TABLE5,
            "Embed-Conv-LSTM is",
            "embed_conv_lstm.normal_03",
            "test_accuracy",
            49,
        ),
        (TABLE5, "has more than 80", "embed_lstm.orthogonal_03", "test_accuracy", 79),
        (TABLE6, "entropy of the samples, so", "normal_02", "last_test_loss", 4.9),
        (TABLE6, "half a nat below", "orthogonal_02", "last_test_loss", 5.3),
        (TABLE6, "pairs of samples tell", "normal_02", "last_test_loss", 4.9),
        (TABLE6, "He normal", "he_normal", "last_test_loss", 4.0),
        (TABLE6, "are near the entropy", "cai", "unigram_loss", 5.3),
    ],
)
def test_each_control_can_hold_and_can_fail(experiment, words, arm, metric, value):
    (row,) = (one for one in TABLES if one[0] is experiment)
    numbers = records(experiment, *row[2:])

    def control(claim):
        return not by_the_paper(claim) and words in claim.name

    held = verdicts(experiment, row[1], numbers, control)
    assert list(held.values()) == [Verdict.REPRODUCED]
    for seed, record in enumerate(numbers):
        record["arms"][arm][metric] = value * (1 + 1e-5 * seed)
    failed = verdicts(experiment, row[1], numbers, control)
    assert list(failed.values()) == [Verdict.NOT_REPRODUCED]


def test_every_control_is_among_those_tried():
    controls = [
        claim
        for one in {row[0].id: row[0] for row in TABLES}.values()
        for claim in one.claims
        if not by_the_paper(claim)
    ]
    assert len(controls) == 12


@pytest.mark.parametrize(
    ("values", "p"),
    [([1, 1, 1, 1, 1], 1 / 32), ([1, -1], 0.75), ([-1, -1], 1.0), ([0, 0], 1.0)],
)
def test_the_sign_test_counts_wins(values, p):
    assert paired.sign_test(values) == p


def test_differences_count_what_is_better_whichever_way_it_lies():
    def record(a, b):
        names = ("last_test_accuracy", "last_test_loss")
        return {"arms": {"a": dict.fromkeys(names, a), "b": dict.fromkeys(names, b)}}

    table = paired.differences(
        [paired.Pair("a - b", "a", "b")],
        (paired.ACCURACY, paired.LOSS),
        [record(2.0, 1.0), record(3.0, 1.0), record(1.0, 1.5)],
    )
    ((words, up, won, p, down, fewer, q),) = table.rows
    assert (words, up, won, p) == ("a - b", "0.83 (1.26)", "2 of 3", "0.5")
    assert (down, fewer, q) == ("0.8333 (1.2583)", "1 of 3", "0.88")
    assert len(table.header) == 7
