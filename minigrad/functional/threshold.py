"""Functions with steps, whose backward is that of a smooth one in their place."""

from __future__ import annotations

from typing import Any

from minigrad.kernels import feasible_target
from minigrad.kernels import quantize as quantize_kernel
from minigrad.kernels import sign as sign_kernel
from minigrad.kernels.adapters import Adapter
from minigrad.tape import Tensor, apply


def sign(x: Any, adapter: Adapter = "tanh", zero: int = 0) -> Tensor:
    """Take the sign of x, -1, 0 or 1; the gradient is dy g'(x), g the adapter.

    The value does not depend on the adapter. The one term is `adapter`. See
    minigrad.kernels.adapters.

    Args:
        x: any shape; float.
        adapter: "identity" (straight-through estimator), "hardtanh" (saturated),
            "tanh", "ramp", "lecun_tanh", "sigmoid", "arctan", "softsign"; a function
            with its derivative as a minigrad.kernels.adapters.Curve; or a kernel.
        zero: the sign of 0: 0, -1 or 1.

    >>> from minigrad.tape import tensor
    >>> x = tensor([-2.0, 0.5], requires_grad=True)
    >>> y = sign(x)
    >>> y.sum().backward()
    >>> y.tolist(), [round(dx, 2) for dx in x.grad.tolist()]
    ([-1.0, 1.0], [0.07, 0.79])
    """
    return apply(sign_kernel.KERNEL, x, adapter=adapter, zero=zero)


def quantize(
    x: Any,
    bits: int = 2,
    low: float = 0.0,
    high: float = 1.0,
    adapter: Adapter = "hardtanh",
) -> Tensor:
    """Round x to the nearest of 2**bits levels; the gradient is an adapter's.

    The value does not depend on the adapter. The one term is `adapter`. See
    minigrad.kernels.quantize.

    Args:
        x: any shape; float.
        bits: from 1 to 16.
        low: the lowest level.
        high: the highest level.
        adapter: as that of `sign`, stretched from [-1, 1] to [low, high]: "identity"
            passes gradient everywhere, "hardtanh" between low and high alone.

    >>> from minigrad.tape import tensor
    >>> x = tensor([0.4, 1.5], requires_grad=True)
    >>> y = quantize(x, bits=1)
    >>> y.sum().backward()
    >>> y.tolist(), x.grad.tolist()
    ([0.0, 1.0], [1.0, 0.0])
    """
    options = {"bits": bits, "low": low, "high": high, "adapter": adapter}
    return apply(quantize_kernel.KERNEL, x, **options)


def feasible_target_sign(
    x: Any, loss: str = "soft_hinge", scale: bool = True, zero: int = -1
) -> Tensor:
    """Take the sign of x; backward follows a layer loss towards the target sign(-dy).

    The one term is `target`. See minigrad.kernels.feasible_target.

    Args:
        x: any shape; float. Its first axis is the batch.
        loss: "soft_hinge" (FTP-SH), "truncated_hinge", "hinge", "perceptron", "log",
            "square".
        scale: multiply the loss's slope by |dy|; else divide it by the batch's length.
        zero: the sign of 0: -1, 0 or 1.

    >>> from minigrad.tape import tensor
    >>> x = tensor([[-2.0, 0.5]], requires_grad=True)
    >>> feasible_target_sign(x).sum().backward()
    >>> [round(dx, 2) for dx in x.grad.tolist()[0]]
    [0.07, 0.79]
    """
    options = {"loss": loss, "scale": scale, "zero": zero}
    return apply(feasible_target.KERNEL, x, **options)
