"""In what sense kernels of filters are orthogonal, measured by hand and at random."""

import json
import math
import re
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import nn
from minigrad.backend import new_array
from minigrad.errors import (
    ArgumentError,
    BadIndexError,
    DTypeError,
    ShapeError,
)
from minigrad.inspect import compare_spectra, filter_spectrum
from minigrad.inspect.filters import _cosines, _kernels
from minigrad.tape import Parameter, tensor

seeds = st.integers(0, 2**32 - 1)
sizes = st.lists(st.integers(1, 5), min_size=1, max_size=3).map(tuple)
DIMENSIONS = {
    (1,): (1, 1),
    (2,): (2, 2),
    (3,): (2, 2),
    (7,): (4, 4),
    (1, 1): (1, 1),
    (2, 2): (4, 4),
    (3, 3): (6, 5),
    (4, 4): (12, 10),
    (5, 5): (15, 13),
    (3, 1): (3, 2),
    (1, 3): (2, 2),
    (3, 3, 3): (18, 14),
}
"""Size -> D, and how many numbers an even kernel has."""


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def aware(*shape, seed=0, **options):
    weight = tensor(np.zeros(shape))
    rng = np.random.default_rng(seed)
    return nn.init.convolution_aware_(weight, rng=rng, **options).numpy()


def pairs_of(matrix):
    return np.abs(matrix[np.triu_indices(len(matrix), 1)])


def cosine(a, b):
    """Re <a, b> / |a| |b| in complex numbers, as no code here writes it."""
    return np.vdot(a, b).real / math.sqrt(np.vdot(a, a).real * np.vdot(b, b).real)


# -- what is measured ------------------------------------------------------------------


def test_two_kernels_by_hand():
    # Spectra over frequencies 0, 1: (3, 0) and (1, 1 + 0i) for a unit at 0.
    kernels = np.array([[[1.0, 1.0, 1.0], [1.0, 0.0, 0.0]]])
    found = filter_spectrum(kernels)
    half, space = found.within["half"], found.within["space"]
    assert_allclose([half.mean, half.max], 3 / (3 * math.sqrt(2)))
    assert_allclose([space.mean, space.max], 1 / math.sqrt(3))
    assert half.pairs == space.pairs == 1
    assert found.even_share == found.kept_share == 1
    assert found.noise_share == 0
    assert found.rank == 2
    # Gram matrix in space (3, 1; 1, 1): trace 4, sum of squares 12.
    assert_allclose(found.effective_rank, 16 / 12)
    assert_allclose(found.mean, 4 / 6)
    assert_allclose(found.fan_in_variance, (4 / 6 - 16 / 36) * 6)


def test_a_kernel_and_its_mirror_image_by_hand():
    # (1, 2, 0) is (1, 1, 1) even and (0, 1, -1) odd: energies 3 and 2 of 5.
    found = filter_spectrum(np.array([[[1.0, 2.0, 0.0]]]))
    assert_allclose(found.even_share, 3 / 5)
    assert_allclose(found.noise_share, (2 / 5) / (1 / 3))


@pytest.mark.parametrize(("size", "numbers"), DIMENSIONS.items())
def test_dimensions_are_those_of_the_transform(size, numbers):
    found = filter_spectrum(normal(2, 3, *size))
    assert (found.dimension, found.even_dimension) == numbers
    half = np.fft.rfftn(np.zeros(size))
    assert half.size == found.dimension
    # What even kernels span: units and their mirror images.
    units = np.eye(math.prod(size)).reshape(-1, 1, *size)
    even = (units + _kernels.mirrored(units)).reshape(len(units), -1)
    assert np.linalg.matrix_rank(even) == found.even_dimension


@given(seed=seeds, size=sizes, rows=st.integers(1, 5))
def test_cosines_are_those_of_complex_spectra(seed, size, rows):
    kernels = normal(2, 4, *size, seed=seed)
    found = filter_spectrum(kernels, rows=rows)
    spectra = np.fft.rfftn(kernels, axes=range(2, kernels.ndim)).reshape(2, 4, -1)
    inside = [
        abs(cosine(spectra[f, i], spectra[f, j]))
        for f in range(2)
        for i in range(4)
        for j in range(i + 1, 4)
        if i // rows == j // rows
    ]
    assert found.within["half"].pairs == len(inside)
    if inside:
        assert_allclose(found.within["half"].mean, np.mean(inside), atol=1e-12)
        assert_allclose(found.within["half"].max, np.max(inside), atol=1e-12)
    last = spectra[1, :rows]
    expected = [[cosine(a, b) for b in last] for a in last]
    assert_allclose(found.gram(1), expected, atol=1e-12)


@given(seed=seeds, size=sizes)
def test_space_is_the_whole_spectrum_by_parseval(seed, size):
    kernels = normal(1, 3, *size, seed=seed)
    whole = np.fft.fftn(kernels, axes=range(2, kernels.ndim)).reshape(3, -1)
    expected = [[cosine(a, b) for b in whole] for a in whole]
    assert_allclose(
        filter_spectrum(kernels, rows=3).gram(0, sense="space"), expected, atol=1e-12
    )


@given(seed=seeds, size=sizes)
def test_mirror_images_have_conjugate_spectra(seed, size):
    kernels = normal(1, 2, *size, seed=seed)
    axes = range(2, kernels.ndim)
    mirrored = np.fft.fftn(_kernels.mirrored(kernels), axes=axes)
    assert_allclose(mirrored, np.fft.fftn(kernels, axes=axes).conj(), atol=1e-12)


@given(seed=seeds, scale=st.sampled_from([1e-200, 1e-3, -1.0, 1e150]))
def test_scale_and_sign_change_no_angle(seed, scale):
    kernels = normal(3, 7, 3, 3, seed=seed)
    found = filter_spectrum(scale * kernels)
    expected = filter_spectrum(kernels)
    for sense in ("half", "space"):
        assert_allclose(found.within[sense].mean, expected.within[sense].mean)
        assert_allclose(found.across[sense].max, expected.across[sense].max)
    assert_allclose(found.filters.mean, expected.filters.mean)
    assert_allclose(found.even_share, expected.even_share)
    assert found.rank == expected.rank
    assert_allclose(found.effective_rank, expected.effective_rank)


def test_blocks_are_rows_of_a_filter_and_neighbours_are_compared():
    # Units: kernels 0 and 2 of each filter are the same, and so are 1 and 3.
    units = np.eye(2)[[0, 1, 0, 1]]
    found = filter_spectrum(np.stack([units, units]))
    assert found.rows == 2
    assert found.within["space"][:3] == (0.0, 0.0, 4)
    # 2 blocks of 2 filters: 3 steps from block to block, 4 pairs each, half alike.
    assert found.across["space"][:3] == (0.5, 1.0, 12)
    assert found.filters[:3] == (1.0, 1.0, 1)


def test_a_cut_block_counts_and_is_compared_with_the_next_filters():
    found = filter_spectrum(normal(3, 5, 2))
    assert found.within["half"].pairs == 3 * (1 + 1 + 0)
    # Whole blocks: 5 steps of 4 pairs; blocks of one kernel: 2 steps of 1.
    assert found.across["half"].pairs == 5 * 4 + 2
    assert found.gram(2, 2).shape == (1, 1)


def test_whole_filters_are_rows_of_the_matrix():
    kernels = normal(4, 3, 3, 3)
    flat = kernels.reshape(4, -1)
    unit = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    found = filter_spectrum(kernels).filters
    assert_allclose(found.mean, pairs_of(unit @ unit.T).mean())
    assert_allclose(found.chance, _cosines.chance(27))


def test_of_many_filters_runs_of_1024_are_compared():
    found = filter_spectrum(normal(1026, 1, 2)).filters
    assert found.pairs == 1024 * 1023 // 2 + 1


@pytest.mark.parametrize("dimension", [1, 2, 3, 9, 50])
def test_chance_is_what_random_directions_give(dimension):
    z = normal(40_000, dimension)
    drawn = np.abs(z[:, 0]) / np.linalg.norm(z, axis=1)
    assert_allclose(drawn.mean(), _cosines.chance(dimension), rtol=0.02)


def test_kernels_of_zeros_have_no_angle():
    kernels = normal(2, 6, 3, 3)
    kernels[0, 2] = kernels[1, 5] = 0
    found = filter_spectrum(kernels)
    assert found.within["half"].pairs == 2 * 10
    assert found.across["space"].pairs == 25
    assert (found.gram(0)[2] == 0).all()
    nothing = filter_spectrum(np.zeros((2, 3, 3)))
    assert nothing.within["space"] == (None, None, 0, _cosines.chance(3))
    assert nothing.even_share == nothing.rank == nothing.effective_rank == 0
    assert nothing.noise_share is None


@pytest.mark.parametrize("part", [1, 7, 30, 64, 1 << 20])
def test_runs_of_any_length_have_the_same_pairs(part, monkeypatch):
    kernels = normal(3, 11, 3, 3)
    kernels[1, 2] = kernels[2, 10] = 0
    expected = filter_spectrum(kernels, rows=4)
    blocks = _kernels.blocks_of(_cosines.directions(_kernels.taps(kernels)), 4)
    gram = _cosines.mean_gram(blocks[0])
    monkeypatch.setattr(_cosines, "PART", part)
    runs = list(_cosines.within(blocks))
    assert max(map(len, runs)) <= max(part, 4)
    found = filter_spectrum(kernels, rows=4)
    for sense in ("half", "space"):
        for name in ("within", "across"):
            ours, theirs = getattr(found, name)[sense], getattr(expected, name)[sense]
            assert ours.pairs == theirs.pairs
            assert_allclose(ours[:2], theirs[:2])
    assert_allclose(_cosines.mean_gram(blocks[0]), gram)


# -- what initializers make ------------------------------------------------------------


@pytest.mark.parametrize("size", [(2,), (3,), (7,), (2, 2), (1, 3)])
def test_without_noise_rows_are_orthogonal_where_even_kernels_have_d_numbers(size):
    found = filter_spectrum(aware(5, 9, *size, eps_std=0))
    assert found.kept_share == 1
    assert found.within["half"].max < 1e-12
    assert found.rank == min(found.dimension, 9)
    assert_allclose(found.even_share, 1)


@pytest.mark.parametrize("size", [(3, 3), (5, 5), (3, 3, 3)])
def test_elsewhere_rows_lose_rank_and_orthogonality(size):
    found = filter_spectrum(aware(5, 20, *size, eps_std=0))
    assert found.kept_share < 1
    assert found.within["half"].mean > 0.05
    assert found.rank == found.even_dimension < found.dimension
    assert_allclose(found.even_share, 1)


def test_3x3_kernels_are_as_far_from_orthogonal_as_the_sheet_says():
    shape = (300, 12, 3, 3)
    clean, gauss = (
        filter_spectrum(aware(*shape, eps_std=0)),
        filter_spectrum(normal(*shape)),
    )
    assert_allclose(clean.within["half"].mean, 0.15, atol=0.005)
    assert_allclose(clean.within["space"].mean, 0.20, atol=0.005)
    assert_allclose(gauss.within["space"].mean, 0.274, atol=0.005)
    assert_allclose(clean.kept_share, 5 / 6)
    noisy = filter_spectrum(aware(*shape))
    assert_allclose(noisy.noise_share, 0.132, atol=0.01)
    assert_allclose(noisy.fan_in_variance, 2)
    assert_allclose(gauss.noise_share, 1, atol=0.02)


def test_whole_spectra_give_kernels_orthogonal_in_space():
    weight = aware(4, 18, 3, 3, spectrum="complex")
    found = filter_spectrum(weight, rows=9)
    assert found.within["space"].max < 1e-12
    assert found.within["half"].mean > 0.01
    assert_allclose(found.effective_rank, 9)


def test_an_orthogonal_matrix_says_nothing_of_kernels():
    weight = nn.init.orthogonal_(
        tensor(np.zeros((50, 60, 3, 3))), rng=np.random.default_rng(0)
    )
    found = filter_spectrum(weight)
    assert found.filters.max < 1e-12
    assert_allclose(found.within["space"].mean, found.within["space"].chance, rtol=0.02)


def test_what_float32_rounds_away_is_no_rank_of_a_float32_weight():
    row = normal(9).astype("float32")
    weight = np.stack([row, row / np.float32(3)]).reshape(1, 2, 3, 3)
    assert filter_spectrum(weight).rank == 1
    assert filter_spectrum(weight.astype("float64")).rank == 2


# -- what is taken ---------------------------------------------------------------------


def test_arrays_tensors_parameters_and_modules_are_taken(backend):
    host = normal(4, 3, 3)
    expected = filter_spectrum(host).to_records()
    conv = nn.Conv1d(3, 4, 3, dtype="float64")
    conv.weight.data[...] = new_array(host)
    weight = new_array(host)
    for given_weight in (weight, tensor(weight), Parameter(tensor(weight)), conv):
        found = filter_spectrum(given_weight)
        assert type(found.kernels) is np.ndarray
        assert found.to_records() == expected


def test_grouped_and_transposed_convolutions_are_read_by_what_they_sum_over():
    assert filter_spectrum(nn.Conv2d(8, 6, 3, groups=2)).shape == (6, 4, 3, 3)
    conv = nn.ConvTranspose1d(6, 4, 3, groups=2, dtype="float64")
    found = filter_spectrum(conv)
    assert found.shape == (4, 3, 3)
    stored = conv.weight.numpy()  # (in, out / groups, k)
    for out in range(4):
        group, place = divmod(out, 2)
        rows = stored[3 * group : 3 * group + 3, place]
        assert_array_equal(found.kernels[out], rows)
    array = filter_spectrum(stored, transposed=True, groups=2)
    assert array.to_records() == found.to_records()
    assert filter_spectrum(stored, transposed=True).shape == (2, 6, 3)


def test_what_was_measured_stays_when_the_weight_changes():
    weight = normal(2, 3, 3)
    found = filter_spectrum(weight)
    before = found.gram(1)
    weight[...] = 0
    assert_array_equal(found.gram(1), before)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 3, 3), (2, 3, 0)])
def test_other_axes_are_refused(shape):
    with pytest.raises(ShapeError, match=r"has shape \(.*expected \(F, S, \*k\)"):
        filter_spectrum(np.zeros(shape))


@pytest.mark.parametrize(
    ("weight", "options", "error", "message"),
    [
        ([[[1.0]]], {}, ArgumentError, "weight is a list, expected an array, a Tensor"),
        (nn.ReLU(), {}, ArgumentError, "weight is a ReLU, expected an array, a Tensor"),
        (np.ones((2, 2, 2), complex), {}, DTypeError, "weight has dtype complex128"),
        (np.full((2, 2, 2), np.nan), {}, ArgumentError, "8 infinite or NaN of 8"),
        (
            np.ones((2, 2, 2)),
            {"rows": 0},
            ArgumentError,
            "rows 0, expected an int",
        ),
        (
            np.ones((3, 2, 2)),
            {"transposed": True, "groups": 2},
            ArgumentError,
            "groups 2, expected a divisor of 3",
        ),
    ],
)
def test_what_has_no_spectrum_is_refused(weight, options, error, message):
    with pytest.raises(error, match=f"filter_spectrum: .*{message}"):
        filter_spectrum(weight, **options)


def test_blocks_and_senses_that_are_not_there_are_refused():
    found = filter_spectrum(normal(2, 3, 3))
    with pytest.raises(BadIndexError, match="gram: filter 2, expected 0 <= filter < 2"):
        found.gram(2)
    with pytest.raises(BadIndexError, match="gram: block 2, expected 0 <= block < 2"):
        found.gram(0, 2)
    with pytest.raises(ArgumentError, match="'full', expected one of 'half', 'space'"):
        found.gram(0, sense="full")


# -- how it is shown -------------------------------------------------------------------


def test_the_table_says_what_is_compared_and_how_much_is_even():
    lines = filter_spectrum(aware(6, 8, 3, 3, eps_std=0)).table().splitlines()
    assert lines[0] == "6 filters over 8 channels, kernels 3x3"
    assert lines[1].startswith("blocks of 6, the last of 2; D = 6, 5 of 9 taps free")
    assert [line.split("  ")[0] for line in lines[3:8]] == [
        *["kernels of a block"] * 2,
        *["kernels of two blocks"] * 2,
        "whole filters",
    ]
    even = "even kernels (about tap 0, not the middle) have 100.0 % of the energy"
    assert lines[8] == f"{even}, as with 0.0 % of noise"
    assert "rank of a block 5" in lines[9]
    assert lines[10].startswith("variance 2 / fan_in")
    assert max(map(len, lines)) <= 100
    point = filter_spectrum(normal(4, 8, 1, 1))
    assert point.noise_share is None
    assert f"{even}\nrank" in str(point)


def number(text):
    return None if text == "-" else float(text.replace(",", ""))


def near(cell, value):
    """Whether a cell of three digits, or of one behind the point, shows value."""
    return number(cell) == pytest.approx(value, rel=6e-3, abs=0.051 * (value > 1))


def uneven():
    """Kernels of which every measure is another number."""
    kernels = normal(6, 14, 3, 3) + 0.3
    kernels[:, 1] = 2 * kernels[:, 0] + 0.05 * kernels[:, 1]
    kernels[:, 2] = kernels[:, 0]
    return kernels


def unlike(*values):
    """Whether a column filled with another's numbers would not pass for it."""
    return all(
        abs(a - b) > 0.02 * max(abs(a), abs(b)) for a, b in combinations(values, 2)
    )


def test_each_cell_of_the_table_is_its_measure():
    found = filter_spectrum(uneven())
    lines = found.table().splitlines()
    assert lines[2].split()[-5:] == ["mean", "max", "by", "chance", "pairs"]
    for line, relation in zip(lines[3:8], found.relations(), strict=True):
        cells, one = line.split()[-4:], relation.cosines
        measures = [one.mean, one.max, one.chance or 0.123, one.pairs]
        assert unlike(*measures)
        assert near(cells[0], one.mean)
        assert near(cells[1], one.max)
        assert cells[2] == "-" if one.chance is None else near(cells[2], one.chance)
        assert number(cells[3]) == one.pairs
    shown = [float(word) for word in re.findall(r"-?\d+\.?\d*", "; ".join(lines[8:]))]
    _, even, *noise, rank, effective, variance, mean = shown
    assert even == pytest.approx(100 * found.even_share, abs=0.051)
    assert noise == [pytest.approx(100 * found.noise_share, abs=0.051)]
    assert rank == pytest.approx(found.rank, rel=6e-3)
    assert effective == pytest.approx(found.effective_rank, rel=6e-3)
    assert variance == pytest.approx(found.fan_in_variance, rel=1e-3)
    assert mean == pytest.approx(found.mean, rel=6e-3)
    assert unlike(rank, effective, variance, mean, found.variance)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_is_no_sum_with_noise_is_not_said_to_be(value):
    weight = np.zeros((3, 4, 3, 3))
    weight[:, :, 1, 1] = value
    found = filter_spectrum(weight)
    assert found.noise_share is None if not value else found.noise_share == 1.125
    assert "noise" not in found.table()
    # The same about tap 0 is even.
    weight[:, :, 1, 1], weight[:, :, 0, 0] = 0, 1
    assert "have 100.0 % of the energy, as with 0.0 % of noise" in str(
        filter_spectrum(weight)
    )


def test_records_are_plain_and_complete():
    found = filter_spectrum(normal(4, 8, 1, 1))
    whole, *relations = json.loads(json.dumps(found.to_records()))
    assert whole["shape"] == [4, 8, 1, 1]
    assert whole["noise_share"] is None
    assert whole["variance"] == found.variance
    assert [(r["between"], r["sense"]) for r in relations] == [
        ("within", "half"),
        ("within", "space"),
        ("across", "half"),
        ("across", "space"),
        ("filters", "space"),
    ]
    assert relations[0]["mean"] is None
    assert relations[4]["mean"] == found.filters.mean


def test_a_comparison_has_a_row_for_each_weight():
    weights = {"CAI": aware(6, 12, 3, 3), "He": normal(6, 12, 3, 3)}
    found = compare_spectra(weights)
    title, header, *rows = str(found).splitlines()
    assert title == "kernels 3x3 of 2 weights"
    assert [row.split()[0] for row in rows] == ["CAI", "He"]
    assert rows[0].split()[-1] == "2"
    assert max(map(len, [header, *rows])) <= 100
    assert [one["name"] for one in found.to_records()] == ["CAI"] * 6 + ["He"] * 6
    alone = filter_spectrum(weights["He"], rows=4)
    same = compare_spectra(weights, rows=4).spectra["He"]
    assert same.to_records() == alone.to_records()


def test_each_cell_of_a_comparison_is_its_measure():
    found = compare_spectra({"a": uneven(), "b": aware(6, 14, 3, 3)}, rows=5)
    _, header, *rows = found.table().splitlines()
    assert re.split(r"\s{2,}", header.strip()) == [
        *["mean |cos|", "block, half", "space", "two blocks", "filters", "even %"],
        *["rank", "effective", "of", "var * fan_in"],
    ]
    for row, (name, one) in zip(rows, found.spectra.items(), strict=True):
        cells = row.split()
        assert cells.pop(0) == name
        cosines = [
            one.within["half"].mean,
            one.within["space"].mean,
            one.across["space"].mean,
            one.filters.mean,
        ]
        ranks = [one.rank, one.effective_rank]
        measures = [*cosines, 100 * one.even_share, *ranks, 5, one.fan_in_variance]
        assert len(cells) == len(measures)
        assert all(map(near, cells, measures)), (cells, measures)
        if name == "a":
            across = one.across["half"].mean, one.within["space"].max
            assert unlike(*cosines, *across)
            assert unlike(*ranks, one.fan_in_variance)


@pytest.mark.parametrize("weights", [{}, [np.ones((1, 1, 1))], {1: np.ones((1, 1, 1))}])
def test_a_comparison_needs_names(weights):
    with pytest.raises(ArgumentError, match=r"compare_spectra: .* a mapping of"):
        compare_spectra(weights)


@pytest.mark.parametrize("count", [1, 2, 7])
def test_the_figure_has_curves_for_all_and_matrices_for_some(count):
    pytest.importorskip("matplotlib")
    weights = {f"w{at}": aware(6, 12, 3, 3, seed=at) for at in range(count)}
    figure = compare_spectra(weights).plot()
    above, below = figure.subfigs
    for axes, word in zip(above.axes, ("half spectrum", "space"), strict=True):
        assert axes.get_title(loc="left") == f"Kernels of a block, in {word}"
        assert len(axes.get_lines()) == count
        for line in axes.get_lines():
            bounds, shares = line.get_data()
            assert bounds[0] == 0
            assert (np.diff(bounds) > 0).all()
            assert (np.diff(shares) <= 0).all()
            assert (shares[0], shares[-1]) == (100, 0)
    assert len(below.axes) == 2 * min(count, 5) + 1


def test_curves_and_matrices_are_those_of_the_grams():
    pytest.importorskip("matplotlib")
    weights = {"a": uneven(), "b": normal(6, 14, 3, 3, seed=5)}
    spectra = compare_spectra(weights, rows=7)
    figure = spectra.plot()
    above, below = figure.subfigs
    drawn = iter(below.axes[:4])
    for side, sense in zip(above.axes, ("half", "space"), strict=True):
        legend = [text.get_text() for text in side.get_legend().get_texts()]
        for at, (name, one) in enumerate(spectra.spectra.items()):
            grams = [
                np.abs(one.gram(filter, block, sense))
                for filter in range(6)
                for block in range(2)
            ]
            pairs = np.concatenate([pairs_of(gram) for gram in grams])
            bounds, shares = side.get_lines()[at].get_data()
            expected = [100 * (pairs >= bound).mean() for bound in bounds]
            # The last bound, 1, leaves out pairs that are parallel, as "a" has.
            assert_allclose(shares[:-1], expected[:-1], atol=1e-9)
            assert legend[at].startswith(f"{name}: mean ")
            assert near(legend[at].split()[-1], one.within[sense].mean)
            matrix = next(drawn)
            assert matrix.get_title(loc="left") == (name if sense == "half" else "")
            shown = np.ma.filled(matrix.images[0].get_array(), np.nan)
            mean = np.mean(grams, axis=0)
            np.fill_diagonal(mean, np.nan)
            assert_allclose(shown, mean, atol=1e-12)


def test_figures_are_written_also_where_there_are_no_pairs(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "figure.png"
    assert filter_spectrum(normal(4, 8, 1, 1)).plot(path) is None
    assert path.stat().st_size > 10_000
    with pytest.raises(ArgumentError, match=r"ends in \.png, \.svg or \.pdf"):
        filter_spectrum(normal(1, 1, 1)).plot(tmp_path / "a.gif")
