import copy
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad.kernels.gaaf import GAUSSIAN, SHIFTED_SIGMOID
from models.experiments.figures import save_figure
from models.experiments.verdicts import Verdict, decide
from models.gaaf import fig4
from models.gaaf.fig4 import FIG4, PointsConfig
from models.gaaf.measures import sawtooth

CONFIG = PointsConfig(points=2000, numbers=2**12)
K = 1e4


@pytest.fixture(scope="module")
def records():
    return [
        {"arms": {arm: _measure(arm, seed) for arm in FIG4.arms}} for seed in (0, 1, 2)
    ]


def _measure(arm, seed):
    job = SimpleNamespace(arm=arm, seed=seed, config=CONFIG, backend="numpy")
    return fig4.train(job, None)


def claim(words):
    (found,) = (claim for claim in FIG4.claims if words in claim.name)
    return found


def verdict(words, records):
    return decide(claim(words), records, "tiny", "points").verdict


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


# -- what is measured ------------------------------------------------------------------


def test_the_sawtooth_is_that_of_eq_7():
    x = np.array([-1.3, -0.25, 0.0, 0.1, 0.2499, 0.25, 7.9])
    by_hand = (x * 4 - np.floor(x * 4) - 0.5) / 4
    assert_allclose(sawtooth.sawtooth(x, 4.0), by_hand, atol=1e-15)


def test_points_cover_all_magnitudes_and_both_signs():
    x = sawtooth.random_points(0, 1000, 1e4)
    assert x.min() < -1e3
    assert x.max() > 1e3
    assert 1e-4 <= np.abs(x).min() < 1e-3
    assert np.abs(x).max() <= 1e4
    assert (x == sawtooth.random_points(0, 1000, 1e4)).all()
    assert (x != sawtooth.random_points(1, 1000, 1e4)).all()


def test_points_at_jumps_and_at_zero_are_left_out():
    # Teeth of width 1: jumps at integers.
    x = np.array([-0.5, 0.05, 0.2, 2.98, 3.5])
    kept = sawtooth.off_jumps(x, 1.0, room=0.1, from_zero=0.3)
    assert kept.tolist() == [-0.5, 3.5]


def test_terms_at_three_are_those_of_the_product_rule():
    # A third into a tooth: g = (1/3 - 1/2) / K.
    x = 3 + 1 / (3 * K)
    terms = {
        n: t.item() for n, t in sawtooth.terms_of("tanh", np.array([x]), K).items()
    }
    assert math.isclose(terms["activation"], 1 / math.cosh(x) ** 2, rel_tol=1e-9)
    assert math.isclose(terms["acceleration"], math.exp(-x * x / 3), rel_tol=1e-9)
    slope = -2 * x / 3 * math.exp(-x * x / 3)
    assert math.isclose(terms["shape"], -slope / (6 * K), rel_tol=1e-6)


def test_shares_are_parts_of_the_sum_of_absolute_values():
    terms = {"a": np.array([1.0, -1.0]), "b": np.array([3.0, 3.0])}
    assert sawtooth.shares(terms) == {"a": 0.25, "b": 0.75}


def test_a_value_beyond_the_sharp_bound_is_seen(monkeypatch):
    x = sawtooth.random_points(0, 500, 10.0)
    assert sawtooth.size("tanh", x, K)["beyond_bound"] < 1
    monkeypatch.setattr(
        sawtooth, "values", lambda *_: (np.tanh(x) + 0.6 / K, np.tanh(x), x * 0 + 1)
    )
    found = sawtooth.size("tanh", x, K)
    assert found["beyond_bound"] > 1e10
    assert math.isclose(found["difference"], 0.6, rel_tol=1e-6)


def test_slopes_by_differences_tell_a_tooth_from_many():
    found = sawtooth.slopes("tanh", sawtooth.random_points(0, 2000, 10.0), K)
    assert found["slope_error"] < 1e-9
    assert found["mean_slope_sawtooth"] < 1e-9
    # g s' is part of the mean slope of phi_new: not 0.
    assert 1e-6 < found["mean_slope_error"] < 1e-4


def test_a_missing_term_makes_the_sum_fail(monkeypatch):
    x = sawtooth.random_points(0, 500, 10.0)
    assert sawtooth.sum_error("tanh", x, 4.0, 0) < 4
    whole = sawtooth.terms_of
    monkeypatch.setattr(
        sawtooth, "terms_of", lambda *a, dy: {"shape": whole(*a, dy=dy)["shape"]}
    )
    assert sawtooth.sum_error("tanh", x, 4.0, 0) > 1e6


def test_relu_is_accelerated_on_the_left_and_not_far_out():
    x = np.array([-20.0, -2.0, -0.5, 0.5, 20.0])
    found = sawtooth.gains("relu", x, K)
    s = 1 / (1 + np.exp(-(x + 4)))
    assert found["saturated"]["plain"] == 0
    # The shape term is of size 1 / K.
    assert_allclose(found["saturated"]["accelerated"], s[1:3].mean(), atol=1e-4)
    assert_allclose(found["acceleration"]["far"], s[0])
    assert_allclose(found["acceleration"]["near"], s[2:4].mean())


def test_float32_has_two_values_of_g_above_512_and_one_from_839_on():
    found = sawtooth.resolution(K, "float32", 0, 2**12)
    assert found["values"]["9"] == 2
    assert found["values"]["10"] == found["values"]["13"] == 1
    # 2^23 / K: from there on x K is an integer.
    assert 830 < found["changes_until"] < 2**23 / K
    assert sawtooth.resolution(K, "float64", 0, 2**12)["changes_until"] > 1e4


def test_recommended_shapes_are_those_of_fig_5():
    assert sawtooth.shape_of("tanh") is GAUSSIAN
    assert sawtooth.shape_of("relu") is SHIFTED_SIGMOID


def test_the_same_seed_gives_the_same_numbers(records):
    assert _measure("tanh", 1) == records[1]["arms"]["tanh"]


# -- what it says ----------------------------------------------------------------------


def test_all_but_float32_behaves_as_the_paper_says(records):
    found = {c.name: decide(c, records, "tiny", "points").verdict for c in FIG4.claims}
    failed = [name for name, verdict in found.items() if verdict != Verdict.REPRODUCED]
    assert failed == ["control: in float32, too, g changes at every |x| up to 10^4"]
    assert verdict("in float32, too", records) == Verdict.NOT_REPRODUCED


@pytest.mark.parametrize(
    ("words", "arm", "path", "value"),
    [
        ("g is almost zero", "tanh", "float32.sawtooth", 1.1),
        ("the gradient of g is 1", "tanh", "slope_error", 1e-3),
        ("differ by less than 1 / K", "relu", "float32.difference", 1.2),
        ("adds gradient where phi saturates", "sigmoid", "saturated.accelerated", 0.01),
        ("s takes the acceleration off", "relu", "acceleration.far", 0.999),
        ("<= s / 2K", "tanh", "float64.beyond_bound", 2.0),
        ("whole teeth", "tanh", "mean_slope_error", 0.3),
        ("add up to the gradient", "sigmoid", "float64.sum_error", 50.0),
        ("the term g s'", "tanh", "shares.shape", 0.01),
        ("in float64, g changes", "tanh", "float64.changes_until", 839.0),
    ],
)
def test_each_claim_can_fail(records, words, arm, path, value):
    assert verdict(words, records) == Verdict.REPRODUCED
    assert verdict(words, changed(records, arm, path, value)) == Verdict.NOT_REPRODUCED


def test_float32_would_pass_if_g_changed_everywhere(records):
    better = changed(records, "tanh", "float32.changes_until", 16000.0)
    assert verdict("in float32, too", better) == Verdict.REPRODUCED


# -- how it is shown -------------------------------------------------------------------


def test_tables_have_a_row_for_each_activation_and_binade(records):
    functions, values = FIG4.tables(records)
    assert [row[:3] for row in functions.rows[:3]] == [
        ("tanh", "gaussian(c=3)", "float64"),
        ("tanh", "gaussian(c=3)", "float32"),
        ("ReLU", "sigmoid(a=4, b=1)", "float64"),
    ]
    assert {len(row) for row in functions.rows} == {len(functions.header)}
    assert ("512 to 1024", "2 (0)") in values.rows


def test_the_figure_has_six_panels(records, tmp_path):
    panels = []

    def draw(figure):
        FIG4.draw(figure, records)
        panels.extend(figure.axes)

    save_figure(tmp_path / "figure.png", draw, FIG4.figure_size)
    titles = [axes.get_title() for axes in panels]
    assert [title[:3] for title in titles] == ["(a)", "(b)", "(c)", "(d)", "(e)", "(f)"]


def test_the_explanation_names_each_activations_share():
    explanation = FIG4.explain(CONFIG, {"tanh": Path("unused")})
    assert "56 %, 55 %, 84 % of the slope of phi_new for tanh, ReLU" in (
        explanation.sentence
    )
    assert explanation.table.count("acceleration") == 3
    explanation.flow.assert_conserved()
