"""In what sense kernels of filters are orthogonal, measured by hand and at random."""

import json
import math

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
    assert "even kernels have 100.0 % of the energy" in lines[8]
    assert "rank of a block 5" in lines[8]
    assert lines[9].startswith("variance 2 / fan_in")
    assert max(map(len, lines)) <= 100
    point = filter_spectrum(normal(4, 8, 1, 1))
    assert point.noise_share is None
    assert "even kernels have 100.0 % of the energy; rank" in str(point)


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
            assert (np.diff(bounds) <= 0).all()
            assert (shares[0], shares[-1]) == (0, 100)
    assert len(below.axes) == 2 * min(count, 5) + 1


def test_figures_are_written_also_where_there_are_no_pairs(tmp_path):
    pytest.importorskip("matplotlib")
    path = tmp_path / "figure.png"
    assert filter_spectrum(normal(4, 8, 1, 1)).plot(path) is None
    assert path.stat().st_size > 10_000
    with pytest.raises(ArgumentError, match=r"ends in \.png, \.svg or \.pdf"):
        filter_spectrum(normal(1, 1, 1)).plot(tmp_path / "a.gif")
