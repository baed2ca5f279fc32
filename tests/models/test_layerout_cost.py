import itertools
import math
import statistics
from dataclasses import replace

import numpy as np
import pytest

from minigrad import nn
from minigrad.inspect import backward_cost
from minigrad.nn.freezing import LayerOut, joint_probability
from minigrad.random import Streams
from models.experiments.pool import Hooks, Job
from models.experiments.verdicts import Verdict, decide
from models.layerout import cost, cost_claims, cost_panels, expectations
from models.layerout.arms import dfreeze, efreeze
from models.layerout.cost_claims import CLAIMS, FROZEN, SPREAD
from models.layerout.expectations import Chain, Chances, chain_of, expected
from models.networks.mlp import mlp
from models.networks.vgg import vgg

LITTLE = replace(
    cost.PRESETS["tiny"].config,
    epochs=7,
    warm_up=1,
    hidden=(8, 8, 8),
    max_examples=160,
    max_test=64,
)


@pytest.fixture(scope="module", autouse=True)
def chains():
    """Count the paper's networks with all weights at 0: drawing them takes the time."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("normal_", "uniform_"):
            patch.setattr(nn.init, name, lambda weight, *_, **__: weight)
        return expectations.published_chains()


def train(arm, folder):
    path = folder / f"{arm}.safetensors"
    job = Job("layerout.cost", arm, 0, LITTLE, "hash", "numpy", path, train=cost.train)
    return cost.train(job, Hooks(lambda event: None, lambda: False))


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cost")
    return {"seed": 0, "arms": {arm: train(arm, folder) for arm in cost.ARMS}}


def dense(hidden=(8, 8, 8), width=64):
    streams = Streams(0)
    return mlp(width, hidden, 10, activation=nn.ReLU, streams=streams, seed=0)


def normed():
    return vgg(
        (4, "M", 6, "M", 8, "M"),
        in_channels=2,
        image_size=8,
        batch_norm=True,
        norm_bias=True,
        seed=0,
    )


# -- by formula ------------------------------------------------------------------------

SHEET = [
    ("mnist", "efreeze", {"frozen": 38.88, "saved": 62.59}),
    ("mnist", "dfreeze", {"frozen": 60.89, "saved": 21.71}),
    ("vgg16", "efreeze", {"frozen": 29.61, "saved": 43.38, "saved_live": 28.45}),
    ("vgg16", "dfreeze", {"frozen": 70.37, "saved": 22.34, "saved_live": 21.69}),
]


@pytest.mark.parametrize(("network", "strategy", "shares"), SHEET)
def test_the_formula_gives_the_known_shares(chains, network, strategy, shares):
    found = expectations.expectations(chains[network])[strategy]
    assert {name: round(found[name], 2) for name in shares} == shares


def test_the_formula_gives_the_shares_of_a_random_v(chains):
    # These were found by drawing, to 0.2 points.
    for network, shares in {
        "mnist": {"frozen": 49.61, "saved": 38.84},
        "vgg16": {"frozen": 49.99, "saved": 29.84, "saved_live": 25.07},
    }.items():
        found = expectations.expectations(chains[network])["random"]
        assert {name: found[name] for name in shares} == pytest.approx(shares, abs=0.2)


@pytest.mark.parametrize(
    ("make", "shape", "norm", "saved"),
    [
        (dense, (64,), "live", "saved"),
        (normed, (2, 8, 8), "with_unit", "saved"),
        (normed, (2, 8, 8), "live", "saved_live"),
    ],
)
def test_the_formula_is_the_mean_over_all_sets_of_layers(make, shape, norm, saved):
    model = make()
    count = len(LayerOut(model).units)
    v = np.random.default_rng(0).random(count)
    frozen, work = 0.0, 0.0
    sets = list(itertools.product((False, True), repeat=count))[:-1]
    whole = sum(joint_probability(one, v) for one in sets)
    for one in sets:
        weight = 100 * joint_probability(one, v) / whole
        freeze = LayerOut(model, tuple(map(float, one)), warm_up=0, norm=norm)
        with freeze.epoch(0) as drawn:
            assert drawn == one
            counted = backward_cost(model, (2, *shape))
        frozen += weight * counted.frozen_share
        work += weight * counted.saved_share
    found = expected(chain_of(model, shape), Chances.given(v))
    assert found[saved] == pytest.approx(work, rel=1e-9)
    if norm == "live":
        assert found["frozen"] == pytest.approx(frozen, rel=1e-9)


def test_two_layers_with_random_v_are_each_frozen_with_a_known_probability():
    # E[(v1 - v1 v2) / (1 - v1 v2)] = 1 - (pi^2 / 6 - 1).
    value = 2 - math.pi**2 / 6
    chances = Chances.redrawn(2)
    assert chances.alone == pytest.approx((value, value), abs=1e-8)
    assert chances.before == pytest.approx((value,), abs=1e-8)


def test_random_v_has_the_mean_of_given_v():
    rng = np.random.default_rng(0)
    drawn = [Chances.given(v) for v in rng.random((10_000, 4))]
    chances = Chances.redrawn(4)
    for part in ("alone", "before"):
        values = np.array([getattr(one, part) for one in drawn])
        error = values.std(0) / math.sqrt(len(values))
        assert (abs(values.mean(0) - getattr(chances, part)) < 4 * error).all()


def test_a_step_has_forward_beside_backward():
    chain = Chain((1, 1), (30, 10), 2)
    assert chain.backward == 50, "30 + 10 of weights, 10 of an input"
    assert chain.backward_part == 50 / 90
    found = expected(chain, Chances.given((1.0, 0.0)))
    assert found["frozen"] == 50
    assert found["saved"] == pytest.approx(80), "30 of a weight, 10 of an input"
    assert found["saved_live"] == pytest.approx(60)
    assert found["step"] == pytest.approx(100 * 40 / 90)
    assert found["step_live"] == pytest.approx(100 * 30 / 90)


def test_what_a_frozen_set_saves_is_what_was_counted_by_hand():
    model = dense()
    with LayerOut(model, (1.0, 0.0, 1.0, 0.0), warm_up=0).epoch(0):
        counted = backward_cost(model, (3, 64))
    # Weights of layer1 and layer3, and what layer2 would hand on to layer1.
    saved = 64 * 8 + 8 * 8 + 8 * 8
    whole = (64 * 8 + 8 * 8 + 8 * 8 + 8 * 10) + (8 * 8 + 8 * 8 + 8 * 10)
    assert counted.saved_share == pytest.approx(saved / whole)
    assert counted.frozen == (64 * 8 + 8) + (8 * 8 + 8)


# -- measured --------------------------------------------------------------------------


def test_the_network_and_its_probabilities_are_those_of_the_protocol():
    assert efreeze(5) == (0.9, 0.7, 0.5, 0.3, 0.1)
    assert dfreeze(5) == efreeze(5)[::-1]
    hidden = cost.PRESETS["small"].config.hidden
    chain = chain_of(dense(hidden, 784), (784,))
    assert chain.sizes == (200_960, 65_792, 65_792, 65_792, 2_570)
    assert chain.parameters == 400_906
    found = expectations.expectations(chain)
    assert found["efreeze"]["frozen"] == pytest.approx(69.5, abs=0.1)
    assert found["efreeze"]["saved"] == pytest.approx(66.52, abs=0.01)
    assert found["dfreeze"]["frozen"] == pytest.approx(29.5, abs=0.1)


@pytest.mark.parametrize("arm", FROZEN)
def test_spread_is_three_standard_deviations_of_a_run(arm):
    sizes = np.array([200_960, 65_792, 65_792, 65_792, 2_570])
    sets = np.array(list(itertools.product((0, 1), repeat=5)))[:-1]
    shares = 100 * (sets @ sizes) / sizes.sum()
    given = {"efreeze": [efreeze(5)], "dfreeze": [dfreeze(5)]}
    drawn = np.random.default_rng(0).random((20_000, 5))
    v = np.array(given.get(arm, drawn))[:, None]
    weights = np.where(sets, v, 1 - v).prod(2)
    weights /= weights.sum(1, keepdims=True)
    variance = weights @ shares**2 - (weights @ shares) ** 2
    epochs = 40 if arm == "since_start" else 32
    spread = 3 * math.sqrt(variance.mean() / epochs)
    assert pytest.approx(spread, abs=0.1) == SPREAD[arm]


def test_nothing_is_misreported(record):
    for arm in cost.ARMS:
        assert record["arms"][arm]["misreported"] == 0
    assert record["arms"]["baseline"]["frozen_share"] == 0
    for arm in FROZEN:
        assert record["arms"][arm]["frozen_share"] > 0


def test_shares_are_set_against_each_other(record):
    forward = 64 * 8 + 8 * 8 + 8 * 8 + 8 * 10
    backward = 2 * forward - 64 * 8
    for metrics in record["arms"].values():
        frozen, saved = metrics["frozen_share"], metrics["saved_share"]
        step = saved * backward / (forward + backward)
        assert metrics["step_share"] == pytest.approx(step)
        assert metrics["overstated"] == pytest.approx(frozen - saved)
        assert metrics["overstated_step"] == pytest.approx(frozen - step)
        assert metrics["trained_part"] == pytest.approx(1 - frozen / 100)
        last = [epoch["test_accuracy"] for epoch in metrics["history"]][2:]
        assert metrics["late_test_accuracy"] == pytest.approx(statistics.fmean(last))


def test_the_tables_hold_what_was_measured_and_what_was_expected(record):
    shares, formulas = cost.tables([record])
    assert [row[0] for row in shares.rows] == [one.label for one in cost.ARMS.values()]
    efreeze_row = shares.rows[-1]
    metrics = record["arms"]["efreeze"]
    for cell, name in zip(
        efreeze_row[1:5],
        ("frozen_share", "expected_share", "saved_share", "step_share"),
        strict=True,
    ):
        assert cell.startswith(f"{metrics[name]:.1f}")
    rows = {row[:2]: row[2:] for row in formulas.rows}
    network, strategy = cost_panels.NETWORKS, cost_panels.STRATEGIES
    row = rows[network["vgg16"], strategy["efreeze"]]
    assert row == ("53.66", "29.61", "43.38", "28.45", "28.89", "18.95")
    row = rows[network["mnist"], strategy["random"]]
    assert row[0] == "31.20 / 28.50"
    assert row[3] == row[5] == "-", "it has no batch norm"
    assert rows[network["dense"], strategy["dfreeze"]][0] == "-"


def test_claims_by_formula_are_decided_at_every_scale(record):
    def verdict(claim):
        return decide(claim, [record] * 2, "tiny", "digits").verdict

    by_formula = [claim for claim in CLAIMS if "by formula" in claim.name]
    reproduced = {
        claim.name for claim in by_formula if verdict(claim) is Verdict.REPRODUCED
    }
    assert len(by_formula) == 9
    assert len(reproduced) == 3, "VGG-16 with dfreeze, and both inverted orders"
    assert any("69.91" in name for name in reproduced)
    for claim in by_formula:
        assert verdict(claim) in (Verdict.REPRODUCED, Verdict.NOT_REPRODUCED)


def test_every_claim_finds_its_numbers(record):
    for claim in CLAIMS:
        for quantity in claim.relation.quantities():
            assert math.isfinite(quantity.of(record))


def scaled(record, arm, **changes):
    arms = {**record["arms"], arm: {**record["arms"][arm], **changes}}
    return {**record, "arms": arms}


def test_work_and_seconds_that_followed_parameters_would_be_reproduced(record):
    seconds = record["arms"]["baseline"]["backward_seconds"]
    for arm in FROZEN:
        frozen = record["arms"][arm]["frozen_share"]
        for off, expected_verdict in (
            (0.0, Verdict.REPRODUCED),
            (10.0, Verdict.NOT_REPRODUCED),
        ):
            made = scaled(
                record,
                arm,
                saved_share=frozen - off,
                backward_seconds=seconds * (1 - (frozen - off) / 100),
            )
            said = [
                claim
                for claim in CLAIMS
                if claim.published == cost_claims.SAID
                and any(one.arm == arm for one in claim.relation.quantities())
            ]
            assert len(said) == 2
            for claim in said:
                found = decide(claim, [made] * 2, "small", "mnist").verdict
                assert found is expected_verdict, claim.name
