"""Local response norm: y = x / d**beta, d = k + alpha / size * sum of x**2.

The sum is over `size` neighbouring channels, from c - size // 2 to c + (size - 1) // 2;
channels beyond the ends count as 0. In the gradient `direct` holds d fixed, and
`through_sum` is what changing d does, of which x is a part as its own neighbour, too.

Source: Krizhevsky, Sutskever & Hinton 2012, "ImageNet Classification with Deep
Convolutional Neural Networks", section 3.3. Deviation, as in PyTorch: alpha is divided
by size.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from minigrad.backend import array_module, elementwise
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.kernels._arguments import integers, real
from minigrad.kernels._spec import Kernel, expect_float
from minigrad.typing import Array, Result, Terms


class Saved(NamedTuple):
    """x and d (N, C, *S), and the numbers of the formula."""

    x: Array
    d: Array
    size: int
    alpha: float
    beta: float


@elementwise
def _scaled(xp: Any, x: Array, d: Array, power: float, **out: Array) -> Array:
    return xp.multiply(x, d**power, **out)


@elementwise
def _pull(xp: Any, dy: Array, x: Array, d: Array, power: float, **out: Array) -> Array:
    return xp.multiply(dy, x * d**power, **out)


def _neighbours(a: Array, before: int, after: int) -> Array:
    """Sum a (N, C, *S) over the channels c - before to c + after."""
    channels = a.shape[1]
    y = array_module(a).zeros_like(a)
    for step in range(max(-before, 1 - channels), min(after, channels - 1) + 1):
        low, high = max(-step, 0), min(channels - step, channels)
        y[:, low:high] += a[:, low + step : high + step]
    return y


def local_response_norm(
    x: Array, *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Result:
    """Damp every channel of x (N, C, *S) by the squares of its neighbours."""
    name = "local_response_norm"
    if x.ndim < 3:
        raise ShapeError(got(name, "x has shape", x.shape, "(N, C, ...) of three axes"))
    expect_float(name, x=x)
    (size,) = integers(name, "size", (size,))
    if size < 1:
        raise ArgumentError(got(name, "size", size, "at least 1"))
    alpha, beta = real(name, "alpha", alpha), real(name, "beta", beta)
    k = real(name, "k", k)
    d = _neighbours(x * x, size // 2, (size - 1) // 2)
    d *= alpha / size
    d += k
    return _scaled(x, d, -beta), Saved(x, d, size, alpha, beta)


def _through_sum(dy: Array, saved: Saved) -> Array:
    """Send to each channel what it does to the d of its neighbours."""
    x, d, size, alpha, beta = saved
    # The window reversed: c is a neighbour of c - (size - 1) // 2 to c + size // 2.
    pulled = _neighbours(_pull(dy, x, d, -beta - 1), (size - 1) // 2, size // 2)
    pulled *= -2 * alpha * beta / size
    pulled *= x
    return pulled


def x_terms(dy: Array, saved: Saved) -> Terms:
    """Split by what of y = x / d**beta is varied: x, or d."""
    return {
        "direct": _scaled(dy, saved.d, -saved.beta),
        "through_sum": _through_sum(dy, saved),
    }


def _x_fused(dy: Array, saved: Saved) -> Array:
    dx = _through_sum(dy, saved)
    dx += _scaled(dy, saved.d, -saved.beta)
    return dx


KERNEL = Kernel(
    name="local_response_norm",
    forward=local_response_norm,
    terms={"x": x_terms},
    fused={"x": _x_fused},
)
