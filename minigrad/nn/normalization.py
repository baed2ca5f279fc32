"""Layers that normalise, with PyTorch's names, defaults and states.

Parameters start as ones (weight) and zeros (bias). Results of layers over channels lie
in memory with the spatial axes first.
"""

from __future__ import annotations

from typing import Any

import numpy

from minigrad import functional as F
from minigrad.backend import current_backend
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.kernels._arguments import per_axis, real
from minigrad.nn import init
from minigrad.nn.module import Buffer, Module, new_parameter
from minigrad.tape import Parameter, Tensor
from minigrad.typing import DType, Shape


def _expect_count(who: str, what: str, value: object) -> None:
    """Raise ArgumentError unless value is an integer of at least 1."""
    if not isinstance(value, int | numpy.integer) or value < 1:
        raise ArgumentError(got(who, what, repr(value), "an integer >= 1"))


def _affine(
    shape: Shape, affine: bool, bias: bool, dtype: DType
) -> tuple[Parameter | None, Parameter | None]:
    """Make a weight of ones and a bias of zeros; None for what is not wanted."""
    weight = new_parameter(shape, dtype, "weight") if affine else None
    if weight is not None:
        init.ones_(weight)
    shift = new_parameter(shape, dtype, "bias") if affine and bias else None
    return weight, shift


class _BatchNorm(Module):
    """What the batch norms share; they differ in the shapes that they take."""

    shapes: tuple[str, ...]
    """The shapes that a layer takes, C standing for num_features."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        *,
        bias: bool = True,
        dtype: DType = "float32",
    ) -> None:
        """Set up the layer.

        Args:
            num_features: number of channels C.
            eps: is added to the variance.
            momentum: weight of a batch in the running statistics; None for the plain
                average over all batches. A batch that weighs 0 is not counted.
            affine: whether there are weight (C,) and bias (C,).
            track_running_stats: whether there are running_mean, running_var (C,) and
                num_batches_tracked; without them evaluation uses the batch's, too.
            bias: whether there is a bias, if affine.
            dtype: of parameters and running statistics.
        """
        who = type(self).__name__
        _expect_count(who, "num_features", num_features)
        real(who, "eps", eps, 0)
        if momentum is not None:
            real(who, "momentum", momentum, 0)
        self.num_features, self.eps, self.momentum = num_features, eps, momentum
        self.affine, self.track_running_stats = affine, track_running_stats
        shape = (num_features,)
        self.weight, self.bias = _affine(shape, affine, bias, dtype)
        self.running_mean = self.running_var = self.num_batches_tracked = None
        if track_running_stats:
            xp = current_backend().module
            self.running_mean = Buffer(xp.zeros(shape, dtype), "running_mean")
            self.running_var = Buffer(xp.ones(shape, dtype), "running_var")
            count = xp.zeros((), "int64")
            self.num_batches_tracked = Buffer(count, "num_batches_tracked")

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x, and in training update the running statistics."""
        x = as_tensor(x)
        self._expect(x)
        y = F.batch_norm(
            x,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            # Without running statistics evaluation, too, is by the batch.
            self.training or self.running_mean is None,
            self._momentum(),
            self.eps,
        )
        weighs = self.training and self.momentum != 0
        if weighs and self.num_batches_tracked is not None:
            self.num_batches_tracked.data += 1
        return y

    def _momentum(self) -> float:
        """Return the weight of the batch that comes in the running statistics."""
        if self.momentum is not None:
            return self.momentum
        count = self.num_batches_tracked
        return 0.0 if count is None else 1 / (int(count) + 1)

    def _expect(self, x: Tensor) -> None:
        """Raise ShapeError unless x has one of the shapes of this layer."""
        ndims = [shape.count(",") + 1 for shape in self.shapes]
        if x.ndim not in ndims or x.shape[1] != self.num_features:
            rule = " or ".join(self.shapes).replace("C", str(self.num_features))
            raise ShapeError(got(type(self).__name__, "x has shape", x.shape, rule))

    def extra_repr(self) -> str:
        """Describe the options."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, track_running_stats={self.track_running_stats}"
        )


class BatchNorm1d(_BatchNorm):
    """Batch norm of x (N, C) or (N, C, L), per channel.

    >>> from minigrad import nn, tensor
    >>> layer = nn.BatchNorm1d(1, momentum=0.5)
    >>> [round(y, 3) for y in layer(tensor([[1.0], [3.0]])).reshape(-1).tolist()]
    [-1.0, 1.0]
    >>> layer.running_mean.tolist(), layer.running_var.tolist()
    ([1.0], [1.5])
    """

    shapes = ("(N, C)", "(N, C, L)")


class BatchNorm2d(_BatchNorm):
    """Batch norm of images x (N, C, H, W), per channel.

    >>> from minigrad import nn, tensor
    >>> y = nn.BatchNorm2d(1)(tensor([[[[1.0, 3.0]]]]))
    >>> [round(v, 3) for v in y.reshape(-1).tolist()]
    [-1.0, 1.0]
    """

    shapes = ("(N, C, H, W)",)


class LayerNorm(Module):
    """Normalise each example over its last axes, whose lengths are normalized_shape.

    Args:
        normalized_shape: one length or several.
        eps: is added to the biased variance.
        elementwise_affine: whether there are weight and bias of normalized_shape.
        bias: whether there is a bias, if elementwise_affine.
        dtype: of the parameters.

    >>> from minigrad import nn, tensor
    >>> [round(y, 3) for y in nn.LayerNorm(2)(tensor([1.0, 3.0])).tolist()]
    [-1.0, 1.0]
    """

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        *,
        dtype: DType = "float32",
    ) -> None:
        shape = _shape(normalized_shape)
        self.normalized_shape, self.eps = shape, eps
        self.elementwise_affine = elementwise_affine
        self.weight, self.bias = _affine(shape, elementwise_affine, bias, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (..., *normalized_shape)."""
        return F.layer_norm(
            x, self.normalized_shape, self.weight, self.bias, eps=self.eps
        )

    def extra_repr(self) -> str:
        """Describe the options."""
        affine = f"elementwise_affine={self.elementwise_affine}"
        return f"{self.normalized_shape}, eps={self.eps}, {affine}"


def _shape(given: Any) -> Shape:
    """Return normalized_shape, a number or several, as a shape."""
    axes = len(given) if isinstance(given, tuple | list) else 1
    if not axes:
        rule = "an int, or several"
        raise ArgumentError(got("LayerNorm", "normalized_shape", repr(given), rule))
    return per_axis("LayerNorm", "normalized_shape", given, axes, 1)


class GroupNorm(Module):
    """Normalise groups of channels of each example of x (N, num_channels, ...).

    Args:
        num_groups: a divisor of num_channels; 1 normalises all channels together, and
            num_channels each by itself.
        num_channels: number of channels C.
        eps: is added to the biased variance.
        affine: whether there are weight (C,) and bias (C,).
        bias: whether there is a bias, if affine.
        dtype: of the parameters.

    >>> from minigrad import nn, tensor
    >>> y = nn.GroupNorm(2, 4)(tensor([[1.0, 3.0, 5.0, 5.0]]))
    >>> [round(v, 3) for v in y.tolist()[0]]
    [-1.0, 1.0, 0.0, 0.0]
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        *,
        bias: bool = True,
        dtype: DType = "float32",
    ) -> None:
        _expect_count("GroupNorm", "num_groups", num_groups)
        _expect_count("GroupNorm", "num_channels", num_channels)
        if num_channels % num_groups:
            rule = f"a divisor of num_channels {num_channels}"
            raise ArgumentError(got("GroupNorm", "num_groups", num_groups, rule))
        self.num_groups, self.num_channels = num_groups, num_channels
        self.eps, self.affine = eps, affine
        self.weight, self.bias = _affine((num_channels,), affine, bias, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise x (N, num_channels, ...)."""
        if x.ndim < 2 or x.shape[1] != self.num_channels:
            rule = f"(N, {self.num_channels}, ...)"
            raise ShapeError(got("GroupNorm", "x has shape", x.shape, rule))
        return F.group_norm(x, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Describe the options."""
        sizes = f"{self.num_groups}, {self.num_channels}"
        return f"{sizes}, eps={self.eps}, affine={self.affine}"


class LocalResponseNorm(Module):
    """Divide x (N, C, ...) by (k + alpha * mean of squares of size channels) ** beta.

    >>> from minigrad import nn, tensor
    >>> y = nn.LocalResponseNorm(2, alpha=2.0, beta=1.0)(tensor([[[1.0], [2.0]]]))
    >>> [round(v, 3) for v in y.reshape(-1).tolist()]
    [0.5, 0.333]
    """

    def __init__(
        self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
    ) -> None:
        _expect_count("LocalResponseNorm", "size", size)
        self.size, self.alpha, self.beta, self.k = size, alpha, beta, k

    def forward(self, x: Tensor) -> Tensor:
        """Damp every channel of x by its neighbours."""
        return F.local_response_norm(x, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Describe the numbers."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CosineSimilarity(Module):
    """The cosine of the angle between x1 and x2 along dim; see F.cosine_similarity.

    >>> from minigrad import nn, tensor
    >>> cosine = nn.CosineSimilarity(dim=0)
    >>> round(cosine(tensor([3.0, 4.0]), tensor([0.0, 2.0])).item(), 4)
    0.8
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        """Compare x1 and x2, which broadcast."""
        return F.cosine_similarity(x1, x2, axis=self.dim, eps=self.eps)

    def extra_repr(self) -> str:
        """Describe the axis."""
        return f"dim={self.dim}, eps={self.eps}"
