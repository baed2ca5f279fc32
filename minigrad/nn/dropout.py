"""Layers that drop elements, channels or connections at random in training.

Each call in training takes the next mask of a named stream: masks follow from the seed
and the number of calls before, and a run that restores its streams goes on with the
same masks. Layers of one name share a stream and draw in the order of their calls; a
name of its own makes a layer's masks independent of the model's other layers.

Of PyTorch's arguments there is no `inplace`: y is always new memory.
"""

from __future__ import annotations

from collections.abc import Callable

from numpy.random import Generator

from minigrad import functional as F
from minigrad.errors import ArgumentError, got
from minigrad.functional._draws import (
    Source,
    expect_function,
    expect_probability,
    next_draw,
    source_of,
)
from minigrad.kernels._arguments import per_axis
from minigrad.nn.linear import Linear
from minigrad.nn.module import Module
from minigrad.tape import Tensor
from minigrad.typing import DType


class _Dropout(Module):
    """What the dropout layers share: a probability and a stream of masks."""

    def __init__(
        self, p: float = 0.5, *, rng: Source = None, name: str = "dropout"
    ) -> None:
        """Set up the layer.

        Args:
            p: probability of dropping, in [0, 1]; ArgumentError otherwise.
            rng: the streams to draw from; default: the default streams. A Generator
                is drawn from as it is, and no training state remembers where it stood.
            name: of the stream.
        """
        who = type(self).__name__
        expect_probability(who, p)
        self.p, self.rng, self.name = p, source_of(who, rng), name

    def _active(self) -> bool:
        return self.training and self.p > 0

    def _next(self) -> Generator:
        return next_draw(self.rng, self.name)

    def extra_repr(self) -> str:
        """Describe p, and the stream if it has a name of its own."""
        stream = "" if self.name == "dropout" else f", name={self.name!r}"
        return f"p={self.p}{stream}"


class Dropout(_Dropout):
    """Zero elements with probability p in training and divide the others by 1 - p.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(3)
    >>> nn.Dropout(0.5)(tensor([1.0, 2.0, 3.0, 4.0])).tolist()
    [0.0, 4.0, 6.0, 0.0]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Mask x of any shape in training; return x itself in evaluation."""
        return F.dropout(x, self.p, rng=self._next()) if self._active() else x


class Dropout1d(_Dropout):
    """Zero whole channels of x (N, C, L) or (C, L) in training, scale up the others.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(3)
    >>> nn.Dropout1d(0.5)(tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
    [[[0.0, 0.0], [6.0, 8.0]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Mask x (N, C, L) in training; return x itself in evaluation."""
        return F.dropout1d(x, self.p, rng=self._next()) if self._active() else x


class Dropout2d(_Dropout):
    """Zero whole channels of x (N, C, ...) in training and divide the others by 1 - p.

    Source: Tompson et al. 2015, arXiv:1411.4280, section 3.2.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(3)
    >>> nn.Dropout2d(0.5)(tensor([[[1.0, 2.0], [3.0, 4.0]]])).tolist()
    [[[0.0, 0.0], [6.0, 8.0]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Mask x (N, C, ...) in training; return x itself in evaluation."""
        return F.dropout2d(x, self.p, rng=self._next()) if self._active() else x


class Dropout3d(_Dropout):
    """Zero whole channels of x (N, C, D, H, W) in training, scale up the others.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(3)
    >>> nn.Dropout3d(0.5)(tensor([[[[[1.0, 2.0]]], [[[3.0, 4.0]]]]])).tolist()
    [[[[[0.0, 0.0]]], [[[6.0, 8.0]]]]]
    """

    def forward(self, x: Tensor) -> Tensor:
        """Mask x (N, C, D, H, W) or (C, D, H, W); return x itself in evaluation."""
        return F.dropout3d(x, self.p, rng=self._next()) if self._active() else x


class DropConnectLinear(_Dropout):
    """Fully connected layer that drops single weights and biases in training.

    Its state is that of Linear, to which it is equal in evaluation: there y is the mean
    over all masks. The paper averages after the activation instead; for that, give the
    activation, which is then a part of the layer, and samples.

    Args:
        in_features: length of x's last axis.
        out_features: length of y's last axis.
        p: probability of dropping a weight, in [0, 1].
        bias: whether there is a bias.
        per_example: draw a mask for each of N examples, as the paper does: N * I * O
            bytes, and far more time than Linear takes. False: one for the whole batch.
        activation: applied to y, in training and in evaluation.
        samples: with 0, evaluation gives activation(mean), else the average of
            activation over so many normal draws of y's mean and variance.
        dtype: of the parameters, which start as in Linear.
        rng: the streams to draw masks and samples from; default: the default streams.
        name: of the stream.

    Source: Wan et al. 2013, "Regularization of Neural Networks using DropConnect",
    ICML, algorithms 1 and 2. Raises ArgumentError for sizes, p and samples.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(3)
    >>> layer = nn.DropConnectLinear(2, 1, bias=False)
    >>> _ = nn.init.constant_(layer.weight, 0.5)
    >>> x = tensor([[1.0, 10.0]] * 3)
    >>> layer(x).tolist(), layer.eval()(x[:1]).tolist()
    ([[10.0], [1.0], [0.0]], [[5.5]])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        p: float = 0.5,
        bias: bool = True,
        *,
        per_example: bool = True,
        activation: Callable[[Tensor], Tensor] | None = None,
        samples: int = 0,
        dtype: DType = "float32",
        rng: Source = None,
        name: str = "dropout",
    ) -> None:
        super().__init__(p, rng=rng, name=name)
        plain = Linear(in_features, out_features, bias, dtype=dtype)
        self.weight, self.bias = plain.weight, plain.bias
        self.in_features, self.out_features = in_features, out_features
        self.per_example, self.activation = per_example, activation
        who = "DropConnectLinear"
        (self.samples,) = per_axis(who, "samples", samples, 1, 0)
        if activation is not None:
            expect_function(who, "activation", activation)
        elif self.samples:
            rule = "0 without an activation"
            remedy = "an average of y itself is its mean; give the activation"
            raise ArgumentError(got(who, "samples", samples, rule, remedy))

    def forward(self, x: Tensor) -> Tensor:
        """Map x (..., in_features) to (..., out_features), and activate."""
        given = (x, self.weight, self.bias)
        if self._active():
            rng = self._next()
            y = F.drop_connect(*given, self.p, per_example=self.per_example, rng=rng)
        elif self.activation and self.samples and self.p > 0:
            return F.drop_connect_average(
                *given,
                self.p,
                activation=self.activation,
                samples=self.samples,
                rng=self._next(),
            )
        else:
            y = F.linear(*given)
        return self.activation(y) if self.activation else y

    def extra_repr(self) -> str:
        """Describe the sizes, p, and what is not as by default."""
        sizes = f"in_features={self.in_features}, out_features={self.out_features}"
        batch = "" if self.per_example else ", per_example=False"
        average = f", samples={self.samples}" if self.samples else ""
        bias = f"bias={self.bias is not None}"
        return f"{sizes}, {bias}, {super().extra_repr()}{batch}{average}"
