"""Convolutions of sequences (N, C, L), images (N, C, H, W) and volumes (N, C, D, H, W).

Names, arguments and defaults are PyTorch's; x may lack the batch axis. Numbers for
stride, padding and dilation hold for all spatial axes, tuples give one each. Results
lie in memory with the spatial axes first, see minigrad.kernels._layout.

algorithm: how the sums are formed; None chooses by size. "direct", one pixel at a time,
is the definition; "im2col", "shifted_gemm" and "fft" equal it to rounding; "winograd"
(3 x 3, stride 1, float32 on NumPy) to 2e-5 of the largest result.
"""

from __future__ import annotations

from typing import Any

from minigrad.functional._inputs import as_tensor
from minigrad.kernels import conv, conv_transpose
from minigrad.tape import Tensor, apply
from minigrad.typing import Shape

_KERNELS = {
    "conv1d": (conv.CONV1D_KERNEL, conv.CONV1D_NO_BIAS_KERNEL),
    "conv2d": (conv.CONV2D_KERNEL, conv.CONV2D_NO_BIAS_KERNEL),
    "conv3d": (conv.CONV3D_KERNEL, conv.CONV3D_NO_BIAS_KERNEL),
    "conv_transpose1d": (
        conv_transpose.CONV_TRANSPOSE1D_KERNEL,
        conv_transpose.CONV_TRANSPOSE1D_NO_BIAS_KERNEL,
    ),
    "conv_transpose2d": (
        conv_transpose.CONV_TRANSPOSE2D_KERNEL,
        conv_transpose.CONV_TRANSPOSE2D_NO_BIAS_KERNEL,
    ),
}
"""Name -> the kernels with and without a bias."""


def _apply(name: str, x: Any, weight: Any, bias: Any, **params: Any) -> Tensor:
    """Apply the kernel called name, or the one without bias where there is none.

    x may lack the batch axis; the result then lacks it, too.
    """
    kernel, plain = _KERNELS[name]
    x, weight = as_tensor(x), as_tensor(weight)
    if x.ndim > 1 and x.ndim == weight.ndim - 1:
        y = _apply(name, x.reshape(1, *x.shape), weight, bias, **params)
        return y.reshape(*y.shape[1:])
    if bias is None:
        return apply(plain, x, weight, **params)
    return apply(kernel, x, weight, as_tensor(bias), **params)


def conv1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Shape = 1,
    padding: int | Shape | str = 0,
    dilation: int | Shape = 1,
    groups: int = 1,
    algorithm: str | None = None,
) -> Tensor:
    """Convolve x (N, C, L) with weight (O, C / groups, K), add bias (O,) or None.

    Args:
        x: sequences.
        weight: filters.
        bias: one number per filter.
        stride: places between two outputs.
        padding: zeros on both sides; "same" keeps the length, "causal" pads on the left
            only, so that no output sees what comes later; "valid" is 0.
        dilation: places between two taps.
        groups: into how many parts channels and filters are split.
        algorithm: see the module.

    Returns y (N, O, L'). Raises ShapeError if channels or sizes do not fit.

    >>> from minigrad.tape import tensor
    >>> x = tensor([[[1.0, 2.0, 3.0]]])
    >>> conv1d(x, tensor([[[1.0, 10.0]]]), padding="causal").tolist()
    [[[10.0, 21.0, 32.0]]]
    """
    return _apply(
        "conv1d",
        x,
        weight,
        bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        algorithm=algorithm,
    )


def conv2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Shape = 1,
    padding: int | Shape | str = 0,
    dilation: int | Shape = 1,
    groups: int = 1,
    algorithm: str | None = None,
) -> Tensor:
    """Convolve x (N, C, H, W) with weight (O, C / groups, KH, KW), add bias (O,).

    Arguments as in `conv1d`, but for padding "causal". Returns y (N, O, H', W').

    >>> from minigrad.tape import tensor
    >>> x = tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> conv2d(x, tensor([[[[1.0, 0.0], [0.0, 10.0]]]]), tensor([0.5])).tolist()
    [[[[41.5]]]]
    """
    return _apply(
        "conv2d",
        x,
        weight,
        bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        algorithm=algorithm,
    )


def conv3d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Shape = 1,
    padding: int | Shape | str = 0,
    dilation: int | Shape = 1,
    groups: int = 1,
    algorithm: str | None = None,
) -> Tensor:
    """Convolve x (N, C, D, H, W) with weight (O, C / groups, KD, KH, KW), add bias.

    Arguments as in `conv1d`, but for padding "causal". Returns y (N, O, D', H', W').

    >>> from minigrad.tape import tensor
    >>> x = tensor([[[[[1.0, 2.0]]]]])
    >>> conv3d(x, tensor([[[[[3.0]]]]])).tolist()
    [[[[[3.0, 6.0]]]]]
    """
    return _apply(
        "conv3d",
        x,
        weight,
        bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        algorithm=algorithm,
    )


def conv_transpose1d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Shape = 1,
    padding: int | Shape = 0,
    output_padding: int | Shape = 0,
    groups: int = 1,
    dilation: int | Shape = 1,
    algorithm: str | None = None,
) -> Tensor:
    """Spread x (N, I, L) out by weight (I, O / groups, K): the adjoint of `conv1d`.

    Args:
        x: sequences.
        weight: filters.
        bias: (O,) or None.
        stride: places between what two inputs are spread to.
        padding: how much of both ends is cut off.
        output_padding: how much longer the end is; less than stride or dilation.
        groups: into how many parts channels and filters are split.
        dilation: places between two taps.
        algorithm: see the module.

    Returns y (N, O, L'), L' = (L - 1) stride - 2 padding + dilation (K - 1) +
    output_padding + 1.

    >>> from minigrad.tape import tensor
    >>> x = tensor([[[1.0, 2.0]]])
    >>> conv_transpose1d(x, tensor([[[1.0, 10.0]]]), stride=2).tolist()
    [[[1.0, 10.0, 2.0, 20.0]]]
    """
    return _apply(
        "conv_transpose1d",
        x,
        weight,
        bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
        algorithm=algorithm,
    )


def conv_transpose2d(
    x: Any,
    weight: Any,
    bias: Any = None,
    stride: int | Shape = 1,
    padding: int | Shape = 0,
    output_padding: int | Shape = 0,
    groups: int = 1,
    dilation: int | Shape = 1,
    algorithm: str | None = None,
) -> Tensor:
    """Spread x (N, I, H, W) out by weight (I, O / groups, KH, KW), add bias (O,).

    Arguments as in `conv_transpose1d`. The adjoint of `conv2d`.

    >>> from minigrad.tape import tensor
    >>> x = tensor([[[[1.0, 2.0]]]])
    >>> conv_transpose2d(x, tensor([[[[1.0], [10.0]]]])).tolist()
    [[[[1.0, 2.0], [10.0, 20.0]]]]
    """
    return _apply(
        "conv_transpose2d",
        x,
        weight,
        bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        groups=groups,
        dilation=dilation,
        algorithm=algorithm,
    )
