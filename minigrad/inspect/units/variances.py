"""How far dropout shakes the nets of a layer, the values before its activation.

    Var(z_nj) = p / (1 - p) * sum_i (W_ji x_ni)^2      of z = dropout(x) W', x fixed

This is eq. 6 for inverted dropout, whose masks are 0 or 1 / (1 - p); the paper has
masks of 0 and 1 and the factor p (1 - p). Where x is itself random, the law of total
variance holds: Var(z) = E[Var(z | x)] + Var(E[z | x]), with E[z | x] = x W'.

Source: Hahn & Choi 2019, "Understanding Dropout as an Optimization Trick",
arXiv:1806.09783, eq. 6 and table 3.
"""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from minigrad.backend import to_host
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.inspect.units._values import finite_values
from minigrad.kernels._arguments import is_real
from minigrad.typing import Array


def net_variance(nets: Any) -> ndarray:
    """Return the variance over T forward passes, (N, J) in float64 on the host.

    nets (T, N, J), T >= 2: the nets of J nodes for the same N inputs in passes with
    fresh masks; an array, a Tensor or a list of T of them, as `outputs` gives. Behind N
    there may be several axes. The mean of the result is what table 3 has for a layer.

    Squares are divided by T - 1 (ddof = 1): the mean over passes is itself estimated,
    and divided by T the result would be too small by 1 / T on average, 5 % for the 20
    passes of table 3. Raises ShapeError for other shapes, ArgumentError where nets are
    not finite.

    >>> import numpy
    >>> from minigrad import inspect
    >>> inspect.net_variance(numpy.array([[[1.0, 7.0]], [[3.0, 7.0]]]))
    array([[2., 0.]])
    """
    mean: Array = 0.0
    squares: Array = 0.0
    count = 0
    # Welford's sums: exactly 0 where nothing varies, and no digits lost to the mean.
    for count, z in enumerate(_passes(nets), 1):
        step = z - mean
        mean = mean + step / count
        squares = squares + step * (z - mean)
    return to_host(squares / (count - 1))


def _passes(nets: Any) -> list[Array]:
    """Return the T passes, each (N, J)."""
    who, rule = "net_variance", "(T, N, J) with T >= 2"
    if not isinstance(nets, list | tuple):
        nets = finite_values(who, "nets", nets)
        if nets.ndim < 3 or len(nets) < 2:
            raise ShapeError(got(who, "nets has shape", nets.shape, rule))
        return [nets[t] for t in range(len(nets))]
    passes = [finite_values(who, f"nets[{t}]", z) for t, z in enumerate(nets)]
    shapes = list(dict.fromkeys(z.shape for z in passes))
    if len(passes) < 2 or len(shapes) > 1 or len(shapes[0]) < 2:
        found = f"{len(passes)} passes of shapes {shapes}"
        raise ShapeError(got(who, "nets has", found, rule))
    return passes


def dropout_net_variance(
    x: Any, weight: Any, p: float, *, inverted: bool = True
) -> ndarray:
    """Return the variance that dropout of x gives to nets x weight', by eq. 6.

    Args:
        x: (..., I), the values before dropout; an array or a Tensor.
        weight: (J, I), as in nn.Linear.
        p: probability to drop, in [0, 1). nn.Dropout rounds it to n / 65536.
        inverted: whether what is kept is divided by 1 - p, as nn.Dropout does it. With
            False masks are 0 and 1, as in the paper, and p may be 1.

    The result is (..., J) in float64 on the host. Raises ShapeError if the last axes of
    x and weight differ, ArgumentError for p out of range and for what is not finite.

    >>> import numpy
    >>> from minigrad import inspect
    >>> x, weight = numpy.array([[1.0, 2.0]]), numpy.array([[3.0, -1.0]])
    >>> inspect.dropout_net_variance(x, weight, 0.5)
    array([[13.]])
    >>> inspect.dropout_net_variance(x, weight, 0.5, inverted=False)
    array([[3.25]])
    """
    who = "dropout_net_variance"
    if not (is_real(p) and 0 <= p <= 1) or (inverted and p == 1):
        rule = f"0 <= p {'<' if inverted else '<='} 1"
        raise ArgumentError(got(who, "p", repr(p), rule))
    x, weight = finite_values(who, "x", x), finite_values(who, "weight", weight)
    if x.ndim < 1:
        raise ShapeError(got(who, "x has shape", x.shape, "(..., I)"))
    if weight.ndim != 2 or weight.shape[1] != x.shape[-1]:
        rule = f"(J, {x.shape[-1]}), with the last axis of x {x.shape}"
        raise ShapeError(got(who, "weight has shape", weight.shape, rule))
    factor = float(p / (1 - p) if inverted else p * (1 - p))
    return to_host((x * x) @ (weight * weight).T * factor)
