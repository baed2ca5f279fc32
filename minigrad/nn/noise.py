"""Layers and a wrapper that add Gaussian noise in training.

Noise comes from a named stream as masks do: see minigrad.nn.dropout.
"""

from __future__ import annotations

from collections.abc import Generator as Iterator
from contextlib import contextmanager
from typing import Any

import numpy

from minigrad import functional as F
from minigrad.errors import ArgumentError, got
from minigrad.functional._draws import (
    Source,
    expect_probability,
    expect_std,
    next_draw,
    source_of,
)
from minigrad.kernels._arguments import per_axis, real
from minigrad.nn import init
from minigrad.nn.module import Module, new_parameter
from minigrad.tape import Parameter, Tensor
from minigrad.typing import DType


def _stream(name: str) -> str:
    return "" if name == "noise" else f", name={name!r}"


class GaussianNoise(Module):
    """Add normal noise of standard deviation std to x in training.

    Args:
        std: >= 0.
        rng: the streams to draw from; default: the default streams.
        name: of the stream.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(0)
    >>> [round(y, 2) for y in nn.GaussianNoise(0.5)(tensor([1.0, 2.0])).tolist()]
    [1.52, 2.57]
    """

    def __init__(
        self, std: float = 0.1, *, rng: Source = None, name: str = "noise"
    ) -> None:
        expect_std("GaussianNoise", std)
        self.std, self.rng, self.name = std, source_of("GaussianNoise", rng), name

    def forward(self, x: Tensor) -> Tensor:
        """Add noise to x of any shape in training; return x itself in evaluation."""
        if not self.training or self.std == 0:
            return x
        return F.gaussian_noise(x, self.std, rng=next_draw(self.rng, self.name))

    def extra_repr(self) -> str:
        """Describe std, and the stream if it has a name of its own."""
        return f"std={self.std}{_stream(self.name)}"


class GaussianDropout(Module):
    """Multiply x by normal noise of mean 1 and variance p / (1 - p) in training.

    Args:
        p: in [0, 1): mean and variance are those of Dropout(p).
        rng: the streams to draw from; default: the default streams.
        name: of the stream.

    Source: Srivastava et al. 2014, JMLR 15, section 10.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(0)
    >>> [round(y, 2) for y in nn.GaussianDropout(0.2)(tensor([1.0, 2.0])).tolist()]
    [1.52, 3.15]
    """

    def __init__(
        self, p: float = 0.5, *, rng: Source = None, name: str = "noise"
    ) -> None:
        expect_probability("GaussianDropout", p, below_one=True)
        self.p, self.rng, self.name = p, source_of("GaussianDropout", rng), name

    def forward(self, x: Tensor) -> Tensor:
        """Multiply x of any shape in training; return x itself in evaluation."""
        if not self.training or self.p == 0:
            return x
        return F.gaussian_dropout(x, self.p, rng=next_draw(self.rng, self.name))

    def extra_repr(self) -> str:
        """Describe p, and the stream if it has a name of its own."""
        return f"p={self.p}{_stream(self.name)}"


class NoisyActivation(Module):
    """Tanh or sigmoid of straight lines, with noise where it saturates; p is learned.

    In evaluation the noise has its mean. See minigrad.kernels.noisy_activation.

    Args:
        function: "tanh" or "sigmoid".
        num_parameters: how many p: 1, or one for each channel, x's second axis.
        alpha: how much of the hard function is taken; the rest, 1 - alpha, is linear.
        c: scale of the noise.
        half_normal: take the noise without its sign: away from 0 for alpha > 1.
        start: value of p at the start.
        dtype: of p.
        rng: the streams to draw from; default: the default streams.
        name: of the stream.

    Source: Gulcehre et al. 2016, arXiv:1603.00391; alpha, c as in the authors' code for
    tanh.

    >>> from minigrad import nn, tensor
    >>> layer = nn.NoisyActivation().eval()
    >>> [round(y, 3) for y in layer(tensor([0.5, 3.0, -3.0])).tolist()]
    [0.5, 0.758, -0.758]
    """

    def __init__(
        self,
        function: str = "tanh",
        num_parameters: int = 1,
        alpha: float = 1.15,
        c: float = 0.5,
        half_normal: bool = True,
        start: float = 1.0,
        *,
        dtype: DType = "float32",
        rng: Source = None,
        name: str = "noise",
    ) -> None:
        who = "NoisyActivation"
        shape = per_axis(who, "num_parameters", num_parameters, 1, 1)
        self.function, self.alpha, self.c = function, alpha, c
        self.half_normal = half_normal
        self.rng, self.name = source_of(who, rng), name
        self.p = new_parameter(shape, dtype, "p")
        init.constant_(self.p, real(who, "start", start))
        # A wrong function or number is refused here, not in the middle of a training.
        nothing = Tensor(numpy.zeros(0, "float32"))
        F.noisy_activation(nothing, 1.0, function, alpha, c, training=False)

    def forward(self, x: Tensor) -> Tensor:
        """Activate x of any shape, or (N, num_parameters, ...) if that is not 1."""
        p = self.p
        if p.size > 1 and x.ndim > 2:
            # (C,) -> (C, 1, ...)
            p = p.reshape(-1, *(1,) * (x.ndim - 2))
        options = (self.function, self.alpha, self.c, self.half_normal, self.training)
        rng = next_draw(self.rng, self.name) if self.training else None
        return F.noisy_activation(x, p, *options, rng=rng)

    def extra_repr(self) -> str:
        """Describe the function and its noise."""
        half = "" if self.half_normal else ", half_normal=False"
        text = f"{self.function!r}, alpha={self.alpha}, c={self.c}{half}"
        return text + _stream(self.name)


class WeightNoise(Module):
    """Run a module with Gaussian noise on its weights in training.

    Each call draws noise anew; a gradient taken at the noisy weights goes to the
    weights themselves. A weight that is shared gets one noise. In evaluation the module
    runs as it is. In the state, the module's names are preceded by `module.`.

    Args:
        module: what to run.
        std: standard deviation of the noise, >= 0; the paper has 0.075.
        every: give noise to parameters of one axis, too: biases and gains.
        rng: the streams to draw from; default: the default streams.
        name: of the stream.

    Source: Graves, Mohamed & Hinton 2013, arXiv:1303.5778, section 3.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(0)
    >>> layer = nn.WeightNoise(nn.Linear(1, 1, bias=False), std=0.5)
    >>> _ = nn.init.ones_(layer.module.weight)
    >>> round(layer(tensor([[1.0]])).item(), 2), layer.eval()(tensor([[1.0]])).item()
    (1.52, 1.0)
    """

    def __init__(
        self,
        module: Module,
        std: float = 0.075,
        every: bool = False,
        *,
        rng: Source = None,
        name: str = "noise",
    ) -> None:
        given: object = module
        if not isinstance(given, Module):
            raise ArgumentError(got("WeightNoise", "module", repr(given), "a Module"))
        expect_std("WeightNoise", std)
        self.module, self.std, self.every = module, std, every
        self.rng, self.name = source_of("WeightNoise", rng), name

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Run the module."""
        if not self.training or self.std == 0:
            return self.module(*inputs, **options)
        with self._noisy():
            return self.module(*inputs, **options)

    @contextmanager
    def _noisy(self) -> Iterator[None]:
        """Let noisy tensors stand where the module looks for its weights."""
        draw = next_draw(self.rng, self.name)
        noisy: dict[int, Tensor] = {}
        held: list[tuple[Module, str, Parameter]] = []
        for part in self.module.modules():
            for name, value in vars(part).items():
                if isinstance(value, Parameter) and (self.every or value.ndim > 1):
                    held.append((part, name, value))
        try:
            for part, name, weight in held:
                if id(weight) not in noisy:
                    noisy[id(weight)] = F.gaussian_noise(weight, self.std, rng=draw)
                setattr(part, name, noisy[id(weight)])
            yield
        finally:
            for part, name, weight in held:
                setattr(part, name, weight)

    def extra_repr(self) -> str:
        """Describe the noise."""
        every = ", every=True" if self.every else ""
        return f"std={self.std}{every}{_stream(self.name)}"
