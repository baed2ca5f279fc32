"""Activation functions as modules; they have no parameters to train."""

from __future__ import annotations

from minigrad import functional as F
from minigrad.nn.module import Module
from minigrad.tape import Tensor


class ReLU(Module):
    """max(x, 0); the derivative at 0 is 0.

    >>> from minigrad import nn, tensor
    >>> nn.ReLU()(tensor([-1.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.relu(x)


class LeakyReLU(Module):
    """Take x where x > 0, else negative_slope * x.

    >>> from minigrad import nn, tensor
    >>> nn.LeakyReLU(0.5)(tensor([-1.0, 2.0])).tolist()
    [-0.5, 2.0]
    """

    def __init__(self, negative_slope: float = 0.01) -> None:
        self.negative_slope = negative_slope

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.leaky_relu(x, self.negative_slope)

    def extra_repr(self) -> str:
        """Describe the slope."""
        return f"negative_slope={self.negative_slope}"


class ELU(Module):
    """Take x where x > 0, else alpha * (exp(x) - 1).

    >>> from minigrad import nn, tensor
    >>> nn.ELU()(tensor([0.0, 2.0])).tolist()
    [0.0, 2.0]
    """

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.elu(x, self.alpha)

    def extra_repr(self) -> str:
        """Describe alpha."""
        return f"alpha={self.alpha}"


class GELU(Module):
    """Weigh x by the normal distribution function of x.

    approximate is "none" (exact) or "tanh" (the formula of the first GPT).

    >>> from minigrad import nn, tensor
    >>> round(nn.GELU()(tensor([1.0])).item(), 4)
    0.8413
    """

    def __init__(self, approximate: str = "none") -> None:
        self.approximate = approximate

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.gelu(x, approximate=self.approximate)

    def extra_repr(self) -> str:
        """Describe the formula."""
        return f"approximate={self.approximate!r}"


class SiLU(Module):
    """x * sigmoid(x), also called swish.

    >>> from minigrad import nn, tensor
    >>> nn.SiLU()(tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.silu(x)


class Sigmoid(Module):
    """1 / (1 + exp(-x)).

    >>> from minigrad import nn, tensor
    >>> nn.Sigmoid()(tensor([0.0])).tolist()
    [0.5]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.sigmoid(x)


class Tanh(Module):
    """Hyperbolic tangent.

    >>> from minigrad import nn, tensor
    >>> nn.Tanh()(tensor([0.0])).tolist()
    [0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.tanh(x)


class Hardtanh(Module):
    """Cut x to [min_val, max_val]; the derivative outside is 0.

    >>> from minigrad import nn, tensor
    >>> nn.Hardtanh()(tensor([-3.0, 0.5])).tolist()
    [-1.0, 0.5]
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0) -> None:
        self.min_val, self.max_val = min_val, max_val

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.hardtanh(x, self.min_val, self.max_val)

    def extra_repr(self) -> str:
        """Describe the range."""
        return f"min_val={self.min_val}, max_val={self.max_val}"


class Softplus(Module):
    """ln(1 + exp(beta * x)) / beta; x itself where beta * x > threshold.

    >>> from minigrad import nn, tensor
    >>> round(nn.Softplus()(tensor([0.0])).item(), 4)
    0.6931
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        self.beta, self.threshold = beta, threshold

    def forward(self, x: Tensor) -> Tensor:
        """Activate x, element by element."""
        return F.softplus(x, self.beta, self.threshold)

    def extra_repr(self) -> str:
        """Describe beta and threshold."""
        return f"beta={self.beta}, threshold={self.threshold}"


class Softmax(Module):
    """exp(x), scaled so that it sums to 1 along dim (default: the last axis).

    >>> from minigrad import nn, tensor
    >>> nn.Softmax()(tensor([[1.0, 1.0]])).tolist()
    [[0.5, 0.5]]
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Turn scores x into probabilities."""
        return F.softmax(x, axis=self.dim)

    def extra_repr(self) -> str:
        """Describe the axis."""
        return f"dim={self.dim}"


class LogSoftmax(Module):
    """The logarithm of softmax along dim (default: the last axis), in nats.

    >>> from minigrad import nn, tensor
    >>> round(nn.LogSoftmax()(tensor([1.0, 1.0])).data[0].item(), 4)
    -0.6931
    """

    def __init__(self, dim: int = -1) -> None:
        self.dim = dim

    def forward(self, x: Tensor) -> Tensor:
        """Turn scores x into log probabilities."""
        return F.log_softmax(x, axis=self.dim)

    def extra_repr(self) -> str:
        """Describe the axis."""
        return f"dim={self.dim}"
