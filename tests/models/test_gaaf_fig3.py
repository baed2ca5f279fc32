import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from models.experiments.pool import Job
from models.experiments.verdicts import Verdict, decide
from models.gaaf import common, fig3
from models.gaaf.common import LAYERS, GaafConfig

CONFIG = GaafConfig("digits", hidden=(12, 8, 6), epochs=1, image_size=8)
SHARES = {
    "base": (1, 13, 7),
    "dropout": (2, 28, 37),
    "gaaf": (1.5, 20, 12),
    "rate842": (1, 16, 8),
}
"""% of saturated nets by layer that would bear out the paper."""


def job(arm, seed=0):
    return Job("gaaf.fig3", arm, seed, CONFIG, "", "numpy", None, fig3.train)


def layer_record(share):
    return {
        "std": 1.0,
        "beyond2": share,
        "beyond3": share / 2,
        "weight_norm": 20.0,
        "weight_growth": 1.1,
        "histogram": [10] * 80,
        "count": 1000,
    }


def record(seed, **changes):
    shares = SHARES | changes
    arms = {
        arm: {
            "nets": {
                "all": {"std": 1.0, "beyond2": sum(shares[arm]) / 3, "beyond3": 0.5},
                **{
                    layer: layer_record(share * (1 + 0.01 * seed))
                    for layer, share in zip(LAYERS, shares[arm], strict=True)
                },
            }
        }
        for arm in fig3.ARMS
    }
    return {"seed": seed, "arms": arms}


def verdict(claim, **changes):
    records = [record(seed, **changes) for seed in range(3)]
    return decide(claim, records, "small", "mnist").verdict


def test_the_share_of_saturated_nets_is_of_both_sides():
    z = [np.array([[-4.0, -2.5, 0.0, 1.0]]), np.array([[2.0, 2.1, 3.5, -1.0]])]
    measured = fig3.describe(z)
    assert (measured["beyond2"], measured["beyond3"]) == (50.0, 25.0)
    flat = [-4, -2.5, 0, 1, 2, 2.1, 3.5, -1]
    assert measured["std"] == pytest.approx(np.std(flat))


def test_saturation_begins_at_an_edge_of_the_histogram():
    assert fig3.SATURATED in fig3.EDGES
    assert -fig3.SATURATED in fig3.EDGES


def test_nets_beyond_the_histogram_count_in_the_whole():
    z = np.array([0.1, 0.1, 99.0, -99.0])
    histogram = np.histogram(z, fig3.EDGES)[0].tolist()
    density = fig3.density({"histogram": histogram, "count": 4})
    assert (density * np.diff(fig3.EDGES)).sum() == pytest.approx(0.5)


def test_nets_are_those_of_the_test_images_without_masks():
    training = common.build(CONFIG, "dropout", 0)
    training.model.train()
    training.model.layer1.weight.data *= 3
    measured = fig3.measure(training, job("dropout"))["nets"]
    linear = training.model.layer1
    x = training.examples.test.images.reshape(-1, 64) / 255
    z1 = x @ linear.weight.data.T + linear.bias.data
    z2 = np.tanh(z1) @ training.model.layer2.weight.data.T
    assert measured["layer1"]["std"] == pytest.approx(z1.std(), rel=1e-5)
    assert measured["layer2"]["std"] == pytest.approx(z2.std(), rel=1e-5)
    assert measured["layer1"]["beyond2"] == pytest.approx(
        100 * (abs(z1) > 2).mean(), abs=0.05
    )
    assert measured["layer1"]["weight_growth"] == pytest.approx(3)
    assert measured["layer2"]["weight_growth"] == pytest.approx(1)
    norm = np.sqrt((training.model.layer3.weight.data**2).sum())
    assert measured["layer3"]["weight_norm"] == pytest.approx(norm)
    assert sum(measured["layer1"]["histogram"]) == measured["layer1"]["count"]
    assert json.loads(json.dumps(measured)) == measured


def test_all_nets_together_weigh_layers_by_their_widths():
    training = common.build(CONFIG, "base", 0)
    training.model.layer3.weight.data *= 50
    measured = fig3.measure(training, job("base"))["nets"]
    shares = [measured[layer]["beyond2"] for layer in LAYERS]
    assert measured["all"]["beyond2"] == pytest.approx(
        np.average(shares, weights=[12, 8, 6])
    )


def test_shares_as_the_paper_words_them_reproduce_every_claim():
    for claim in fig3.CLAIMS:
        assert verdict(claim) == Verdict.REPRODUCED, claim.name


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        ("with dropout more nets", {"dropout": (0.5, 28, 37)}),
        ("with dropout the higher layer", {"dropout": (2, 37, 28)}),
        ("with GAAF more nets", {"gaaf": (1.5, 20, 6)}),
        (
            "GAAF's difference to the base is not as large as dropout's, in every",
            {"gaaf": (12, 20, 12)},
        ),
        (
            "GAAF's difference to the base is not as large as dropout's, over",
            {"gaaf": (40, 20, 12)},
        ),
        ("control: with GAAF", {"rate842": (1, 21, 8)}),
    ],
)
def test_a_layer_in_the_opposite_order_does_not_reproduce_the_claim(start, changes):
    (claim,) = [claim for claim in fig3.CLAIMS if claim.name.startswith(start)]
    assert verdict(claim, **changes) == Verdict.NOT_REPRODUCED


def test_nothing_is_decided_on_digits():
    records = [record(seed) for seed in range(3)]
    verdicts = {decide(c, records, "tiny", "digits").verdict for c in fig3.CLAIMS}
    assert verdicts == {Verdict.NOT_RUN}


def test_the_table_has_a_row_for_each_layer_and_arm():
    (table,) = fig3.tables([record(0), record(1)])
    assert len(table.rows) == 4 * 4
    assert table.rows[2] == (
        *("layer1", "+GAAF", "1.00 (0.00)", "1.5 (0.0)", "0.8 (0.0)"),
        *("20.0 (0.0)", "1.10 (0.00)"),
    )
    assert table.rows[-1][-2:] == ("-", "-")


def test_the_figure_has_dropout_above_and_gaaf_below():
    figure = Figure(layout="constrained")
    fig3.draw(figure, [record(0), record(1)])
    lines = [
        [line.get_label() for line in axes.get_lines()] for axes in figure.axes[:6]
    ]
    assert lines == [["base", "+dropout"]] * 3 + [["base", "+GAAF"]] * 3
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["base", "+dropout", "+GAAF", "|z| > 2: saturated"]
