"""The layers that carry a network's plain structure: linear, flatten, identity."""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.random import Generator

from minigrad import functional as F
from minigrad.errors import ArgumentError, got
from minigrad.nn import init
from minigrad.nn.module import Module, new_parameter
from minigrad.tape import Tensor
from minigrad.typing import DType


class Linear(Module):
    """Fully connected layer: y = x w' + b for x (..., in_features).

    weight (out_features, in_features) and bias (out_features,) start uniform in
    +-1 / sqrt(in_features), as in PyTorch.

    Args:
        in_features: length of x's last axis.
        out_features: length of y's last axis.
        bias: whether there is a bias.
        dtype: of the parameters.
        rng: draws the weights; default: the stream "init" of the default streams.

    >>> from minigrad import nn, tensor
    >>> layer = nn.Linear(2, 1)
    >>> _ = nn.init.constant_(layer.weight, 0.5), nn.init.zeros_(layer.bias)
    >>> layer(tensor([[1.0, 2.0]])).tolist()
    [[1.5]]
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        dtype: DType = "float32",
        rng: Generator | None = None,
    ) -> None:
        sizes: tuple[object, object] = (in_features, out_features)
        for size in sizes:
            if not isinstance(size, int | numpy.integer) or size < 1:
                raise ArgumentError(
                    f"Linear: in_features {in_features!r} and out_features "
                    f"{out_features!r}, expected integers >= 1"
                )
        self.in_features, self.out_features = in_features, out_features
        self.weight = new_parameter((out_features, in_features), dtype, "weight")
        self.bias = new_parameter((out_features,), dtype, "bias") if bias else None
        bound = 1 / math.sqrt(in_features)
        init.uniform_(self.weight, -bound, bound, rng=rng)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound, rng=rng)

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., in_features) to (..., out_features)."""
        return F.linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Describe the sizes."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        return f"{sizes}, bias={self.bias is not None}"


class Flatten(Module):
    """Merge the axes start_dim to end_dim into one; by default all but the first.

    >>> from minigrad import nn, tensor
    >>> nn.Flatten()(tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
    [[1.0, 2.0, 3.0, 4.0]]
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        self.start_dim, self.end_dim = start_dim, end_dim

    def forward(self, x: Tensor) -> Tensor:
        """Reshape x; the elements keep their order."""
        # A number is flattened as if it had one axis.
        ndim = max(x.ndim, 1)
        for name, axis in [("start_dim", self.start_dim), ("end_dim", self.end_dim)]:
            if not -ndim <= axis < ndim:
                rule = f"an axis of x {x.shape}"
                raise ArgumentError(got("Flatten", name, axis, rule))
        start, end = self.start_dim % ndim, self.end_dim % ndim
        if start > end:
            raise ArgumentError(
                f"Flatten: start_dim {self.start_dim} lies behind end_dim "
                f"{self.end_dim} for x {x.shape}, expected start_dim <= end_dim"
            )
        if start == end and x.ndim:
            return x
        merged = math.prod(x.shape[start : end + 1])
        return x.reshape(*x.shape[:start], merged, *x.shape[end + 1 :])

    def extra_repr(self) -> str:
        """Describe the axes."""
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Identity(Module):
    """Return the input; takes and ignores any arguments, as a place holder does.

    >>> from minigrad import nn
    >>> nn.Identity(54)("x")
    'x'
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        pass

    def forward(self, x: Any) -> Any:
        """Return x."""
        return x
