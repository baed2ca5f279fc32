"""Reshaping, joining, padding and selecting."""

import itertools
from types import EllipsisType

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from minigrad.errors import ArgumentError, BackendError, DTypeError, ShapeError
from minigrad.kernels import shaping
from minigrad.testing import (
    Case,
    check_kernel,
    fake_device,
    integers,
    kernel_cases,
    normal,
)

X = np.arange(60.0).reshape(5, 4, 3)
VIEWS = [
    2,
    -1,
    slice(None, None, -2),
    (slice(1, 3), None, Ellipsis, 2),
    (4, 3, 2),
    Ellipsis,
    None,
    (),
]
SELECTIONS = [
    [],
    [0, 0, 2],
    [True, False, True, True, False],
    np.array([[1, -1], [1, 3]]),
    np.array([], int),
    (np.array([[0], [0]]), slice(None), np.array([1, 1])),
    (slice(None), [3, 3]),
    (1, [2, 2]),
    np.array(2),
    X > 30,
    (X > 30).any(axis=(1, 2)),
    (slice(None), np.zeros(4, bool)),
    True,
]


def shown(index):
    return str(index).replace("\n", "")[:40]


def gradient(kernel, *arrays, name="x", **params):
    y, record = kernel.run(*arrays, **params)
    return kernel.backward(name, np.ones_like(y), record)


def permutations(shapes):
    order = st.permutations(range(len(shapes["x"]))).map(tuple)
    return st.none() | order


def flattenings(shapes):
    shape = shapes["x"]
    return st.sampled_from([(-1,), shape[::-1], (1, *shape), (*shape, 1)])


def widths(shapes):
    pairs = st.tuples(st.integers(0, 2), st.integers(0, 2))
    return st.tuples(*(pairs for _ in shapes["x"]))


@given(kernel_cases(x=("...",), params={"shape": flattenings}))
def test_reshape_moves_its_gradient_back(case):
    check_kernel(shaping.RESHAPE_KERNEL, case)


@given(kernel_cases(x=("...",), params={"axes": permutations}))
def test_transpose_moves_its_gradient_back(case):
    check_kernel(shaping.TRANSPOSE_KERNEL, case)


def test_transpose_counts_axes_from_the_end_too():
    y, _ = shaping.TRANSPOSE_KERNEL.run(X, axes=(-1, 0, 1))
    assert_array_equal(y, np.moveaxis(X, -1, 0))


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        ((), (2, 3), (2, 3)),
        ((3,), (2, 3), (2, 3)),
        ((2, 1), (4, -1, 3), (4, 2, 3)),
        ((1, 3), (0, 3), (0, 3)),
        ((2, 3), (2, 3), (2, 3)),
    ],
)
def test_expand_sums_what_it_repeated(old, new, result):
    case = Case.draw(0, x=normal(*old))
    check_kernel(shaping.EXPAND_KERNEL, case, shape=new)
    y, _ = shaping.EXPAND_KERNEL.run(*case.arrays, shape=new)
    assert_array_equal(y, np.broadcast_to(case.arrays[0], result))


@given(kernel_cases(p=("A", "D"), q=("B", "D"), r=("C", "D")))
def test_concat_cuts_its_gradient_apart(case):
    check_kernel(shaping.CONCAT_KERNEL, case, axis=0)
    y, _ = shaping.CONCAT_KERNEL.run(*case.arrays, axis=0)
    assert y.tolist() == [row for array in case.arrays for row in array.tolist()]


@pytest.mark.parametrize("lengths", [(2,), (2, 0, 3), (0, 0)])
def test_concat_joins_any_number_of_arrays_along_any_axis(lengths):
    arrays = {f"x{place}": normal(4, n) for place, n in enumerate(lengths)}
    check_kernel(shaping.CONCAT_KERNEL, Case.draw(0, **arrays), axis=-1)


@given(kernel_cases(x=("...",), params={"widths": widths, "value": 7.0}))
def test_pad_cuts_its_gradient_out(case):
    check_kernel(shaping.PAD_KERNEL, case)
    (x,) = case.arrays
    y, _ = shaping.PAD_KERNEL.run(x, **case.params)
    expected = np.pad(x, case.params["widths"], constant_values=7.0) if x.ndim else x
    assert_array_equal(y, expected)


def test_pad_keeps_the_layout_of_images():
    x = np.zeros((3, 3, 2, 1)).transpose(2, 3, 0, 1)  # (N, C, H, W)
    y, _ = shaping.PAD_KERNEL.run(x, widths=((0, 0), (0, 0), (1, 1), (1, 1)))
    assert y.transpose(2, 3, 0, 1).flags.c_contiguous


@pytest.mark.parametrize("index", VIEWS + SELECTIONS, ids=shown)
def test_getitem_puts_its_gradient_where_it_read(index):
    # Index arrays stay on the host, so other backends are for another test.
    check_kernel(shaping.GETITEM_KERNEL, Case((X,)), index=index, backends=())
    y, record = shaping.GETITEM_KERNEL.run(X, index=index)
    assert_array_equal(y, X[index])
    dy = np.random.default_rng(0).standard_normal(y.shape)
    dx = shaping.GETITEM_KERNEL.backward("x", dy, record)
    expected = np.zeros(X.size)
    places = np.arange(X.size).reshape(X.shape)[index]
    for place, value in zip(np.ravel(places), np.ravel(dy), strict=True):
        expected[place] += value
    assert_array_equal(dx.ravel(), expected)


@pytest.mark.parametrize("index", VIEWS, ids=shown)
def test_getitem_gives_views_on_every_backend(index):
    check_kernel(shaping.GETITEM_KERNEL, Case((X,)), index=index)


def test_getitem_takes_index_arrays_of_its_own_backend_only():
    with fake_device() as device:
        x = device.module.array([1.0, 2.0, 3.0])
        index = device.module.array([0, 0, 2])
        y, record = shaping.GETITEM_KERNEL.run(x, index=index)
        dx = shaping.GETITEM_KERNEL.backward("x", y, record)
        assert device.to_host(dx).tolist() == [2.0, 0.0, 3.0]
        with pytest.raises(BackendError):
            shaping.GETITEM_KERNEL.run(x, index=np.array([0]))


def test_an_index_written_to_after_forward_does_not_mislead_backward():
    index = np.array([0, 0])
    y, record = shaping.GETITEM_KERNEL.run(np.ones(3), index=(index,))
    index[:] = 2
    dx = shaping.GETITEM_KERNEL.backward("x", y, record)
    assert_array_equal(dx, [2.0, 0.0, 0.0])


@given(kernel_cases(x=("N", "..."), index=integers("A", "B", high="N")))
def test_take_adds_up_its_gradient(case):
    check_kernel(shaping.TAKE_KERNEL, case, axis=0)


@pytest.mark.parametrize(
    ("x", "index", "axis"),
    list(
        itertools.product([(4, 3), (4, 0), (2, 4, 3)], [(), (5,), (0,), (2, 3)], [-2])
    ),
)
def test_take_selects_along_any_axis(x, index, axis):
    case = Case.draw(0, x=normal(*x), index=integers(*index, low=-4, high=4))
    check_kernel(shaping.TAKE_KERNEL, case, axis=axis)
    y, _ = shaping.TAKE_KERNEL.run(*case.arrays, axis=axis)
    assert_array_equal(y, case.arrays[0].take(case.arrays[1], axis=axis))


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "uint64"])
def test_take_accepts_every_integer_dtype(dtype):
    x = np.zeros((300, 2))
    dx = gradient(shaping.TAKE_KERNEL, x, np.array([7, 7, 9], dtype))
    assert dx[:, 0].nonzero()[0].tolist() == [7, 9]
    assert dx[7, 0] == 2.0


def test_take_refuses_positions_out_of_range_on_a_device_too():
    with fake_device() as device:
        xp = device.module
        with pytest.raises(IndexError, match=r"index has 2 at \[1\], expected -2"):
            shaping.TAKE_KERNEL.run(xp.array([1.0, 2.0]), xp.array([1, 2, -3]))


@pytest.mark.parametrize(
    ("index", "bad", "axis"),
    [
        ([0, 5], "5", 0),
        ((slice(None), [[3], [-5]]), r"-5 at \[1, 0\]", 1),
        ((..., [3]), "3", 2),
        ((None, True, [-6]), "-6", 0),
        (([True, False, True, True, False], [0, 1, 4]), r"4 at \[2\]", 1),
        ((0, ..., [1], [7]), "7", 2),
    ],
    ids=str,
)
def test_getitem_refuses_index_arrays_out_of_range_on_a_device(index, bad, axis):
    message = f"getitem: index has {bad}.* positions along axis {axis} of x"
    with fake_device() as device:
        x = device.from_host(X)
        with pytest.raises(IndexError, match=message):
            shaping.GETITEM_KERNEL.run(x, index=index)


def test_getitem_takes_index_arrays_in_range_on_a_device():
    index = (slice(None), [[3], [-4]], [0, -3])
    with fake_device() as device:
        y, _ = shaping.GETITEM_KERNEL.run(device.from_host(X), index=index)
        assert_array_equal(device.to_host(y), X[index])


@given(kernel_cases(x=("...",)))
def test_cast_casts_its_gradient_back(case):
    y, record = shaping.CAST_KERNEL.run(*case.arrays, dtype="float32")
    assert y.dtype == np.float32
    dy = case.cotangent(y)
    dx = shaping.CAST_KERNEL.backward("x", dy, record)
    assert dx.dtype == np.float64
    assert_array_equal(dx, dy)
    check_kernel(shaping.CAST_KERNEL, case, dtype="float64", single=False)


def test_cast_keeps_complex_numbers_complex():
    y, _ = shaping.CAST_KERNEL.run(np.array([1 + 1e-30j]), dtype="float32")
    assert y.dtype == np.complex64
    assert y.imag > 0


def test_moves_share_memory_where_numpy_does():
    for kernel, params in [
        (shaping.RESHAPE_KERNEL, {"shape": (60,)}),
        (shaping.TRANSPOSE_KERNEL, {"axes": None}),
        (shaping.EXPAND_KERNEL, {"shape": (2, 5, 4, 3)}),
        (shaping.GETITEM_KERNEL, {"index": 0}),
        (shaping.CAST_KERNEL, {"dtype": "float64"}),
    ]:
        assert np.shares_memory(kernel.run(X, **params)[0], X)


X23 = np.ones((2, 3))


@pytest.mark.parametrize(
    ("kernel", "arrays", "params", "error", "message"),
    [
        ("RESHAPE", [X23], {"shape": (4, 2)}, ShapeError, r"expected 6 elements, as x"),
        (
            "RESHAPE",
            [X23],
            {"shape": (-1, 4)},
            ShapeError,
            r"shape \(-1, 4\), expected",
        ),
        ("RESHAPE", [X23], {"shape": (-1, -1)}, ShapeError, r"shape \(-1, -1\)"),
        ("RESHAPE", [X23], {"shape": (-2, -3)}, ShapeError, r"shape \(-2, -3\)"),
        ("RESHAPE", [X23[:0]], {"shape": (-1, 0)}, ShapeError, r"0 elements"),
        ("TRANSPOSE", [X23], {"axes": (0,)}, ShapeError, r"each of the 2 axes of x"),
        ("TRANSPOSE", [X23], {"axes": (0, -2)}, ShapeError, r"axes \(0, -2\)"),
        ("EXPAND", [X23], {"shape": (3,)}, ShapeError, r"that x \(2, 3\) broadcasts"),
        ("EXPAND", [X23], {"shape": (2, 4)}, ShapeError, r"shape \(2, 4\), expected"),
        ("EXPAND", [X23], {"shape": (-1, 2, 3)}, ShapeError, r"shape \(-1, 2, 3\)"),
        (
            "CONCAT",
            [X23, X23.T],
            {},
            ShapeError,
            r"x1 has shape \(3, 2\), .+ axes but 0",
        ),
        ("CONCAT", [X23, X23[0]], {}, ShapeError, r"x1 has shape \(3,\), expected"),
        (
            "CONCAT",
            [X23],
            {"axis": 2},
            ShapeError,
            r"axis 2, expected one of the 2 axes",
        ),
        (
            "PAD",
            [X23],
            {"widths": ((1, 1),)},
            ShapeError,
            r"for each axis of x \(2, 3\)",
        ),
        ("PAD", [X23], {"widths": ((0, -1), (0, 0))}, ShapeError, r"of at least 0"),
        ("RESHAPE", [X23], {"shape": "a"}, ArgumentError, r"shape 'a', expected a tup"),
        (
            "EXPAND",
            [X23],
            {"shape": (2.0,)},
            ArgumentError,
            r"shape \(2.0,\), expected",
        ),
        ("TRANSPOSE", [X23], {"axes": ("a", 0)}, ArgumentError, r"axes \('a', 0\)"),
        ("CONCAT", [X23], {"axis": "a"}, ArgumentError, r"axis 'a', expected an int"),
        ("GETITEM", [X23], {"index": "a"}, IndexError, r"index into shape \(2, 3\)"),
        ("GETITEM", [X23], {"index": {1: 2}}, IndexError, r"index"),
        ("GETITEM", [X23], {"index": [[0], [0, 1]]}, IndexError, r"integers, slices"),
        ("GETITEM", [X23], {"index": 2}, IndexError, r"index 2 is out of bounds"),
        ("GETITEM", [X23], {"index": [5]}, ArgumentError, r"index into shape \(2, 3\)"),
        (
            "TAKE",
            [X23, np.array([0, 2])],
            {},
            ArgumentError,
            r"has 2 at \[1\], expected -2 to 1",
        ),
        ("TAKE", [X23, np.array([0.0])], {}, DTypeError, r"float64, expected integers"),
        (
            "TAKE",
            [X23, np.array(0)],
            {"axis": 2},
            ShapeError,
            r"axis 2, expected one of the 2 axes",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_named(kernel, arrays, params, error, message):
    with pytest.raises(error, match=f"{kernel.lower()}: .*{message}"):
        getattr(shaping, f"{kernel}_KERNEL").run(*arrays, **params)


@pytest.mark.parametrize(
    "index",
    [[0, 0], ((0, 0),), (range(0, 1), slice(None)), (((0, 0), (0, 0)), ...), ()],
    ids=str,
)
def test_a_position_read_twice_gets_both_gradients(index):
    x = np.zeros((2, 3))
    y, record = shaping.GETITEM_KERNEL.run(x, index=index)
    dx = shaping.GETITEM_KERNEL.backward("x", np.ones_like(y), record)
    expected = np.zeros((2, 3))
    parts = index if isinstance(index, tuple) else (index,)
    host = tuple(
        part if isinstance(part, slice | EllipsisType) else np.array(part)
        for part in parts
    )
    np.add.at(expected, host, 1)
    assert_array_equal(dx, expected)
