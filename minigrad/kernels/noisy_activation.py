"""Noisy activation: noise where a unit saturates, so that gradient flows there, too.

    y = alpha h(x) + (1 - alpha) u(x) + d(x) sigma(x) noise
    sigma(x) = c (sigmoid(p v(x)) - 1/2)**2,  v = h - u,  d(x) = -sgn(x) sgn(1 - alpha)

u is the tangent of tanh (x) or sigmoid (x / 4 + 1/2) at 0, and h is u cut to the range
of that function. Where h is not cut, v and sigma are 0 and y = u. p is learned; noise
is an input: |standard normal|, or its mean sqrt(2 / pi) in evaluation. The terms of
dL/dx are `hard`, `linear` and `through_sigma`; p has `through_sigma`.

Source: Gulcehre, Moczulski, Denil & Bengio 2016, "Noisy Activation Functions",
arXiv:1603.00391, section 4. Deviation: at alpha = 1, where d would be 0 and no noise
left, it is -sgn(x), as in the authors' code. The slope of h is 0 at both ends.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from minigrad.backend import elementwise
from minigrad.errors import ArgumentError, got
from minigrad.kernels._analytic import logistic, within
from minigrad.kernels._arguments import real
from minigrad.kernels._drawn import fitting
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result, Terms


class Line(NamedTuple):
    """u(x) = slope * x + offset, and the range to which h cuts it."""

    slope: float
    offset: float
    low: float
    high: float


LINES: Final = {
    "tanh": Line(1.0, 0.0, -1.0, 1.0),
    "sigmoid": Line(0.25, 0.5, 0.0, 1.0),
}


class Setting(NamedTuple):
    """The line, alpha, 1 - alpha, and c with the sign that d has at x > 0."""

    slope: float
    offset: float
    low: float
    high: float
    alpha: float
    rest: float
    amplitude: float


class Saved(NamedTuple):
    """x; p and noise, which broadcast to the shape of x; the run's numbers."""

    x: Array
    p: Array
    noise: Array
    setting: Setting


def _line(xp: Any, x: Array, at: Setting) -> tuple[Array, Array, Array]:
    """Compute u, h and where h is cut."""
    u = x * at.slope + at.offset
    real_u = xp.real(u)
    cut = (real_u <= at.low) | (real_u >= at.high)
    return u, within(xp, u, at.low, at.high), cut


def _away(xp: Any, z: Array) -> Array:
    """Compute sigmoid(z) - 0.5; not as that difference, which has no digits near 0."""
    return xp.tanh(z * 0.5) * 0.5


def _tilt(xp: Any, x: Array, z: Array, noise: Array, at: Setting) -> Array:
    """Differentiate d * sigma * noise by z = p * v."""
    direction = xp.sign(xp.real(x)) * at.amplitude
    # sigmoid(-z) is 1 - sigmoid(z) with all its digits.
    bell = logistic(xp, z) * logistic(xp, -z)
    return direction * noise * (_away(xp, z) * bell * 2)


@elementwise
def _noisy(
    xp: Any, x: Array, p: Array, noise: Array, *numbers: float, **out: Array
) -> Array:
    at = Setting(*numbers)
    u, h, _ = _line(xp, x, at)
    away = _away(xp, p * (h - u))
    direction = xp.sign(xp.real(x)) * at.amplitude
    mean = h * at.alpha + u * at.rest
    return xp.add(mean, direction * noise * (away * away), **out)


@elementwise
def _hard(xp: Any, dy: Array, x: Array, *numbers: float, **out: Array) -> Array:
    at = Setting(*numbers)
    _, _, cut = _line(xp, x, at)
    return xp.multiply(dy * ~cut * at.alpha, at.slope, **out)


@elementwise
def _through_sigma(
    xp: Any, dy: Array, x: Array, p: Array, noise: Array, *numbers: float, **out: Array
) -> Array:
    at = Setting(*numbers)
    u, h, cut = _line(xp, x, at)
    tilt = _tilt(xp, x, p * (h - u), noise, at)
    # Where h is cut dv/dx is -slope, elsewhere tilt is 0.
    return xp.multiply(dy, tilt * p * cut * at.slope * -1.0, **out)


@elementwise
def _to_p(
    xp: Any, dy: Array, x: Array, p: Array, noise: Array, *numbers: float, **out: Array
) -> Array:
    at = Setting(*numbers)
    u, h, _ = _line(xp, x, at)
    v = h - u
    tilt = _tilt(xp, x, p * v, noise, at)
    return xp.multiply(dy, tilt * v, **out)


@elementwise
def _dx(
    xp: Any, dy: Array, x: Array, p: Array, noise: Array, *numbers: float, **out: Array
) -> Array:
    at = Setting(*numbers)
    u, h, cut = _line(xp, x, at)
    tilt = _tilt(xp, x, p * (h - u), noise, at)
    # alpha h' + (1 - alpha) u' is the slope, less alpha of it where h is cut. Not 1
    # less what is cut: at alpha = 1 the digits of tilt would be lost against the 1.
    share = (at.rest - tilt * p) * cut + ~cut
    return xp.multiply(dy, share * at.slope, **out)


def _setting(function: str, alpha: float, c: float) -> Setting:
    line = LINES.get(function) if isinstance(function, str) else None
    if line is None:
        rule = f"one of {', '.join(map(repr, LINES))}"
        raise ArgumentError(got("noisy_activation", "function", repr(function), rule))
    alpha = real("noisy_activation", "alpha", alpha)
    c = real("noisy_activation", "c", c)
    return Setting(*line, alpha, 1 - alpha, c if alpha > 1 else -c)


def forward(
    x: Array,
    p: Array,
    noise: Array,
    *,
    function: str = "tanh",
    alpha: float = 1.15,
    c: float = 0.5,
) -> Result:
    """Activate x; p and noise broadcast to its shape.

    function is "tanh" or "sigmoid". With alpha > 1 the noise pushes away from 0, with
    alpha <= 1 towards it; c scales it.
    """
    expect_float("noisy_activation", x=x, p=p)
    setting = _setting(function, alpha, c)
    noise = fitting("noisy_activation", "noise", noise, x)
    fitting("noisy_activation", "p", p, x)
    saved = Saved(x, p, noise, setting)
    return _noisy(*_given(saved)), saved


def _given(saved: Saved) -> tuple[Any, ...]:
    """List what the formulas take; one p is made 0-d, so that they run in blocks."""
    x, p, noise, setting = saved
    return x, p.reshape(()) if p.size == 1 else p, noise, *setting


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Split by what carries the gradient: h, its line u, or the size of the noise."""
    at = saved.setting
    return {
        "hard": _hard(dy, saved.x, *at),
        "linear": dy * (at.rest * at.slope),
        "through_sigma": _through_sigma(dy, *_given(saved)),
    }


KERNEL = Kernel(
    name="noisy_activation",
    forward=forward,
    terms={
        "x": x_terms,
        "p": lambda dy, saved: {"through_sigma": _to_p(dy, *_given(saved))},
        "noise": None,
    },
    fused={"x": lambda dy, saved: _dx(dy, *_given(saved))},
)
