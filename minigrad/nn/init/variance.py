"""Initial values whose variance follows from a weight's fans.

Sources: Glorot & Bengio 2010 (xavier), He et al. 2015, arXiv:1502.01852 (kaiming),
LeCun et al. 1998, Efficient BackProp.
"""

from __future__ import annotations

import math

from numpy.random import Generator

from minigrad.errors import ArgumentError, got
from minigrad.nn.init._fill import T, fans
from minigrad.nn.init.plain import normal_, uniform_
from minigrad.tape import Tensor

_GAINS = {
    "linear": 1.0,
    "conv1d": 1.0,
    "conv2d": 1.0,
    "conv3d": 1.0,
    "sigmoid": 1.0,
    "tanh": 5 / 3,
    "relu": math.sqrt(2),
    "selu": 3 / 4,
}


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the factor that keeps a signal's size through a nonlinearity.

    param is the negative slope of "leaky_relu" (default 0.01). Raises ArgumentError for
    an unknown name.

    >>> round(calculate_gain("relu"), 4), round(calculate_gain("leaky_relu", 1), 4)
    (1.4142, 1.0)
    """
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        return math.sqrt(2 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        names = ", ".join([*_GAINS, "leaky_relu"])
        raise ArgumentError(
            got("calculate_gain", "nonlinearity", repr(nonlinearity), f"one of {names}")
        )
    return _GAINS[nonlinearity]


def xavier_uniform_(tensor: T, gain: float = 1.0, *, rng: Generator | None = None) -> T:
    """Fill uniformly in +-gain * sqrt(6 / (fan_in + fan_out)).

    >>> from minigrad import nn, tensor
    >>> weight = nn.init.xavier_uniform_(tensor([[0.0] * 3] * 3))
    >>> bool(abs(weight.data).max() < 1)
    True
    """
    bound = gain * math.sqrt(6 / sum(fans(tensor, "xavier_uniform_")))
    return uniform_(tensor, -bound, bound, rng=rng)


def xavier_normal_(tensor: T, gain: float = 1.0, *, rng: Generator | None = None) -> T:
    """Fill with normal numbers of std gain * sqrt(2 / (fan_in + fan_out))."""
    std = gain * math.sqrt(2 / sum(fans(tensor, "xavier_normal_")))
    return normal_(tensor, std=std, rng=rng)


def _kaiming_std(
    tensor: Tensor, a: float, mode: str, nonlinearity: str, who: str
) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(got(who, "mode", repr(mode), "'fan_in' or 'fan_out'"))
    fan_in, fan_out = fans(tensor, who)
    fan = fan_in if mode == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: Generator | None = None,
) -> T:
    """Fill uniformly in +-gain * sqrt(3 / fan).

    Args:
        tensor: weight (out, in, *kernel).
        a: negative slope of the leaky relu that follows; 0 for relu.
        mode: "fan_in" keeps the size of signals, "fan_out" that of gradients.
        nonlinearity: see calculate_gain.
        rng: draws the numbers.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_uniform_")
    bound = math.sqrt(3) * std
    return uniform_(tensor, -bound, bound, rng=rng)


def kaiming_normal_(
    tensor: T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: Generator | None = None,
) -> T:
    """Fill with normal numbers of std gain / sqrt(fan); see kaiming_uniform_."""
    std = _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_")
    return normal_(tensor, std=std, rng=rng)


def lecun_uniform_(tensor: T, *, rng: Generator | None = None) -> T:
    """Fill uniformly in +-sqrt(3 / fan_in): variance 1 / fan_in."""
    bound = math.sqrt(3 / fans(tensor, "lecun_uniform_")[0])
    return uniform_(tensor, -bound, bound, rng=rng)


def lecun_normal_(tensor: T, *, rng: Generator | None = None) -> T:
    """Fill with normal numbers of variance 1 / fan_in."""
    std = math.sqrt(1 / fans(tensor, "lecun_normal_")[0])
    return normal_(tensor, std=std, rng=rng)
