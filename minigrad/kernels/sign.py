"""Hard threshold with a gradient adapter: y = sign(x), and dx = dy g'(x).

The derivative of sign is 0 almost everywhere, and nothing below it would learn. An
adapter g has the sign of x, so that sign(g(x)) is sign(x): the value does not depend on
g. Backward takes the sign as the identity, and g as what it is. `gradient_of` declares
that: the rule is the derivative of g, to which the checker holds it.

sign(0) is 0, or what `zero` says; sign(NaN) is NaN. See kernels.adapters for the
functions g.

Source: Li, Ni, Sheng & Zhao 2019, "Gradient Adapter for Hard-Threshold Deep Neural
Networks", section 3.1.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from minigrad.backend import elementwise
from minigrad.errors import ArgumentError, got
from minigrad.kernels._adapter_check import adapter_of
from minigrad.kernels._adapters import Adapter, slope_of
from minigrad.kernels._arguments import is_real
from minigrad.kernels._curve import Curve
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result

ZEROS: Final = (0, -1, 1)
"""What sign(0) may be: 0 in the paper, -1 in the code of those it compares with."""


class Saved(NamedTuple):
    """x, and the adapter whose slope is taken there."""

    x: Array
    adapter: Curve


@elementwise
def _sign(xp: Any, x: Array, **out: Array) -> Array:
    return xp.sign(xp.real(x), **out)


@elementwise
def _sign_of_zero(xp: Any, x: Array, zero: float, **out: Array) -> Array:
    sign = xp.sign(xp.real(x))
    return xp.where(sign == 0, zero, sign)


@functools.lru_cache(maxsize=64)
def _adapted(adapter: Curve) -> Callable[[Array, Array], Array]:
    """Build dy * g'(x); kept, as CuPy compiles it."""
    if adapter.whole:
        return lambda dy, x: dy * slope_of(adapter, x)

    @elementwise
    def adapted(xp: Any, dy: Array, x: Array, **out: Array) -> Array:
        y: Any = None if adapter.from_x else adapter.function(xp, x)
        return xp.multiply(dy, adapter.derivative(xp, x, y), **out)

    return adapted


def forward(x: Array, *, adapter: Adapter = "tanh", zero: int = 0) -> Result:
    """Take -1, `zero` or 1: the sign of x, element by element."""
    expect_float("sign", x=x)
    if not is_real(zero) or zero not in ZEROS:
        raise ArgumentError(got("sign", "zero", repr(zero), "0, -1 or 1"))
    y = _sign_of_zero(x, zero) if zero else _sign(x)
    return y, Saved(x, adapter_of(adapter))


def adapted_value(x: Array, *, adapter: Adapter = "tanh", zero: int = 0) -> Array:
    """Compute g(x), whose derivative the rule is."""
    return adapter_of(adapter).value(x)


KERNEL = Kernel(
    name="sign",
    forward=forward,
    terms={
        "x": lambda dy, saved: {"adapter": _adapted(saved.adapter)(dy, saved.x)},
    },
    gradient_of=adapted_value,
)
