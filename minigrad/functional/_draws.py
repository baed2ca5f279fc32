"""Masks and noise for tensors: drawn on the host, brought to the tensor's backend."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.random import Generator

from minigrad.backend import backend_of, memory_order, parallel_for, to_backend
from minigrad.errors import ArgumentError, got
from minigrad.kernels._arguments import is_real
from minigrad.random import Streams, default_streams, keep_mask, normal_noise
from minigrad.tape import Tensor
from minigrad.typing import Array, Shape

Source = Streams | Generator | None
"""Where draws come from: streams (None: the default ones) or one generator."""


def next_draw(rng: Source, name: str) -> Generator:
    """Return rng if it is a generator, else that of the next draw of stream name."""
    source = source_of(name, rng)
    if isinstance(source, Generator):
        return source
    return (source or default_streams()).next(name)


def source_of(who: str, rng: Any) -> Source:
    """Return rng, or raise ArgumentError if nothing can be drawn from it."""
    if not isinstance(rng, Streams | Generator | None):
        rule = "Streams, a NumPy Generator or None"
        raise ArgumentError(got(who, "rng", repr(rng), rule, "pass Streams(seed)"))
    return rng


def mask_for(x: Tensor, draw: Generator, shape: Shape, p: float) -> tuple[Array, float]:
    """Draw a mask of shape on x's backend that drops with probability p; keep_prob.

    A mask with as many axes as x is drawn in the order in which x lies in memory: to
    mix two orders would take several times as long.
    """
    order = _order(x, shape)
    lying = tuple([shape[axis] for axis in order])
    mask, keep_prob = keep_mask(draw, lying, p, loop=parallel_for)
    return _placed(mask, x, order), keep_prob


def noise_for(x: Tensor, draw: Generator) -> Array:
    """Draw standard normal noise of x's shape, dtype and backend, lying as x does.

    The numbers are those of float32 in every dtype.
    """
    order = _order(x, x.shape)
    lying = tuple([x.shape[axis] for axis in order])
    noise = normal_noise(draw, lying, loop=parallel_for)
    return _placed(noise.astype(x.dtype, copy=False), x, order)


def _order(x: Tensor, shape: Shape) -> tuple[int, ...]:
    """Return the axes of x as they lie in memory, if it is dense and has shape's."""
    data = x.data
    if len(shape) == data.ndim and not data.flags.c_contiguous:
        order = memory_order(data)
        if data.transpose(order).flags.c_contiguous:
            return order
    return tuple(range(len(shape)))


def _placed(drawn: numpy.ndarray, x: Tensor, order: tuple[int, ...]) -> Array:
    """Bring drawn to x's backend, and its axes from order to that of x's shape."""
    placed = to_backend(drawn, backend_of(x.data).name)
    back = sorted(range(len(order)), key=order.__getitem__)
    return placed.transpose(back)


def expect_probability(
    name: str, p: Any, below_one: bool = False, *, what: str = "p"
) -> None:
    """Raise ArgumentError unless 0 <= p <= 1, or < 1."""
    if not (is_real(p) and 0 <= p <= 1) or (below_one and p == 1):
        rule = f"0 <= {what} {'<' if below_one else '<='} 1"
        raise ArgumentError(got(name, what, repr(p), rule))


def expect_std(name: str, std: Any) -> None:
    """Raise ArgumentError unless std is a finite number >= 0."""
    if not (is_real(std) and 0 <= std < float("inf")):
        raise ArgumentError(got(name, "std", repr(std), "0 <= std < inf"))


def expect_function(name: str, what: str, function: Any) -> None:
    """Raise ArgumentError unless function can be called."""
    if not callable(function):
        rule = "a function of a tensor"
        raise ArgumentError(got(name, what, repr(function), rule))
