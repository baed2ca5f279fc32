"""Rows of a table by number: y[...] = w[x[...]].

The gradient of a row is the sum of dy over all places that read it: one term, `direct`,
the same bits in every run. It is a dense (V, D), of which most rows are 0.

Deviation: the row padding_idx gets no gradient, whoever reads it, as in PyTorch. So
the rule is the derivative of the function in which that row is constant.
"""

from __future__ import annotations

from operator import index as as_index
from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.kernels._indices import add_rows, expect_within
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """The indices x (...), the number of rows V, and the row without a gradient."""

    x: Array
    num_rows: int
    padding_idx: int | None


def padding_row(name: str, padding_idx: object, count: int) -> int | None:
    """Return padding_idx counted from the front; raise ArgumentError if no row."""
    if padding_idx is None:
        return None
    rule = f"None or an int from -{count} to {count - 1}, one of {count} rows"
    try:
        row = as_index(padding_idx)  # type: ignore[arg-type]
    except TypeError:
        row = count
    if not -count <= row < count:
        raise ArgumentError(got(name, "padding_idx", repr(padding_idx), rule))
    return row % count


def forward(x: Array, w: Array, *, padding_idx: int | None = None) -> Result:
    """Take the rows x (...), integers in [0, V), of w (V, D): y (..., D).

    Raises BadIndexError, on a device too, where that waits for the device once.
    """
    expect_float("embedding", w=w)
    if w.ndim != 2:
        raise ShapeError(got("embedding", "w has shape", w.shape, "(V, D)"))
    if x.dtype.kind not in "iu":
        remedy = 'cast it with .to("int64")'
        raise DTypeError(
            got("embedding", "x has dtype", x.dtype, "an integer dtype", remedy)
        )
    count = len(w)
    rule = f"0 <= index < {count}, the number of rows of w {w.shape}"
    expect_within("embedding", "x has index", x, 0, count, rule)
    padding = padding_row("embedding", padding_idx, count)
    # NumPy before 2.1 takes no uint64.
    y = array_module(x, w).take(w, x.astype("int64", copy=False), axis=0)
    return y, Saved(x, count, padding)


def _with_constant_padding(
    x: Array, w: Array, *, padding_idx: int | None = None
) -> Array:
    """Do what forward does, with a row padding_idx that no longer depends on w."""
    if padding_idx is not None:
        w = w.copy()
        w[padding_idx] = w[padding_idx].real
    return forward(x, w)[0]


def w_terms(dy: Array, saved: Saved) -> Terms:
    """Add dy (..., D) up at the rows it was read from."""
    dw = add_rows(dy, saved.x, saved.num_rows)
    if saved.padding_idx is not None:
        dw[saved.padding_idx] = 0
    return {"direct": dw}


KERNEL = Kernel(
    name="embedding",
    forward=forward,
    terms={"x": None, "w": w_terms},
    gradient_of=_with_constant_padding,
)
