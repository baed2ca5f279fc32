"""Convolutional layers; arguments, defaults and state as in PyTorch.

weight lies in memory with its taps first, (*kernel, in / groups, out), under PyTorch's
shape: what the products of minigrad.kernels._convolution read without a copy.
"""

from __future__ import annotations

import math
from typing import Any

from numpy.random import Generator

from minigrad import functional as F
from minigrad.errors import ArgumentError, got
from minigrad.kernels._arguments import per_axis
from minigrad.kernels._convolution.dispatch import expect_known
from minigrad.kernels._convolution.geometry import padding_pairs
from minigrad.kernels._layout import filters_first, taps_first
from minigrad.nn import init
from minigrad.nn.module import Module, new_parameter
from minigrad.tape import Tensor
from minigrad.typing import DType, Shape


class _Conv(Module):
    """What the convolutional layers share: sizes and parameters."""

    axes: int
    """How many spatial axes there are."""

    transposed = False

    def _set_up(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Shape,
        stride: int | Shape,
        padding: int | Shape | str,
        dilation: int | Shape,
        groups: int,
        bias: bool,
        algorithm: str | None,
        dtype: DType,
        rng: Generator | None,
    ) -> None:
        """Check the sizes, make the parameters and draw them."""
        who, axes = type(self).__name__, self.axes
        (in_channels,) = per_axis(who, "in_channels", in_channels, 1, 1)
        (out_channels,) = per_axis(who, "out_channels", out_channels, 1, 1)
        (groups,) = per_axis(who, "groups", groups, 1, 1)
        if in_channels % groups or out_channels % groups:
            rule = f"a divisor of {in_channels} and {out_channels} channels"
            raise ArgumentError(got(who, "groups", groups, rule))
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel_size = per_axis(who, "kernel_size", kernel_size, axes, 1)
        self.stride = per_axis(who, "stride", stride, axes, 1)
        self.dilation = per_axis(who, "dilation", dilation, axes, 1)
        if self.transposed:
            per_axis(who, "padding", padding, axes, 0)
        reach = zip(self.dilation, self.kernel_size, strict=True)
        padding_pairs(who, padding, self.stride, [d * (k - 1) for d, k in reach])
        expect_known(who, algorithm)
        self.padding = padding
        self.groups, self.algorithm = groups, algorithm
        outer, inner = out_channels, in_channels // groups
        if self.transposed:
            outer, inner = in_channels, out_channels // groups
        self.weight = new_parameter((outer, inner, *self.kernel_size), dtype, "weight")
        self.weight.data = filters_first(taps_first(self.weight.data))
        self.bias = new_parameter((out_channels,), dtype, "bias") if bias else None
        bound = 1 / math.sqrt(inner * math.prod(self.kernel_size))
        init.uniform_(self.weight, -bound, bound, rng=rng)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound, rng=rng)

    def _convolve(self, function: Any, x: Tensor, **params: Any) -> Tensor:
        return function(
            x,
            self.weight,
            self.bias,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            groups=self.groups,
            algorithm=self.algorithm,
            **params,
        )

    def extra_repr(self) -> str:
        """Describe sizes, and what differs from the defaults."""
        parts = [f"{self.in_channels}, {self.out_channels}"]
        parts += [f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        if self.padding not in (0, "valid"):
            parts.append(f"padding={self.padding!r}")
        if max(self.dilation) > 1:
            parts.append(f"dilation={self.dilation}")
        if self.groups > 1:
            parts.append(f"groups={self.groups}")
        if self.bias is None:
            parts.append("bias=False")
        if self.algorithm is not None:
            parts.append(f"algorithm={self.algorithm!r}")
        return ", ".join(parts)


class _PlainConv(_Conv):
    """The signature of the convolutions."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Shape,
        stride: int | Shape = 1,
        padding: int | Shape | str = 0,
        dilation: int | Shape = 1,
        groups: int = 1,
        bias: bool = True,
        *,
        algorithm: str | None = None,
        dtype: DType = "float32",
        rng: Generator | None = None,
    ) -> None:
        sizes = (in_channels, out_channels, kernel_size, stride, padding, dilation)
        self._set_up(*sizes, groups, bias, algorithm, dtype, rng)


class Conv1d(_PlainConv):
    """Convolution of sequences x (N, in_channels, L).

    weight (out_channels, in_channels / groups, K) and bias (out_channels,) start
    uniform in +-1 / sqrt(in_channels / groups * K), as in PyTorch.

    Args:
        in_channels: channels of x.
        out_channels: number of filters.
        kernel_size: taps per spatial axis.
        stride: places between two outputs.
        padding: zeros on both sides, or "same", "valid", "causal" (1-D only).
        dilation: places between two taps.
        groups: into how many parts channels and filters are split.
        bias: whether there is a bias.
        algorithm: how the sums are formed, see minigrad.functional.conv.
        dtype: of the parameters.
        rng: draws the weights; default: the stream "init" of the default streams.

    >>> from minigrad import nn, tensor
    >>> layer = nn.Conv1d(1, 1, 2, padding="causal", bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.5)
    >>> layer(tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[0.5, 1.5, 2.5]]]
    """

    axes = 1

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (N, C, L)."""
        return self._convolve(F.conv1d, x)


class Conv2d(_PlainConv):
    """Convolution of images x (N, in_channels, H, W); arguments as in `Conv1d`.

    >>> from minigrad import nn, tensor
    >>> layer = nn.Conv2d(1, 1, 2, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.5)
    >>> layer(tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).tolist()
    [[[[5.0]]]]
    """

    axes = 2

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (N, C, H, W)."""
        return self._convolve(F.conv2d, x)


class Conv3d(_PlainConv):
    """Convolution of volumes x (N, in_channels, D, H, W); arguments as in `Conv1d`.

    >>> from minigrad import nn, tensor
    >>> layer = nn.Conv3d(1, 1, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.5)
    >>> layer(tensor([[[[[1.0, 2.0]]]]])).tolist()
    [[[[[0.5, 1.0]]]]]
    """

    axes = 3

    def forward(self, x: Tensor) -> Tensor:
        """Convolve x (N, C, D, H, W)."""
        return self._convolve(F.conv3d, x)


class _TransposedConv(_Conv):
    """The signature of the transposed convolutions."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Shape,
        stride: int | Shape = 1,
        padding: int | Shape = 0,
        output_padding: int | Shape = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | Shape = 1,
        *,
        algorithm: str | None = None,
        dtype: DType = "float32",
        rng: Generator | None = None,
    ) -> None:
        sizes = (in_channels, out_channels, kernel_size, stride, padding, dilation)
        self._set_up(*sizes, groups, bias, algorithm, dtype, rng)
        self.output_padding = output_padding


class ConvTranspose1d(_TransposedConv):
    """Transposed convolution of x (N, in_channels, L), the adjoint of `Conv1d`.

    weight (in_channels, out_channels / groups, K) and bias (out_channels,) start
    uniform in +-1 / sqrt(out_channels / groups * K), as in PyTorch. output_padding
    makes the result longer at its end; other arguments as in `Conv1d`.

    >>> from minigrad import nn, tensor
    >>> layer = nn.ConvTranspose1d(1, 1, 2, stride=2, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.5)
    >>> layer(tensor([[[1.0, 2.0]]])).tolist()
    [[[0.5, 0.5, 1.0, 1.0]]]
    """

    axes = 1

    def forward(self, x: Tensor) -> Tensor:
        """Spread x (N, C, L) out."""
        function = F.conv_transpose1d
        return self._convolve(function, x, output_padding=self.output_padding)


class ConvTranspose2d(_TransposedConv):
    """Transposed convolution of x (N, in_channels, H, W), the adjoint of `Conv2d`.

    Arguments as in `ConvTranspose1d`.

    >>> from minigrad import nn, tensor
    >>> layer = nn.ConvTranspose2d(1, 1, (1, 2), bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.5)
    >>> layer(tensor([[[[1.0, 2.0]]]])).tolist()
    [[[[0.5, 1.5, 1.0]]]]
    """

    axes = 2

    def forward(self, x: Tensor) -> Tensor:
        """Spread x (N, C, H, W) out."""
        function = F.conv_transpose2d
        return self._convolve(function, x, output_padding=self.output_padding)
