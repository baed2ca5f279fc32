"""Pooling layers; they have no parameters to train. See minigrad.functional.pooling."""

from __future__ import annotations

from typing import Any, ClassVar

from minigrad import functional as F
from minigrad.nn.module import Module
from minigrad.tape import Tensor


class _Pool(Module):
    """Base of all: what they hold are the arguments of a function, by name."""

    options: ClassVar[tuple[str, ...]] = ()

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.options}

    def extra_repr(self) -> str:
        """Describe the arguments."""
        return ", ".join(f"{name}={value}" for name, value in self._arguments().items())


class _MaxPool(_Pool):
    """Base of the max pooling layers."""

    options = (
        "kernel_size",
        "stride",
        "padding",
        "dilation",
        "ceil_mode",
    )

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        *,
        ceil_mode: bool = False,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.ceil_mode = ceil_mode


class MaxPool1d(_MaxPool):
    """The greatest element of each window of x (N, C, L) or (C, L).

    >>> from minigrad import nn, tensor
    >>> nn.MaxPool1d(2)(tensor([[1.0, 3.0, 2.0, 0.0]])).tolist()
    [[3.0, 2.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return F.max_pool1d(x, **self._arguments())


class MaxPool2d(_MaxPool):
    """The greatest element of each window of x (N, C, H, W) or (C, H, W).

    >>> from minigrad import nn, tensor
    >>> nn.MaxPool2d(2)(tensor([[[1.0, 3.0], [3.0, 2.0]]])).tolist()
    [[[3.0]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return F.max_pool2d(x, **self._arguments())


class AvgPool1d(_Pool):
    """The mean of each window of x (N, C, L) or (C, L).

    >>> from minigrad import nn, tensor
    >>> nn.AvgPool1d(2)(tensor([[1.0, 3.0, 2.0, 0.0]])).tolist()
    [[2.0, 1.0]]
    """

    options = (
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
    )

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return F.avg_pool1d(x, **self._arguments())


class AvgPool2d(_Pool):
    """The mean of each window of x (N, C, H, W) or (C, H, W).

    >>> from minigrad import nn, tensor
    >>> nn.AvgPool2d(2)(tensor([[[1.0, 3.0], [3.0, 2.0]]])).tolist()
    [[[2.25]]]
    """

    options = (
        "kernel_size",
        "stride",
        "padding",
        "ceil_mode",
        "count_include_pad",
        "divisor_override",
    )

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return F.avg_pool2d(x, **self._arguments())


class _AdaptivePool(_Pool):
    """Base of the layers that are told how many windows there are."""

    options = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        self.output_size = output_size


class AdaptiveMaxPool1d(_AdaptivePool):
    """The greatest elements of output_size windows that cover x (N, C, L) or (C, L).

    >>> from minigrad import nn, tensor
    >>> nn.AdaptiveMaxPool1d(1)(tensor([[1.0, 3.0, 2.0]])).tolist()
    [[3.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return F.adaptive_max_pool1d(x, **self._arguments())


class AdaptiveMaxPool2d(_AdaptivePool):
    """The greatest elements of windows that cover x (N, C, H, W) or (C, H, W).

    >>> from minigrad import nn, tensor
    >>> nn.AdaptiveMaxPool2d((None, 1))(tensor([[[1.0, 3.0], [3.0, 2.0]]])).tolist()
    [[[3.0], [3.0]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return F.adaptive_max_pool2d(x, **self._arguments())


class AdaptiveAvgPool1d(_AdaptivePool):
    """The means of output_size windows that cover x (N, C, L) or (C, L).

    >>> from minigrad import nn, tensor
    >>> nn.AdaptiveAvgPool1d(1)(tensor([[1.0, 3.0, 2.0]])).tolist()
    [[2.0]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return F.adaptive_avg_pool1d(x, **self._arguments())


class AdaptiveAvgPool2d(_AdaptivePool):
    """The means of windows that cover x (N, C, H, W) or (C, H, W); 1 is global.

    >>> from minigrad import nn, tensor
    >>> nn.AdaptiveAvgPool2d(1)(tensor([[[1.0, 3.0], [3.0, 2.0]]])).tolist()
    [[[2.25]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return F.adaptive_avg_pool2d(x, **self._arguments())
