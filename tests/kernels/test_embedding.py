"""Looking up rows of a table, and adding gradients up where they were read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad.backend import to_backend, to_host
from minigrad.errors import ArgumentError, BadIndexError, DTypeError, ShapeError
from minigrad.kernels._indices import add_rows
from minigrad.kernels.embedding import KERNEL
from minigrad.testing import check_kernel, integers, kernel_cases, normal

padding = {"padding_idx": lambda shapes: st.none() | rows(shapes)}
cases = kernel_cases(
    x=integers("...", high="V"), w=normal("V", "D"), params=padding, sizes={"V": (1, 7)}
)


def rows(shapes):
    return st.integers(-shapes["w"][0], shapes["w"][0] - 1)


@given(case=cases)
def test_gradient_adds_up_at_the_rows_that_were_read(case):
    check_kernel(KERNEL, case)


@given(case=cases)
def test_rows_and_their_sums_are_those_of_loops(case):
    x, w = case.arrays
    y, record = KERNEL.run(x, w, **case.params)
    dy = case.cotangent(y)
    dw = np.zeros_like(w)
    for place in np.ndindex(x.shape):
        assert_array_equal(y[place], w[x[place]])
        dw[x[place]] += dy[place]
    if case.params["padding_idx"] is not None:
        dw[case.params["padding_idx"]] = 0
    assert_array_equal(KERNEL.backward("w", dy, record), dw)


@given(case=cases)
def test_order_of_the_indices_does_not_matter(case):
    x, w = case.arrays
    x = x.ravel()
    order = np.random.default_rng(case.seed).permutation(x.size)
    y, record = KERNEL.run(x, w)
    dy = case.cotangent(y)
    _, other = KERNEL.run(x[order], w)
    dw, also = KERNEL.backward("w", dy, record), KERNEL.backward("w", dy[order], other)
    assert_allclose(dw, also, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("count", [0, 1, 2, 31, 32, 33, 500])
@pytest.mark.parametrize("num_rows", [1, 40])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex128"])
def test_rows_add_up_in_one_order_on_every_backend(count, num_rows, dtype, backend):
    rng = np.random.default_rng(0)
    index = rng.integers(0, num_rows, count)
    dy = rng.standard_normal((count, 3)).astype(dtype)
    expected = np.zeros((num_rows, 3), np.result_type(dtype, "float64"))
    np.add.at(expected, index, dy)
    given_ = to_backend(dy), to_backend(index)
    first, second = (to_host(add_rows(*given_, num_rows)) for _ in range(2))
    assert first.dtype == dtype
    assert first.tobytes() == second.tobytes()
    tolerance = {"float16": 0.03, "float32": 1e-5}.get(dtype, 1e-12)
    assert_allclose(first, expected, tolerance, tolerance)


def test_gradient_owns_its_memory_so_that_the_tape_need_not_copy_it():
    y, record = KERNEL.run(np.array([[1, 2]]), np.zeros((4, 3)))
    assert KERNEL.backward("w", np.ones_like(y), record).base is None


def test_many_reads_in_half_precision_do_not_stick(backend):
    dy, x = to_backend(np.ones((5000, 1), "float16")), to_backend(np.zeros(5000, int))
    _, record = KERNEL.run(x, to_backend(np.ones((2, 1), "float16")))
    dw = to_host(KERNEL.backward("w", dy, record))
    assert dw.dtype == "float16"
    assert_allclose(dw[:, 0], [5000, 0], rtol=1e-3)


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_every_integer_dtype_is_an_index(dtype):
    w = np.arange(400.0)[:, None]
    y, _ = KERNEL.run(np.array([[7], [100]], dtype), w)
    assert y.tolist() == [[[7.0]], [[100.0]]]


@pytest.mark.parametrize(
    ("x", "found"),
    [([0, 1, 4, 9], r"4 at \[2\]"), ([[0, -1]], r"-1 at \[0, 1\]"), (7, "7")],
    ids=str,
)
def test_an_index_out_of_range_is_named_with_its_place(x, found, backend):
    w = to_backend(np.zeros((4, 2)))
    message = f"embedding: x has index {found}, expected 0 <= index < 4"
    with pytest.raises(BadIndexError, match=message):
        KERNEL.run(to_backend(np.array(x)), w)


def test_an_unsigned_index_beyond_the_signed_ones_does_not_come_out_negative():
    with pytest.raises(BadIndexError, match=r"index 18446744073709551615 at \[0\]"):
        KERNEL.run(np.array([2**64 - 1], "uint64"), np.zeros((4, 2)))


@pytest.mark.parametrize("row", [4, -5, "a", 1.5])
def test_a_padding_row_that_is_none_of_the_rows_is_refused(row):
    with pytest.raises(ArgumentError, match=r"padding_idx .+, expected None or an int"):
        KERNEL.run(np.zeros(1, int), np.zeros((4, 2)), padding_idx=row)


def test_indices_that_are_no_integers_are_refused():
    with pytest.raises(DTypeError, match="x has dtype float64, expected an integer"):
        KERNEL.run(np.zeros(1), np.zeros((4, 2)))


def test_a_table_that_is_no_matrix_is_refused():
    with pytest.raises(ShapeError, match=r"w has shape \(4,\), expected \(V, D\)"):
        KERNEL.run(np.zeros(1, int), np.zeros(4))


def test_a_table_of_integers_is_refused():
    with pytest.raises(DTypeError, match="w has dtype int64, expected a float dtype"):
        KERNEL.run(np.zeros(1, int), np.zeros((4, 2), int))
