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
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, Self

import numpy

from minigrad.backend import array_module, elementwise
from minigrad.errors import ArgumentError, got
from minigrad.kernels._analytic import at_least, logistic, magnitude, within
from minigrad.kernels._arguments import is_real
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array, Result, Terms

MODES: Final = ("exact", "backward_only")


@dataclass(frozen=True, eq=False)
class Curve:
    """A function of one variable together with its derivative.

    Both are made of ufuncs of xp, `where` and `real` only, and branch on `xp.real(x)`.

    Attributes:
        name: what it is called in reports.
        function: (xp, x) -> a new array y.
        derivative: (xp, x, y) -> dy/dx, where y is what function gave.
    """

    name: str
    function: Callable[[Any, Array], Array]
    derivative: Callable[[Any, Array, Array], Any]
    value: Callable[[Array], Array] = field(init=False, repr=False)
    """function, evaluated the fast way of the array's backend."""

    def __copy__(self) -> Self:
        """Return itself: curves do not change, RECOMMENDED knows them by identity."""
        return self

    def __deepcopy__(self, memo: object) -> Self:
        """Return itself."""
        return self

    def __post_init__(self) -> None:
        def formula(xp: Any, x: Array, **out: Array) -> Array:
            # exp(-x**2) is 0 where x**2 is inf: no cause to warn.
            with numpy.errstate(over="ignore"):
                return self.function(xp, x)

        object.__setattr__(self, "value", elementwise(formula))


TANH: Final = Curve("tanh", lambda xp, x: xp.tanh(x), lambda xp, x, y: 1 - y * y)
RELU: Final = Curve(
    "relu", lambda xp, x: at_least(xp, x, 0), lambda xp, x, y: xp.real(x) > 0
)
SIGMOID: Final = Curve("sigmoid", logistic, lambda xp, x, y: y * (1 - y))


def gaussian(c: float = 3.0) -> Curve:
    """Give exp(-x**2 / c): a bump, the shape for tanh."""
    c = float(c)  # A NumPy scalar would widen float32.
    return Curve(
        f"gaussian(c={c:g})",
        lambda xp, x: xp.exp(x * x * (-1 / c)),
        lambda xp, x, s: x * (-2 / c) * s,
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

ACTIVATIONS: Final = {"tanh": TANH, "relu": RELU, "sigmoid": SIGMOID}
SHAPES: Final = {
    "gaussian": GAUSSIAN,
    "sigmoid": SHIFTED_SIGMOID,
    "laplace": LAPLACE,
    "one": ONE,
}
RECOMMENDED: Final = {
    TANH: GAUSSIAN,
    RELU: SHIFTED_SIGMOID,
    # Sigmoid saturates twice as far out as tanh: exp(-(x / 2)**2 / 3).
    SIGMOID: gaussian(12.0),
}
"""Activation -> the shape that goes with it."""


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

    k > 0 teeth per unit of x. The backward is the same in both modes.
    """
    if not (is_real(k) and 0 < k < math.inf):
        raise ArgumentError(got("gaaf", "k", repr(k), "0 < k < inf"))
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
