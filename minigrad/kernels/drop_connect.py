"""DropConnect with a mask for each example: y_n = ((mask_n * w) x_n) / keep_prob.

w has PyTorch's layout (out, in). The masks are an input, drawn by the caller: they hold
N * O * I elements, 400,000 an example for a layer of 784 to 512. They are applied some
examples (in dL/dw: some outputs) at a time, so that the masked weights of all examples
never exist at once. The same masks gate both gradients: dL/dx_n = (mask_n * w)' dy_n,
dL/dw = sum over n of mask_n * (dy_n x_n'). One mask for a whole batch is dropout of w.

Source: Wan et al. 2013, "Regularization of Neural Networks using DropConnect", ICML,
section 3. Deviation: the scale 1 / keep_prob is applied in training, so that the mean
of y is w x; the paper scales at inference.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from numpy import ndarray

from minigrad.backend import BLOCK, array_module, parallel_for
from minigrad.errors import ShapeError, got
from minigrad.kernels._drawn import scale_of
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """x (N, I), w (O, I), mask (N, O, I), 1 / keep_prob, and x's leading axes."""

    x: Array
    w: Array
    mask: Array
    scale: float
    lead: tuple[int, ...]


def _in_parts(into: Array, each: int, fill: Callable[[slice], Array]) -> Array:
    """Set into[part] = fill(part) for parts whose rows cost each elements to make."""
    count = into.shape[0]
    step = max(1, BLOCK // max(1, each))

    def body(index: int) -> None:
        part = slice(index * step, (index + 1) * step)
        into[part] = fill(part)

    parts = -(-count // step)
    if type(into) is ndarray and count * each > 2 * BLOCK:
        parallel_for(parts, body)
    else:
        for index in range(parts):
            body(index)
    return into


def forward(x: Array, w: Array, mask: Array, *, keep_prob: float) -> Result:
    """Map x (..., I) to (..., O) by w (O, I) where mask (..., O, I) is True or 1.

    keep_prob in [0, 1] divides y; 0 makes it zero.
    """
    expect_float("drop_connect", x=x)
    if w.ndim != 2:
        raise ShapeError(got("drop_connect", "w has shape", w.shape, "(out, in)"))
    if not x.ndim or x.shape[-1] != w.shape[1]:
        rule = f"(..., {w.shape[1]}), the last axis of w {w.shape}"
        raise ShapeError(got("drop_connect", "x has shape", x.shape, rule))
    lead = x.shape[:-1]
    expect_shapes("drop_connect", (*lead, *w.shape), mask=mask)
    if mask.dtype.kind != "b" and mask.dtype != x.dtype:
        mask = mask.astype(x.dtype)
    rows = math.prod(lead)
    saved = Saved(
        x.reshape(rows, w.shape[1]),
        w,
        mask.reshape(rows, *w.shape),
        scale_of("drop_connect", keep_prob),
        lead,
    )
    return _y(saved).reshape(*lead, w.shape[0]), saved


def _y(saved: Saved) -> Array:
    """Multiply each row of x by its own masked weights: (N, O)."""
    x, w, mask, scale, _ = saved
    xp = array_module(x)
    y = xp.empty((x.shape[0], w.shape[0]), x.dtype)
    # (n, O, I) @ (n, I, 1) -> (n, O, 1)
    _in_parts(
        y, w.size, lambda n: xp.matmul(mask[n] * w, x[n][:, :, None])[:, :, 0] * scale
    )
    return y


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy back through each example's own weights."""
    x, w, mask, scale, lead = saved
    xp = array_module(dy)
    dy = dy.reshape(x.shape[0], w.shape[0])
    dx = xp.empty(x.shape, dy.dtype)
    # (n, 1, O) @ (n, O, I) -> (n, 1, I)
    _in_parts(
        dx, w.size, lambda n: xp.matmul(dy[n][:, None, :], mask[n] * w)[:, 0] * scale
    )
    return {"direct": dx.reshape(*lead, w.shape[1])}


def w_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy x' back to w where each example's mask let w act, summed over them."""
    x, w, mask, scale, _ = saved
    xp = array_module(dy)
    # (..., O) -> (O, N)
    dy = dy.reshape(x.shape[0], w.shape[0]).T
    # (N, O, I) -> (O, N, I)
    mask = mask.transpose(1, 0, 2)
    dw = xp.empty(w.shape, dy.dtype)
    # (o, 1, N) @ (o, N, I) -> (o, 1, I)
    _in_parts(
        dw, x.size, lambda o: xp.matmul(dy[o][:, None, :], mask[o] * x)[:, 0] * scale
    )
    return {"direct": dw}


KERNEL = Kernel(
    name="drop_connect",
    forward=forward,
    terms={"x": x_terms, "w": w_terms, "mask": None},
)
