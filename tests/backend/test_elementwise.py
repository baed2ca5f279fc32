"""Formulas give the same result blocked, threaded, whole, and on the fake device."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from minigrad.backend import _elementwise, elementwise, parallel_for, to_host
from minigrad.testing import fake_device


@elementwise
def gate(xp, x, y, scale, **out):
    return xp.multiply(xp.tanh(x) * scale, 1 - y * y, **out)


@elementwise
def pick(xp, x, y, **out):
    return xp.where(x > y, x, y)


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(_elementwise, "BLOCK", 7)
    monkeypatch.setattr(_elementwise, "THRESHOLD", 1)


def arrays(shape, order="C"):
    rng = np.random.default_rng(0)
    return [np.asarray(rng.standard_normal(shape), order=order) for _ in range(2)]


def whole(x, y):
    return np.tanh(x) * 2.0 * (1 - y * y)


@pytest.mark.parametrize("shape", [(1,), (7,), (50,), (3, 4, 5)])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.usefixtures("small_blocks")
def test_blocks_equal_the_whole(shape, order):
    x, y = arrays(shape, order)
    assert_array_equal(gate(x, y, 2.0), whole(x, y))


@pytest.mark.usefixtures("small_blocks")
def test_memory_order_is_kept():
    x, y = (array.transpose(2, 0, 1) for array in arrays((3, 4, 5)))
    result = gate(x, y, 2.0)
    assert_array_equal(result, whole(x, y))
    assert result.strides == x.strides


@pytest.mark.usefixtures("small_blocks")
def test_broadcasting_and_strided_views_fall_back_to_one_call():
    x, y = arrays((8, 6))
    assert_array_equal(gate(x, y[0], 2.0), whole(x, y[0]))
    assert_array_equal(gate(x[::2], y[::2], 2.0), whole(x[::2], y[::2]))


@pytest.mark.usefixtures("small_blocks")
def test_formula_that_ignores_out_is_copied_into_place():
    x, y = arrays((50,))
    assert_array_equal(pick(x, y), np.maximum(x, y))


@pytest.mark.usefixtures("small_blocks")
def test_dtype_is_kept():
    x, y = (array.astype("float32") for array in arrays((50,)))
    assert gate(x, y, 2.0).dtype == np.float32


def test_same_formula_runs_on_the_device():
    x, y = arrays((6,))
    with fake_device() as device:
        result = gate(device.from_host(x), device.from_host(y), 2.0)
        assert_array_equal(to_host(result), whole(x, y))


def test_every_index_runs_once():
    hits = np.zeros(1000, int)

    def body(index):
        hits[index] += 1

    parallel_for(1000, body)
    assert_array_equal(hits, 1)


def test_error_in_a_block_is_raised_again():
    def body(index):
        if index == 3:
            raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        parallel_for(8, body)


def test_loop_inside_a_loop_runs():
    hits = []

    def body(index):
        parallel_for(3, lambda inner: hits.append((index, inner)))

    parallel_for(4, body)
    assert sorted(hits) == [(i, j) for i in range(4) for j in range(3)]


def test_blocks_run_in_the_context_of_the_caller():
    seen = []

    def body(index):
        seen.append(np.geterr()["divide"])

    with np.errstate(divide="raise"):
        parallel_for(8, body)
    assert set(seen) == {"raise"}
