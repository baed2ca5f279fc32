"""Convolution as it is defined, one output pixel at a time: the reference.

    y[i] = sum over taps k of x[i * stride + k * dilation - padding] w[k]

Here, as in the files beside it, x (*S, N, C), y (*S', N, O) and w (*K, C, O) are the
memory behind what users call (N, C, *S), (N, O, *S') and (O, C, *K).
"""

from __future__ import annotations

import itertools

from minigrad.kernels._convolution.geometry import Geometry
from minigrad.typing import Array


def forward(x: Array, w: Array, g: Geometry, y: Array) -> None:
    """Fill y: every output pixel is a sum over the taps."""
    y[...] = 0
    for place in itertools.product(*map(range, g.out)):
        for tap, source in g.reads(place):
            y[place] += x[source] @ w[tap]


def input_gradient(dy: Array, w: Array, g: Geometry, dx: Array) -> None:
    """Fill dx: every output pixel sends back to the pixels it was made of."""
    dx[...] = 0
    for place in itertools.product(*map(range, g.out)):
        for tap, source in g.reads(place):
            dx[source] += dy[place] @ w[tap].T


def weight_gradient(x: Array, dy: Array, g: Geometry, dw: Array) -> None:
    """Fill dw: a tap is used at every output pixel."""
    dw[...] = 0
    for place in itertools.product(*map(range, g.out)):
        for tap, source in g.reads(place):
            dw[tap] += x[source].T @ dy[place]
