"""Batch norm: y = w (x - mean) / sqrt(var + eps) + b, per channel of x (N, C, *S).

In training mean and var are those of the batch, over N and S; var is biased. In
evaluation they are inputs. The gradient of x in training is the sum of three paths,
where r = 1 / sqrt(var + eps), x_hat = (x - mean) r, and E is the mean over N and S:

    direct = dy w r    through_mean = -E[direct]    through_var = -x_hat E[direct x_hat]

The batch's mean and var are outputs, too, for running statistics to be made of; what
reaches them backward joins the paths through mean and var.

Source: Ioffe & Szegedy 2015, arXiv:1502.03167, algorithm 1. Results lie in memory with
the spatial axes first. x itself is saved, not x_hat, so that one array is kept and not
two where the layer below keeps x as well.
"""

from __future__ import annotations

from typing import NamedTuple

from minigrad.backend import array_module
from minigrad.errors import ShapeError, got
from minigrad.kernels._arguments import real
from minigrad.kernels._columns import (
    channel_rows,
    moments,
    scaled,
    scaled_sum,
    standardised,
    statistics,
    sums_and_dots,
)
from minigrad.kernels._layout import from_pixels
from minigrad.kernels._once import Once
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Terms


class Normalised(NamedTuple):
    """y of x's shape, and the batch's mean (C,) and biased variance (C,)."""

    y: Array
    mean: Array
    var: Array


class Saved(NamedTuple):
    """rows of x (P, C), mean (C,), rstd (C,) = 1 / sqrt(var + eps), w (C,)."""

    rows: Array
    mean: Array
    rstd: Array
    w: Array
    once: Once


def _rows(name: str, x: Array, **vectors: Array) -> Array:
    """Check the inputs; return x as rows, one a pixel of an example."""
    if x.ndim < 2:
        raise ShapeError(got(name, "x has shape", x.shape, "(N, C, ...)"))
    expect_float(name, x=x)
    expect_shapes(name, x.shape[1:2], **vectors)
    return channel_rows(x)


def batch_norm_train(x: Array, w: Array, b: Array, *, eps: float = 1e-5) -> Result:
    """Normalise by the batch; raises ShapeError for less than two values a channel."""
    name = "batch_norm_train"
    eps = real(name, "eps", eps, 0)
    rows = _rows(name, x, w=w, b=b)
    if len(rows) < 2:
        rule = "more than one value per channel in training"
        remedy = "pass more examples, or call eval() for the running statistics"
        raise ShapeError(got(name, "x has shape", x.shape, rule, remedy))
    mean, var = moments(rows)
    rstd = 1 / array_module(x).sqrt(var + eps)
    y = standardised(rows, mean, w * rstd, b)
    mean, var, rstd = statistics(x, mean, var, rstd)
    # A copy: the output may be written to, what is saved may not.
    outputs = Normalised(from_pixels(y, x.shape), mean.copy(), var)
    return outputs, Saved(rows, mean, rstd, w, Once())


def batch_norm_eval(
    x: Array, w: Array, b: Array, mean: Array, var: Array, *, eps: float = 1e-5
) -> Result:
    """Normalise by the given mean (C,) and var (C,)."""
    eps = real("batch_norm_eval", "eps", eps, 0)
    rows = _rows("batch_norm_eval", x, w=w, b=b, mean=mean, var=var)
    rstd = 1 / array_module(x).sqrt(var + eps)
    y = standardised(rows, mean, w * rstd, b)
    # Not mean itself: running statistics may move on while the graph lives.
    return from_pixels(y, x.shape), Saved(rows, mean.copy(), rstd, w, Once())


def _sums(dy: Array, saved: Saved) -> tuple[Array, Array]:
    """Sum dy and dy * (x - mean) per channel."""
    return sums_and_dots(channel_rows(dy), saved.rows, saved.mean)


def _train_sums(dy: Normalised, saved: Saved) -> tuple[Array, Array]:
    return _sums(dy.y, saved)


def _indirect(dy: Normalised, saved: Saved) -> tuple[Array, Array]:
    """Return what dL/dx has through the mean, and per unit of x - mean, (C,) each."""
    rows, _, rstd, w, once = saved
    sums, dots = once(_train_sums, dy, saved)
    scale = w * rstd
    through_mean = (dy.mean - scale * sums) / len(rows)
    return through_mean, (2 * dy.var - scale * rstd * rstd * dots) / len(rows)


def train_terms(dy: Normalised, saved: Saved) -> Terms:
    """Split dL/dx by its path: direct, through the mean, through the variance."""
    rows, mean, rstd, w, _ = saved
    through_mean, slope = statistics(rows, *_indirect(dy, saved))
    shape = dy.y.shape
    return {
        "direct": from_pixels(channel_rows(dy.y) * (w * rstd), shape),
        "through_mean": through_mean.reshape(-1, *(1,) * (len(shape) - 2)),
        "through_var": from_pixels((rows - mean) * slope, shape),
    }


def _train_fused(dy: Normalised, saved: Saved) -> Array:
    rows, mean, rstd, w, _ = saved
    through_mean, slope = _indirect(dy, saved)
    dx = scaled_sum(channel_rows(dy.y), w * rstd, rows, mean, slope, through_mean)
    return from_pixels(dx, dy.y.shape)


def _vector(sums: Array, saved: Saved, scale: Array | float = 1.0) -> Terms:
    """Make sums per channel the one term of a vector."""
    return {"direct": statistics(saved.rows, sums * scale)[0]}


def _train_w_terms(dy: Normalised, saved: Saved) -> Terms:
    return _vector(saved.once(_train_sums, dy, saved)[1], saved, saved.rstd)


def _train_b_terms(dy: Normalised, saved: Saved) -> Terms:
    return _vector(saved.once(_train_sums, dy, saved)[0], saved)


def eval_terms(dy: Array, saved: Saved) -> Terms:
    """Scale dy: mean and var do not depend on x."""
    dx = scaled(channel_rows(dy), saved.w * saved.rstd)
    return {"direct": from_pixels(dx, dy.shape)}


def _eval_w_terms(dy: Array, saved: Saved) -> Terms:
    return _vector(saved.once(_sums, dy, saved)[1], saved, saved.rstd)


def _eval_b_terms(dy: Array, saved: Saved) -> Terms:
    return _vector(saved.once(_sums, dy, saved)[0], saved)


def _mean_terms(dy: Array, saved: Saved) -> Terms:
    return _vector(saved.once(_sums, dy, saved)[0], saved, -saved.w * saved.rstd)


def _var_terms(dy: Array, saved: Saved) -> Terms:
    # d rstd / d var = -rstd**3 / 2.
    scale = -0.5 * saved.w * saved.rstd * saved.rstd * saved.rstd
    return _vector(saved.once(_sums, dy, saved)[1], saved, scale)


TRAIN_KERNEL = Kernel(
    name="batch_norm_train",
    forward=batch_norm_train,
    terms={"x": train_terms, "w": _train_w_terms, "b": _train_b_terms},
    fused={"x": _train_fused},
)
EVAL_KERNEL = Kernel(
    name="batch_norm_eval",
    forward=batch_norm_eval,
    terms={
        "x": eval_terms,
        "w": _eval_w_terms,
        "b": _eval_b_terms,
        "mean": _mean_terms,
        "var": _var_terms,
    },
)
