"""Matrix product: y[..., m, n] = sum_k a[..., m, k] * b[..., k, n].

Batch axes broadcast. A 1-D operand is a row on the left and a column on the right, and
the axis this adds is dropped from y again, as in numpy.matmul. dL/da = dy b', dL/db =
a' dy, each one term, `direct`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy

from minigrad.errors import ShapeError, got
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """Both operands as they came."""

    a: Array
    b: Array


def _check(a: Array, b: Array) -> None:
    if not a.ndim or not b.ndim:
        name = "b" if a.ndim else "a"
        raise ShapeError(
            got("matmul", f"{name} has shape", (), "at least one axis", "use `*`")
        )
    inner = -2 if b.ndim > 1 else 0
    if a.shape[-1] != b.shape[inner]:
        which = "second last axis" if b.ndim > 1 else "length"
        rule = f"a last axis of {b.shape[inner]}, the {which} of b {b.shape}"
        raise ShapeError(got("matmul", "a has shape", a.shape, rule))
    batch, other = a.shape[:-2], b.shape[:-2]
    # Compared first, since broadcast_shapes takes longer than a small product.
    if batch and other and batch != other:
        try:
            numpy.broadcast_shapes(batch, other)
        except ValueError:
            rule = f"batch axes {batch} that broadcast with {other} of b {b.shape}"
            raise ShapeError(got("matmul", "a has shape", a.shape, rule)) from None


def _one_product(a: Array, b: Array) -> bool:
    """Tell whether all rows of a meet the same matrix b: one GEMM, not one a batch."""
    return a.ndim > 2 and b.ndim == 2 and a.flags.c_contiguous


def _rows(array: Array) -> Array:
    """Merge all axes but the last: (..., M, D) -> (rows, D)."""
    # Not -1 for the rows: with D = 0 NumPy could not tell how many there are.
    return array.reshape(math.prod(array.shape[:-1]), array.shape[-1])


def forward(a: Array, b: Array) -> Result:
    """Multiply a (..., M, K) by b (..., K, N) to y (..., M, N)."""
    _check(a, b)
    if _one_product(a, b):
        return (_rows(a) @ b).reshape(*a.shape[:-1], b.shape[-1]), Saved(a, b)
    return a @ b, Saved(a, b)


def _matrices(dy: Array, a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Give 1-D operands, and dy, the axis that the product added and dropped."""
    if b.ndim == 1:
        dy, b = dy[..., None], b[:, None]  # (K,) -> (K, 1)
    if a.ndim == 1:
        dy, a = dy[..., None, :], a[None, :]  # (K,) -> (1, K)
    return dy, a, b


def _a_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy b' back to a."""
    dy, a, b = _matrices(dy, *saved)
    if _one_product(dy, b):
        return {"direct": (_rows(dy) @ b.T).reshape(a.shape)}
    da = dy @ b.swapaxes(-1, -2)
    # (..., 1, K) -> (..., K)
    return {"direct": da[..., 0, :] if saved.a.ndim == 1 else da}


def _b_terms(dy: Array, saved: Saved) -> Terms:
    """Send a' dy back to b."""
    dy, a, b = _matrices(dy, *saved)
    # One product sums over the batch inside of it, not after it.
    one = _one_product(a, b)
    db = _rows(a).T @ _rows(dy) if one else a.swapaxes(-1, -2) @ dy
    # (..., K, 1) -> (..., K)
    return {"direct": db[..., 0] if saved.b.ndim == 1 else db}


KERNEL = Kernel(name="matmul", forward=forward, terms={"a": _a_terms, "b": _b_terms})
