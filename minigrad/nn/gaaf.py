"""Activation functions whose gradient is accelerated."""

from __future__ import annotations

import numpy

from minigrad import functional as F
from minigrad.kernels.gaaf import Curve
from minigrad.nn.module import Module
from minigrad.tape import Tensor


class GAAF(Module):
    """An activation function with gradient acceleration: y = phi(x) + g(x) * s(x).

    g is a sawtooth of height 1 / k, too small to see in y, with slope 1, so that the
    gradient is dy * (phi'(x) + s(x)): where phi saturates, it flows as far as the shape
    s lets it. In evaluation the value is phi(x) to the bit, which differs from that in
    training by at most 0.5 / k; the gradient is the same in both.

    Args:
        activation: phi: "tanh", "hardtanh", "sigmoid", "softsign", "relu",
            "leaky_relu", "elu", "softplus", "silu", "gelu", or any function with its
            derivative as a minigrad.kernels.gaaf.Curve.
        shape: s: "gaussian", "sigmoid", "laplace", "one", or a Curve; default: the one
            recommended for activation.
        k: teeth of the sawtooth per unit of x, from 1e-30 to 1e30. float32 tells the
            halves of a tooth apart up to |x| = 2**23 / k: 839 for 1e4, 8.4 for 1e6;
            further out g is -0.5 / k. The gradient is the same there.
        mode: "exact", or "backward_only" to leave g out of the value in training, too.

    Source: Hahn & Choi 2019, arXiv:1806.09783, eqs. 7-8.

    >>> from minigrad import nn, tensor
    >>> x = tensor([3.0], requires_grad=True)
    >>> nn.GAAF("tanh")(x).sum().backward()
    >>> round(x.grad.item(), 2), round(1 - nn.Tanh()(x).item() ** 2, 2)
    (0.06, 0.01)
    """

    def __init__(
        self,
        activation: str | Curve = "tanh",
        shape: str | Curve | None = None,
        k: float = 1e4,
        mode: str = "exact",
    ) -> None:
        self.activation, self.shape = activation, shape
        self.k, self.mode = k, mode
        # A wrong name or k is refused here, not in the middle of a training.
        F.gaaf(Tensor(numpy.zeros(0, "float32")), activation, shape, k, mode)

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        mode = self.mode if self.training else "backward_only"
        return F.gaaf(x, self.activation, self.shape, self.k, mode)

    def extra_repr(self) -> str:
        """Describe the function."""
        activation, shape = _name(self.activation), _name(self.shape)
        return f"{activation}, shape={shape}, k={self.k:g}, mode={self.mode!r}"


def _name(curve: str | Curve | None) -> str:
    return curve.name if isinstance(curve, Curve) else repr(curve)
