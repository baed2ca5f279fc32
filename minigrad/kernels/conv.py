"""Convolution in one, two and three dimensions: what the field calls cross-correlation.

    y[n, o, i] = b[o] + sum over c, k of x[n, c, i * stride + k * dilation - padding]
                                         w[o, c, k]

i and k have one entry per spatial axis; x outside of its range counts as 0. With groups
the filters of group j see only the channels of group j. dL/dx = the same sum turned
round, dL/dw = the correlation of x and dy, dL/db = the sum of dy: one term, `direct`.

x and w lie in memory as minigrad.kernels._layout says; how the sums are formed is
chosen by size, see minigrad.kernels._convolution.cost. Options: stride, padding (ints,
"same", "valid"; in one dimension "causal"), dilation, groups, algorithm.
"""

from __future__ import annotations

from minigrad.kernels._convolution import dispatch
from minigrad.kernels._convolution.geometry import conv_geometry
from minigrad.kernels._convolution.pair import Saved, kernels
from minigrad.kernels._layout import channels_second, filters_first, spatial_first
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array, Terms


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


def _kernels(axes: int) -> tuple[Kernel, Kernel]:
    """Make the kernels of x (N, C, *S), w (O, C / groups, *K) and b (O,)."""
    return kernels(
        f"conv{axes}d",
        axes,
        "out, in / groups",
        conv_geometry,
        dispatch.forward,
        {"x": _x_terms, "w": _w_terms},
    )


CONV1D_KERNEL, CONV1D_NO_BIAS_KERNEL = _kernels(1)
CONV2D_KERNEL, CONV2D_NO_BIAS_KERNEL = _kernels(2)
CONV3D_KERNEL, CONV3D_NO_BIAS_KERNEL = _kernels(3)
