"""The adapters g of sign, and what stands for one: a name, a curve, a kernel."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, Final

from minigrad.backend import array_module, elementwise
from minigrad.errors import ArgumentError, got
from minigrad.kernels._analytic import at_most, magnitude, within
from minigrad.kernels._arguments import real
from minigrad.kernels._curve import Curve
from minigrad.kernels._gaaf_curves import SOFTSIGN
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array

Adapter = str | Curve | Kernel
"""A name in ADAPTERS, a function with its derivative, or a kernel of one input."""


def clipped(limit: float = 1.0) -> Curve:
    """Give x cut to [-limit, limit], slope 1 to both ends; limit > 0."""
    limit = _positive("clipped", "limit", limit)

    def slope(xp: Any, x: Array, y: Array) -> Array:
        at = xp.real(x)
        return xp.where(at != at, at, xp.abs(at) <= limit)

    return Curve(
        "hardtanh" if limit == 1 else f"hardtanh(limit={limit:g})",
        lambda xp, x: within(xp, x, -limit, limit),
        slope,
        from_x=True,
    )


def scaled_tanh(beta: float = 1.0, height: float = 1.0, name: str = "") -> Curve:
    """Give height * tanh(beta * x); both > 0. The greater beta, the closer to sign."""
    beta = _positive("scaled_tanh", "beta", beta)
    height = _positive("scaled_tanh", "height", height)

    def slope(xp: Any, x: Array, y: Array) -> Array:
        e = xp.exp(magnitude(xp, x) * (-2 * beta))
        root = 1 / (1 + e)
        return e * (root * root) * (4 * beta * height)

    return Curve(
        name or f"tanh(beta={beta:g}, height={height:g})",
        lambda xp, x: xp.tanh(x * beta) * height,
        slope,
        from_x=True,
    )


def _positive(who: str, what: str, value: float) -> float:
    value = real(who, what, value)
    if not 0 < value < math.inf:
        raise ArgumentError(got(who, what, value, "a number > 0"))
    return value


def _ramp(xp: Any, x: Array) -> Array:
    size = at_most(xp, magnitude(xp, x), 2.0)
    straight = at_most(xp, size, 1.0)
    bend = size - straight
    return xp.sign(xp.real(x)) * (straight + bend - bend * bend * 0.5)


def _ramp_slope(xp: Any, x: Array, y: Array) -> Array:
    return within(xp, 2 - magnitude(xp, x), 0.0, 1.0)


def _arctan_slope(xp: Any, x: Array, y: Array) -> Array:
    # Cut, so that the square stays finite in float32.
    at = within(xp, x, -1e18, 1e18) * (math.pi / 2)
    return 1 / (1 + at * at)


def _arctan(xp: Any, x: Array) -> Array:
    y = xp.arctan(xp.real(x) * (math.pi / 2)) * (2 / math.pi)
    if x.dtype.kind == "c":
        # CuPy's arctan takes no complex, and the first order is all that counts.
        y = y + 1j * (xp.imag(x) * _arctan_slope(xp, xp.real(x), y))
    return y


IDENTITY: Final = Curve(
    "identity", lambda xp, x: x + 0, lambda xp, x, y: 1, from_x=True
)
HARDTANH: Final = clipped()
TANH: Final = scaled_tanh(name="tanh")
RAMP: Final = Curve("ramp", _ramp, _ramp_slope, from_x=True)
LECUN_TANH: Final = scaled_tanh(2 / 3, 1.7519, name="lecun_tanh")
SIGMOID: Final = scaled_tanh(1.0, 0.5, name="sigmoid")
ARCTAN: Final = Curve("arctan", _arctan, _arctan_slope, from_x=True)

ADAPTERS: Final = {
    curve.name: curve
    for curve in (
        IDENTITY,
        HARDTANH,
        TANH,
        RAMP,
        LECUN_TANH,
        SIGMOID,
        ARCTAN,
        SOFTSIGN,
    )
}


def curve_of(adapter: object) -> Curve:
    """Return the curve that adapter stands for, unchecked.

    Raises ArgumentError for an unknown name, for a kernel of more than one input, and
    for what is no name, curve or kernel.
    """
    if isinstance(adapter, Curve):
        return adapter
    if isinstance(adapter, Kernel):
        return _of_kernel(adapter)
    if isinstance(adapter, str) and adapter in ADAPTERS:
        return ADAPTERS[adapter]
    rule = f"a Curve, a kernel, or one of {', '.join(map(repr, ADAPTERS))}"
    raise ArgumentError(got("sign", "adapter", repr(adapter), rule))


@functools.lru_cache(maxsize=64)
def _of_kernel(kernel: Kernel) -> Curve:
    """Make a curve of a kernel of one input, with its default parameters."""
    if kernel.arity != 1 or kernel.variadic or kernel.has_constants:
        names = ", ".join(kernel.terms)
        found = f"is the kernel {kernel.name!r} of {names}"
        rule = "one of a single input that has a gradient"
        raise ArgumentError(got("sign", "adapter", found, rule))
    (name,) = kernel.terms

    def slope(xp: Any, x: Array, y: Array) -> Array:
        _, record = kernel.run(x)
        return kernel.backward(name, xp.ones_like(x), record)

    return Curve(
        kernel.name, lambda xp, x: kernel.run(x)[0], slope, whole=True, from_x=True
    )


@functools.lru_cache(maxsize=64)
def adapted(adapter: Curve) -> Callable[[Array, Array], Array]:
    """Build the formula of dy * g'(x); kept, as CuPy compiles it."""
    if adapter.whole:
        return lambda dy, x: dy * slope_of(adapter, x)

    @elementwise
    def product(xp: Any, dy: Array, x: Array, **out: Array) -> Array:
        y: Any = None if adapter.from_x else adapter.function(xp, x)
        return xp.multiply(dy, adapter.derivative(xp, x, y), **out)

    return product


def slope_of(adapter: Curve, x: Array) -> Array:
    """Return dg/dx at x; an array, or a number where it is the same everywhere."""
    xp = array_module(x)
    y = None if adapter.from_x else adapter.value(x)
    return adapter.derivative(xp, x, y)  # type: ignore[arg-type]
