"""What kernels that select by integers share: the look at the range, and its adjoint.

CuPy wraps an index that is out of range without a word, so the range is looked at here
on every backend. On a device that look waits for the device once a call: a label or a
token that trains the wrong row in silence costs more.
"""

from __future__ import annotations

import importlib
import math

import numpy
from numpy import ndarray

from minigrad.backend import array_module, to_host
from minigrad.errors import BadIndexError, got
from minigrad.typing import Array


def _outside(index: Array, low: int, high: int) -> Array:
    # An unsigned integer past the signed ones would come out negative.
    low = low if index.dtype.kind == "i" else 0
    index = index.astype("int64", copy=False)
    return (index < low) | (index >= high)


def is_within(index: Array, low: int, high: int) -> bool:
    """Tell whether low <= index < high everywhere; waits for a device."""
    return not to_host(_outside(index, low, high).any())


def expect_within(
    name: str, what: str, index: Array, low: int, high: int, rule: str
) -> None:
    """Raise BadIndexError for the first of index outside [low, high); see is_within."""
    if is_within(index, low, high):
        return
    place = numpy.argwhere(to_host(_outside(index, low, high)))[0].tolist()
    value = to_host(index)[tuple(place)]
    found = f"{value} at {place}" if place else value
    raise BadIndexError(got(name, what, found, rule))


def add_rows(dy: Array, index: Array, count: int) -> Array:
    """Add dy (*index.shape, ...) up into count rows (count, ...); an index may repeat.

    index holds integers in [0, count). The order of the sums is fixed, on a device
    too: atomic adds would give other bits in every run.
    """
    xp = array_module(dy, index)
    tail = dy.shape[index.ndim :]
    # Not -1 for the columns: beside a 0 no length follows for it.
    rows = dy.reshape(index.size, math.prod(tail))
    index = index.reshape(-1).astype("int64", copy=False)
    if dy.dtype.itemsize == 2:
        rows = rows.astype("float32")
    if not rows.size:
        return xp.zeros((count, *tail), dy.dtype)
    add = _add_on_host if xp is numpy else _add_on_device
    total = add(rows, index, count).astype(dy.dtype, copy=False)
    # No view where none is needed: the tape copies a leaf's gradient that is one.
    return total if len(tail) == 1 else total.reshape(count, *tail)


def _add_on_host(rows: ndarray, index: ndarray, count: int) -> ndarray:
    """Multiply rows by a sparse matrix of ones.

    For 2,560 rows of 128 into 20,000 this takes 0.2 ms, half of it for the zeros;
    sorting and numpy.add.reduceat take 2.1, numpy.add.at 3.4.
    """
    sparse = importlib.import_module("scipy.sparse")
    # Column i of the matrix has its only 1 in row index[i].
    ones = numpy.ones(len(rows), rows.dtype)
    starts = numpy.arange(len(rows) + 1)
    shape = (count, len(rows))
    return sparse.csc_array((ones, index, starts), shape=shape) @ rows


def _add_on_device(rows: Array, index: Array, count: int) -> Array:
    """Sort the rows by index and add up each run, in log2(number of rows) steps."""
    xp = array_module(rows)
    order = xp.argsort(index, kind="stable")
    place, total = index[order], rows[order]
    step = 1
    while step < len(rows):
        # total[i] is the sum of the last `step` rows of its run, up to row i.
        same = (place[step:] == place[:-step])[:, None]
        more = total[step:] + xp.where(same, total[:-step], 0)
        total = xp.concatenate([total[:step], more])
        step *= 2
    ends = xp.concatenate([place[1:] != place[:-1], xp.ones(1, bool)])
    # Sums of parts of a run go to a row that is cut off: selecting the ends instead
    # would wait for their number.
    sums = xp.zeros((count + 1, rows.shape[1]), rows.dtype)
    sums[xp.where(ends, place, count)] = total
    return sums[:count]
