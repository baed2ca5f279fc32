import math

import pytest

from models.experiments.claims import Claim, Near, Ordered, Quantity
from models.experiments.verdicts import Verdict, decide, p_above

A, B = Quantity("a", "score", "A"), Quantity("b", "score", "B")
RISES = Claim("A < B", "1 < 2", "Table 1", Ordered(((A, B),), (1.0,)))


def records(a, b):
    return [
        {"arms": {"a": {"score": x}, "b": {"score": y}}}
        for x, y in zip(a, b, strict=True)
    ]


def verdict(claim, a, b, preset="tiny", dataset="digits"):
    return decide(claim, records(a, b), preset, dataset).verdict


def test_a_clear_order_is_reproduced():
    assert verdict(RISES, [1.0, 1.1, 1.2], [2.0, 2.2, 2.1]) == Verdict.REPRODUCED


def test_seeds_are_paired():
    # Unpaired the spread of 10 would hide a difference of 1.
    assert verdict(RISES, [0, 10, 20], [1.0, 11.1, 20.9]) == Verdict.REPRODUCED


def test_the_opposite_order_is_not_reproduced():
    assert verdict(RISES, [2.0, 2.2, 2.1], [1.0, 1.1, 1.2]) == Verdict.NOT_REPRODUCED


def test_no_effect_where_the_published_one_would_show_is_not_reproduced():
    a, b = [1.0, 1.1, 1.2, 1.0], [1.1, 1.0, 1.25, 0.95]
    assert verdict(RISES, a, b) == Verdict.NOT_REPRODUCED


def test_wide_spread_is_inconclusive():
    assert verdict(RISES, [1.0, 3.0, 2.0], [2.0, 1.0, 6.0]) == Verdict.INCONCLUSIVE


def test_one_seed_is_inconclusive():
    decision = decide(RISES, records([1.0], [2.0]), "tiny", "digits")
    assert decision.verdict == Verdict.INCONCLUSIVE
    assert decision.measured == "A 1.00, B 2.00, n = 1"


@pytest.mark.parametrize(
    ("preset", "dataset"), [("tiny", "mnist"), ("full", "digits"), ("tiny", "digits")]
)
def test_other_scales_are_not_run(preset, dataset):
    claim = Claim(
        *("A < B", "1 < 2", "Table 1", RISES.relation),
        presets=("full",),
        datasets=("mnist",),
    )
    decision = decide(claim, records([1, 1], [2, 3]), preset, dataset)
    assert decision.verdict == Verdict.NOT_RUN
    assert decision.measured == "A 1.00 (0.00), B 2.50 (0.71), n = 2"
    assert verdict(claim, [1.0] * 3, [2.0] * 3, "full", "mnist") == Verdict.REPRODUCED


def test_numbers_at_their_ceiling_are_lower_bounds():
    capped = Quantity("b", "score", "B", ceiling="most")
    claim = Claim("A < B", "", "", Ordered(((A, capped),), (1.0,)))
    found = records([1.0, 1.0], [3.0, 5.0])
    for record in found:
        record["arms"]["b"]["most"] = 5.0
    decision = decide(claim, found, "tiny", "digits")
    assert decision.measured == "A 1.00 (0.00), B 4.00 (1.41) or more, n = 2"


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        ([1.0, 1.1, 1.2], [5.0, 5.0, 5.0], Verdict.REPRODUCED),
        # The cut-off may hide an order, so it cannot refute it.
        ([4.9, 5.0, 5.1], [5.0, 5.0, 5.0], Verdict.NOT_RUN),
        ([1.0, 1.1, 5.0], [2.0, 2.1, 2.2], Verdict.NOT_RUN),
        ([4.0, 4.1, 4.2], [2.0, 2.1, 2.2], Verdict.NOT_REPRODUCED),
    ],
)
def test_what_is_cut_off_decides_nothing_against_an_order(low, high, expected):
    first, second = (Quantity(arm, "score", arm, ceiling="most") for arm in "ab")
    claim = Claim("A < B", "", "", Ordered(((first, second),), (1.0,)))
    found = records(low, high)
    for record in found:
        for metrics in record["arms"].values():
            metrics["most"] = 5.0
    decision = decide(claim, found, "tiny", "digits")
    assert decision.verdict == expected
    assert ("at its ceiling" in decision.test) == (expected is Verdict.NOT_RUN)


def test_what_is_undefined_decides_nothing():
    assert verdict(RISES, [1.0, 1.1, 1.2], [2.0, 2.1, math.nan]) == Verdict.INCONCLUSIVE


def test_tiny_p_values_are_not_worded_as_zero():
    decision = decide(RISES, records([1.0, 1.0], [2.0, 2.0]), "tiny", "digits")
    assert decision.test.endswith("p < 0.001")


def test_every_pair_must_hold():
    relation = Ordered(((A, B), (B, 10.0)), (1.0, 1.0))
    claim = Claim("A < B < 10", "", "", relation)
    assert verdict(claim, [1, 1, 1.1], [2, 2.1, 2]) == Verdict.REPRODUCED
    assert verdict(claim, [1, 1, 1.1], [12, 12.1, 12]) == Verdict.NOT_REPRODUCED
    assert verdict(claim, [1, 1, 1.1], [9, 12.1, 9]) == Verdict.INCONCLUSIVE


def test_ratios_are_compared_on_a_logarithmic_scale():
    ratio = Quantity("b", "score", "B/A", per="a")
    relation = Ordered(((1.0, ratio),), (4.0,), logarithmic=True)
    record = records([2.0], [6.0])[0]
    assert relation.excess(0, record) == pytest.approx(math.log(3))
    assert relation.effect(0) == pytest.approx(math.log(4))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.9, 1.0, 1.1], Verdict.REPRODUCED),
        ([1.9, 2.0, 2.1], Verdict.NOT_REPRODUCED),
        ([0.0, 1.0, 2.0], Verdict.INCONCLUSIVE),
        ([1.0, 1.0, 1.0], Verdict.REPRODUCED),
        ([3.0, 3.0, 3.0], Verdict.NOT_REPRODUCED),
    ],
)
def test_agreement_is_an_equivalence_test(values, expected):
    claim = Claim("A is 1", "1", "Table 1", Near(A, 1.0, 0.5))
    assert verdict(claim, values, values) == expected


def test_equal_values_decide_by_their_sign():
    assert p_above([0.1 + 0.2, 0.3, 0.3], 0.2) == 0.0
    assert p_above([0.1, 0.1], 0.2) == 1.0
    assert p_above([0.0, 0.0], 0.0) == 0.5


def test_dotted_metrics_lead_into_nested_numbers():
    record = {"arms": {"a": {"g": {"layer1": 3.0}}}}
    assert Quantity("a", "g.layer1", "").of(record) == 3.0
