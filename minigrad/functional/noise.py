"""Gaussian noise on activations and weights, and where activations saturate.

rng draws the noise; default: the stream "noise" of the default streams. The numbers are
those of float32 in every dtype. Raises ArgumentError for numbers out of range.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from minigrad.backend import array_module, backend_of, to_backend
from minigrad.functional._draws import (
    Source,
    expect_probability,
    expect_std,
    next_draw,
    noise_for,
)
from minigrad.functional._inputs import as_tensor
from minigrad.kernels import noise as noise_kernels
from minigrad.kernels import noisy_activation as noisy_kernel
from minigrad.kernels._arguments import is_real
from minigrad.tape import Tensor, apply
from minigrad.typing import Array


def gaussian_noise(
    x: Any, std: float = 0.1, training: bool = True, *, rng: Source = None
) -> Tensor:
    """Add normal noise of standard deviation std to x; training=False returns x.

    On a weight this is weight noise: the gradient is taken at the noisy weight.

    Source: Graves, Mohamed & Hinton 2013, arXiv:1303.5778, section 3, for weights.

    >>> from minigrad.random import generator
    >>> y = gaussian_noise([1.0, 2.0], std=0.5, rng=generator(0, "noise"))
    >>> [round(value, 2) for value in y.tolist()]
    [1.52, 2.57]
    """
    expect_std("gaussian_noise", std)
    x = as_tensor(x)
    if not training or std == 0:
        return x
    noise = noise_for(x, next_draw(rng, "noise"))
    return apply(noise_kernels.ADDITIVE_KERNEL, x, noise, std=std)


def gaussian_dropout(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Source = None
) -> Tensor:
    """Multiply x by normal noise of mean 1 and variance p / (1 - p), p in [0, 1).

    Mean and variance are those of dropout with probability p. training=False returns x.

    Source: Srivastava et al. 2014, JMLR 15, section 10.

    >>> from minigrad.random import generator
    >>> y = gaussian_dropout([1.0, 2.0], p=0.2, rng=generator(0, "noise"))
    >>> [round(value, 2) for value in y.tolist()]
    [1.52, 3.15]
    """
    expect_probability("gaussian_dropout", p, below_one=True)
    x = as_tensor(x)
    if not training or p == 0:
        return x
    noise = noise_for(x, next_draw(rng, "noise"))
    std = math.sqrt(p / (1 - p))
    return apply(noise_kernels.MULTIPLICATIVE_KERNEL, x, noise, std=std)


def noisy_activation(
    x: Any,
    p: Any = 1.0,
    function: str = "tanh",
    alpha: float = 1.15,
    c: float = 0.5,
    half_normal: bool = True,
    training: bool = True,
    *,
    rng: Source = None,
) -> Tensor:
    """Activate x, with noise that grows where the activation saturates.

    The terms are `hard`, `linear` and `through_sigma`. See
    minigrad.kernels.noisy_activation.

    Args:
        x: any shape.
        p: a number or what broadcasts to x, to be learned: how fast the noise grows.
        function: "tanh" or "sigmoid", both made of straight lines.
        alpha: how much of the hard function is taken; the rest, 1 - alpha, is linear.
        c: scale of the noise.
        half_normal: take the noise without its sign, so that it has a direction: away
            from 0 for alpha > 1, else towards it.
        training: False takes the mean of the noise.
        rng: draws the noise; default: the stream "noise" of the default streams.

    Source: Gulcehre et al. 2016, arXiv:1603.00391.

    >>> y = noisy_activation([0.5, 3.0, -3.0], training=False)
    >>> [round(value, 3) for value in y.tolist()]
    [0.5, 0.758, -0.758]
    """
    x = as_tensor(x)
    p = Tensor(_constant(x, p)) if is_real(p) else as_tensor(p)
    if training:
        noise = noise_for(x, next_draw(rng, "noise"))
        noise = array_module(noise).abs(noise) if half_normal else noise
    else:
        noise = _constant(x, math.sqrt(2 / math.pi) if half_normal else 0.0)
    return apply(noisy_kernel.KERNEL, x, p, noise, function=function, alpha=alpha, c=c)


def _constant(x: Tensor, value: float) -> Array:
    """Make a 0-d array of value in x's dtype and on its backend."""
    return to_backend(numpy.full((), value, x.dtype), backend_of(x.data).name)
