"""Activations: y = phi(x) element by element, with the values PyTorch gives.

    relu: max(x, 0)                      sigmoid: 1 / (1 + exp(-x))
    leaky_relu: x or negative_slope * x  tanh: tanh(x)
    elu: x or alpha * (exp(x) - 1)       softplus: log(1 + exp(beta * x)) / beta
    hardtanh: x cut to [min_val, max_val]

Slopes at kinks, as in PyTorch: at 0 relu has 0, leaky_relu negative_slope, elu alpha;
hardtanh has 0 at both ends. Infinite x gives the limits, NaN gives NaN. x is a float.
A branch of slope 0 gives the gradient 0, be dy infinite; at NaN relu, elu and hardtanh
pass dy on.

Source of elu: Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import elementwise
from minigrad.errors import ArgumentError
from minigrad.kernels._analytic import at_least, at_most, logistic, unless, within
from minigrad.kernels._arguments import is_real, real
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result


class SavedY(NamedTuple):
    """The result y."""

    y: Array


class SavedSlope(NamedTuple):
    """The input x, and the parameter of the part that is not x."""

    x: Array
    slope: float


class SavedEnds(NamedTuple):
    """The result y, and where it was cut."""

    y: Array
    min_val: float
    max_val: float


class SavedSoftplus(NamedTuple):
    """The input x, the sharpness, and the beta * x from which y is x."""

    x: Array
    beta: float
    threshold: float


@elementwise
def _relu(xp: Any, x: Array, **out: Array) -> Array:
    return at_least(xp, x, 0, **out)


@elementwise
def _where_positive(xp: Any, dy: Array, y: Array, **out: Array) -> Array:
    return unless(xp, xp.real(y) <= 0, dy, **out)


def relu(x: Array) -> Result:
    """Take the greater of x and 0."""
    expect_float("relu", x=x)
    y = _relu(x)
    # y > 0 where x > 0, and the next layer keeps y anyway.
    return y, SavedY(y)


@elementwise
def _leaky_relu(xp: Any, x: Array, slope: float, **out: Array) -> Array:
    return xp.add(at_least(xp, x, 0), slope * at_most(xp, x, 0), **out)


@elementwise
def _leaky_slope(xp: Any, dy: Array, x: Array, slope: float, **out: Array) -> Array:
    positive = xp.real(x) > 0
    above = unless(xp, ~positive, dy)
    return xp.add(above, unless(xp, positive, dy * slope), **out)


def leaky_relu(x: Array, *, negative_slope: float = 0.01) -> Result:
    """Scale x by negative_slope where x <= 0."""
    expect_float("leaky_relu", x=x)
    slope = real("leaky_relu", "negative_slope", negative_slope)
    return _leaky_relu(x, slope), SavedSlope(x, slope)


@elementwise
def _elu(xp: Any, x: Array, alpha: float, **out: Array) -> Array:
    below = alpha * xp.expm1(at_most(xp, x, 0))
    return xp.add(at_least(xp, x, 0), below, **out)


@elementwise
def _elu_slope(xp: Any, dy: Array, x: Array, alpha: float, **out: Array) -> Array:
    negative = xp.real(x) <= 0
    below = unless(xp, ~negative, dy * (alpha * xp.exp(at_most(xp, x, 0))))
    return xp.add(below, unless(xp, negative, dy), **out)


def elu(x: Array, *, alpha: float = 1.0) -> Result:
    """Bend x <= 0 to alpha * (exp(x) - 1)."""
    expect_float("elu", x=x)
    alpha = real("elu", "alpha", alpha)
    return _elu(x, alpha), SavedSlope(x, alpha)


@elementwise
def _sigmoid(xp: Any, x: Array, **out: Array) -> Array:
    return logistic(xp, x, **out)


@elementwise
def _sigmoid_slope(xp: Any, dy: Array, y: Array, **out: Array) -> Array:
    return xp.multiply(dy, y * (1 - y), **out)


def sigmoid(x: Array) -> Result:
    """Map x to (0, 1)."""
    expect_float("sigmoid", x=x)
    y = _sigmoid(x)
    return y, SavedY(y)


@elementwise
def _tanh(xp: Any, x: Array, **out: Array) -> Array:
    return xp.tanh(x, **out)


@elementwise
def _tanh_slope(xp: Any, dy: Array, y: Array, **out: Array) -> Array:
    return xp.multiply(dy, 1 - y * y, **out)


def tanh(x: Array) -> Result:
    """Map x to (-1, 1)."""
    expect_float("tanh", x=x)
    y = _tanh(x)
    return y, SavedY(y)


@elementwise
def _hardtanh(xp: Any, x: Array, low: float, high: float, **out: Array) -> Array:
    return within(xp, x, low, high, **out)


@elementwise
def _where_inside(
    xp: Any, dy: Array, y: Array, low: float, high: float, **out: Array
) -> Array:
    y = xp.real(y)
    return unless(xp, (y <= low) | (y >= high), dy, **out)


def hardtanh(x: Array, *, min_val: float = -1.0, max_val: float = 1.0) -> Result:
    """Cut x to [min_val, max_val]."""
    expect_float("hardtanh", x=x)
    low, high = (
        real("hardtanh", "min_val", min_val),
        real("hardtanh", "max_val", max_val),
    )
    if not low <= high:
        raise ArgumentError(
            f"hardtanh: min_val {min_val}, expected at most max_val {max_val}"
        )
    y = _hardtanh(x, low, high)
    return y, SavedEnds(y, low, high)


@elementwise
def _softplus(xp: Any, x: Array, beta: float, threshold: float, **out: Array) -> Array:
    scaled = beta * x
    # max(z, 0) + log(1 + exp(-|z|)): the plain log(1 + exp(z)) overflows.
    line = at_least(xp, scaled, 0)
    bend = xp.log1p(xp.exp(at_most(xp, scaled, 0) - line))
    return xp.divide(line + bend * (xp.real(scaled) <= threshold), beta, **out)


@elementwise
def _softplus_slope(
    xp: Any, dy: Array, x: Array, beta: float, threshold: float, **out: Array
) -> Array:
    scaled = beta * x
    far = xp.real(scaled) > threshold
    return xp.multiply(dy, logistic(xp, scaled) * ~far + far, **out)


def softplus(x: Array, *, beta: float = 1.0, threshold: float = 20.0) -> Result:
    """Round off relu, sharply for a great beta; x where beta * x > threshold."""
    expect_float("softplus", x=x)
    threshold = real("softplus", "threshold", threshold)
    if not (is_real(beta) and beta > 0):
        raise ArgumentError(f"softplus: beta {beta!r}, expected beta > 0")
    beta = float(beta)
    return _softplus(x, beta, threshold), SavedSoftplus(x, beta, threshold)


RELU_KERNEL = Kernel(
    name="relu",
    forward=relu,
    terms={"x": lambda dy, saved: {"direct": _where_positive(dy, saved.y)}},
)
LEAKY_RELU_KERNEL = Kernel(
    name="leaky_relu",
    forward=leaky_relu,
    terms={"x": lambda dy, saved: {"direct": _leaky_slope(dy, *saved)}},
)
ELU_KERNEL = Kernel(
    name="elu",
    forward=elu,
    terms={"x": lambda dy, saved: {"direct": _elu_slope(dy, *saved)}},
)
SIGMOID_KERNEL = Kernel(
    name="sigmoid",
    forward=sigmoid,
    terms={"x": lambda dy, saved: {"direct": _sigmoid_slope(dy, saved.y)}},
)
TANH_KERNEL = Kernel(
    name="tanh",
    forward=tanh,
    terms={"x": lambda dy, saved: {"direct": _tanh_slope(dy, saved.y)}},
)
HARDTANH_KERNEL = Kernel(
    name="hardtanh",
    forward=hardtanh,
    terms={"x": lambda dy, saved: {"direct": _where_inside(dy, *saved)}},
)
SOFTPLUS_KERNEL = Kernel(
    name="softplus",
    forward=softplus,
    terms={"x": lambda dy, saved: {"direct": _softplus_slope(dy, *saved)}},
)
