"""Directions in the space of a model's parameters, and the loss along them.

A model is whatever has named_parameters() and named_buffers(), as an nn.Module. Only
trainable parameters move. While they do, the model holds other arrays; afterwards it
holds its own again, bit for bit, and no .grad has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend import to_backend, to_host
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.inspect.curvature.complex_step import (
    complex_pass,
    expect_scalar,
    gradients_of,
)
from minigrad.random import generator
from minigrad.tape import Tensor, enable_grad, no_grad
from minigrad.typing import Array, Shape

Vector = dict[str, ndarray]
"""One float64 array on the host for each trainable parameter, by its name."""


def loss_curve(
    loss: Callable[..., Tensor],
    model: Any,
    direction: Mapping[str, Any],
    radii: Iterable[float],
    *,
    batches: Iterable[Any] | None = None,
) -> ndarray:
    """Return the loss at w + radius * direction for each radius, (R,) in float64.

    It is computed in the model's own dtype. A flat minimum has a flat curve. Other
    arguments are those of `Hessian`.

    >>> from minigrad import nn, tensor
    >>> model = nn.Linear(1, 1, bias=False)
    >>> model.weight.data[...] = 2
    >>> def loss():
    ...     return (model.weight * model.weight).sum()
    >>> loss_curve(loss, model, {"weight": [[1.0]]}, [-1, 0, 1])
    array([1., 4., 9.])
    """
    who = "loss_curve"
    expect_loss(who, loss)
    if not isinstance(radii, Iterable):
        rule = "numbers, such as [-1, 0, 1]"
        raise ArgumentError(got(who, "radii is", repr(radii), rule))
    parameters = trained(who, model)
    v = vector(who, direction, {name: p.shape for name, p in parameters.items()})
    given = listed(who, batches)
    losses: list[float] = []
    for radius in radii:
        places = {p: _moved(p, radius * v[name]) for name, p in parameters.items()}
        with holding(places | _copies(model)), no_grad():
            values = [expect_scalar(who, "loss", loss(*batch)) for batch in given]
            losses.append(sum(map(number, values)) / len(given))
    return numpy.array(losses)


def random_direction(
    model: Any, seed: int = 0, normalise: str | None = "filter"
) -> Vector:
    """Draw a normal direction in parameter space, and scale it as normalise says.

    Args:
        model: whose trainable parameters it is for.
        seed: of the numbers; each parameter has a stream of its own.
        normalise: "filter": each slice along axis 0 of a weight gets the length of that
            slice of the parameter, so that curves of networks with weights of different
            size can be compared; "layer": each weight as a whole; None: the direction
            gets length 1.

    With "filter" and "layer" parameters of less than two axes (biases, scales of batch
    norm) stay where they are. Source: Li et al. 2018, arXiv:1712.09913, section 4.
    """
    parameters = trained("random_direction", model)
    if normalise not in ("filter", "layer", None):
        rule = "'filter', 'layer' or None"
        raise ArgumentError(got("random_direction", "normalise", repr(normalise), rule))
    drawn = {
        name: generator(seed, f"direction/{name}").standard_normal(parameter.shape)
        for name, parameter in parameters.items()
    }
    if normalise is None:
        return _unit("random_direction", drawn)
    return {
        name: _like(d, to_host(parameters[name].data).astype("float64"), normalise)
        for name, d in drawn.items()
    }


def gradient_direction(
    loss: Callable[..., Tensor],
    model: Any,
    *,
    batches: Iterable[Any] | None = None,
) -> Vector:
    """Return the direction of length 1 in which the loss rises fastest.

    Arguments are those of `Hessian`. Raises ArgumentError where the gradient is 0.
    """
    who = "gradient_direction"
    expect_loss(who, loss)
    parameters = trained(who, model)
    total = {name: numpy.zeros(p.shape) for name, p in parameters.items()}
    for batch in listed(who, batches):
        with holding(_copies(model)), complex_pass(who) as first, enable_grad():
            y = expect_scalar(who, "loss", loss(*batch))
            found = gradients_of(y, list(parameters.values()), first)
        for name, dx in zip(parameters, found, strict=True):
            if dx is not None:
                total[name] += to_host(dx)
    return _unit(who, total)


def _moved(parameter: Tensor, step: ndarray) -> Array:
    """Return the values of parameter plus step, in its dtype and on its backend."""
    values = (to_host(parameter.data) + step).astype(parameter.dtype)
    return to_backend(values, parameter.backend)


def _copies(model: Any) -> dict[Tensor, Array]:
    """Give each buffer a copy, for the loss to write to."""
    return {buffer: buffer.data.copy() for _, buffer in model.named_buffers()}


def _unit(who: str, v: Vector) -> Vector:
    length = sum(float(numpy.vdot(part, part)) for part in v.values()) ** 0.5
    if not length:
        raise ArgumentError(f"{who}: the direction is 0, expected one with a length")
    return {name: part / length for name, part in v.items()}


def _like(d: ndarray, w: ndarray, normalise: str) -> ndarray:
    """Scale d to the length of w, whole or filter by filter."""
    if w.ndim < 2:
        return numpy.zeros(w.shape)
    axes = tuple(range(1 if normalise == "filter" else 0, w.ndim))
    lengths = [numpy.sqrt(numpy.sum(a * a, axes, keepdims=True)) for a in (w, d)]
    return d * (lengths[0] / lengths[1])


# -- what loss and model are asked for -----------------------------------------------


def trained(who: str, model: Any) -> dict[str, Tensor]:
    """Return the trainable parameters by name; raise ArgumentError if there is none."""
    if not hasattr(model, "named_parameters"):
        kind = f"a {type(model).__name__}"
        raise ArgumentError(got(who, "model is", kind, "a Module"))
    found = {name: p for name, p in model.named_parameters() if p.requires_grad}
    if not found:
        raise ArgumentError(
            f"{who}: no parameter of {type(model).__name__} requires a gradient, "
            "expected at least one; call requires_grad_() on what is to move"
        )
    return found


def expect_loss(who: str, loss: object) -> None:
    """Raise ArgumentError unless loss is a function."""
    if not callable(loss):
        kind, rule = f"a {type(loss).__name__}", "a function that returns a scalar"
        remedy = "pass lambda: F.mse_loss(model(x), t), say"
        raise ArgumentError(got(who, "loss is", kind, rule, remedy))


def listed(who: str, batches: Iterable[Any] | None) -> list[tuple[Any, ...]]:
    """Return what the loss is called with, time after time."""
    if batches is None:
        return [()]
    found = [tuple(b) if isinstance(b, tuple | list) else (b,) for b in batches]
    if not found:
        raise ArgumentError(f"{who}: there are no batches, expected at least one")
    return found


def vector(who: str, v: Mapping[str, Any], shapes: Mapping[str, Shape]) -> Vector:
    """Return v as finite float64 arrays of shapes, zeros where it lacks a name."""
    for name in v:
        if name not in shapes:
            rule = f"one of {', '.join(shapes)}"
            raise ArgumentError(got(who, "parameter", repr(name), rule))
    found: Vector = {}
    for name, shape in shapes.items():
        part = v.get(name, numpy.zeros(shape))
        part = to_host(part.data) if isinstance(part, Tensor) else part
        found[name] = numpy.asarray(part, numpy.float64)
        if found[name].shape != shape:
            raise ShapeError(got(who, f"{name} has shape", found[name].shape, shape))
        if not numpy.isfinite(found[name]).all():
            raise ArgumentError(f"{who}: {name} is not finite, expected finite numbers")
    return found


def number(y: Tensor) -> float:
    """Return the real part of a scalar."""
    return float(numpy.real(to_host(y.data)).reshape(()))


@contextmanager
def holding(places: Mapping[Tensor, Array]) -> Generator[None]:
    """Let tensors hold other arrays inside the block, and their own afterwards."""
    own = {tensor: tensor.data for tensor in places}
    try:
        for tensor, array in places.items():
            tensor.data = array
        yield
    finally:
        for tensor, array in own.items():
            tensor.data = array
