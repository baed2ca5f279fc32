"""Convolution in one, two and three dimensions: what the field calls cross-correlation.

    y[n, o, i] = b[o] + sum over c, k of x[n, c, i * stride + k * dilation - padding]
                                         w[o, c, k]

i and k have one entry per spatial axis; x outside of its range counts as 0. With groups
the filters of group j see only the channels of group j. dL/dx = the same sum turned
round, dL/dw = the correlation of x and dy, dL/db = the sum of dy: one term, `direct`.

x and w lie in memory as minigrad.kernels._layout says; how the sums are formed is
chosen by size, see minigrad.kernels._convolution.cost.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.errors import ShapeError, got
from minigrad.kernels._convolution import dispatch
from minigrad.kernels._convolution.bias import add_bias, bias_gradient
from minigrad.kernels._convolution.geometry import Geometry, conv_geometry
from minigrad.kernels._layout import (
    channels_second,
    filters_first,
    spatial_first,
    taps_first,
)
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Shape, Terms


class Saved(NamedTuple):
    """x (*S, N, C) and w (*K, C / groups, O) as they lie in memory, and the rest."""

    x: Array
    w: Array
    geometry: Geometry
    groups: int
    algorithm: str | None


def _x_terms(dy: Array, saved: Saved) -> Terms:
    """Send dy back through the taps that each input was read by."""
    _, w, g, groups, algorithm = saved
    dx = dispatch.input_gradient(spatial_first(dy), w, g, groups, algorithm)
    return {"direct": channels_second(dx)}


def _w_terms(dy: Array, saved: Saved) -> Terms:
    """Sum, per tap, the products of dy and what the tap read."""
    x, _, g, groups, algorithm = saved
    dw = dispatch.weight_gradient(x, spatial_first(dy), g, groups, algorithm)
    return {"direct": filters_first(dw)}


def _b_terms(dy: Array, saved: Saved) -> Terms:
    """Sum dy over images and pixels."""
    return {"direct": bias_gradient(spatial_first(dy))}


def _kernels(axes: int) -> tuple[Kernel, Kernel]:
    """Make the kernels for so many spatial axes, with and without a bias."""
    name = f"conv{axes}d"

    def convolve(
        x: Array,
        w: Array,
        b: Array | None = None,
        *,
        stride: int | Shape = 1,
        padding: int | Shape | str = 0,
        dilation: int | Shape = 1,
        groups: int = 1,
        algorithm: str | None = None,
    ) -> tuple[Array, Saved]:
        """Return y (*S', N, O) without b, and what the rules read."""
        expect_float(name, x=x, w=w)
        if w.ndim != axes + 2:
            rule = f"(out, in / groups, {', '.join('DHW'[3 - axes :])})"
            raise ShapeError(got(name, "w has shape", w.shape, rule))
        if b is not None:
            expect_shapes(name, w.shape[:1], b=b)
        g = conv_geometry(
            name,
            x.shape,
            w.shape,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
        )
        dispatch.expect_algorithm(name, algorithm, g, x)
        saved = Saved(spatial_first(x), taps_first(w), g, groups, algorithm)
        return dispatch.forward(saved.x, saved.w, g, groups, algorithm), saved

    def with_bias(x: Array, w: Array, b: Array, **params: Any) -> Result:
        """Convolve x (N, C, *S) with w (O, C / groups, *K), add b (O,)."""
        y, saved = convolve(x, w, b, **params)
        add_bias(y, b)
        return channels_second(y), saved

    def without_bias(x: Array, w: Array, **params: Any) -> Result:
        """Convolve x (N, C, *S) with w (O, C / groups, *K)."""
        y, saved = convolve(x, w, **params)
        return channels_second(y), saved

    terms = {"x": _x_terms, "w": _w_terms}
    return (
        Kernel(name, with_bias, {**terms, "b": _b_terms}),
        Kernel(f"{name}_no_bias", without_bias, terms),
    )


CONV1D_KERNEL, CONV1D_NO_BIAS_KERNEL = _kernels(1)
CONV2D_KERNEL, CONV2D_NO_BIAS_KERNEL = _kernels(2)
CONV3D_KERNEL, CONV3D_NO_BIAS_KERNEL = _kernels(3)
