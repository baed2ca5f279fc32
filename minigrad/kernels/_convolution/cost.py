"""Which algorithm a convolution takes: the one with the smallest estimate.

Each estimate is in seconds on one core, the sum of three parts: floating-point
operations of matrix products, bytes moved outside of them, and calls from Python, which
small layers consist of. The rates are rounded from measurements on two x86 cores with
AVX-512; only their ratios matter. `python -m bench kernels conv2d` times the result.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from minigrad.kernels._convolution.geometry import Geometry

FLOPS, BYTES, CALLS = 9e10, 1.5e10, 8e4
"""Per second: of products, of copies and sums, and calls on arrays from Python."""


class Work(NamedTuple):
    """What an algorithm does to one convolution."""

    flops: float
    bytes: float
    calls: float

    def seconds(self) -> float:
        """Estimate the time."""
        return self.flops / FLOPS + self.bytes / BYTES + self.calls / CALLS


def _meetings(g: Geometry) -> int:
    """Count the pairs of an output and a tap that meets an input, not the padding."""
    counts: list[int] = []
    for size, out, taps, stride, dilation, (before, _) in zip(*g, strict=True):
        first = range(-before, -before + taps * dilation, dilation)
        counts.append(
            sum(0 <= start + i * stride < size for start in first for i in range(out))
        )
    return math.prod(counts)


def shifted_gemm(g: Geometry, batch: int, channels: int, filters: int) -> Work:
    """One product a tap and row of pixels; each tap goes over the result once more.

    With a stride, taps along the last axis are gathered first, and are one product.
    """
    pixels, taps = batch * math.prod(g.out), math.prod(g.kernel)
    flops = 2.0 * batch * _meetings(g) * channels * filters
    if max(g.stride) > 1:
        rows, sides = math.prod(g.size[:-1]), g.kernel[-1]
        gathered = rows * g.out[-1] * batch * sides * channels
        calls = rows * sides + math.prod(g.out[:-1]) * taps / sides
        return Work(flops, 12.0 * gathered, calls)
    # A range of the result stays in cache while its taps are added.
    passes = 2.0 * taps * pixels * filters
    return Work(flops, passes, taps * max(math.prod(g.out[:-1]), pixels / 1024))


def im2col(g: Geometry, batch: int, channels: int, filters: int) -> Work:
    """One product a row of pixels, after a copy of each input for each tap."""
    pixels, taps = batch * math.prod(g.out), math.prod(g.kernel)
    return Work(
        flops=2.0 * pixels * taps * channels * filters,
        # Read in short runs, written, and read again; added back for the inputs.
        bytes=32.0 * pixels * taps * channels,
        calls=math.prod(g.out[:-1]) * (2 + taps / 4),
    )


def winograd(g: Geometry, batch: int, channels: int, filters: int) -> Work:
    """36 products a tile of 4 x 4 outputs; inputs, weights and results transformed."""
    tiles = math.prod(-(-size // 4) for size in g.out)
    blocks = tiles * batch * max(channels, filters) / 4096
    weights = 36 * channels * filters
    return Work(
        flops=2.0 * weights * tiles * batch,
        # The transformed weights are made, and read by every block of tiles.
        bytes=4.0
        * (108 * tiles * batch * (channels + filters) + weights * (3 + blocks)),
        calls=4 * blocks + 3 * tiles,
    )


def fits_winograd(g: Geometry) -> bool:
    """Tell whether this is a 3 x 3 convolution of stride 1 without dilation."""
    return g.kernel == (3, 3) and g.stride == (1, 1) and g.dilation == (1, 1)


def choose(
    g: Geometry, batch: int, channels: int, filters: int, *, single: bool
) -> str:
    """Name the algorithm for one group; single: real float32 on NumPy.

    Winograd's is for single precision alone: who asks for float64 wants its digits.
    """
    sizes = (batch, channels, filters)
    seconds = {
        "shifted_gemm": shifted_gemm(g, *sizes).seconds(),
        "im2col": im2col(g, *sizes).seconds(),
    }
    if single and fits_winograd(g):
        seconds["winograd"] = winograd(g, *sizes).seconds()
    return min(seconds, key=seconds.__getitem__)
