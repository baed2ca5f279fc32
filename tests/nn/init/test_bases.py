"""Orthonormal rows: what holds for each basis, and the law they are drawn from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.errors import ArgumentError
from minigrad.nn.init import orthonormal_rows
from minigrad.random import generator, manual_seed

METHODS = ["svd", "eigh", "spd", "qr"]

methods = st.sampled_from(METHODS)
seeds = st.integers(0, 2**32)


def gram_of_blocks(rows):
    """Yield the products of the rows of each basis with each other."""
    dimension = rows.shape[1]
    for start in range(0, len(rows), dimension):
        block = rows[start : start + dimension]
        yield block @ block.T


@given(
    st.integers(1, 28),
    st.floats(0, 3),
    st.integers(0, 3),
    methods,
    st.booleans(),
    seeds,
)
def test_rows_are_orthonormal_inside_each_basis(
    dimension, times, more, method, random_sign, seed
):
    count = max(1, int(times * dimension) + more)
    rng = generator(seed, "rows")
    rows = orthonormal_rows(
        count, dimension, method=method, random_sign=random_sign, rng=rng
    )
    assert rows.shape == (count, dimension)
    assert rows.dtype == np.float64
    for gram in gram_of_blocks(rows):
        assert_allclose(gram, np.eye(len(gram)), atol=1e-10)


@pytest.mark.parametrize("count", [4, 6, 7, 12, 15], ids=lambda count: f"n={count}")
def test_counts_around_the_dimension(count):
    """n < D, n = D, n = D + 1, 2 D and 2 D + 3 for D = 6."""
    rows = orthonormal_rows(count, 6, rng=generator(0, "rows"))
    blocks = list(gram_of_blocks(rows))
    assert [len(gram) for gram in blocks] == [
        min(6, count - start) for start in range(0, count, 6)
    ]
    for gram in blocks:
        assert_allclose(gram, np.eye(len(gram)), atol=1e-10)
    # Two bases know nothing of each other.
    if count > 6:
        assert np.abs(rows[:6] @ rows[6:].T).max() > 0.1


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dimension", [2, 3, 6, 15, 28])
def test_no_entry_is_larger_than_one(dimension, method):
    """Theorem 1 of the paper."""
    rows = orthonormal_rows(
        20 * dimension, dimension, method=method, rng=generator(1, "rows")
    )
    assert np.abs(rows).max() <= 1 + 1e-12
    # The bound is no loose one where there are few entries.
    assert dimension > 2 or np.abs(rows).max() > 0.99


def bases(method, random_sign, dimension=3, count=4000):
    rows = orthonormal_rows(
        count * dimension,
        dimension,
        method=method,
        random_sign=random_sign,
        rng=generator(2, "rows"),
    )
    return rows.reshape(count, dimension, dimension)


@pytest.mark.parametrize("method", METHODS)
def test_random_signs_make_every_entry_zero_in_the_mean(method):
    drawn = bases(method, True)
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert np.all(np.abs(drawn.mean(axis=0)) < 4 * error)


@pytest.mark.parametrize(
    ("method", "column"), [("svd", [-0.14, 0.40]), ("eigh", [-0.45, 0.01])]
)
def test_without_them_lapack_chooses_the_sign(method, column):
    """The mean entries of rows of length 2, averaged over both rows of a basis."""
    drawn = bases(method, False, dimension=2)
    assert_allclose(drawn.mean(axis=(0, 1)), column, atol=0.03)


def test_qr_needs_no_random_sign():
    drawn = bases("qr", False)
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    assert np.all(np.abs(drawn.mean(axis=0)) < 4 * error)


@pytest.mark.parametrize("method", ["spd", "qr"])
def test_uniform_methods_have_the_moments_of_uniform_bases(method):
    """E q^2 = 1 / D and E q^4 = 3 / (D (D + 2)) on the sphere in R^D."""
    drawn = bases(method, True)
    assert_allclose((drawn**2).mean(axis=0), 1 / 3, atol=0.025)
    assert_allclose((drawn**4).mean(axis=0), 3 / 15, atol=0.025)


@pytest.mark.parametrize("method", METHODS)
def test_signs_alone_tell_the_two_laws_apart(method):
    literal, signed = bases(method, False), bases(method, True)
    assert_array_equal(np.abs(literal), np.abs(signed))
    assert 0.45 < (literal[..., 0] == signed[..., 0]).mean() < 0.55


def test_rows_follow_the_seed():
    def rows(seed):
        return orthonormal_rows(7, 3, rng=generator(seed, "rows"))

    assert_array_equal(rows(0), rows(0))
    assert np.all(rows(0) != rows(1))
    manual_seed(0)
    first, second = orthonormal_rows(7, 3), orthonormal_rows(7, 3)
    manual_seed(0)
    assert_array_equal(orthonormal_rows(7, 3), first)
    assert np.all(first != second)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"count": 0}, "count 0, expected an int >= 1"),
        ({"count": 2.5}, r"count 2\.5, expected an int >= 1"),
        ({"dimension": -1}, "dimension -1, expected an int >= 1"),
        ({"method": "lu"}, "method 'lu', expected one of svd, eigh, spd, qr"),
        ({"method": []}, r"method \[\], expected one of svd"),
        ({"rng": 3}, "rng 3, expected a NumPy Generator or None"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ArgumentError, match=f"orthonormal_rows: {message}"):
        orthonormal_rows(**{"count": 2, "dimension": 3, **arguments})
