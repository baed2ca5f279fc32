"""Bounds, means and orthogonality of CAI: what is measured, the claims, the panels."""

import copy
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from models.conv_aware_init import bounds, bounds_measures
from models.conv_aware_init.bounds import BOUNDS, BoundsConfig
from models.conv_aware_init.bounds_arms import ARMS, ROWS, SIZES, dimension
from models.experiments.figures import save_figure
from models.experiments.verdicts import Verdict, decide

CONFIG = BoundsConfig(numbers=6000)
FALSE = (
    "taps have mean 0 by the construction alone",
    "3x3 kernels are orthogonal in Fourier space",
    "3x3 kernels are orthogonal in space",
)
"""What the paper states and does not hold."""


@pytest.fixture(scope="module")
def records():
    return [{"arms": {arm: _train(arm, seed) for arm in ARMS}} for seed in (0, 1)]


def _train(arm, seed, numbers=CONFIG.numbers):
    config = BoundsConfig(numbers=numbers)
    job = SimpleNamespace(arm=arm, seed=seed, config=config, backend="numpy")
    return bounds.train(job, None)


def verdict(words, records):
    (claim,) = (claim for claim in BOUNDS.claims if words in claim.name)
    return decide(claim, records, "tiny", "digits").verdict


def changed(records, arm, path, value):
    """The same records with another number; its spread over seeds is small."""
    records = copy.deepcopy(records)
    for seed, record in enumerate(records):
        *names, last = path.split("/")
        place = record["arms"][arm]
        for name in names:
            place = place[name]
        place[last] = value * (1 + 1e-3 * seed)
    return records


# -- what is measured ------------------------------------------------------------------


def test_rows_of_two_blocks_and_a_cut_one_are_measured_by_hand():
    turn = np.array([[0.6, 0.8], [-0.8, 0.6]])
    exact = bounds_measures.of_rows(np.vstack([turn, np.eye(2), turn[:1]]))
    assert exact["row_error"] < 1e-15
    assert exact["entry"] == 1
    # Columns sum to 0.6 - 0.8 + 1 + 0.6 = 1.4 and 0.8 + 0.6 + 1 + 0.8 = 3.2 of 5.
    assert_allclose(exact["entry_mean"], 3.2 / 5 * math.sqrt(2))
    long = bounds_measures.of_rows(np.vstack([turn, 2 * turn[:1]]))
    assert_allclose(long["row_error"], 3)
    skew = bounds_measures.of_rows(np.array([[1.0, 0.0], [0.6, 0.8]]))
    assert_allclose(skew["row_error"], 0.6)


def test_of_even_columns_the_transform_keeps_the_even_part():
    # Rows of 3x3: column 0 is its own mirror image, column 1 is not.
    unit = np.zeros((2, 3, 2))
    unit[0, 1, 0] = unit[1, 1, 1] = 1
    kept = [
        bounds_measures.of_transform(row.reshape(1, 6), (3, 3))["kept"] for row in unit
    ]
    assert_allclose(kept, [0.5, 1])


@pytest.mark.parametrize("size", SIZES.values())
def test_sums_over_whole_spectra_have_every_frequency_once(size):
    half = np.broadcast_to(
        bounds_measures.counted(size), (*size[:-1], size[-1] // 2 + 1)
    )
    assert half.sum() == math.prod(size)
    assert half.size == dimension(size)


def test_eqs_9_to_11_are_measured_as_whole_spectra_give_them():
    kernels = np.random.default_rng(0).normal(size=(50, 4, 3))
    whole = np.abs(np.fft.fftn(kernels, axes=(1, 2)))
    mean = whole.mean(axis=(1, 2))
    found = bounds_measures.bounds(np.fft.rfftn(kernels, axes=(1, 2)), (4, 3))
    taps = np.abs(kernels).max(axis=(1, 2))
    assert_allclose(found["tap_per_mean"], (taps / mean).max())
    assert_allclose(found["mean_per_max"], (mean / whole.max(axis=(1, 2))).max())


def test_a_spectrum_of_one_magnitude_reaches_both_bounds():
    found = bounds_measures.bounds(np.ones((1, 3, 3)), (3, 5))
    assert_allclose(list(found.values()), 1)


def test_means_of_taps_are_in_their_own_deviations():
    weight = np.random.default_rng(0).normal(size=(40, 50, 3))
    weight -= weight.mean(axis=(0, 1))
    weight /= weight.std(axis=(0, 1))
    found = bounds_measures.of_kernels(weight * [1, 4, 2] + [0.1, -1, 0])
    assert_allclose(found["tap_mean"], 0.25)
    assert_allclose(found["tap_z"], 0.25 * math.sqrt(2000))


def test_the_share_of_added_noise_is_measured():
    rng = np.random.default_rng(0)
    clean = rng.normal(size=(100, 100, 3, 3))
    noisy = 5 * (clean + 0.5 * rng.normal(size=clean.shape))
    found = bounds_measures.of_noise(clean, noisy)
    assert_allclose(found["noise"], 0.25 / 1.25, atol=0.005)


@pytest.mark.parametrize(
    ("size", "percent"),
    [
        *(("2", 1.0), ("3", 1.5), ("5", 3.6), ("7", 6.5), ("2x2", 3.8)),
        *(("3x3", 13.2), ("4x4", 35), ("5x5", 50), ("7x7", 78.5)),
    ],
)
def test_shares_of_noise_are_those_of_the_closed_form(records, size, percent):
    found = records[0]["arms"]["cai"]["sizes"][size]
    assert_allclose(100 * found["noise_formula"], percent, atol=0.5)
    assert_allclose(found["noise"], found["noise_formula"], atol=0.05)


def test_energy_is_kept_as_even_kernels_have_numbers(records):
    expected = {"2": 1, "7": 1, "2x2": 1, "3x3": 5 / 6, "5x5": 13 / 15, "3x3x3": 7 / 9}
    for size, share in expected.items():
        found = records[0]["arms"]["qr"]["sizes"][size]["kept"]
        assert_allclose(found, share, atol=0.01)


def test_arms_share_their_rows_and_differ_in_signs_alone():
    shape = (3, 7, 3)
    ours, own = (
        bounds_measures.kernels_of(arm, shape, 0, eps_std=0.0)
        for arm in ("cai", "own_svd")
    )
    # Variances, with means removed, are scaled to the same: up to that, and a sign.
    ratio = ours / own
    assert_allclose(np.abs(ratio), np.abs(ratio[0, 0, 0]))
    assert (ratio > 0).any()
    assert (ratio < 0).any()


def test_shapes_have_blocks_and_a_cut_one():
    assert bounds_measures.shape_of((3, 3), 10 * 15 * 9) == (10, 15, 3, 3)
    assert bounds_measures.shape_of((7, 7), 5) == (2, 59, 7, 7)
    assert bounds_measures.shape_of((2,), 10**7)[0] == bounds_measures.FILTERS


def test_curves_fall_from_all_pairs_to_none():
    found = bounds_measures.curves("cai", 3000, 0)
    assert set(found) == {"half", "space", "clean_half", "clean_space"}
    for curve in found.values():
        assert curve[0] == 1
        assert curve[-1] == 0
        assert (np.diff(curve) <= 0).all()
    step = bounds_measures.curves("complex", 3000, 0)["space"]
    assert step[1:] == [0] * (len(step) - 1)


def test_the_same_seed_gives_the_same_numbers(stable):
    first, again = (stable(_train("cai", 1, 500)) for _ in range(2))
    assert first == again
    assert first != stable(_train("cai", 2, 500))


# -- what it says ----------------------------------------------------------------------


def test_all_but_three_statements_hold(records):
    for claim in BOUNDS.claims:
        expected = Verdict.REPRODUCED
        if claim.name.startswith(FALSE):
            expected = Verdict.NOT_REPRODUCED
        found = decide(claim, records, "tiny", "digits")
        assert found.verdict == expected, (claim.name, found.measured)


@pytest.mark.parametrize(
    ("words", "arm", "path", "value"),
    [
        ("rows are orthonormal", "spd", "worst/row_error", 1e-6),
        ("|Q| <= 1", "own_eigh", "above_1/entry", 1e-6),
        ("|a| <= mean |A|", "cai", "above_1/mean_per_max", 0.1),
        ("|a| <= mean |A|", "complex", "above_1/tap_per_mean", 0.1),
        ("weights are at most 1", "qr", "worst/tap", 1.2),
        ("a random sign for each row", "eigh", "worst/clean_tap_z", 12.0),
        ("1-D kernels are orthogonal", "cai", "worst_1d/clean_half_max", 1e-3),
        ("nearer to orthogonal than He's", "cai", "sizes/3x3/half", 0.5),
        ("nearer to orthogonal than He's", "he_normal", "sizes/3x3/space", 0.2),
        ("are even before noise", "cai", "sizes/3x3/clean_even", 0.9),
        ("are even before noise", "cai", "sizes/3x3/even", 0.999),
        ("the variance is 2", "cai", "worst/off_variance", 1e-6),
        ("the variance is 2", "cai", "worst/off_variance_float32", 1e-3),
        ("how far 3x3 kernels are", "cai", "sizes/3x3/clean_half", 0.2),
        ("keeps 5/6 of the energy", "cai", "sizes/3x3/kept", 1.0),
        ("is that of the formula", "cai", "sizes/3x3/noise", 0.2),
        ("7x7 kernels are mostly noise", "cai", "sizes/7x7/noise", 0.3),
        ("more alike than He's", "cai", "sizes/3x3/two_space", 0.2),
        ("more alike than He's", "he_normal", "sizes/3x3/filters", 0.2),
        ("whole spectra are orthogonal", "complex", "worst/space_max", 0.1),
        ("1x1 kernels are normal", "cai", "points/kurtosis", 2.0),
    ],
)
def test_each_claim_can_fail(records, words, arm, path, value):
    assert verdict(words, records) == Verdict.REPRODUCED
    assert verdict(words, changed(records, arm, path, value)) == Verdict.NOT_REPRODUCED


def test_what_fails_would_pass_if_kernels_were_as_the_paper_says(records):
    for metric in ("clean_half", "clean_space"):
        records = changed(records, "cai", f"sizes/3x3/{metric}", 1e-3)
    for arm in ("own_svd", "own_spd"):
        for size in ("2", "3"):
            records = changed(records, arm, f"sizes/{size}/clean_tap_mean", 1e-3)
    for words in FALSE:
        assert verdict(words, records) == Verdict.REPRODUCED


def test_the_greatest_is_taken_over_sizes_and_over_one_dimension(records):
    found = records[0]["arms"]["cai"]
    for key, sizes in (("worst", SIZES), ("worst_1d", ("2", "3", "5", "7"))):
        expected = max(found["sizes"][size]["clean_half"] for size in sizes)
        assert found[key]["clean_half"] == expected
    assert found["above_1"]["entry"] == max(0, found["worst"]["entry"] - 1)
    assert found["above_1"]["rank"] == found["worst"]["rank"] - 1 > 0


# -- how it is shown -------------------------------------------------------------------


def test_tables_have_a_row_for_each_size_or_arm(records):
    *by_size, by_arm = BOUNDS.tables(records)
    assert len(by_size) == 4
    for table in by_size:
        assert [row[0] for row in table.rows] == list(SIZES)
    assert [row[0] for row in by_arm.rows] == [arm.label for arm in ARMS.values()]
    for table in (*by_size, by_arm):
        assert {len(row) for row in table.rows} == {len(table.header)}
    bounds_of_3x3 = by_size[0].rows[5]
    assert bounds_of_3x3[:2] == ("3x3", "6")
    orthogonality = by_size[1].rows[5]
    assert orthogonality[8] == "5.0 (0.0) of 6"
    assert by_size[2].rows[5][2] == "13.2"


def test_the_figure_has_six_panels(records, tmp_path):
    panels = []

    def draw(figure):
        BOUNDS.draw(figure, records)
        panels.extend(
            [text.get_text() for text in axes.get_legend().get_texts()]
            for axes in figure.axes
        )

    save_figure(tmp_path / "figure.png", draw, BOUNDS.figure_size)
    assert [len(names) for names in panels] == [5, 4, 4, 2, 4, 5]
    assert panels[0][-1] == "if orthogonal"


def test_the_explanation_says_how_even_weight_and_gradient_are():
    explanation = BOUNDS.explain(CONFIG, {"cai": Path("unused")})
    assert "CAI puts 94 % of the energy of conv3's weight" in explanation.sentence
    assert "into conv3.weight (64, 32, 3, 3)" in explanation.table
    assert "mean |cos|" in explanation.table
    explanation.flow.assert_conserved()


def test_rows_come_of_all_decompositions_with_and_without_their_signs():
    assert len(ROWS) == 7
    assert {ARMS[arm].options.get("method", "svd") for arm in ROWS} == {
        *("svd", "eigh", "spd", "qr")
    }
