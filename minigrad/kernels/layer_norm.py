"""Layer norm: y = w (x - mean) / sqrt(var + eps) + b over the last axes D of x.

mean and var (biased) are those of each example; w and b have the shape D. With
r = 1 / sqrt(var + eps), x_hat = (x - mean) r and E the mean over D the paths are

    direct = dy w r    through_mean = -E[direct]    through_var = -x_hat E[direct x_hat]

Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eqs. 3-4; eps stands inside the root.
x is taken as rows (M, D), one an example, in the order in which they lie in memory; y
lies like x. An axis of length 0 gives an empty y.

Real rows on NumPy go block by block, and what would be broadcast or added up is a
product: BLAS is two to four times as fast at it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy

from minigrad.backend import add_product, array_module, memory_order, parallel_for
from minigrad.errors import ShapeError, got
from minigrad.kernels._arguments import real
from minigrad.kernels._columns import is_plain, narrow, wide
from minigrad.kernels._once import Once
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Shape, Terms

BLOCK = 1 << 18
"""Elements of a block of rows: with less, threads wait for the interpreter lock. Both
passes over (2048, 512) take 1.7 ms on two threads; 2.9 on one, or with half of it."""

SHARED = 1 << 19
"""From this many elements on threads share the blocks."""


class Saved(NamedTuple):
    """rows of x (M, D), mean and rstd (M, 1), w (D), and the order of x's axes."""

    rows: Array
    mean: Array
    rstd: Array
    w: Array
    order: tuple[int, ...]
    once: Once


def _rows(x: Array, order: tuple[int, ...], width: int) -> Array:
    """Return x (..., D), its axes in this order, as (M, D)."""
    lead = math.prod(x.shape) // width if width else 0
    return x.transpose(order).reshape(lead, width)


def _unrows(rows: Array, order: tuple[int, ...], shape: Shape) -> Array:
    """Undo _rows: (M, D) -> shape."""
    back = sorted(range(len(order)), key=order.__getitem__)
    return rows.reshape([shape[axis] for axis in order]).transpose(back)


def _for_blocks(x: Array, body: Callable[[slice], None]) -> None:
    """Call body for blocks of the rows of x, on all threads if that pays."""
    rows = max(1, BLOCK // x.shape[1])
    starts = range(0, len(x), rows)
    if x.size >= SHARED:
        parallel_for(len(starts), lambda i: body(slice(starts[i], starts[i] + rows)))
        return
    for start in starts:
        body(slice(start, start + rows))


def _column(values: Array) -> Array:
    """View values (M,) as (M, 1); with a stride that BLAS takes, unlike [:, None]."""
    return values.reshape(-1, 1)


def _expect(x: Array, w: Array, b: Array) -> None:
    """Raise ShapeError unless w and b have the shape of the last axes of x."""
    if not w.ndim:
        rule = "at least one axis, the last of x"
        raise ShapeError(got("layer_norm", "w has shape", w.shape, rule))
    if x.shape[max(x.ndim - w.ndim, 0) :] != w.shape:
        rule = f"(..., {', '.join(map(str, w.shape))}), the shape of w"
        raise ShapeError(got("layer_norm", "x has shape", x.shape, rule))
    expect_float("layer_norm", x=x)
    expect_shapes("layer_norm", w.shape, b=b)


def layer_norm(x: Array, w: Array, b: Array, *, eps: float = 1e-5) -> Result:
    """Normalise x (..., D) over D, scale by w (D), shift by b (D)."""
    eps = real("layer_norm", "eps", eps, 0)
    _expect(x, w, b)
    lead = x.ndim - w.ndim
    order = (*memory_order(x, lead), *range(lead, x.ndim))
    rows, vectors = _rows(x, order, w.size), (w.reshape(-1), b.reshape(-1))
    if is_plain(rows, w, b):
        y, mean, rstd = _normalise_blocks(rows, *vectors, eps)
    else:
        y, mean, rstd = _normalise(wide(rows), *vectors, eps)
        y = narrow(y, x)
    return _unrows(y, order, x.shape), Saved(rows, mean, rstd, w, order, Once())


def _normalise(x: Array, w: Array, b: Array, eps: float) -> tuple[Array, Array, Array]:
    """Return y, mean and rstd of rows x (M, D)."""
    count = max(x.shape[1], 1)
    mean = x.sum(axis=1, keepdims=True) / count
    off = x - mean
    var = (off * off).sum(axis=1, keepdims=True) / count
    rstd = 1 / array_module(x).sqrt(var + eps)
    return off * rstd * w + b, mean, rstd


def _normalise_blocks(
    x: Array, w: Array, b: Array, eps: float
) -> tuple[Array, Array, Array]:
    """Do what _normalise does, block by block."""
    y, both = numpy.empty_like(x), numpy.array([w, b])
    mean, rstd = numpy.empty((2, len(x), 1), x.dtype)

    def body(part: slice) -> None:
        mean[part], rstd[part] = _normalise_block(x[part], both, eps, y[part])

    _for_blocks(x, body)
    return y, mean, rstd


def _normalise_block(
    x: Array, both: Array, eps: float, y: Array
) -> tuple[Array, Array]:
    """Set y (M, D) for rows x; both (2, D) are w and b. Return mean and rstd (M, 1)."""
    count = x.shape[1]
    ones = numpy.ones(count, x.dtype)
    mean = _column(x @ ones) / count
    off = x - mean
    # Of a large mean the first sum has lost digits.
    rest = _column(off @ ones) / count
    squares = numpy.multiply(off, off, out=y)
    rstd = 1 / numpy.sqrt(_column(squares @ ones) / count + eps)
    add_product(y, rstd, both[:1], 0.0)
    y *= off
    # What is left to add: b - rest * rstd * w.
    shift = numpy.ones((len(x), 2), x.dtype)
    numpy.multiply(rest, -rstd, out=shift[:, :1])
    add_product(y, shift, both)
    return mean + rest, rstd


class _Parts(NamedTuple):
    """Of rows dy (M, D) what all rules need.

    dx = dy w rstd + through_mean + slope off, where off = x - mean; through_mean and
    slope are (M, 1).
    """

    dy: Array
    off: Array
    through_mean: Array
    slope: Array


def _parts(dy: Array, saved: Saved) -> _Parts:
    rows, mean, rstd, w, order, _ = saved
    dy, off = wide(_rows(dy, order, w.size)), wide(rows) - mean
    scaled = dy * (w.reshape(-1) * rstd)
    count = max(w.size, 1)
    level = scaled.sum(axis=1, keepdims=True) / count
    tilt = (scaled * off).sum(axis=1, keepdims=True) / count
    return _Parts(dy, off, -level, -tilt * rstd * rstd)


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Split dL/dx by its path: direct, through the mean, through the variance."""
    parts, order = _parts(dy, saved), saved.order
    through_mean = array_module(dy).broadcast_to(parts.through_mean, parts.off.shape)
    terms = {
        "direct": parts.dy * (saved.w.reshape(-1) * saved.rstd),
        "through_mean": through_mean,
        "through_var": parts.off * parts.slope,
    }
    return {name: _unrows(term, order, dy.shape) for name, term in terms.items()}


def _gradients(dy: Array, saved: Saved) -> dict[str, Array]:
    """Form the gradients of x, w and b together: each needs x - mean."""
    rows, _, rstd, w, order, _ = saved
    dy_rows = _rows(dy, order, w.size)
    if is_plain(dy_rows, rows, w):
        dx, dw, db = _gradient_blocks(dy_rows, saved)
    else:
        wide_dy, off, through_mean, slope = _parts(dy, saved)
        dx = wide_dy * (w.reshape(-1) * rstd) + through_mean + off * slope
        dw, db = (wide_dy * off * rstd).sum(axis=0), wide_dy.sum(axis=0)
    return {
        "x": _unrows(dx, order, dy.shape),
        "w": dw.reshape(w.shape),
        "b": db.reshape(w.shape),
    }


def _gradient_blocks(dy: Array, saved: Saved) -> tuple[Array, Array, Array]:
    """Return dx (M, D), dw and db (D,) for rows dy, block by block."""
    rows, mean, rstd = saved[:3]
    w, dx = saved.w.reshape(1, -1), numpy.empty_like(rows)
    found: dict[int, tuple[Array, Array]] = {}

    def body(part: slice) -> None:
        own = dy[part], rows[part], mean[part], rstd[part]
        found[part.start] = _gradient_block(*own, w, dx[part])

    _for_blocks(rows, body)
    # In the order of the rows, whichever thread came first: the same bits each time.
    ordered = [found[start] for start in sorted(found)]
    sums = numpy.sum(ordered, axis=0, dtype=numpy.float64).astype(rows.dtype)
    return dx, sums[0], sums[1]


def _gradient_block(
    dy: Array, x: Array, mean: Array, rstd: Array, w: Array, dx: Array
) -> tuple[Array, Array]:
    """Set dx for rows dy and x (M, D), w (1, D); return their part of dw and db."""
    count, off = x.shape[1], x - mean
    product = numpy.multiply(dy, off, out=dx)
    dw, db = rstd[:, 0] @ product, numpy.ones(len(dy), dy.dtype) @ dy
    through_mean = _column(dy @ w[0]) * rstd / -count
    slope = _column(product @ w[0]) * rstd * rstd * rstd / -count
    add_product(dx, rstd, w, 0.0)
    dx *= dy
    off *= slope
    dx += off
    add_product(dx, through_mean, numpy.ones_like(w))
    return dw, db


def _rule(name: str) -> Callable[[Array, Saved], Array]:
    return lambda dy, saved: saved.once.take(name, _gradients, dy, saved)


_w, _b = _rule("w"), _rule("b")

KERNEL = Kernel(
    name="layer_norm",
    forward=layer_norm,
    terms={
        "x": x_terms,
        "w": lambda dy, saved: {"direct": _w(dy, saved)},
        "b": lambda dy, saved: {"direct": _b(dy, saved)},
    },
    fused={"x": _rule("x")},
)
