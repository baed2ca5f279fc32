"""Transposed convolution: the adjoint of a convolution, which spreads each input out.

    y[n, c, i * stride + k * dilation - padding] += x[n, o, i] w[o, c, k]

So forward is what convolution does to dy, and its gradients are a convolution: dL/dx =
conv(dy, w), dL/dw = the correlation of dy and x, dL/db = the sum of dy: one term,
`direct`. w has PyTorch's layout (in, out / groups, *K). Options: stride, padding,
output_padding, groups, dilation, algorithm.

Source: Zeiler et al. 2010, Deconvolutional Networks; Dumoulin & Visin 2016,
arXiv:1603.07285, chapter 4, on sizes and output_padding.
"""

from __future__ import annotations

from minigrad.kernels._convolution import dispatch
from minigrad.kernels._convolution.geometry import transposed_geometry
from minigrad.kernels._convolution.pair import Saved, kernels
from minigrad.kernels._layout import channels_second, filters_first, spatial_first
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array, Terms


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


def _kernels(axes: int) -> tuple[Kernel, Kernel]:
    """Make the kernels of x (N, O, *S), w (O, C / groups, *K) and b (C,)."""
    return kernels(
        f"conv_transpose{axes}d",
        axes,
        "in, out / groups",
        transposed_geometry,
        dispatch.input_gradient,
        {"x": _x_terms, "w": _w_terms},
    )


CONV_TRANSPOSE1D_KERNEL, CONV_TRANSPOSE1D_NO_BIAS_KERNEL = _kernels(1)
CONV_TRANSPOSE2D_KERNEL, CONV_TRANSPOSE2D_NO_BIAS_KERNEL = _kernels(2)
