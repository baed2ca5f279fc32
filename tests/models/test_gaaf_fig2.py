import copy
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import integrate

from models.experiments.figures import save_figure
from models.experiments.verdicts import Verdict, decide
from models.gaaf import common, fig2
from models.gaaf.common import LAYERS
from models.gaaf.fig2 import FIG2
from models.gaaf.measures import saturation
from models.gaaf.measures.saturation import Pass

CONFIG = replace(
    FIG2.presets["tiny"].config, hidden=(24, 16, 12), epochs=1, max_examples=140
)
JOB = SimpleNamespace(arm="dropout", seed=0, config=CONFIG)


@pytest.fixture(scope="module")
def measured():
    return fig2.measure(common.build(CONFIG, "dropout", 0), JOB)


@pytest.fixture(scope="module")
def records(measured):
    base = fig2.measure(
        common.build(CONFIG, "base", 0), SimpleNamespace(arm="base", seed=0)
    )
    return [{"arms": {"base": base, "dropout": measured}} for _ in range(3)]


def changed(records, path, values):
    """The same records with another number in each."""
    records = copy.deepcopy(records)
    for record, value in zip(records, values, strict=True):
        *names, last = path.split(".")
        place = record["arms"]["dropout"]
        for name in names:
            place = place[name]
        place[last] = value
    return records


def verdict(words, records):
    (claim,) = (claim for claim in FIG2.claims if words in claim.name)
    return decide(claim, records, "small", "mnist").verdict


# -- one pass --------------------------------------------------------------------------


def test_slopes_are_those_of_tanh():
    z = np.array([-2.0, 0.0, 0.5])
    assert_allclose(saturation.slope(z), 1 / np.cosh(z) ** 2, rtol=1e-12)


@pytest.mark.parametrize("variance", [0.3, 1.07, 4.0])
def test_the_mean_slope_is_the_integral_over_normal_noise(variance):
    z = np.array([0.0, 1.0, 3.0])

    def density(e, z):
        normal = math.exp(-e * e / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        return normal / math.cosh(z + e) ** 2

    expected = [integrate.quad(density, -30, 30, (at,), points=[0.0])[0] for at in z]
    assert_allclose(saturation.shaken_slope(z, variance), expected, rtol=1e-4)


def test_the_gradients_of_a_pass_are_those_of_back_propagation():
    training = common.build(CONFIG, "base", 0)
    images, labels = (part[:16] for part in training.examples.train)
    found = saturation.run(training, images, labels, masks=False)

    weights = [getattr(training.model, n) for n in (*LAYERS, "output")]
    x, nets = images.reshape(16, -1) / 255.0, []
    for part in weights:
        nets.append(x @ part.weight.numpy().T + part.bias.numpy())
        x = np.tanh(nets[-1])
    odds = np.exp(nets[3])
    dz = odds / odds.sum(axis=1, keepdims=True) - np.eye(10)[labels]
    assert_allclose(found.start, np.abs(dz).mean(), rtol=1e-4)
    for number in (3, 2, 1):
        layer, net = f"layer{number}", nets[number - 1]
        dh = dz @ weights[number].weight.numpy()
        dz = dh / np.cosh(net) ** 2
        assert_allclose(found.nets[layer], net, atol=1e-5)
        assert_allclose(found.arriving[layer], dh, atol=1e-5)
        assert_allclose(found.leaving[layer], dz, atol=1e-5)


def test_masks_change_a_dropout_network_alone():
    for arm in ("base", "dropout"):
        training = common.build(CONFIG, arm, 0)
        images, labels = (part[:16] for part in training.examples.train)
        still, masked = (
            saturation.run(training, images, labels, masks=masks)
            for masks in (False, True)
        )
        # Nothing is dropped before layer1.
        assert (still.nets["layer1"] == masked.nets["layer1"]).all()
        same = (still.nets["layer2"] == masked.nets["layer2"]).all()
        assert same == (arm == "base")


# -- means -----------------------------------------------------------------------------


def hand_made(z, slope, dh, start=1.0):
    """A pass of one image and two units, the same in each layer."""
    z, slope, dh = (np.array([value], "float64") for value in (z, slope, dh))

    def each(value):
        return dict.fromkeys(LAYERS, value)

    return Pass(each(z), each(slope), each(dh), each(slope * dh), start, 2 * start)


BEFORE = hand_made([3.0, 0.5], [0.1, 0.8], [2.0, -1.0])
MASKED = [
    hand_made([1.0, 0.5], [0.4, 0.8], [-4.0, 0.0], start=3.0),
    hand_made([4.0, 1.5], [0.2, 0.6], [2.0, -3.0], start=5.0),
]


def test_products_are_averaged_over_passes():
    means = saturation.mean_over(iter(MASKED), BEFORE)
    found = means.products["layer2"]
    assert_allclose(found["slope"], [[0.3, 0.7]])
    assert_allclose(found["gradient"], [[(1.6 + 0.4) / 2, 0.9]])
    assert_allclose(found["slope_before"], [[0.3, 0.8 * 1.5]])
    assert_allclose(found["arriving_before"], [[0.6, 0.7]])
    # Only the first pass moved the first unit inwards.
    assert_allclose(found["inward"], [[0.2, 0.0]])
    # (1 - 4)^2 / 2 and (0.5 - 1.5)^2 / 2.
    assert_allclose(means.variances["layer2"], (4.5 + 0.5) / 2)
    assert (means.start, means.loss) == (4.0, 8.0)


def test_units_are_grouped_by_their_net_without_masks():
    means = saturation.mean_over(MASKED, BEFORE)
    groups = saturation.by_group(means, "layer3", BEFORE.nets["layer3"])
    assert groups["saturated"]["share"] == groups["linear"]["share"] == 0.5
    assert_allclose(groups["saturated"]["slope"], 0.3)
    assert_allclose(groups["linear"]["slope"], 0.7)
    assert_allclose(groups["all"]["slope"], 0.5)
    assert groups["bent"] == dict.fromkeys(("share", *saturation.PRODUCTS), 0.0)


def test_bins_end_at_six_and_hold_what_lies_beyond():
    still = hand_made([-9.0, 0.5], [0.1, 0.8], [1.0, 1.0])
    means = saturation.mean_over([still], still)
    bins = saturation.by_bin(means, "layer1", still.nets["layer1"])
    assert bins["share"] == [0, 0.5, *[0] * 9, 0.5]
    assert bins["slope"] == [None, 0.8, *[None] * 9, 0.1]


# -- parts -----------------------------------------------------------------------------


def of(still_s, masked_s, still_dh, masked_dh):
    """The means of a group of uncorrelated factors."""
    still = {"gradient": still_s * still_dh}
    return still, {
        "gradient": masked_s * masked_dh,
        "slope_before": still_s * masked_dh,
        "arriving_before": masked_s * still_dh,
    }


def test_each_factor_has_the_part_by_which_it_grew():
    assert_allclose(saturation.own_slope(*of(0.1, 0.2, 1.0, 1.0)), [math.log(2), 0])
    assert_allclose(saturation.own_slope(*of(0.1, 0.1, 1.0, 3.0)), [0, math.log(3)])
    both = saturation.own_slope(*of(0.2, 0.1, 1.0, 3.0))
    assert_allclose(both, [-math.log(2), math.log(3)])


def test_the_parts_of_correlated_factors_add_up():
    still = {"gradient": 1.0}
    masked = {"gradient": 6.0, "slope_before": 4.0, "arriving_before": 2.0}
    slope, arriving = saturation.own_slope(still, masked)
    assert_allclose(slope, 0.5 * (math.log(2) + math.log(1.5)))
    assert_allclose(slope + arriving, math.log(6))


def test_an_empty_group_has_no_parts():
    assert saturation.own_slope({"gradient": 0.0}, {"gradient": 0.0}) == (0.0, 0.0)


def test_slopes_of_layers_above_count_for_those_below():
    parts = {"layer1": (0.0, 0.4), "layer2": (-0.1, 0.6), "layer3": (0.3, 1.1)}
    found = saturation.split(1.0, parts)
    assert_allclose([found[layer]["total"] for layer in LAYERS], [0.4, 0.5, 1.4])
    assert_allclose([found[layer]["slope"] for layer in LAYERS], [0.2, 0.2, 0.3])
    assert_allclose([found[layer]["rest"] for layer in LAYERS], [-0.8, -0.7, 0.1])
    for one in found.values():
        assert_allclose(one["start"] + one["slope"] + one["rest"], one["total"])
        assert_allclose(one["other"] + one["slope"], one["total"])


# -- a network -------------------------------------------------------------------------


def test_masks_leave_the_slopes_of_layer1_alone(measured):
    assert measured["masked"]["layer1"]["variance"] == 0
    assert measured["parts"]["layer1"]["all"]["slope"] == 0
    assert measured["split"]["layer1"]["slope"] == measured["split"]["layer2"]["slope"]


def test_the_split_is_of_the_means_that_are_shown(measured):
    for layer in LAYERS:
        still, masked = (
            measured[title][layer]["all"]["gradient"] for title in ("still", "masked")
        )
        assert_allclose(measured["split"][layer]["total"], math.log(masked / still))
        slopes = measured["masked"][layer]["bins"]
        whole = sum(
            share * value
            for share, value in zip(slopes["share"], slopes["slope"], strict=True)
            if value is not None
        )
        assert_allclose(whole, measured["masked"][layer]["all"]["slope"])


def test_the_gain_is_the_difference_of_the_mean_slopes(measured):
    with_masks, without = (
        measured[title]["layer3"]["linear"]["slope"] for title in ("masked", "still")
    )
    assert measured["gain"]["layer3"]["linear"] == with_masks - without < 0


def test_the_same_network_gives_the_same_numbers(measured):
    assert fig2.measure(common.build(CONFIG, "dropout", 0), JOB) == measured


def test_the_sketch_has_the_slopes_of_the_paper_sheet(measured):
    found = measured["schematic"]
    pairs = [(found["still"][z], found["shaken"][z]) for z in ("0", "2", "3", "4")]
    expected = [(1, 0.593), (0.071, 0.194), (0.0099, 0.052), (0.0013, 0.0098)]
    assert_allclose(pairs, expected, rtol=0.04)


# -- what it says ----------------------------------------------------------------------

NEAR_ONE = (1.0, 1.01, 0.99)


@pytest.mark.parametrize(
    ("words", "path", "right", "wrong"),
    [
        ("a variance of 1.07 raises", "schematic.shaken.3", 0.05, 0.001),
        ("raise the slope of saturated", "masked.layer3.saturated.slope", 0.1, 1e-3),
        ("more gradient through", "masked.layer2.saturated.gradient", 0.1, 1e-9),
        ("especially at the boundary", "gain.layer3.bent", 0.2, 0.01),
        ("move them inwards", "inward.layer3", 0.9, 0.3),
        ("the total gradient flow", "split.layer1.total", 1.0, -1.0),
        ("this explains the increase", "split.layer2.slope", 9.0, -0.1),
        ("saturated without masks alone", "parts.layer3.saturated.slope", 9.0, 0.2),
        ("where tanh is steep", "schematic.shaken.0", 0.6, 1.2),
        ("in the linear region", "masked.layer3.linear.slope", 0.1, 0.99),
        ("over all units", "masked.layer3.all.slope", 0.99, 0.01),
    ],
)
def test_each_claim_can_hold_and_fail(records, words, path, right, wrong):
    for layer in ("layer1", "layer2", "layer3"):
        for base, value in (
            (f"split.{layer}.slope", 2.0),
            (f"split.{layer}.other", 1.0),
            (f"split.{layer}.total", 3.0),
            (f"parts.{layer}.saturated", {"slope": 2.0, "arriving": 1.0}),
            (f"inward.{layer}", 0.9),
            (f"gain.{layer}", {"bent": 0.1, "saturated": 0.05}),
            (f"still.{layer}.saturated", {"slope": 0.01, "gradient": 1e-3}),
            (f"masked.{layer}.saturated", {"slope": 0.1, "gradient": 0.1}),
            (f"still.{layer}.linear.slope", 0.8),
            (f"masked.{layer}.linear.slope", 0.6),
            (f"still.{layer}.all.slope", 0.5),
            (f"masked.{layer}.all.slope", 0.7),
        ):
            records = changed(records, base, [copy.deepcopy(value) for _ in range(3)])
    for value, expected in (
        (right, Verdict.REPRODUCED),
        (wrong, Verdict.NOT_REPRODUCED),
    ):
        spread = [value * factor for factor in NEAR_ONE]
        assert verdict(words, changed(records, path, spread)) == expected


# -- how it is shown -------------------------------------------------------------------


def test_tables_have_a_row_for_each_layer_and_group(records):
    groups, parts, sketch = FIG2.tables(records)
    assert len(groups.rows) == 12
    assert groups.rows[3][:2] == ("layer1", "|z0| >= 2")
    assert parts.rows[0][:2] == ("layer1", "0.00 (0.00)")
    assert sketch.rows[3] == ("3", "0.0099", "0.0521")
    for table in (groups, parts, sketch):
        assert {len(row) for row in table.rows} == {len(table.header)}


def test_the_figure_draws_bins_that_are_empty(records, tmp_path):
    assert None in records[0]["arms"]["dropout"]["masked"]["layer1"]["bins"]["slope"]
    panels = []

    def draw(figure):
        FIG2.draw(figure, records)
        panels.extend(figure.axes)

    save_figure(tmp_path / "figure.png", draw, FIG2.figure_size)
    assert len(panels) == 4
    assert all(axes.get_legend() for axes in panels)
