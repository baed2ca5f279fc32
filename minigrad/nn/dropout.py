"""Layers whose forward draws random numbers in training.

Each call in training takes the next mask of a named stream: masks follow from the seed
and the number of calls before, and a run that restores its streams goes on with the
same masks. Layers of one name share a stream and draw in the order of their calls; a
name of its own makes a layer's masks independent of the model's other layers.
"""

from __future__ import annotations

import numpy
from numpy.random import Generator

from minigrad import functional as F
from minigrad.errors import ArgumentError, got
from minigrad.nn.module import Module
from minigrad.random import Streams, default_streams
from minigrad.tape import Tensor


class _Dropout(Module):
    """What the dropout layers share: a probability and a stream of masks."""

    def __init__(
        self,
        p: float = 0.5,
        *,
        rng: Streams | Generator | None = None,
        name: str = "dropout",
    ) -> None:
        """Set up the layer.

        Args:
            p: probability of dropping, in [0, 1]; ArgumentError otherwise.
            rng: the streams to draw from; default: the default streams. A Generator
                is drawn from as it is, and no training state remembers where it stood.
            name: of the stream.
        """
        who = type(self).__name__
        chance: object = p
        source: object = rng
        if not isinstance(chance, int | float | numpy.number) or not 0 <= p <= 1:
            raise ArgumentError(got(who, "p", repr(p), "0 <= p <= 1"))
        if not isinstance(source, Streams | Generator | None):
            rule = "Streams, a NumPy Generator or None"
            raise ArgumentError(got(who, "rng", repr(rng), rule, "pass Streams(seed)"))
        self.p, self.rng, self.name = p, rng, name

    def _active(self) -> bool:
        return self.training and self.p > 0

    def _next(self) -> Generator:
        if isinstance(self.rng, Generator):
            return self.rng
        streams = default_streams() if self.rng is None else self.rng
        return streams.next(self.name)

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
