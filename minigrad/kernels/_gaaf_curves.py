"""The activations phi of GAAF, the shapes s, and which shape goes with which phi.

Activations have the values of the kernels of the same name, to the bit, with their
default parameters; softsign is x / (1 + |x|). Shapes lie in [0, 1].
"""

from __future__ import annotations

import math
from typing import Any, Final

from minigrad.backend import special
from minigrad.kernels._analytic import at_least, at_most, logistic, magnitude, within
from minigrad.kernels._curve import Curve
from minigrad.typing import Array

FLAT: Final = 40.0
"""Further out the normal distribution is 0 or 1."""

FAR: Final = 1000.0
"""Further out sigmoid is 0 or 1 in every dtype."""

DENSITY: Final = 1 / math.sqrt(2 * math.pi)
"""Of the normal distribution at 0."""


# -- activations -----------------------------------------------------------------------


def _leaky_relu(xp: Any, x: Array) -> Array:
    return at_least(xp, x, 0) + 0.01 * at_most(xp, x, 0)


def _elu(xp: Any, x: Array) -> Array:
    return at_least(xp, x, 0) + xp.expm1(at_most(xp, x, 0))


def _softplus(xp: Any, x: Array) -> Array:
    line = at_least(xp, x, 0)
    bend = xp.log1p(xp.exp(at_most(xp, x, 0) - line))
    return line + bend * (xp.real(x) <= 20.0)


def _softplus_slope(xp: Any, x: Array, y: Array) -> Array:
    far = xp.real(x) > 20.0
    return logistic(xp, x) * ~far + far


def _silu(xp: Any, x: Array) -> Array:
    return at_least(xp, x, -FAR) * logistic(xp, x)


def _silu_slope(xp: Any, x: Array, y: Array) -> Array:
    gate = logistic(xp, x)
    # Cut, so that infinity times 0 is 0.
    return gate + within(xp, x, -FAR, FAR) * (gate * (1 - gate))


def _gelu(xp: Any, x: Array) -> Array:
    real = xp.real(x)
    gate = special(real).ndtr(real).astype(real.dtype, copy=False)
    if x.dtype.kind == "c":
        # CuPy's ndtr takes no complex, and the first order is all that a step of 1e-30
        # off the axis can show.
        gate = gate + 1j * (xp.imag(x) * (xp.exp(-0.5 * real * real) * DENSITY))
    return at_least(xp, x, -FAR) * gate


def _gelu_slope(xp: Any, x: Array, y: Array) -> Array:
    real, near = xp.real(x), within(xp, x, -FLAT, FLAT)
    small, far = xp.abs(real) < 1e-3, real > FLAT
    # Formulas have no ndtr: it is y / x, where that is no 0 / 0 or inf / inf.
    series = 0.5 + near * (1 - near * near / 6) * DENSITY
    ratio = y / xp.where(small | far, 1, x)
    gate = xp.where(far, 1, xp.where(small, series, ratio))
    return gate + near * (xp.exp(-0.5 * near * near) * DENSITY)


def _softsign(xp: Any, x: Array) -> Array:
    # Cut, so that infinity gives 1; nothing is 1 + 1e30 in floats.
    x = within(xp, x, -1e30, 1e30)
    return x / (1 + magnitude(xp, x))


def _softsign_slope(xp: Any, x: Array, y: Array) -> Array:
    root = 1 / (1 + magnitude(xp, x))
    return root * root


TANH: Final = Curve("tanh", lambda xp, x: xp.tanh(x), lambda xp, x, y: 1 - y * y)
RELU: Final = Curve(
    "relu", lambda xp, x: at_least(xp, x, 0), lambda xp, x, y: xp.real(x) > 0
)
SIGMOID: Final = Curve("sigmoid", logistic, lambda xp, x, y: y * (1 - y))
LEAKY_RELU: Final = Curve(
    "leaky_relu",
    _leaky_relu,
    lambda xp, x, y: at_least(xp, xp.sign(xp.real(x)), 0.01),
)
ELU: Final = Curve("elu", _elu, lambda xp, x, y: xp.exp(at_most(xp, x, 0)))
SOFTPLUS: Final = Curve("softplus", _softplus, _softplus_slope)
SILU: Final = Curve("silu", _silu, _silu_slope)
GELU: Final = Curve("gelu", _gelu, _gelu_slope, whole=True)
HARDTANH: Final = Curve(
    "hardtanh",
    lambda xp, x: within(xp, x, -1.0, 1.0),
    lambda xp, x, y: xp.abs(xp.real(y)) < 1,
)
SOFTSIGN: Final = Curve("softsign", _softsign, _softsign_slope, from_x=True)


# -- shapes ----------------------------------------------------------------------------


def gaussian(c: float = 3.0) -> Curve:
    """Give exp(-x**2 / c): a bump, the shape for tanh."""
    c = float(c)  # A NumPy scalar would widen float32.
    return Curve(
        f"gaussian(c={c:g})",
        lambda xp, x: xp.exp(x * x * (-1 / c)),
        # x * s first: x alone times -2 / c may be infinite where s is 0.
        lambda xp, x, s: x * s * (-2 / c),
    )


def shifted_sigmoid(a: float = 4.0, b: float = 1.0) -> Curve:
    """Give sigmoid(b * (x + a)): a step at -a, the shape for relu."""
    a, b = float(a), float(b)
    return Curve(
        f"sigmoid(a={a:g}, b={b:g})",
        lambda xp, x: logistic(xp, (x + a) * b),
        lambda xp, x, s: s * (1 - s) * b,
    )


def laplace(c: float = 1.0) -> Curve:
    """Give exp(-|x| / c); slope 0 at 0."""
    c = float(c)
    return Curve(
        f"laplace(c={c:g})",
        lambda xp, x: xp.exp(magnitude(xp, x) * (-1 / c)),
        lambda xp, x, s: xp.sign(xp.real(x)) * (-1 / c) * s,
    )


GAUSSIAN: Final = gaussian()
SHIFTED_SIGMOID: Final = shifted_sigmoid()
LAPLACE: Final = laplace()
ONE: Final = Curve("one", lambda xp, x: x * 0 + 1, lambda xp, x, s: x * 0)

SHAPES: Final = {
    "gaussian": GAUSSIAN,
    "sigmoid": SHIFTED_SIGMOID,
    "laplace": LAPLACE,
    "one": ONE,
}
RECOMMENDED: Final = {
    # Saturates on both sides; its slope falls to 0.01 at |x| = 3.
    TANH: GAUSSIAN,
    # On both sides, from |x| = 1 on, where tanh bends.
    HARDTANH: GAUSSIAN,
    # On both sides, twice as far out as tanh: exp(-(x / 2)**2 / 3).
    SIGMOID: gaussian(12.0),
    # On both sides, three times as far out: its slope falls to 0.01 at |x| = 9.
    SOFTSIGN: gaussian(27.0),
    # On the left, from 0 on.
    RELU: SHIFTED_SIGMOID,
    # On the left next to it: the slope there is 0.01.
    LEAKY_RELU: SHIFTED_SIGMOID,
    # On the left: the slopes of elu and softplus fall to 0.02 at x = -4.
    ELU: SHIFTED_SIGMOID,
    SOFTPLUS: SHIFTED_SIGMOID,
    # On the left, where the slope rises from a little below 0 back to it.
    SILU: SHIFTED_SIGMOID,
    GELU: SHIFTED_SIGMOID,
}
"""Activation -> the shape that goes with it: it passes on which side phi saturates."""

ACTIVATIONS: Final = {curve.name: curve for curve in RECOMMENDED}
