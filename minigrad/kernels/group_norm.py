"""Group norm: batch norm's formula with statistics per example and group of channels.

    y = w (x - mean) / sqrt(var + eps) + b        x (N, C, *S), w and b (C,)

mean and var (biased) are over S and the C / num_groups channels of a group. With
r = 1 / sqrt(var + eps), x_hat = (x - mean) r and E the mean over a group the paths are

    direct = dy w r    through_mean = -E[direct]    through_var = -x_hat E[direct x_hat]

Source: Wu & He 2018, arXiv:1803.08494, eqs. 1-5. Results lie in memory with the spatial
axes first. A group of one value gives b; groups of none give an empty y.
"""

from __future__ import annotations

from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels._arguments import integers, real
from minigrad.kernels._columns import (
    moments,
    scaled_sum,
    standardised,
    statistics,
    sums_and_dots,
)
from minigrad.kernels._layout import from_pixels, pixels
from minigrad.kernels._once import Once
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Shape, Terms


class Saved(NamedTuple):
    """rows of x (S, N * C), mean and rstd (N, G, 1), w (C,)."""

    rows: Array
    mean: Array
    rstd: Array
    w: Array
    once: Once


def _expect(x: Array, w: Array, b: Array, num_groups: int) -> int:
    """Check the inputs; return num_groups."""
    if x.ndim < 2:
        raise ShapeError(got("group_norm", "x has shape", x.shape, "(N, C, ...)"))
    expect_float("group_norm", x=x)
    (groups,) = integers("group_norm", "num_groups", (num_groups,))
    if groups < 1 or x.shape[1] % groups:
        rule = f"a divisor of the number of channels of x {x.shape}"
        raise ArgumentError(got("group_norm", "num_groups", groups, rule))
    expect_shapes("group_norm", x.shape[1:2], w=w, b=b)
    return groups


def _mean(a: Array) -> Array:
    """Average a (N, G, C / G) over the channels of a group, to (N, G, 1)."""
    return a.sum(axis=2, keepdims=True) / max(a.shape[2], 1)


def group_norm(
    x: Array, w: Array, b: Array, *, num_groups: int, eps: float = 1e-5
) -> Result:
    """Normalise every group of channels of every example."""
    groups, eps = _expect(x, w, b, num_groups), real("group_norm", "eps", eps, 0)
    rows = pixels(x)
    split = (x.shape[0], groups, x.shape[1] // groups)
    means, variances = (columns.reshape(split) for columns in moments(rows))
    mean = _mean(means)
    off = means - mean
    # The variance within channels, and that between their means.
    var = _mean(variances + off * off)
    rstd = 1 / array_module(x).sqrt(var + eps)
    scale, shift = w.reshape(split[1:]) * rstd, b.reshape(split[1:])
    y = standardised(rows, *(_columns(v, split) for v in (mean, scale, shift)))
    mean, rstd = statistics(x, mean, rstd)
    return from_pixels(y, x.shape), Saved(rows, mean, rstd, w, Once())


class _Flow(NamedTuple):
    """What the rules share; all but the rows of dy are (N, G, C / G) or (N, G, 1).

    dx = scale dy + slope (x - mean) + through_mean.
    """

    dy: Array
    sums: Array
    dots: Array
    scale: Array
    slope: Array
    through_mean: Array


def _flow(dy: Array, saved: Saved) -> _Flow:
    rows, mean, rstd, w, _ = saved
    batch, groups, _ = rstd.shape
    weights = w.reshape(groups, w.size // groups)
    dy_rows, split = pixels(dy), (batch, *weights.shape)
    found = sums_and_dots(dy_rows, rows, _columns(mean, split))
    sums, dots = (columns.reshape(split) for columns in found)
    pixel = 1 / max(len(rows), 1)
    slope = _mean(weights * dots) * rstd * rstd * rstd * -pixel
    through_mean = _mean(weights * sums) * rstd * -pixel
    return _Flow(dy_rows, sums, dots, weights * rstd, slope, through_mean)


def _columns(a: Array, split: Shape) -> Array:
    """Repeat a, such as (N, G, 1), for every channel, to columns (N * C,)."""
    return array_module(a).broadcast_to(a, split).reshape(-1)


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Split dL/dx by its path: direct, through the mean, through the variance."""
    flow, rows = saved.once(_flow, dy, saved), saved.rows
    split = flow.sums.shape
    vectors = (saved.mean, flow.scale, flow.slope, flow.through_mean)
    mean, scale, slope, fall = statistics(rows, *(_columns(v, split) for v in vectors))
    return {
        "direct": from_pixels(flow.dy * scale, dy.shape),
        "through_mean": fall.reshape(*dy.shape[:2], *(1,) * (dy.ndim - 2)),
        "through_var": from_pixels((rows - mean) * slope, dy.shape),
    }


def _x_fused(dy: Array, saved: Saved) -> Array:
    flow = saved.once(_flow, dy, saved)
    vectors = (flow.scale, saved.mean, flow.slope, flow.through_mean)
    scale, mean, slope, fall = (_columns(v, flow.sums.shape) for v in vectors)
    dx = scaled_sum(flow.dy, scale, saved.rows, mean, slope, fall)
    return from_pixels(dx, dy.shape)


def _w_terms(dy: Array, saved: Saved) -> Terms:
    """Sum dy * x_hat over examples and pixels."""
    dots = (saved.once(_flow, dy, saved).dots * saved.rstd).sum(axis=0)
    return {"direct": statistics(saved.rows, dots.reshape(-1))[0]}


def _b_terms(dy: Array, saved: Saved) -> Terms:
    """Sum dy over examples and pixels."""
    sums = saved.once(_flow, dy, saved).sums.sum(axis=0)
    return {"direct": statistics(saved.rows, sums.reshape(-1))[0]}


KERNEL = Kernel(
    name="group_norm",
    forward=group_norm,
    terms={"x": x_terms, "w": _w_terms, "b": _b_terms},
    fused={"x": _x_fused},
)
