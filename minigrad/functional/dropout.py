"""Dropout of elements, of channels and of connections.

Every function draws a mask in training and lets the same mask gate the gradient; with
training=False it gives the mean over all masks. p is the probability to drop, rounded
to n / 65536. rng draws the masks; default: the stream "dropout" of the default streams.
A mask is drawn in the order in which x lies in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from numpy.random import Generator

from minigrad.errors import ShapeError, got
from minigrad.functional._draws import (
    Source,
    expect_function,
    expect_probability,
    mask_for,
    next_draw,
    noise_for,
)
from minigrad.functional._inputs import as_tensor
from minigrad.functional.math import sqrt, square
from minigrad.functional.nn import linear
from minigrad.functional.shaping import expand
from minigrad.kernels import drop_connect as drop_connect_kernel
from minigrad.kernels import dropout as dropout_kernel
from minigrad.kernels._arguments import per_axis
from minigrad.tape import Tensor, apply
from minigrad.typing import Shape


def dropout(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Source = None
) -> Tensor:
    """Zero elements of x with probability p and divide the others by 1 - p.

    Args:
        x: any shape.
        p: probability to drop, in [0, 1]; 1 gives zeros. Rounded to n / 65536.
        training: False returns x.
        rng: draws the mask; default: the stream "dropout" of the default streams.

    Raises ArgumentError if p is outside [0, 1].

    >>> from minigrad.random import generator
    >>> from minigrad.tape import tensor
    >>> dropout(tensor([1.0, 2.0, 3.0, 4.0]), 0.5, rng=generator(0, "mask")).tolist()
    [0.0, 0.0, 6.0, 8.0]
    """
    x = as_tensor(x)
    return _drop("dropout", x, x.shape, p, training, rng)


def dropout1d(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Source = None
) -> Tensor:
    """Do what dropout does, but to whole channels of x (N, C, L) or (C, L).

    Raises ShapeError for other shapes, ArgumentError if p is outside [0, 1].

    >>> from minigrad.random import generator
    >>> from minigrad.tape import tensor
    >>> x = tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> dropout1d(x, 0.5, rng=generator(3, "mask")).tolist()
    [[0.0, 0.0], [6.0, 8.0]]
    """
    return _drop_channels("dropout1d", "L", as_tensor(x), p, training, rng)


def dropout2d(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Source = None
) -> Tensor:
    """Do what dropout does, but to whole channels of x (N, C, ...).

    Source: Tompson et al. 2015, arXiv:1411.4280, section 3.2. Raises ShapeError if x
    has fewer than two axes, ArgumentError if p is outside [0, 1].

    >>> from minigrad.random import generator
    >>> from minigrad.tape import tensor
    >>> x = tensor([[[1.0, 2.0], [3.0, 4.0]]])
    >>> dropout2d(x, 0.5, rng=generator(3, "mask")).tolist()
    [[[0.0, 0.0], [6.0, 8.0]]]
    """
    x = as_tensor(x)
    if x.ndim < 2:
        raise ShapeError(got("dropout2d", "x has shape", x.shape, "(N, C, ...)"))
    shape = x.shape[:2] + (1,) * (x.ndim - 2)
    return _drop("dropout2d", x, shape, p, training, rng)


def dropout3d(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Source = None
) -> Tensor:
    """Do what dropout does, but to whole channels of x (N, C, D, H, W), (C, D, H, W).

    Raises ShapeError for other shapes, ArgumentError if p is outside [0, 1].

    >>> from minigrad.random import generator
    >>> from minigrad.tape import tensor
    >>> x = tensor([[[[1.0, 2.0]]], [[[3.0, 4.0]]]])
    >>> dropout3d(x, 0.5, rng=generator(3, "mask")).tolist()
    [[[[0.0, 0.0]]], [[[6.0, 8.0]]]]
    """
    return _drop_channels("dropout3d", "D, H, W", as_tensor(x), p, training, rng)


def _drop_channels(
    name: str, axes: str, x: Tensor, p: float, training: bool, rng: Source
) -> Tensor:
    """Drop whole channels of x (N, C, *axes) or (C, *axes)."""
    spatial = axes.count(",") + 1
    if x.ndim not in (spatial + 1, spatial + 2):
        rule = f"(N, C, {axes}) or (C, {axes})"
        raise ShapeError(got(name, "x has shape", x.shape, rule))
    shape = x.shape[:-spatial] + (1,) * spatial
    return _drop(name, x, shape, p, training, rng)


def _drop(
    name: str, x: Tensor, shape: Shape, p: float, training: bool, rng: Source
) -> Tensor:
    """Drop by a mask of shape, which broadcasts to that of x."""
    expect_probability(name, p)
    if not training or p == 0:
        return x
    return _masked(x, next_draw(rng, "dropout"), shape, p)


def _masked(x: Tensor, draw: Generator, shape: Shape, p: float) -> Tensor:
    mask, keep_prob = mask_for(x, draw, shape, p)
    return apply(dropout_kernel.KERNEL, x, mask, keep_prob=keep_prob)


def drop_connect(
    x: Any,
    weight: Any,
    bias: Any = None,
    p: float = 0.5,
    training: bool = True,
    *,
    per_example: bool = True,
    rng: Source = None,
) -> Tensor:
    """Do what linear does, with single weights and biases dropped.

    Each weight and bias is zeroed with probability p and else divided by 1 - p.

    Args:
        x: (..., I).
        weight: (O, I).
        bias: (O,) or None.
        p: probability to drop, in [0, 1].
        training: False keeps all: the mean over the masks.
        per_example: draw a mask for each of the N examples of x, as the paper does: N *
            O * I bytes, and some 100 times the time of linear. False: one for them all.
        rng: draws the mask; default: the stream "dropout" of the default streams.

    Source: Wan et al. 2013, ICML, section 3. Raises ShapeError if the last axes of x
    and weight differ or bias does not fit, ArgumentError if p is outside [0, 1].

    >>> from minigrad.random import generator
    >>> from minigrad.tape import tensor
    >>> x, weight = tensor([[1.0, 10.0]] * 2), tensor([[1.0, 2.0]])
    >>> drop_connect(x, weight, rng=generator(3, "mask")).tolist()
    [[40.0], [42.0]]
    """
    expect_probability("drop_connect", p)
    x, weight = as_tensor(x), as_tensor(weight)
    bias = None if bias is None else as_tensor(bias)
    if bias is not None and bias.shape != weight.shape[:1]:
        rule = f"{weight.shape[:1]}, one for each row of weight {weight.shape}"
        raise ShapeError(got("drop_connect", "bias has shape", bias.shape, rule))
    if not training or p == 0:
        return linear(x, weight, bias)
    draw = next_draw(rng, "dropout")
    if not per_example:
        weight = _masked(weight, draw, weight.shape, p)
        return linear(
            x, weight, None if bias is None else _masked(bias, draw, bias.shape, p)
        )
    mask, keep_prob = mask_for(x, draw, x.shape[:-1] + weight.shape, p)
    y = apply(drop_connect_kernel.KERNEL, x, weight, mask, keep_prob=keep_prob)
    if bias is None:
        return y
    return y + _masked(expand(bias, y.shape), draw, y.shape, p)


def drop_connect_average(
    x: Any,
    weight: Any,
    bias: Any = None,
    p: float = 0.5,
    *,
    activation: Callable[[Tensor], Tensor],
    samples: int = 100,
    rng: Source = None,
) -> Tensor:
    """Average activation(drop_connect(...)) over normal draws that stand for the masks.

    The inference of the paper's algorithm 2: the sum of many masked products is close
    to normal, with the mean x w' + b and the variance p / (1 - p) * (x**2 w'**2 +
    b**2). Other than activation(mean), this is right for a curved activation, too.

    Args:
        x: (..., I).
        weight: (O, I).
        bias: (O,) or None.
        p: probability to drop that was used in training, in [0, 1).
        activation: maps (..., O) to any shape.
        samples: how many draws to average, >= 1.
        rng: draws the noise; default: the stream "noise" of the default streams.

    Raises ArgumentError for p and samples out of range, and for other activations.

    >>> from minigrad import functional as F
    >>> from minigrad.random import generator
    >>> from minigrad.tape import tensor
    >>> x, weight = tensor([[1.0, -1.0]]), tensor([[1.0, 1.0]])
    >>> y = drop_connect_average(x, weight, activation=F.relu, rng=generator(0, "a"))
    >>> round(y.item(), 1), F.relu(F.linear(x, weight)).item()
    (0.6, 0.0)
    """
    name = "drop_connect_average"
    expect_probability(name, p, below_one=True)
    (samples,) = per_axis(name, "samples", samples, 1, 1)
    expect_function(name, "activation", activation)
    x, weight = as_tensor(x), as_tensor(weight)
    bias = None if bias is None else as_tensor(bias)
    mean = linear(x, weight, bias)
    squares = None if bias is None else square(bias)
    std = sqrt(linear(square(x), square(weight), squares)) * math.sqrt(p / (1 - p))
    draw = next_draw(rng, "noise")
    total = activation(mean + std * noise_for(mean, draw))
    for _ in range(samples - 1):
        total = total + activation(mean + std * noise_for(mean, draw))
    return total * (1 / samples)
