"""Affine map of the last axis: y = x w' + b.

w has PyTorch's layout (out, in). All leading axes of x count as rows of one matrix
product. dL/dx = dy w, dL/dw = dy' x, dL/db = sum of dy over rows: one term, `direct`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from minigrad.backend import array_module, memory_order
from minigrad.errors import ShapeError, got
from minigrad.kernels._spec import Kernel, expect_shapes
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """x (..., I), w (O, I)."""

    x: Array
    w: Array


def _rows(array: Array, order: tuple[int, ...]) -> Array:
    """View array (..., D) as (rows, D), its leading axes taken in order."""
    if array.ndim == 2:
        return array
    # Not -1 for the rows: with D = 0 NumPy could not tell how many there are.
    count = math.prod(array.shape[:-1])
    return array.transpose(*order, -1).reshape(count, array.shape[-1])


def _order(x: Array) -> tuple[int, ...]:
    """Return the leading axes of x as they lie in memory, longest stride first.

    A sequence (N, T, C) often lies as (T, N, C): taken in this order its rows are a
    view, and y comes to lie as x does.
    """
    if x.ndim == 2:
        return (0,)
    return memory_order(x, x.ndim - 1)


def _unrows(rows: Array, order: tuple[int, ...], lead: tuple[int, ...]) -> Array:
    """Undo _rows: (rows, D) -> (*lead, D)."""
    if len(lead) == 1:
        return rows
    split = rows.reshape(*(lead[axis] for axis in order), rows.shape[-1])
    back = sorted(range(len(lead)), key=order.__getitem__)
    return split.transpose(*back, -1)


def _multiply(name: str, x: Array, w: Array) -> tuple[Array, tuple[int, ...]]:
    """Return the rows of x w' (rows, O) and the order of the leading axes in them."""
    if w.ndim != 2:
        raise ShapeError(got(name, "w has shape", w.shape, "(out, in)"))
    if not x.ndim or x.shape[-1] != w.shape[1]:
        rule = f"(..., {w.shape[1]}), the last axis of w {w.shape}"
        raise ShapeError(got(name, "x has shape", x.shape, rule))
    order = _order(x)
    return _rows(x, order) @ w.T, order


def linear(x: Array, w: Array, b: Array) -> Result:
    """Map x (..., I) to x w' + b (..., O) with w (O, I), b (O,)."""
    expect_shapes("linear", w.shape[:1], b=b)
    rows, order = _multiply("linear", x, w)
    rows += b
    return _unrows(rows, order, x.shape[:-1]), Saved(x, w)


def linear_no_bias(x: Array, w: Array) -> Result:
    """Map x (..., I) to x w' (..., O) with w (O, I)."""
    rows, order = _multiply("linear_no_bias", x, w)
    return _unrows(rows, order, x.shape[:-1]), Saved(x, w)


def _x_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy w back to x."""
    order = _order(saved.x)
    rows = _rows(dy, order) @ saved.w
    return {"direct": _unrows(rows, order, saved.x.shape[:-1])}


def _w_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy' x back to w, summed over all rows."""
    order = _order(saved.x)
    return {"direct": _rows(dy, order).T @ _rows(saved.x, order)}


def _b_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy back to b, summed over all rows."""
    rows = _rows(dy, _order(dy))
    # Not a sum over axis 0: the product with ones is a BLAS call, 2-10 times as fast.
    ones = array_module(dy).ones(rows.shape[0], dy.dtype)
    return {"direct": ones @ rows}


LINEAR_KERNEL = Kernel(
    name="linear",
    forward=linear,
    terms={"x": _x_terms, "w": _w_terms, "b": _b_terms},
)
LINEAR_NO_BIAS_KERNEL = Kernel(
    name="linear_no_bias",
    forward=linear_no_bias,
    terms={"x": _x_terms, "w": _w_terms},
)
