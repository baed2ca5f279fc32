"""Hard threshold that learns from targets: feasible target propagation, FTP.

    y = sign(z),  t = sign(-dy),  dz = dl(z, t)/dz |dy|  or, unscaled,  dl(z, t)/dz / B

Backward asks each unit for the sign t that would lower the loss, and follows a layer
loss l that is small where sign(z) is t. B is the length of z's first axis.

    soft_hinge       1 + tanh(-t z): FTP-SH
    truncated_hinge  min(2, max(0, 1 - t z))
    hinge            max(0, 1 - t z)
    perceptron       max(0, -t z)
    log              log(1 + exp(-t z))
    square           (1 - t z)**2

Scaled, the first two are kernels.sign with the adapter "tanh", bit for bit, and with
"hardtanh", but for z = -t, where their slope is 0. The others depend on the sign of dy:
no function has these as its derivative, so the rules declare that they are none.

Source: Friesen & Domingos 2018, arXiv:1710.11573, section 3 and the published code,
where sign(0) is -1. Slopes at kinks are those on the side of the unit that is wrong.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy

from minigrad.backend import elementwise
from minigrad.errors import ArgumentError, got
from minigrad.kernels._adapters import TANH
from minigrad.kernels._analytic import logistic
from minigrad.kernels._spec import NOT_A_GRADIENT, Kernel
from minigrad.kernels._threshold import hard_sign
from minigrad.typing import Array, Result

Slope = Callable[[Any, Array, Array], Array]
"""(xp, z, t) -> dl/dz."""


class Saved(NamedTuple):
    """z, the layer loss's name, and whether its slope is scaled by |dy|."""

    z: Array
    loss: str
    scale: bool


def _soft_hinge(xp: Any, z: Array, t: Array) -> Array:
    return -t * TANH.derivative(xp, z, z)


def _where(xp: Any, z: Array, held: Array, t: Array) -> Array:
    """-t where held, else 0; NaN where z is."""
    at = xp.real(z)
    return -t * xp.where(at != at, at, held)


def _truncated_hinge(xp: Any, z: Array, t: Array) -> Array:
    margin = xp.real(z) * t
    return _where(xp, z, (margin > -1) & (margin <= 1), t)


def _hinge(xp: Any, z: Array, t: Array) -> Array:
    return _where(xp, z, xp.real(z) * t <= 1, t)


def _perceptron(xp: Any, z: Array, t: Array) -> Array:
    return _where(xp, z, xp.real(z) * t <= 0, t)


def _log(xp: Any, z: Array, t: Array) -> Array:
    return -t * logistic(xp, -z * t)


def _square(xp: Any, z: Array, t: Array) -> Array:
    return -t * (1 - z * t) * 2


LOSSES: Final[dict[str, Slope]] = {
    "soft_hinge": _soft_hinge,
    "truncated_hinge": _truncated_hinge,
    "hinge": _hinge,
    "perceptron": _perceptron,
    "log": _log,
    "square": _square,
}


@functools.cache
def _rule(loss: str, scale: bool) -> Callable[..., Array]:
    """Build the formula of a loss; kept, as CuPy compiles it."""
    slope = LOSSES[loss]

    @elementwise
    def rule(xp: Any, dy: Array, z: Array, batch: float, **out: Array) -> Array:
        # 0 where nothing is asked for.
        t = xp.sign(-xp.real(dy))
        if scale:
            return xp.multiply(slope(xp, z, t), -dy * t, **out)
        return xp.divide(slope(xp, z, t), batch, **out)

    return rule


def forward(
    x: Array, *, loss: str = "soft_hinge", scale: bool = True, zero: int = -1
) -> Result:
    """Take the sign of x, element by element; the sign of 0 is zero."""
    if not isinstance(loss, str) or loss not in LOSSES:
        rule = f"one of {', '.join(map(repr, LOSSES))}"
        raise ArgumentError(got("feasible_target", "loss", repr(loss), rule))
    if not isinstance(scale, bool | numpy.bool_):
        rule = "True or False"
        raise ArgumentError(got("feasible_target", "scale", repr(scale), rule))
    y = hard_sign("feasible_target", x, zero)
    return y, Saved(x, loss, bool(scale))


def _target(dy: Array, saved: Saved) -> Array:
    z = saved.z
    return _rule(saved.loss, saved.scale)(dy, z, float(len(z) if z.ndim else 1))


KERNEL = Kernel(
    name="feasible_target",
    forward=forward,
    terms={"x": lambda dy, saved: {"target": _target(dy, saved)}},
    gradient_of=NOT_A_GRADIENT,
)
