"""Chooses the algorithm, makes the result, and takes groups one after the other.

x (*S, N, C), y (*S', N, O) and w (*K, C / groups, O) are memory as in
minigrad.kernels._convolution.direct.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, got
from minigrad.kernels._convolution import (
    direct,
    fft,
    im2col,
    shifted_gemm,
    winograd,
)
from minigrad.kernels._convolution.cost import choose, fits_winograd
from minigrad.kernels._convolution.geometry import Geometry
from minigrad.typing import Array

ALGORITHMS: dict[str, Any] = {
    "direct": direct,
    "im2col": im2col,
    "shifted_gemm": shifted_gemm,
    "winograd": winograd,
    "fft": fft,
}
"""Name -> module with forward, input_gradient and weight_gradient."""

ORDER = {
    "forward": (0, 1, 2),
    "input_gradient": (2, 1, 0),
    "weight_gradient": (0, 2, 1),
}
"""Which two of (x, w, y) a task is given, and which it fills."""

_choose = functools.lru_cache(maxsize=1024)(choose)


def expect_known(who: str, name: Any) -> None:
    """Raise ArgumentError unless name is None or that of an algorithm."""
    if name is not None and (not isinstance(name, str) or name not in ALGORITHMS):
        rule = f"None or one of {', '.join(ALGORITHMS)}"
        raise ArgumentError(got(who, "algorithm", repr(name), rule))


def expect_algorithm(who: str, name: Any, g: Geometry, x: Array) -> None:
    """Raise ArgumentError unless name is None or an algorithm that can do this."""
    expect_known(who, name)
    if name == "winograd" and not (_is_single(x) and fits_winograd(g)):
        raise ArgumentError(
            f"{who}: algorithm 'winograd' for a kernel {g.kernel} with stride "
            f"{g.stride} and dilation {g.dilation} on {x.dtype}, expected (3, 3) with "
            "stride 1 and dilation 1 on float32 and the numpy backend; pass None"
        )


def forward(x: Array, w: Array, g: Geometry, groups: int, name: str | None) -> Array:
    """Return y (*S', N, O)."""
    xp = array_module(x)
    y = xp.empty((*g.out, x.shape[-2], w.shape[-1]), x.dtype)
    _each_group("forward", x, w, y, g, groups, name)
    return y


def input_gradient(
    dy: Array, w: Array, g: Geometry, groups: int, name: str | None
) -> Array:
    """Return dx (*S, N, C)."""
    xp = array_module(dy)
    dx = xp.empty((*g.size, dy.shape[-2], w.shape[-2] * groups), dy.dtype)
    _each_group("input_gradient", dx, w, dy, g, groups, name)
    return dx


def weight_gradient(
    x: Array, dy: Array, g: Geometry, groups: int, name: str | None
) -> Array:
    """Return dw (*K, C / groups, O)."""
    xp = array_module(x)
    dw = xp.empty((*g.kernel, x.shape[-1] // groups, dy.shape[-1]), x.dtype)
    _each_group("weight_gradient", x, dw, dy, g, groups, name)
    return dw


def _each_group(
    task: str, x: Array, w: Array, y: Array, g: Geometry, groups: int, name: str | None
) -> None:
    """Compute the one of x, w and y that task names from the other two."""
    arrays = x, w, y
    first, second, result = ORDER[task]
    if groups == 1:
        _run(task, (arrays[first], arrays[second], g, arrays[result]), name)
        return
    xp = array_module(x)
    channels, filters = w.shape[-2], w.shape[-1] // groups
    for group in range(groups):
        inputs = slice(group * channels, (group + 1) * channels)
        outputs = slice(group * filters, (group + 1) * filters)
        parts = [x[..., inputs], w[..., outputs], y[..., outputs]]
        # Algorithms merge axes, which a part of the channels does not allow.
        one, other = (xp.ascontiguousarray(parts[at]) for at in (first, second))
        dense = xp.empty(parts[result].shape, parts[result].dtype)
        _run(task, (one, other, g, dense), name)
        parts[result][...] = dense


def _run(
    task: str, arguments: tuple[Array, Array, Geometry, Array], name: str | None
) -> None:
    first, second, _, result = arguments
    if not (first.size and second.size and result.size):
        # An empty batch, or no channels: sums of nothing.
        result[...] = 0
        return
    if name is None:
        name = _chosen(task, *arguments)
    getattr(ALGORITHMS[name], task)(*arguments)


def _chosen(task: str, first: Array, second: Array, g: Geometry, result: Array) -> str:
    """Choose by sizes alone, so that the same layer always takes the same way."""
    batch = result.shape[-2] if task != "weight_gradient" else first.shape[-2]
    weights = result if task == "weight_gradient" else second
    channels, filters = weights.shape[-2:]
    return _choose(g, batch, channels, filters, single=_is_single(first))


def _is_single(x: Array) -> bool:
    return type(x) is numpy.ndarray and x.dtype == "float32"
