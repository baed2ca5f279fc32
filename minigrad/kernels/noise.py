"""Noise on activations or weights, drawn by the caller.

    additive_noise:        y = x + std * noise          dx = dy
    multiplicative_noise:  y = x * (1 + std * noise)    dx = dy * (1 + std * noise)

With standard normal noise and std = sqrt(p / (1 - p)), the second has the mean and the
variance of dropout with probability p.

Sources: weight noise Graves, Mohamed & Hinton 2013, arXiv:1303.5778, section 3;
multiplicative noise Srivastava et al. 2014, JMLR 15, section 10.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import elementwise
from minigrad.kernels._arguments import real
from minigrad.kernels._drawn import fitting
from minigrad.kernels._spec import NOTHING, Kernel, expect_float
from minigrad.typing import Array, Result


class Saved(NamedTuple):
    """The noise, which broadcasts to the shape of x, and its scale."""

    noise: Array
    std: float


@elementwise
def _added(xp: Any, x: Array, noise: Array, std: float, **out: Array) -> Array:
    return xp.add(x, noise * std, **out)


@elementwise
def _multiplied(xp: Any, x: Array, noise: Array, std: float, **out: Array) -> Array:
    return xp.multiply(x, noise * std + 1, **out)


def additive_noise(x: Array, noise: Array, *, std: float) -> Result:
    """Add std * noise to x; noise broadcasts to the shape of x."""
    expect_float("additive_noise", x=x)
    std = real("additive_noise", "std", std)
    return _added(x, fitting("additive_noise", "noise", noise, x), std), NOTHING


def multiplicative_noise(x: Array, noise: Array, *, std: float) -> Result:
    """Multiply x by 1 + std * noise; noise broadcasts to the shape of x."""
    expect_float("multiplicative_noise", x=x)
    std = real("multiplicative_noise", "std", std)
    noise = fitting("multiplicative_noise", "noise", noise, x)
    return _multiplied(x, noise, std), Saved(noise, std)


ADDITIVE_KERNEL = Kernel(
    name="additive_noise",
    forward=additive_noise,
    terms={"x": lambda dy, saved: {"direct": dy}, "noise": None},
)
MULTIPLICATIVE_KERNEL = Kernel(
    name="multiplicative_noise",
    forward=multiplicative_noise,
    terms={
        "x": lambda dy, saved: {"direct": _multiplied(dy, *saved)},
        "noise": None,
    },
)
