"""Gradient acceleration in activation functions: y = phi(x) + g(x) * s(x).

    g(x) = (x k - floor(x k) - 0.5) / k        eq. 7: a sawtooth, |g| <= 0.5 / k, g' = 1
    dx = dy (phi'(x) + s(x) + g(x) s'(x))      from eq. 8

The value is phi's but for 0.5 / k, and the slope is phi' + s: where phi saturates, the
gradient still flows if the shape s lets it. g' is 1 at the jumps, too: this is the
slope between them, not the mean slope of y, which is phi'.

Source: Hahn & Choi 2019, "Understanding Dropout as an Optimization Trick",
arXiv:1806.09783, eqs. 7-8. The paper draws its shapes without formulas; those here are
read off its figure 5. Deviations: g = 0 where x k is not finite; half precision and
integers are computed in float32.

A float32 x k has one bit behind the point from 2**22 on, and none from 2**23 on: there
g is -0.5 / k or 0, and then -0.5 / k for every x. The slope does not change with that.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy

from minigrad.backend import array_module, elementwise
from minigrad.errors import ArgumentError, got
from minigrad.kernels._analytic import within
from minigrad.kernels._arguments import is_real
from minigrad.kernels._curve import Curve
from minigrad.kernels._gaaf_curves import (
    ACTIVATIONS,
    ELU,
    GAUSSIAN,
    GELU,
    HARDTANH,
    LAPLACE,
    LEAKY_RELU,
    ONE,
    RECOMMENDED,
    RELU,
    SHAPES,
    SHIFTED_SIGMOID,
    SIGMOID,
    SILU,
    SOFTPLUS,
    SOFTSIGN,
    TANH,
    gaussian,
    laplace,
    shifted_sigmoid,
)
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array, Result, Terms

__all__ = [
    "ACTIVATIONS",
    "ELU",
    "GAUSSIAN",
    "GELU",
    "HARDTANH",
    "KERNEL",
    "LAPLACE",
    "LEAKY_RELU",
    "MODES",
    "ONE",
    "RECOMMENDED",
    "RELU",
    "SHAPES",
    "SHIFTED_SIGMOID",
    "SIGMOID",
    "SILU",
    "SOFTPLUS",
    "SOFTSIGN",
    "TANH",
    "Curve",
    "gaussian",
    "laplace",
    "shifted_sigmoid",
]

MODES: Final = ("exact", "backward_only")
MIN_K: Final = 1e-30
MAX_K: Final = 1e30
"""Beyond these g leaves float32's range, or x k does where s is not yet at its end."""


class Saved(NamedTuple):
    """x and the slope phi' + s + g s', both of x's shape, and what they came from."""

    x: Array
    slope: Array
    activation: Curve
    shape: Curve
    k: float


class Parts(NamedTuple):
    """x, x cut to where x k is finite, and phi, s, g there."""

    x: Array
    near: Array
    phi: Array
    s: Array
    g: Array


@elementwise
def _near(xp: Any, x: Array, low: float, high: float, **out: Array) -> Array:
    return within(xp, x, low, high, **out)


@elementwise
def _sawtooth(xp: Any, x: Array, near: Array, k: float, **out: Array) -> Array:
    scaled = near * k
    # floor of the real part: the derivative is 1 everywhere, as eq. 8 takes it.
    centred = scaled - xp.floor(xp.real(scaled)) - 0.5
    return xp.divide(centred * (xp.real(near) == xp.real(x)), k, **out)


@elementwise
def _accelerated(xp: Any, phi: Array, g: Array, s: Array, **out: Array) -> Array:
    return xp.add(phi, g * s, **out)


def _parts(x: Array, activation: Curve, shape: Curve, k: float) -> Parts:
    # A hair less than the largest x whose x k is finite.
    bound = float(numpy.finfo(x.dtype).max) * (1 - 1e-6) / max(k, 1.0)
    near = _near(x, -bound, bound)
    g = _sawtooth(x, near, k)
    return Parts(x, near, activation.value(x), shape.value(near), g)


@functools.lru_cache(maxsize=64)
def _slope(activation: Curve, shape: Curve) -> Callable[..., Array]:
    """Build the formula of phi' + s + g s'; kept, as CuPy compiles it."""

    @elementwise
    def slope(
        xp: Any, x: Array, near: Array, phi: Array, s: Array, g: Array, **out: Array
    ) -> Array:
        tilt = g * shape.derivative(xp, near, s)
        return xp.add(activation.derivative(xp, x, phi) + s, tilt, **out)

    return slope


def forward(
    x: Array,
    *,
    activation: Curve = TANH,
    shape: Curve = GAUSSIAN,
    k: float = 1e4,
    mode: str = "exact",
) -> Result:
    """Activate x and give the sawtooth on top; `mode="backward_only"` leaves it out.

    k teeth per unit of x, from 1e-30 to 1e30. The backward is the same in both modes.
    """
    if not (is_real(k) and MIN_K <= k <= MAX_K):
        raise ArgumentError(got("gaaf", "k", repr(k), f"{MIN_K} <= k <= {MAX_K}"))
    if mode not in MODES:
        raise ArgumentError(got("gaaf", "mode", repr(mode), f"one of {MODES}"))
    dtype = x.dtype
    half = dtype.itemsize == 2 and dtype.kind not in "iu"
    if half or dtype.kind not in "fc":
        # float16 has no x k beyond 6.55.
        x = x.astype("float32")
    parts = _parts(x, activation, shape, k)
    y = parts.phi
    if mode == "exact":
        y = _accelerated(y, parts.g, parts.s)
    if half:
        y = y.astype(dtype)
    slope = _slope(activation, shape)(*parts)
    return y, Saved(x, slope, activation, shape, k)


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Split by what is differentiated: phi, the sawtooth g, or the shape s."""
    xp = array_module(dy)
    x, _, activation, shape, k = saved
    _, near, phi, s, g = _parts(x, activation, shape, k)
    return {
        "activation": dy * activation.derivative(xp, x, phi),
        "acceleration": dy * s,
        "shape": dy * (g * shape.derivative(xp, near, s)),
    }


def exact(x: Array, **params: Any) -> Array:
    """Compute phi + g s in either mode: the terms are its derivative."""
    params["mode"] = "exact"
    return forward(x, **params)[0]


KERNEL = Kernel(
    name="gaaf",
    forward=forward,
    terms={"x": x_terms},
    fused={"x": lambda dy, saved: dy * saved.slope},
    gradient_of=exact,
)
