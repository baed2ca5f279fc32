"""Transposed convolution: the adjoint of a convolution, which spreads each input out.

    y[n, c, i * stride + k * dilation - padding] += x[n, o, i] w[o, c, k]

So forward is what convolution does to dy, and its gradients are a convolution: dL/dx =
conv(dy, w), dL/dw = the correlation of dy and x, dL/db = the sum of dy: one term,
`direct`. w has PyTorch's layout (in, out / groups, *K).

Source: Zeiler et al. 2010, Deconvolutional Networks; Dumoulin & Visin 2016,
arXiv:1603.07285, chapter 4, on sizes and output_padding.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.errors import ShapeError, got
from minigrad.kernels._convolution import dispatch
from minigrad.kernels._convolution.bias import add_bias, bias_gradient
from minigrad.kernels._convolution.geometry import Geometry, transposed_geometry
from minigrad.kernels._layout import (
    channels_second,
    filters_first,
    spatial_first,
    taps_first,
)
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Result, Shape, Terms


class Saved(NamedTuple):
    """x (*S, N, O) and w (*K, C / groups, O) as they lie in memory, and the rest."""

    x: Array
    w: Array
    geometry: Geometry
    """Of the convolution that this is the adjoint of."""
    groups: int
    algorithm: str | None


def _x_terms(dy: Array, saved: Saved) -> Terms:
    """Gather from dy what each input was spread to."""
    _, w, g, groups, algorithm = saved
    dx = dispatch.forward(spatial_first(dy), w, g, groups, algorithm)
    return {"direct": channels_second(dx)}


def _w_terms(dy: Array, saved: Saved) -> Terms:
    """Sum, per tap, the products of x and of dy where the tap sent it."""
    x, _, g, groups, algorithm = saved
    dw = dispatch.weight_gradient(spatial_first(dy), x, g, groups, algorithm)
    return {"direct": filters_first(dw)}


def _b_terms(dy: Array, saved: Saved) -> Terms:
    """Sum dy over images and pixels."""
    return {"direct": bias_gradient(spatial_first(dy))}


def _kernels(axes: int) -> tuple[Kernel, Kernel]:
    """Make the kernels for so many spatial axes, with and without a bias."""
    name = f"conv_transpose{axes}d"

    def spread(
        x: Array,
        w: Array,
        *,
        stride: int | Shape = 1,
        padding: int | Shape = 0,
        output_padding: int | Shape = 0,
        groups: int = 1,
        dilation: int | Shape = 1,
        algorithm: str | None = None,
    ) -> tuple[Array, Saved]:
        """Return y (*S', N, C) as it lies in memory, and what the rules read."""
        expect_float(name, x=x, w=w)
        if w.ndim != axes + 2:
            rule = f"(in, out / groups, {', '.join('DHW'[3 - axes :])})"
            raise ShapeError(got(name, "w has shape", w.shape, rule))
        g = transposed_geometry(
            name,
            x.shape,
            w.shape,
            stride=stride,
            padding=padding,
            output_padding=output_padding,
            dilation=dilation,
            groups=groups,
        )
        dispatch.expect_algorithm(name, algorithm, g, x)
        saved = Saved(spatial_first(x), taps_first(w), g, groups, algorithm)
        return dispatch.input_gradient(saved.x, saved.w, g, groups, algorithm), saved

    def with_bias(x: Array, w: Array, b: Array, **params: Any) -> Result:
        """Spread x (N, O, *S) by w (O, C / groups, *K), add b (C,)."""
        y, saved = spread(x, w, **params)
        expect_shapes(name, (y.shape[-1],), b=b)
        add_bias(y, b)
        return channels_second(y), saved

    def without_bias(x: Array, w: Array, **params: Any) -> Result:
        """Spread x (N, O, *S) by w (O, C / groups, *K)."""
        y, saved = spread(x, w, **params)
        return channels_second(y), saved

    terms = {"x": _x_terms, "w": _w_terms}
    return (
        Kernel(name, with_bias, {**terms, "b": _b_terms}),
        Kernel(f"{name}_no_bias", without_bias, terms),
    )


CONV_TRANSPOSE1D_KERNEL, CONV_TRANSPOSE1D_NO_BIAS_KERNEL = _kernels(1)
CONV_TRANSPOSE2D_KERNEL, CONV_TRANSPOSE2D_NO_BIAS_KERNEL = _kernels(2)
