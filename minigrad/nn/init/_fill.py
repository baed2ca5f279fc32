"""What all initial values share: where numbers come from, and how they get in place."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy
from numpy.random import Generator

from minigrad.backend import to_backend
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.random import default_streams
from minigrad.tape import Tensor, expect_writeable

T = TypeVar("T", bound=Tensor)
"""The kind of tensor that is filled and returned."""


def expect_tensor(tensor: object, who: str) -> None:
    """Raise ArgumentError unless there is a tensor to fill."""
    if not isinstance(tensor, Tensor):
        rule = "a tensor to fill"
        raise ArgumentError(got(who, "got", f"a {type(tensor).__name__}", rule))


def fill(tensor: T, values: Any, who: str) -> T:
    """Write values, which lie on the host, into the array that tensor has."""
    expect_tensor(tensor, who)
    expect_writeable(tensor.data, who)
    host = numpy.asarray(values, tensor.dtype)
    tensor.data[...] = to_backend(host, tensor.backend)
    return tensor


def draws(rng: Generator | None, who: str) -> Generator:
    """Return what numbers are drawn from: rng, or the next draw of stream "init"."""
    given: object = rng
    if not isinstance(given, Generator | None):
        rule = "a NumPy Generator or None"
        raise ArgumentError(got(who, "rng", repr(rng), rule))
    return default_streams().next("init") if rng is None else rng


def fans(tensor: Tensor, who: str) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight (out, in, *kernel)."""
    expect_tensor(tensor, who)
    if tensor.ndim < 2:
        rule = "at least two axes, (out, in, ...)"
        raise ShapeError(got(who, "tensor has shape", tensor.shape, rule))
    if tensor.size == 0:
        rule = "at least one element"
        raise ShapeError(got(who, "tensor has shape", tensor.shape, rule))
    receptive = math.prod(tensor.shape[2:])
    return tensor.shape[1] * receptive, tensor.shape[0] * receptive
