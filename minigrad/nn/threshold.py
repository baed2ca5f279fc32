"""Layers with steps, whose backward is that of a smooth function in their place."""

from __future__ import annotations

import numpy

from minigrad import functional as F
from minigrad.kernels.adapters import Adapter, adapter_of
from minigrad.nn.module import Module
from minigrad.tape import Tensor


class Sign(Module):
    """Hard threshold: -1, 0 or 1, with the gradient dy g'(x) of an adapter g.

    Args:
        adapter: "identity" (straight-through estimator), "hardtanh" (saturated),
            "tanh", "ramp", "lecun_tanh", "sigmoid", "arctan", "softsign"; a function
            with its derivative as a minigrad.kernels.adapters.Curve; or a kernel.
        zero: the sign of 0: 0, -1 or 1.

    Source: Li, Ni, Sheng & Zhao 2019, "Gradient Adapter for Hard-Threshold Deep Neural
    Networks", section 3.1.

    >>> from minigrad import nn, tensor
    >>> nn.Sign("hardtanh")(tensor([0.5, -3.0])).tolist()
    [1.0, -1.0]
    """

    def __init__(self, adapter: Adapter = "tanh", zero: int = 0) -> None:
        self.adapter, self.zero = adapter, zero
        # What is wrong is refused here, not in the middle of a training.
        F.sign(Tensor(numpy.zeros(0, "float32")), adapter, zero)

    def forward(self, x: Tensor) -> Tensor:
        """Take the sign of x, element by element."""
        return F.sign(x, self.adapter, self.zero)

    def extra_repr(self) -> str:
        """Describe the adapter."""
        zero = f", zero={self.zero}" if self.zero else ""
        return f"adapter={adapter_of(self.adapter).name!r}{zero}"


class Quantize(Module):
    """Round to 2**bits levels from low to high, with the gradient of an adapter.

    Args:
        bits: from 1 to 16.
        low: the lowest level.
        high: the highest level.
        adapter: as that of Sign, stretched from [-1, 1] to [low, high].

    Source: levels as in Zhou et al. 2016, arXiv:1606.06160, eq. 5.

    >>> from minigrad import nn, tensor
    >>> nn.Quantize(bits=1)(tensor([0.4, 0.6, 7.0])).tolist()
    [0.0, 1.0, 1.0]
    """

    def __init__(
        self,
        bits: int = 2,
        low: float = 0.0,
        high: float = 1.0,
        adapter: Adapter = "hardtanh",
    ) -> None:
        self.bits, self.low, self.high, self.adapter = bits, low, high, adapter
        # What is wrong is refused here, not in the middle of a training.
        F.quantize(Tensor(numpy.zeros(0, "float32")), bits, low, high, adapter)

    def forward(self, x: Tensor) -> Tensor:
        """Round x, element by element."""
        return F.quantize(x, self.bits, self.low, self.high, self.adapter)

    def extra_repr(self) -> str:
        """Describe the levels and the adapter."""
        levels = f"bits={self.bits}, low={self.low:g}, high={self.high:g}"
        return f"{levels}, adapter={adapter_of(self.adapter).name!r}"


class FeasibleTargetSign(Module):
    """Hard threshold whose backward follows a layer loss towards the target sign(-dy).

    Args:
        loss: "soft_hinge" (FTP-SH), "truncated_hinge", "hinge", "perceptron", "log",
            "square"; see minigrad.kernels.feasible_target.
        scale: multiply the loss's slope by |dy|; else divide it by the batch's length.
        zero: the sign of 0: -1, 0 or 1.

    Source: Friesen & Domingos 2018, arXiv:1710.11573, section 3.

    >>> from minigrad import nn, tensor
    >>> nn.FeasibleTargetSign()(tensor([0.5, -3.0, 0.0])).tolist()
    [1.0, -1.0, -1.0]
    """

    def __init__(
        self, loss: str = "soft_hinge", scale: bool = True, zero: int = -1
    ) -> None:
        self.loss, self.scale, self.zero = loss, scale, zero
        # What is wrong is refused here, not in the middle of a training.
        F.feasible_target_sign(Tensor(numpy.zeros(0, "float32")), loss, scale, zero)

    def forward(self, x: Tensor) -> Tensor:
        """Take the sign of x, element by element."""
        return F.feasible_target_sign(x, self.loss, self.scale, self.zero)

    def extra_repr(self) -> str:
        """Describe the layer loss."""
        return f"{self.loss!r}, scale={self.scale}, zero={self.zero}"
