"""Pooling layers; they have no parameters to train. See minigrad.functional.pooling.

Names, arguments and defaults are PyTorch's, but there is no return_indices; what comes
after it there is keyword-only. Numbers that no input fits are refused at once, with an
ArgumentError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from minigrad import functional as F
from minigrad.kernels._arguments import per_axis
from minigrad.kernels._windows import adaptive_sizes, windows_of
from minigrad.nn.module import Module
from minigrad.tape import Tensor


class _Pool(Module):
    """Base of all: what they hold are the arguments of a function, by name."""

    options: ClassVar[tuple[str, ...]] = ()
    axes: ClassVar[int]
    """How many spatial axes x has."""
    function: ClassVar[Callable[..., Tensor]]
    """What forward calls, with the options by name."""

    def _expect_windows(
        self, kernel_size: Any, stride: Any, padding: Any, dilation: Any = 1
    ) -> None:
        """Raise ArgumentError for numbers that no x fits."""
        who = type(self).__name__
        windows_of(who, self.axes, kernel_size, stride, padding, dilation)

    def _arguments(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.options}

    def forward(self, x: Tensor) -> Tensor:
        """Pool x."""
        return self.function(x, **self._arguments())

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
        self._expect_windows(kernel_size, stride, padding, dilation)
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

    axes = 1
    function = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPool):
    """The greatest element of each window of x (N, C, H, W) or (C, H, W).

    >>> from minigrad import nn, tensor
    >>> nn.MaxPool2d(2)(tensor([[[1.0, 3.0], [3.0, 2.0]]])).tolist()
    [[[3.0]]]
    """

    axes = 2
    function = staticmethod(F.max_pool2d)


class _AvgPool(_Pool):
    """Base of the average pooling layers."""

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
        self._expect_windows(kernel_size, stride, padding)
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad


class AvgPool1d(_AvgPool):
    """The mean of each window of x (N, C, L) or (C, L).

    >>> from minigrad import nn, tensor
    >>> nn.AvgPool1d(2)(tensor([[1.0, 3.0, 2.0, 0.0]])).tolist()
    [[2.0, 1.0]]
    """

    axes = 1
    function = staticmethod(F.avg_pool1d)


class AvgPool2d(_AvgPool):
    """The mean of each window of x (N, C, H, W) or (C, H, W).

    >>> from minigrad import nn, tensor
    >>> nn.AvgPool2d(2)(tensor([[[1.0, 3.0], [3.0, 2.0]]])).tolist()
    [[[2.25]]]
    """

    axes = 2
    function = staticmethod(F.avg_pool2d)
    options = (*_AvgPool.options, "divisor_override")

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__(kernel_size, stride, padding, ceil_mode, count_include_pad)
        if divisor_override is not None:
            per_axis("AvgPool2d", "divisor_override", divisor_override, 1, 1)
        self.divisor_override = divisor_override


class _AdaptivePool(_Pool):
    """Base of the layers that are told how many windows there are."""

    options = ("output_size",)

    def __init__(self, output_size: Any) -> None:
        adaptive_sizes(type(self).__name__, self.axes, output_size)
        self.output_size = output_size


class AdaptiveMaxPool1d(_AdaptivePool):
    """The greatest elements of output_size windows that cover x (N, C, L) or (C, L).

    >>> from minigrad import nn, tensor
    >>> nn.AdaptiveMaxPool1d(1)(tensor([[1.0, 3.0, 2.0]])).tolist()
    [[3.0]]
    """

    axes = 1
    function = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptivePool):
    """The greatest elements of windows that cover x (N, C, H, W) or (C, H, W).

    >>> from minigrad import nn, tensor
    >>> nn.AdaptiveMaxPool2d((None, 1))(tensor([[[1.0, 3.0], [3.0, 2.0]]])).tolist()
    [[[3.0], [3.0]]]
    """

    axes = 2
    function = staticmethod(F.adaptive_max_pool2d)


class AdaptiveAvgPool1d(_AdaptivePool):
    """The means of output_size windows that cover x (N, C, L) or (C, L).

    >>> from minigrad import nn, tensor
    >>> nn.AdaptiveAvgPool1d(1)(tensor([[1.0, 3.0, 2.0]])).tolist()
    [[2.0]]
    """

    axes = 1
    function = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptivePool):
    """The means of windows that cover x (N, C, H, W) or (C, H, W); 1 is global.

    >>> from minigrad import nn, tensor
    >>> nn.AdaptiveAvgPool2d(1)(tensor([[[1.0, 3.0], [3.0, 2.0]]])).tolist()
    [[[2.25]]]
    """

    axes = 2
    function = staticmethod(F.adaptive_avg_pool2d)
