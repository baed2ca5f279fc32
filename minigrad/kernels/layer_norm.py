"""Layer norm: y = w (x - mean) / sqrt(var + eps) + b over the last axes D of x.

mean and var (biased) are those of each example; w and b have the shape D. With
r = 1 / sqrt(var + eps), x_hat = (x - mean) r and E the mean over D the paths are

    direct = dy w r    through_mean = -E[direct]    through_var = -x_hat E[direct x_hat]

Source: Ba, Kiros & Hinton 2016, arXiv:1607.06450, eqs. 3-4; eps stands inside the root.
x is taken as rows (M, D), one an example, in the order in which they lie in memory; y
lies like x. An axis of length 0 gives an empty y.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy

from minigrad.backend import array_module, memory_order, parallel_for
from minigrad.errors import ShapeError, got
from minigrad.kernels._arguments import real
from minigrad.kernels._columns import Once, is_plain, narrow, statistics, wide
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Shape, Terms

BLOCK = 1 << 17
"""Elements of a block of rows: both passes over (2048, 512) take 3.5 ms on one thread,
and 4.5 with a quarter of it."""

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


def _normalise(
    x: Array, w: Array, b: Array, eps: float, **out: Array
) -> tuple[Array, Array, Array]:
    """Return y, mean and rstd of rows x (M, D)."""
    xp, count = array_module(x), max(x.shape[1], 1)
    # Products, not x.mean(axis=1): BLAS adds rows several times as fast.
    ones = xp.ones(x.shape[1], x.dtype)
    mean = (x @ ones)[:, None] / count
    centred = x - mean
    rstd = 1 / xp.sqrt(((centred * centred) @ ones)[:, None] / count + eps)
    return xp.add(centred * rstd * w, b, **out), mean, rstd


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
    eps = real("layer_norm", "eps", eps)
    _expect(x, w, b)
    lead = x.ndim - w.ndim
    order = (*memory_order(x, lead), *range(lead, x.ndim))
    rows, vectors = _rows(x, order, w.size), (w.reshape(-1), b.reshape(-1))
    if is_plain(rows, w, b):
        y, (mean, rstd) = (
            numpy.empty_like(rows),
            numpy.empty((2, len(rows), 1), x.dtype),
        )

        def body(part: slice) -> None:
            found = _normalise(rows[part], *vectors, eps, out=y[part])
            mean[part], rstd[part] = found[1:]

        _for_blocks(rows, body)
    else:
        y, mean, rstd = _normalise(wide(rows), *vectors, eps)
        y = narrow(y, x)
    return _unrows(y, order, x.shape), Saved(rows, mean, rstd, w, order, Once())


class _Sums(NamedTuple):
    """dw and db (D,); E[dy w] and E[dy w x_hat] / std (M, 1)."""

    dw: Array
    db: Array
    level: Array
    tilt: Array


def _sums_of(dy: Array, x: Array, mean: Array, rstd: Array, w: Array) -> _Sums:
    """Form the sums of some rows dy and x."""
    product, count = dy * (x - mean), max(w.size, 1)
    return _Sums(
        rstd[:, 0] @ product,
        array_module(dy).ones(len(dy), dy.dtype) @ dy,
        (dy @ w)[:, None] / count,
        (product @ w)[:, None] / count * rstd * rstd,
    )


def _sums(dy: Array, saved: Saved) -> _Sums:
    """Form the sums that the rules share."""
    rows, mean, rstd, w, order, _ = saved
    dy_rows, flat_w = wide(_rows(dy, order, w.size)), w.reshape(-1)
    if not is_plain(dy_rows, rows, w):
        return _sums_of(dy_rows, wide(rows), mean, rstd, flat_w)
    level, tilt = numpy.empty((2, len(rows), 1), rows.dtype)
    found: dict[int, _Sums] = {}

    def body(part: slice) -> None:
        sums = _sums_of(dy_rows[part], rows[part], mean[part], rstd[part], flat_w)
        level[part], tilt[part] = sums.level, sums.tilt
        found[part.start] = sums

    _for_blocks(rows, body)
    # In the order of the rows, whichever thread came first: the same bits each time.
    ordered = [found[start] for start in sorted(found)]
    dw = numpy.sum([sums.dw for sums in ordered], axis=0, dtype=numpy.float64)
    db = numpy.sum([sums.db for sums in ordered], axis=0, dtype=numpy.float64)
    return _Sums(dw, db, level, tilt)


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Split dL/dx by its path: direct, through the mean, through the variance."""
    rows, mean, rstd, w, order, once = saved
    sums = once(_sums, dy, saved)
    direct = _rows(dy, order, w.size) * (w.reshape(-1) * rstd)
    terms = {
        "direct": direct,
        "through_mean": array_module(dy).broadcast_to(-sums.level * rstd, rows.shape),
        "through_var": (mean - rows) * (sums.tilt * rstd),
    }
    return {name: _unrows(term, order, dy.shape) for name, term in terms.items()}


def _slope(
    dy: Array, x: Array, w: Array, rstd: Array, tilt: Array, shift: Array, **out: Array
) -> Array:
    """Compute (dy w - x tilt + shift) rstd for rows dy and x (M, D)."""
    scaled = dy * w
    scaled -= x * tilt
    scaled += shift
    return array_module(dy).multiply(scaled, rstd, **out)


def _x_fused(dy: Array, saved: Saved) -> Array:
    rows, mean, rstd, w, order, once = saved
    _, _, level, tilt = once(_sums, dy, saved)
    dy_rows, flat_w = wide(_rows(dy, order, w.size)), w.reshape(-1)
    scalars = rstd, tilt, mean * tilt - level
    if not is_plain(dy_rows, rows, w):
        dx = _slope(dy_rows, wide(rows), flat_w, *scalars)
        return _unrows(dx, order, dy.shape)
    dx = numpy.empty_like(rows)

    def body(part: slice) -> None:
        own = (scalar[part] for scalar in scalars)
        _slope(dy_rows[part], rows[part], flat_w, *own, out=dx[part])

    _for_blocks(rows, body)
    return _unrows(dx, order, dy.shape)


def _w_terms(dy: Array, saved: Saved) -> Terms:
    """Sum dy * x_hat over the rows."""
    sums = saved.once(_sums, dy, saved)
    return {"direct": statistics(saved.rows, +sums.dw)[0].reshape(saved.w.shape)}


def _b_terms(dy: Array, saved: Saved) -> Terms:
    """Sum dy over the rows."""
    sums = saved.once(_sums, dy, saved)
    return {"direct": statistics(saved.rows, +sums.db)[0].reshape(saved.w.shape)}


KERNEL = Kernel(
    name="layer_norm",
    forward=layer_norm,
    terms={"x": x_terms, "w": _w_terms, "b": _b_terms},
    fused={"x": _x_fused},
)
