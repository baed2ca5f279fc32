"""Adapters of sign: what is measured of them, the claims, the panels."""

import copy
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad.kernels.adapters import ADAPTERS
from models.experiments.figures import save_figure
from models.experiments.verdicts import Verdict, decide
from models.gradient_adapter import fig3, fig3_measures
from models.gradient_adapter.fig3 import FIG3, PointsConfig
from models.gradient_adapter.fig3_claims import NAMES

CONFIG = PointsConfig(points=2000)
FLOAT32_DEAD = "control: tanh has no dead units wherever |x| <= 10^4, in float32 too"


@pytest.fixture(scope="module")
def records():
    return [
        {"arms": {arm: _measure(arm, seed) for arm in FIG3.arms}} for seed in (0, 1, 2)
    ]


def _measure(arm, seed):
    job = SimpleNamespace(arm=arm, seed=seed, config=CONFIG, backend="numpy")
    return fig3.train(job, None)


def verdict(words, records):
    (claim,) = (claim for claim in FIG3.claims if words in claim.name)
    return decide(claim, records, "tiny", "points").verdict


def changed(records, arm, path, value):
    """The same records with another number; its spread over seeds is small."""
    records = copy.deepcopy(records)
    for seed, record in enumerate(records):
        *names, last = path.split(".")
        place = record["arms"][arm]
        for name in names:
            place = place[name]
        place[last] = value * (1 + 1e-3 * seed)
    return records


def normal(x):
    """Probability that a net of N(0, 1) is below x."""
    return (1 + math.erf(x / math.sqrt(2))) / 2


# -- what is measured ------------------------------------------------------------------


def test_every_adapter_of_the_engine_is_an_arm():
    assert FIG3.arms == tuple(NAMES) == tuple(ADAPTERS)


def test_points_cover_all_magnitudes_and_both_signs():
    x = fig3_measures.random_points(0, 1000)
    assert x.min() < -1e3
    assert x.max() > 1e3
    assert 1e-4 <= np.abs(x).min() < 1e-3
    assert np.abs(x).max() <= 1e4
    assert (x == fig3_measures.random_points(0, 1000)).all()
    assert (x != fig3_measures.random_points(1, 1000)).all()


def test_points_at_kinks_and_at_zero_are_left_out():
    x = np.array([0.0, -1e-5, 1e-4, 0.9995, -1.0, 1.002, 1.9991, -2.5])
    assert fig3_measures.off_kinks(x).tolist() == [1e-4, 1.002, -2.5]


def test_values_and_slopes_are_those_of_eqs_6_to_8():
    x = np.array([-2.0, -1.0, 0.0, 0.25, 1.0, 1.5])
    by_hand = {
        "identity": (x, np.ones(6)),
        "hardtanh": ([-1, -1, 0, 0.25, 1, 1], [0, 1, 1, 1, 1, 0]),
        "tanh": (np.sinh(x) / np.cosh(x), 1 / np.cosh(x) ** 2),
    }
    for arm, (value, slope) in by_hand.items():
        assert_allclose(fig3_measures.value_of(arm, x), value, rtol=1e-14)
        assert_allclose(fig3_measures.slope_of(arm, x), slope, rtol=1e-14)
        dy = np.arange(6.0)
        assert_allclose(fig3_measures.slope_of(arm, x, dy), dy * slope, rtol=1e-14)


def test_measures_of_hardtanh_at_four_points_by_hand():
    x, nets = np.array([0.5, 30.0]), np.array([-2.0, 0.1])
    found = fig3_measures.in_dtype("hardtanh", x, nets, 0)
    assert found["wrong_signs"] == 0
    assert found["off_indicator"] == found["off_sste"] == 0
    assert found["off_sign_beyond_1"] == 0
    assert found["off_ste"] > 0
    assert found["dead"] == found["dead_far"] == 50
    assert found["mean_slope"] == 0.5


def test_how_far_from_sign_is_measured_by_hand():
    found = fig3_measures.at_nets("tanh", np.array([0.05, -0.02, 0.0, 2.0]))
    gaps = [1 - math.tanh(0.05), 1 - math.tanh(0.02), 0, 1 - math.tanh(2)]
    assert math.isclose(found["mse"], sum(gap**2 for gap in gaps) / 4)
    assert math.isclose(found["gap_near_zero"], gaps[0])


def test_a_wrong_value_and_a_wrong_slope_are_seen(monkeypatch):
    x, nets = fig3_measures.random_points(0, 500), np.array([0.3])
    assert fig3_measures.in_dtype("arctan", x, nets, 0)["slope_error"] < 1e-9
    other = ADAPTERS["softsign"].value
    monkeypatch.setattr(fig3_measures, "value_of", lambda arm, x: other(x))
    assert fig3_measures.in_dtype("arctan", x, nets, 0)["slope_error"] > 0.1
    monkeypatch.setattr(
        fig3_measures.F, "sign", lambda x, arm: x if x.requires_grad else -x
    )
    assert fig3_measures.in_dtype("arctan", x, nets, 0)["wrong_signs"] > 500


def test_propositions_are_numbers_and_a_limit_or_none():
    found = {arm: fig3_measures.propositions(arm) for arm in NAMES}
    assert all(one["keeps_sign"] == 1.0 for one in found.values())
    assert found["identity"] == {
        "keeps_sign": 1.0,
        "saturates": 0.0,
        "limit": None,
        "limit_gap": None,
    }
    assert found["hardtanh"]["limit"] == 1
    assert found["hardtanh"]["limit_gap"] == 0
    assert found["sigmoid"]["saturates"] == 1
    assert found["sigmoid"]["limit"] == 0.5
    assert found["ramp"]["limit"] == 1.5


@pytest.mark.parametrize(
    ("arm", "zero", "jump", "ends"),
    [
        ("identity", 1.0, 0.0, None),
        ("hardtanh", 1.0, 1.0, 1 + 1 / 64),
        ("ramp", 1.0, 1e-3, 2.0),
        # Its slope bends most at tanh(x)^2 = 1/3.
        ("tanh", 1.0, 4 / 27**0.5 * 1e-3, 52.0),
        ("lecun_tanh", 1.7519 * 2 / 3, 1.7519 * 4 / 9 * 4 / 27**0.5 * 1e-3, 78.0),
        ("sigmoid", 0.5, 2 / 27**0.5 * 1e-3, 52.0),
    ],
)
def test_slopes_start_bend_and_end_where_formulas_say(arm, zero, jump, ends):
    found = fig3_measures.of_slope(arm)
    assert math.isclose(found["slope_at_zero"], zero)
    assert math.isclose(found["slope_jump"], jump, rel_tol=1e-3, abs_tol=1e-12)
    if ends is None:
        assert found["dead_from"] is None
    else:
        assert math.isclose(found["dead_from"], ends, rel_tol=1e-2)


def test_nets_are_those_of_a_normal_distribution(records):
    hardtanh = [record["arms"]["hardtanh"] for record in records]
    dead = np.mean([one["float64"]["dead"] for one in hardtanh])
    # 6000 nets: 5 standard errors.
    assert abs(dead - 200 * normal(-1)) < 3
    # E (1 - |z|)^2 over |z| < 1.
    density = [math.exp(-(z * z) / 2) / math.sqrt(2 * math.pi) for z in (0, 1)]
    inside = 2 * normal(1) - 1
    exact = inside - 4 * (density[0] - density[1]) + inside - 2 * density[1]
    assert abs(np.mean([one["mse"] for one in hardtanh]) - exact) < 0.02


def test_the_same_seed_gives_the_same_numbers(records):
    assert _measure("tanh", 1) == records[1]["arms"]["tanh"]
    assert _measure("tanh", 0) != records[1]["arms"]["tanh"]


# -- what it says ----------------------------------------------------------------------


def test_all_but_float32_behaves_as_the_paper_says(records):
    for claim in FIG3.claims:
        expected = Verdict.REPRODUCED
        if FLOAT32_DEAD in claim.name:
            expected = Verdict.NOT_REPRODUCED
        found = decide(claim, records, "tiny", "points").verdict
        assert found == expected, claim.name


@pytest.mark.parametrize(
    ("words", "arm", "path", "value"),
    [
        ("does not change what a sign gives", "softsign", "float32.wrong_signs", 1),
        ("takes sign as I", "ramp", "float32.slope_error", 1e-3),
        ("Htanh(x) = sign(x)", "hardtanh", "float64.off_sign_beyond_1", 1e-7),
        ("Htanh' is 1 for", "hardtanh", "float32.off_indicator", 1.0),
        ("STE is BPGA with I (", "identity", "float64.off_ste", 1e-9),
        ("SSTE is BPGA with Htanh", "hardtanh", "float32.off_sste", 0.1),
        ("I meets Proposition 3.1 but", "identity", "saturates", 1.0),
        ("I meets Proposition 3.1 but", "identity", "keeps_sign", 0.0),
        ("meet both", "tanh", "saturates", 0.0),
        ("|g| tends to 1", "tanh", "limit_gap", 0.1),
        ("Htanh disables units", "tanh", "float32.dead", 2.0),
        ("Htanh disables units", "hardtanh", "float64.dead", 0.0),
        ("Htanh' is not smooth", "hardtanh", "slope_jump", 0.01),
        ("Htanh' is not smooth", "tanh", "slope_jump", 0.5),
        ("control: near 0", "tanh", "gap_near_zero", 0.4),
        ("control: as functions", "tanh", "mse", 0.2),
    ],
)
def test_each_claim_can_fail(records, words, arm, path, value):
    assert verdict(words, records) == Verdict.REPRODUCED
    assert verdict(words, changed(records, arm, path, value)) == Verdict.NOT_REPRODUCED


def test_float32_would_pass_if_no_slope_were_0(records):
    better = changed(records, "tanh", "float32.dead_far", 0.0)
    assert verdict(FLOAT32_DEAD, better) == Verdict.REPRODUCED


# -- how it is shown -------------------------------------------------------------------


def test_tables_have_a_row_for_each_adapter(records):
    functions, nets = FIG3.tables(records)
    for table in (functions, nets):
        assert [row[0] for row in table.rows] == list(NAMES.values())
        assert {len(row) for row in table.rows} == {len(table.header)}
    assert functions.rows[0][:6] == ("I", "1.000", "-", "yes", "no", "0")
    assert functions.rows[4][:5] == ("LeCun's tanh", "1.168", "1.752", "yes", "yes")
    assert nets.rows[0][-1] == "-"
    assert nets.rows[2][-1] == "52"


def test_the_figure_has_four_panels_with_every_curve(records, tmp_path):
    panels = []

    def draw(figure):
        FIG3.draw(figure, records)
        for axes in figure.axes:
            names = [text.get_text() for text in axes.get_legend().get_texts()]
            panels.append((axes.get_xlabel(), axes.get_ylabel(), names))

    save_figure(tmp_path / "figure.png", draw, FIG3.figure_size)
    labels = [panel[:2] for panel in panels]
    assert labels == [("x", "g(x), g'(x)"), *[("x", "g(x)")] * 2, ("x", "g'(x)")]
    assert panels[0][2] == ["Htanh(x)", "Htanh'(x)"]
    assert panels[1][2] == ["sign", "I", "Htanh", "tanh"]
    assert panels[2][2] == ["sign", *list(NAMES.values())[3:]]
    assert [name.split(",")[0] for name in panels[3][2]] == list(NAMES.values())


def test_the_explanation_names_what_each_adapter_lets_through():
    explanation = FIG3.explain(CONFIG, {"tanh": Path("unused")})
    tanh = np.mean(1 - np.tanh(np.linspace(-2, 2, 9)) ** 2)
    assert f"100 %, 56 %, {100 * tanh:.0f} % of the gradient" in explanation.sentence
    assert "nothing at 0, 4, 0 of 9 points, for I, Htanh, tanh" in explanation.sentence
    assert explanation.table.count("adapter") == 3
    explanation.flow.assert_conserved()
