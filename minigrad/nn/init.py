"""Initial values of parameters, filled in place; the formulas of PyTorch's nn.init.

Numbers are drawn on the host in float64, so a seed gives the same weights on every
backend and, up to rounding, in every dtype. `rng` is a NumPy Generator; without one,
each call takes the next draw of the stream "init" of the default streams. All functions
return their tensor and raise GraphError if a live graph needs the old values.

Fans are those of PyTorch's layouts: fan_in = in * receptive, fan_out = out * receptive
for a weight (out, in, *kernel), receptive being the product of the kernel's lengths.

Sources: Glorot & Bengio 2010 (xavier), He et al. 2015, arXiv:1502.01852 (kaiming),
Saxe et al. 2014, arXiv:1312.6120 (orthogonal), LeCun et al. 1998, Efficient BackProp.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy
from numpy.random import Generator

from minigrad.backend import to_backend
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.random import default_streams
from minigrad.tape import Tensor, expect_writeable

_T = TypeVar("_T", bound=Tensor)

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


def _expect_tensor(tensor: object, who: str) -> None:
    if not isinstance(tensor, Tensor):
        rule = "a tensor to fill"
        raise ArgumentError(got(who, "got", f"a {type(tensor).__name__}", rule))


def _fill(tensor: _T, values: Any, who: str) -> _T:
    _expect_tensor(tensor, who)
    expect_writeable(tensor.data, who)
    host = numpy.asarray(values, tensor.dtype)
    tensor.data[...] = to_backend(host, tensor.backend)
    return tensor


def _draws(tensor: Tensor, rng: Generator | None, who: str) -> Generator:
    """Return what the numbers of tensor are drawn from."""
    _expect_tensor(tensor, who)
    given: object = rng
    if not isinstance(given, Generator | None):
        rule = "a NumPy Generator or None"
        raise ArgumentError(got(who, "rng", repr(rng), rule))
    return default_streams().next("init") if rng is None else rng


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


def _fans(tensor: Tensor, who: str) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight (out, in, *kernel)."""
    _expect_tensor(tensor, who)
    if tensor.ndim < 2:
        rule = "at least two axes, (out, in, ...)"
        raise ShapeError(got(who, "tensor has shape", tensor.shape, rule))
    if tensor.size == 0:
        rule = "at least one element"
        raise ShapeError(got(who, "tensor has shape", tensor.shape, rule))
    receptive = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive


def uniform_(
    tensor: _T, a: float = 0.0, b: float = 1.0, *, rng: Generator | None = None
) -> _T:
    """Fill with numbers uniform in [a, b)."""
    draws = _draws(tensor, rng, "uniform_")
    return _fill(tensor, draws.uniform(a, b, tensor.shape), "uniform_")


def normal_(
    tensor: _T, mean: float = 0.0, std: float = 1.0, *, rng: Generator | None = None
) -> _T:
    """Fill with normal numbers."""
    draws = _draws(tensor, rng, "normal_")
    return _fill(tensor, draws.normal(mean, std, tensor.shape), "normal_")


def constant_(tensor: _T, val: float) -> _T:
    """Fill with val."""
    return _fill(tensor, val, "constant_")


def zeros_(tensor: _T) -> _T:
    """Fill with 0."""
    return _fill(tensor, 0, "zeros_")


def ones_(tensor: _T) -> _T:
    """Fill with 1."""
    return _fill(tensor, 1, "ones_")


def xavier_uniform_(
    tensor: _T, gain: float = 1.0, *, rng: Generator | None = None
) -> _T:
    """Fill uniformly in +-gain * sqrt(6 / (fan_in + fan_out)).

    >>> from minigrad import nn, tensor
    >>> weight = nn.init.xavier_uniform_(tensor([[0.0] * 3] * 3))
    >>> bool(abs(weight.data).max() < 1)
    True
    """
    bound = gain * math.sqrt(6 / sum(_fans(tensor, "xavier_uniform_")))
    return uniform_(tensor, -bound, bound, rng=rng)


def xavier_normal_(
    tensor: _T, gain: float = 1.0, *, rng: Generator | None = None
) -> _T:
    """Fill with normal numbers of std gain * sqrt(2 / (fan_in + fan_out))."""
    std = gain * math.sqrt(2 / sum(_fans(tensor, "xavier_normal_")))
    return normal_(tensor, std=std, rng=rng)


def _kaiming_std(
    tensor: Tensor, a: float, mode: str, nonlinearity: str, who: str
) -> float:
    if mode not in ("fan_in", "fan_out"):
        raise ArgumentError(got(who, "mode", repr(mode), "'fan_in' or 'fan_out'"))
    fan_in, fan_out = _fans(tensor, who)
    fan = fan_in if mode == "fan_in" else fan_out
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: _T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: Generator | None = None,
) -> _T:
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
    tensor: _T,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    *,
    rng: Generator | None = None,
) -> _T:
    """Fill with normal numbers of std gain / sqrt(fan); see kaiming_uniform_."""
    std = _kaiming_std(tensor, a, mode, nonlinearity, "kaiming_normal_")
    return normal_(tensor, std=std, rng=rng)


def lecun_uniform_(tensor: _T, *, rng: Generator | None = None) -> _T:
    """Fill uniformly in +-sqrt(3 / fan_in): variance 1 / fan_in."""
    bound = math.sqrt(3 / _fans(tensor, "lecun_uniform_")[0])
    return uniform_(tensor, -bound, bound, rng=rng)


def lecun_normal_(tensor: _T, *, rng: Generator | None = None) -> _T:
    """Fill with normal numbers of variance 1 / fan_in."""
    std = math.sqrt(1 / _fans(tensor, "lecun_normal_")[0])
    return normal_(tensor, std=std, rng=rng)


def orthogonal_(tensor: _T, gain: float = 1, *, rng: Generator | None = None) -> _T:
    """Fill so that the rows, or else the columns, of (out, in * kernel) are orthogonal.

    Each has length gain. The matrix is drawn uniformly from all orthogonal ones.
    """
    _fans(tensor, "orthogonal_")
    rows = tensor.shape[0]
    columns = math.prod(tensor.shape[1:])
    size = (max(rows, columns), min(rows, columns))
    flat = _draws(tensor, rng, "orthogonal_").normal(size=size)
    q, r = numpy.linalg.qr(flat)
    # QR's signs are arbitrary; with a positive diagonal of r the draw is uniform.
    q *= numpy.where(numpy.diagonal(r) < 0, -1, 1)
    if rows < columns:
        q = q.T
    return _fill(tensor, gain * q.reshape(tensor.shape), "orthogonal_")
