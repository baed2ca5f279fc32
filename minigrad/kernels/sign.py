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

from typing import NamedTuple

from minigrad.kernels._adapter_check import adapter_of
from minigrad.kernels._adapters import Adapter, adapted
from minigrad.kernels._curve import Curve
from minigrad.kernels._spec import Kernel
from minigrad.kernels._threshold import hard_sign
from minigrad.typing import Array, Result


class Saved(NamedTuple):
    """x, and the adapter whose slope is taken there."""

    x: Array
    adapter: Curve


def forward(x: Array, *, adapter: Adapter = "tanh", zero: int = 0) -> Result:
    """Take -1, `zero` or 1: the sign of x, element by element."""
    y = hard_sign("sign", x, zero)
    return y, Saved(x, adapter_of(adapter))


def adapted_value(x: Array, *, adapter: Adapter = "tanh", zero: int = 0) -> Array:
    """Compute g(x), whose derivative the rule is."""
    return adapter_of(adapter).value(x)


KERNEL = Kernel(
    name="sign",
    forward=forward,
    terms={
        "x": lambda dy, saved: {"adapter": adapted(saved.adapter)(dy, saved.x)},
    },
    gradient_of=adapted_value,
)
