"""Gated activations: y = x * gate(x), where the gate rises from 0 to 1.

    silu: gate = 1 / (1 + exp(-x))    gelu: gate = Phi(x), the normal distribution's
    gelu_tanh: gate = 0.5 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3)))

The gradient has the two terms of the product: `direct`, dy * gate, and `through_gate`,
dy * x * gate'(x). Infinite x gives the limits (PyTorch: NaN), NaN gives NaN.

Sources: GELU Hendrycks & Gimpel 2016, arXiv:1606.08415; SiLU Elfwing, Uchibe & Doya
2018, arXiv:1702.03118.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from minigrad.backend import array_module, elementwise, special
from minigrad.kernels._analytic import at_least, logistic, within
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result, Terms

FLAT: Final = 40.0
"""From here on both gelus' gates are 0 or 1; 40**3 is finite in float16."""

EMPTY_TAIL: Final = 1000.0
"""From here on silu's gate is 0 or 1 in every dtype."""

ROOT: Final = math.sqrt(2 / math.pi)
CUBIC: Final = 0.044715


class Saved(NamedTuple):
    """The input x, and gate of its shape."""

    x: Array
    gate: Array


@elementwise
def _gated(xp: Any, x: Array, gate: Array, **out: Array) -> Array:
    return xp.multiply(at_least(xp, x, -EMPTY_TAIL), gate, **out)


@elementwise
def _silu_gate(xp: Any, x: Array, **out: Array) -> Array:
    return logistic(xp, x, **out)


def _silu_through(xp: Any, x: Array, gate: Array) -> Array:
    # Cut, so that infinity times 0 is 0.
    return within(xp, x, -EMPTY_TAIL, EMPTY_TAIL) * (gate * (1 - gate))


def silu(x: Array) -> Result:
    """Gate x by its sigmoid."""
    expect_float("silu", x=x)
    gate = _silu_gate(x)
    return _gated(x, gate), Saved(x, gate)


def _normal_distribution(x: Array) -> Array:
    """Phi(x); a complex x must be near the real axis."""
    if x.dtype.kind == "c":
        # CuPy's ndtr takes no complex, and the first order is all that a step of 1e-30
        # off the axis can show.
        real, step = x.real, x.imag
        slope = array_module(x).exp(-0.5 * real * real) * (0.5 * ROOT)
        return special(real).ndtr(real) + 1j * (step * slope)
    return special(x).ndtr(x).astype(x.dtype, copy=False)


def _gelu_through(xp: Any, x: Array, gate: Array) -> Array:
    x = within(xp, x, -FLAT, FLAT)
    return x * (xp.exp(-0.5 * x * x) * (0.5 * ROOT))


def gelu(x: Array) -> Result:
    """Gate x by the probability that a standard normal variable is below it."""
    expect_float("gelu", x=x)
    gate = _normal_distribution(x)
    return _gated(x, gate), Saved(x, gate)


@elementwise
def _gelu_tanh_gate(xp: Any, x: Array, **out: Array) -> Array:
    # 0.5 * (1 + tanh(u)) = 1 / (1 + exp(-2 u)), which keeps its digits for x < 0.
    x = within(xp, x, -FLAT, FLAT)
    return logistic(xp, 2 * ROOT * (x + CUBIC * (x * x * x)), **out)


def _gelu_tanh_through(xp: Any, x: Array, gate: Array) -> Array:
    x = within(xp, x, -FLAT, FLAT)
    return x * (1 + 3 * CUBIC * (x * x)) * (2 * ROOT * (gate * (1 - gate)))


def gelu_tanh(x: Array) -> Result:
    """Gate x by the approximation of Phi(x) by tanh."""
    expect_float("gelu_tanh", x=x)
    gate = _gelu_tanh_gate(x)
    return _gated(x, gate), Saved(x, gate)


def _kernel(
    name: str,
    forward: Callable[[Array], Result],
    through: Callable[[Any, Array, Array], Array],
) -> Kernel:
    """Build a kernel from its forward and its formula x * gate'(x)."""

    @elementwise
    def through_gate(xp: Any, dy: Array, x: Array, gate: Array, **out: Array) -> Array:
        return xp.multiply(dy, through(xp, x, gate), **out)

    @elementwise
    def both(xp: Any, dy: Array, x: Array, gate: Array, **out: Array) -> Array:
        return xp.multiply(dy, gate + through(xp, x, gate), **out)

    def x_terms(dy: Array, saved: Saved) -> Terms:
        return {"direct": dy * saved.gate, "through_gate": through_gate(dy, *saved)}

    return Kernel(
        name=name,
        forward=forward,
        terms={"x": x_terms},
        fused={"x": lambda dy, saved: both(dy, *saved)},
    )


SILU_KERNEL = _kernel("silu", silu, _silu_through)
GELU_KERNEL = _kernel("gelu", gelu, _gelu_through)
GELU_TANH_KERNEL = _kernel("gelu_tanh", gelu_tanh, _gelu_tanh_through)
