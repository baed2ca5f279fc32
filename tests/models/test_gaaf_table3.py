import itertools
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from models.experiments import checkpoint
from models.experiments.pool import Job
from models.experiments.verdicts import Verdict, decide
from models.gaaf import common, table3
from models.gaaf.common import GaafConfig
from models.gaaf.measures import variances
from models.gaaf.table3_claims import CLAIMS

CONFIG = GaafConfig("digits", hidden=(5, 4, 3), epochs=1, image_size=8, batch_size=6)


def job(seed=0, path=None):
    return Job("gaaf.table3", "dropout", seed, CONFIG, "", "numpy", path, table3.train)


@pytest.fixture(scope="module")
def network():
    """A dropout network with weights large enough to bend tanh, and its batch."""
    training = common.build(CONFIG, "dropout", 0)
    for layer in ("layer1", "layer2", "layer3", "output"):
        getattr(training.model, layer).weight.data *= 2
    return training, variances.draw_batch(training, job())


@pytest.fixture(scope="module")
def blocks(network):
    return variances.all_blocks(*network, CONFIG.drop_prob)


def masks(width):
    return 2.0 * np.array(list(itertools.product((0, 1), repeat=width)))


@pytest.fixture(scope="module")
def exact(network):
    """The variance and its two terms, from all masks there are: layer -> (3, J)."""
    training, images = network
    weights = [
        getattr(training.model, layer).weight.data.astype("float64")
        for layer in ("layer1", "layer2", "layer3", "output")
    ]
    # All masks of one layer times all of the next: (masks, N, J).
    h = np.tanh(images.reshape(-1, 64) / 255 @ weights[0].T)[None]
    found = {}
    for layer, weight in zip(("layer2", "layer3", "output"), weights[1:], strict=True):
        masked = h[:, None] * masks(h.shape[-1])[None, :, None]  # (M, m, N, I)
        z = masked @ weight.T  # (M, m, N, J)
        parts = (z.var(axis=(0, 1)), z.var(axis=1).mean(0), z.mean(axis=1).var(0))
        found[layer] = np.stack([part.mean(axis=0) for part in parts])
        h = np.tanh(z.reshape(-1, *z.shape[2:]))
    return found


def record(seed=0, **changes):
    numbers = {
        "output": (1.97, 1.2, 0.77),
        "layer3": (1.07, 0.8, 0.27),
        "layer2": (1.07, 1.07, 0.0),
    } | changes
    net_variance = {"layer1": {"one_block": 0.0, "variance": 0.0, "error": 0.0}}
    for layer, (variance, eq6, carried) in numbers.items():
        # Spreads differ, so that layers do not rise and fall together.
        off = 0.001 * seed * len(layer) + (0.001 if layer == "layer3" else 0)
        net_variance[layer] = {
            "one_block": variance + off,
            "variance": variance,
            "error": 0.001,
            "eq6": eq6,
            "carried": carried + off,
            "eq6_ratio": eq6 / variance + off / 100,
            "sum_ratio": (eq6 + carried) / variance + off / 100,
            "node_error": 0.006,
        }
    nodes = {"variance": [1.0, 2.0], "eq6": [0.8, 1.5], "carried": [0.2, 0.5]}
    dropout = {
        "net_variance": net_variance,
        "nodes": dict.fromkeys(table3.DRAWN, nodes),
        "epochs_run": 80,
        "last_train_loss": 0.1,
    }
    return {"seed": seed, "arms": {"dropout": dropout}}


def verdict(claim, preset="small", dataset="mnist", **changes):
    records = [record(seed, **changes) for seed in range(3)]
    return decide(claim, records, preset, dataset).verdict


def claim_named(start):
    (found,) = [claim for claim in CLAIMS if claim.name.startswith(start)]
    return found


@pytest.mark.parametrize("layer", ["layer2", "layer3", "output"])
@pytest.mark.parametrize("part", [0, 1, 2], ids=["variance", "eq6", "carried"])
def test_passes_approach_what_all_masks_give(blocks, exact, layer, part):
    measured = blocks[layer][:, part].mean(axis=1)
    error = measured.std(ddof=1) / np.sqrt(len(measured))
    expected = exact[layer][part].mean()
    assert measured.mean() == pytest.approx(expected, rel=1e-5, abs=5 * error + 1e-12)


def test_eq6_is_exact_behind_the_first_dropout(blocks, exact):
    eq6 = blocks["layer2"][:, 1]
    np.testing.assert_allclose(eq6, np.tile(exact["layer2"][0], (25, 1)), rtol=1e-5)


def test_eq6_alone_would_fall_short_in_higher_layers(exact):
    for layer in ("layer3", "output"):
        variance, eq6, carried = exact[layer].mean(axis=1)
        assert eq6 + carried == pytest.approx(variance)
        assert eq6 < 0.97 * variance


def test_nothing_varies_below_the_first_dropout(blocks):
    assert not blocks["layer1"].any()


def test_averages_are_over_blocks_and_nodes():
    blocks = np.array([[[1.0, 3.0], [1.0, 2.0], [0.5, 0.0]], [[3.0, 5.0]] * 3])
    measured = variances.summarize(blocks)
    assert (measured["one_block"], measured["variance"]) == (2.0, 3.0)
    assert measured["error"] == pytest.approx(np.std([2, 4], ddof=1) / np.sqrt(2))
    assert (measured["eq6"], measured["carried"]) == (2.75, 2.125)
    assert measured["eq6_ratio"] == pytest.approx(2.75 / 3)
    assert measured["sum_ratio"] == pytest.approx(4.875 / 3)
    # By node: (2 + 1.75) / 2 - 1 and (3.5 + 2.5) / 4 - 1.
    assert measured["node_error"] == pytest.approx(np.sqrt((0.875**2 + 0.5**2) / 2))


def test_few_nodes_are_kept_for_the_figure():
    nodes = np.arange(130.0)
    kept = variances.some_nodes(np.stack([nodes, nodes + 0.12345, -nodes])[None])
    assert kept["variance"] == list(range(0, 130, 3))
    assert kept["eq6"][1] == 3.123
    assert kept["carried"][1] == -3.0


def test_a_seed_names_a_batch_of_different_images():
    training = common.build(CONFIG, "dropout", 0)
    one, same = (variances.draw_batch(training, job()) for _ in range(2))
    other = variances.draw_batch(training, job(1))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()
    assert len(np.unique(one.reshape(6, -1), axis=0)) == 6


def test_nodes_are_kept_of_one_seed_alone():
    measured = [
        table3.measure(common.build(CONFIG, "dropout", seed), job(seed))
        for seed in (0, 1)
    ]
    assert [list(one) for one in measured] == [
        ["net_variance", "nodes"],
        ["net_variance"],
    ]
    assert json.loads(json.dumps(measured)) == measured


def test_published_numbers_reproduce_every_claim():
    for claim in CLAIMS:
        assert verdict(claim) == Verdict.REPRODUCED, claim.name


@pytest.mark.parametrize(
    ("start", "changes"),
    [
        ("dropout makes a variance", {"layer3": (0.7, 0.5, 0.2)}),
        ("dropout makes a variance", {"output": (0.9, 0.5, 0.4)}),
        ("layer2: the average", {"layer2": (0.6, 0.6, 0.0)}),
        ("layer3: the average", {"layer3": (1.5, 1.0, 0.5)}),
        ("last layer: the average", {"output": (3.0, 2.0, 1.0)}),
        ("eq. 6 gives", {"layer2": (1.07, 0.9, 0.0)}),
        ("the variance of lower layers", {"layer3": (1.07, 1.2, -0.1)}),
        ("the variance of lower layers", {"output": (1.97, 2.1, 0.0)}),
        ("control: layer3", {"layer3": (1.07, 0.8, 0.0)}),
        ("control: last layer", {"output": (1.97, 1.2, 0.0)}),
    ],
)
def test_other_numbers_do_not_reproduce_the_claims(start, changes):
    assert verdict(claim_named(start), **changes) == Verdict.NOT_REPRODUCED


def test_a_first_layer_that_varies_does_not_reproduce_the_claim():
    records = [record(seed) for seed in range(3)]
    for one in records:
        one["arms"]["dropout"]["net_variance"]["layer1"]["variance"] = 1e-6
    claim = claim_named("the variance of layer1 is zero")
    found = decide(claim, records, "small", "mnist").verdict
    assert found == Verdict.NOT_REPRODUCED


def test_what_is_exact_is_decided_on_digits_too():
    verdicts = [verdict(claim, "tiny", "digits") for claim in CLAIMS]
    assert verdicts.count(Verdict.REPRODUCED) == 5
    assert verdicts.count(Verdict.NOT_RUN) == 4


def test_published_variances_stand_beside_measured_ones():
    (table,) = table3.tables([record(0), record(1)])
    assert "after 80 (0) epochs, training loss 0.100 (0.000) nats" in table.title
    first, *_, last = table.rows
    assert first[:3] == ("last layer", "1.97", "1.97 (0.00)")
    assert last == (
        *("layer1", "0", "0.00 (0.00)", "0.000 (0.000)", "0.0000 (0.0000)"),
        *("-",) * 5,
    )
    assert [row[1] for row in table.rows] == ["1.97", "1.07", "1.07", "0"]


def test_the_figure_shows_eq6_against_the_measured_variance():
    figure = Figure(layout="constrained")
    table3.draw(figure, [record(0), record(1)])
    _, middle, right = figure.axes
    for axes in (middle, right):
        _, eq6, both = axes.get_lines()
        assert list(eq6.get_xdata()) == [0.8, 1.5]
        assert list(both.get_xdata()) == [1.0, 2.0]
        assert list(both.get_ydata()) == [1.0, 2.0]
    (legend,) = figure.legends
    assert len(legend.get_texts()) == 6


def test_the_explanation_compares_gradients_with_and_without_masks(tmp_path):
    path = tmp_path / "dropout-0.safetensors"
    checkpoint.save(common.build(CONFIG, "dropout", 0), job(path=path), [])
    explanation = table3.explain(CONFIG, {"dropout": path})
    assert "dropout1/dropout#1" in explanation.table
    assert explanation.sentence.count(" %") == 6
