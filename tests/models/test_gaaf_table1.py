import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from models.experiments.pool import Job
from models.experiments.verdicts import Verdict, decide
from models.gaaf import common, table1
from models.gaaf.common import LAYERS, GaafConfig
from models.gaaf.measures import nodes
from models.gaaf.table1_claims import CLAIMS, PAIRS, PUBLISHED

CONFIG = GaafConfig("digits", hidden=(12, 8, 6), epochs=1, image_size=8)
SWAPPED = {"base": ("dropout", 0.3), "dropout": ("base", 0.2)}


def job(arm, seed=0):
    return Job("gaaf.table1", arm, seed, CONFIG, "", "numpy", None, table1.train)


def forward(training):
    """Nets and node values of the test images, from the weights alone."""
    x = training.examples.test.images.reshape(-1, 64) / 255
    nets, values = {}, {}
    for layer in LAYERS:
        linear = getattr(training.model, layer)
        nets[layer] = x @ linear.weight.data.T + linear.bias.data
        x = values[layer] = np.tanh(nets[layer])
    return nets, values


def layer_record(counts, pairs, mean=0.3):
    names = [nodes.above(threshold) for threshold in nodes.THRESHOLDS]
    return {
        **dict(zip(names, counts, strict=True)),
        "pairs": pairs,
        "constant": 0,
        "mean": mean,
        "histogram": [pairs // 80] * 80,
    }


def correlations(seed, published, mean, factor=1):
    return {
        layer: layer_record(
            [factor * count + seed for count in PUBLISHED[published][layer]],
            PAIRS[layer],
            mean + 0.001 * seed,
        )
        for layer in LAYERS
    }


def record(seed=0, values="nodes", **changes):
    """What is published, with a little spread over seeds; changes: of these values.

    Changes are, by arm, (arm whose counts are taken, mean of |r|, factor on counts).
    """
    usual = {"base": ("base", 0.2), "dropout": ("dropout", 0.3), "gaaf": ("base", 0.2)}
    arms = {
        arm: {
            "correlations": {
                name: correlations(
                    seed, *(changes.get(arm, own) if name == values else own)
                )
                for name in table1.VALUES
            }
        }
        for arm, own in usual.items()
    }
    return {"seed": seed, "arms": arms}


def verdict(claim, **changes):
    records = [record(seed, **changes) for seed in range(3)]
    return decide(claim, records, "small", "mnist").verdict


def claim_named(start):
    (found,) = [claim for claim in CLAIMS if claim.name.startswith(start)]
    return found


@pytest.mark.parametrize("arm", ["base", "dropout", "gaaf"])
def test_modules_are_seen_in_evaluation_mode(arm):
    training = common.build(CONFIG, arm, 0)
    training.model.train()
    seen = nodes.on_test_set(training, "layer3", "activation2")
    nets, values = forward(training)
    assert set(seen) == {"activation2", "layer3"}
    np.testing.assert_allclose(seen["layer3"], nets["layer3"], atol=1e-5)
    np.testing.assert_allclose(seen["activation2"], values["layer2"], atol=1e-5)


def test_pairs_are_counted_by_the_size_of_their_correlation():
    h = np.random.default_rng(0).standard_normal((50, 6))
    h[:, 1] = -h[:, 0] + 0.1 * h[:, 1]
    h[:, 5] = 3.0
    measured = nodes.correlations(h, histogram=True)
    r = np.corrcoef(h[:, :5].T)[np.triu_indices(5, 1)]
    assert (measured["pairs"], measured["constant"]) == (10, 1)
    assert [measured[nodes.above(t)] for t in nodes.THRESHOLDS] == [1] * 5
    assert measured["mean"] == pytest.approx(np.abs(r).mean())
    # r = -0.99 lies in the first bin.
    assert measured["histogram"][0] == 1
    assert sum(measured["histogram"]) == 10


def test_a_layer_of_constant_nodes_has_no_pairs():
    measured = nodes.correlations(np.ones((5, 3)))
    assert (measured["pairs"], measured["constant"], measured["mean"]) == (0, 3, 0.0)


def test_the_density_of_correlations_integrates_to_one():
    h = np.random.default_rng(1).standard_normal((20, 9))
    density = nodes.density(nodes.correlations(h, histogram=True))
    assert (density * np.diff(nodes.R_EDGES)).sum() == pytest.approx(1)


def test_nodes_that_share_their_class_alone_do_not_correlate_within_classes():
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=2000)
    means = rng.standard_normal(10)
    h = means[labels][:, None] + 0.2 * rng.standard_normal((2000, 2))
    assert nodes.correlations(h)["mean"] > 0.9
    rest = nodes.within_classes(h, labels)
    assert nodes.correlations(rest)["mean"] < 0.1
    assert rest[labels == 3].mean(axis=0) == pytest.approx(0, abs=1e-12)


def test_nodes_and_nets_of_each_layer_are_correlated():
    training = common.build(CONFIG, "dropout", 1)
    measured = table1.measure(training, job("dropout", 1))["correlations"]
    nets, values = forward(training)
    assert list(measured) == ["nodes", "nets", "within_classes"]
    for name, expected in (("nodes", values), ("nets", nets)):
        for layer in LAYERS:
            r = np.corrcoef(expected[layer].T)
            r = r[np.triu_indices(len(r), 1)]
            assert measured[name][layer]["mean"] == pytest.approx(np.abs(r).mean())
            above = int((np.abs(r) > 0.5).sum())
            assert measured[name][layer]["above50"] == above


def test_a_network_that_was_not_trained_is_as_before_training():
    measured = table1.measure(common.build(CONFIG, "base", 0), job("base"))
    found = measured["correlations"]
    assert found["untrained"] == found["nodes"]
    assert "histogram" not in found["nets"]["layer1"]
    assert json.loads(json.dumps(measured)) == measured


def test_published_counts_reproduce_every_claim_of_the_paper():
    for claim in CLAIMS:
        assert verdict(claim) == Verdict.REPRODUCED, claim.name


@pytest.mark.parametrize("threshold", nodes.THRESHOLDS)
def test_exchanged_arms_do_not_reproduce_the_counts(threshold):
    claim = claim_named(f"with dropout there are more pairs with |r| > {threshold}")
    assert verdict(claim, **SWAPPED) == Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("start", "values", "changes"),
    [
        ("without dropout |r| > 0.9 is not frequent", "nodes", SWAPPED),
        ("dropout increases the degree", "nodes", SWAPPED),
        ("base: the pairs", "nodes", {"base": ("base", 0.2, 4)}),
        ("+dropout: the pairs", "nodes", {"dropout": ("dropout", 0.3, 0.2)}),
        ("control: nets", "nets", SWAPPED),
        ("control: dropout increases", "within_classes", SWAPPED),
    ],
)
def test_other_numbers_do_not_reproduce_the_claims(start, values, changes):
    claim = claim_named(start)
    assert verdict(claim, values=values, **changes) == Verdict.NOT_REPRODUCED
    assert verdict(claim, values="untrained", **changes) == Verdict.REPRODUCED


def test_nothing_is_decided_on_digits():
    decisions = [decide(claim, [record()] * 3, "tiny", "digits") for claim in CLAIMS]
    assert {decision.verdict for decision in decisions} == {Verdict.NOT_RUN}


def test_published_rows_stand_above_measured_ones():
    counts, controls = table1.tables([record(0), record(1)])
    assert counts.header[3:] == (
        *("> 0.9", "> 0.8", "> 0.7", "> 0.6", "> 0.5"),
        *("of pairs", "mean |r|"),
    )
    assert [row[:3] for row in counts.rows[:5]] == [
        ("layer3", "base", "published"),
        ("layer3", "base", "measured"),
        ("layer3", "+dropout", "published"),
        ("layer3", "+dropout", "measured"),
        ("layer3", "+GAAF", "measured"),
    ]
    assert counts.rows[2][3:8] == ("174", "618", "1625", "3388", "6037")
    assert counts.rows[1][3] == "2 (1)"
    assert len(controls.rows) == 9 + 9 + 3
    assert {len(row) for row in controls.rows} == {len(controls.header)}


def test_the_figure_shows_published_and_measured_counts():
    figure = Figure(layout="constrained")
    table1.draw(figure, [record(0), record(1)])
    assert len(figure.axes) == 6
    drawn = [list(line.get_ydata()) for line in figure.axes[5].get_lines()]
    assert list(PUBLISHED["dropout"]["layer3"]) in drawn
    assert [count + 0.5 for count in PUBLISHED["dropout"]["layer3"]] in drawn
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    names = ["before training", "base", "+dropout", "+GAAF", "published", "measured"]
    assert labels == names
