"""The Jacobian of a layer at one example, all columns from a few calls of the layer.

Copies of the example stand in for a batch, each moving along another axis of x: forward
mode then gives a column of dy/dx for each copy. That asks for a layer in which examples
do not depend on each other.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy
from numpy import ndarray

from minigrad.backend import array_module, to_host
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.inspect.curvature.complex_step import jvp
from minigrad.inspect.propagation.calls import Call
from minigrad.tape import Tensor, no_grad
from minigrad.typing import Array

WHO: Final = "signal_propagation"

BATCH: Final = 1 << 19
"""Numbers that copies of an example, or what comes of them, may have together: 8 MB of
complex ones."""


def singular_values(call: Call, example: int, largest: int) -> ndarray:
    """Return the singular values of dy/dx at an example of a call, falling.

    What is mere rounding beside the greatest, as numpy.linalg.matrix_rank has it, is 0.
    largest is how many numbers x, and y, may have for one example. Raises ShapeError
    if there are more; ArgumentError unless the layer maps one tensor of floats to one
    tensor, example by example and without drawing at random.
    """
    columns = jacobian(call, example, largest)
    found = numpy.linalg.svd(columns, compute_uv=False)
    noise = max(columns.shape) * numpy.finfo(found.dtype).eps * found.max(initial=0)
    return numpy.where(found > noise, found, 0)


def jacobian(call: Call, example: int, largest: int) -> ndarray:
    """Return dy/dx (O, I) at an example, float64 on the host; see singular_values."""
    x, y = _arrays(call)
    xp, sizes = array_module(x), (math.prod(y.shape[1:]), math.prod(x.shape[1:]))
    if max(sizes) > largest:
        rule = f"at most {largest} numbers each way"
        remedy = "give smaller inputs or a larger `largest`, or ask for other layers"
        raise ShapeError(
            got(WHO, f"the Jacobian of {_name(call)} is", sizes, rule, remedy)
        )
    _expect_alone(call, x[example], y[example])
    axes = numpy.eye(sizes[1])
    count = max(1, BATCH // max(*sizes, 1))
    rows: list[ndarray] = [numpy.zeros((0, sizes[0]))]
    for start in range(0, sizes[1], count):
        part = axes[start : start + count]
        copies = xp.broadcast_to(x[example], (len(part), *x.shape[1:]))
        moves = xp.asarray(part.reshape(copies.shape))
        _, dy = jvp(call.module, (copies,), (moves,))
        rows.append(to_host(dy.data).reshape(len(part), -1))
    return numpy.concatenate(rows).T


def _name(call: Call) -> str:
    return f"`{call.path}`" if call.path else "the model"


def _arrays(call: Call) -> tuple[Array, Array]:
    """Return x (N, ...) and y (N, ...) of a call of one tensor that gave one."""
    single = len(call.inputs) == 1 and not call.options
    x, y = call.inputs[0] if single else None, call.y
    for what, value in (("was given", x), ("gave", y)):
        if not isinstance(value, Tensor) or value.dtype.kind != "f" or not value.ndim:
            several = what == "was given" and not single
            found = "several inputs" if several else f"a {type(value).__name__}"
            if isinstance(value, Tensor):
                found = f"{value.dtype} {value.shape}"
            rule = "one Tensor of floats, examples along its first axis"
            raise ArgumentError(
                got(WHO, f"jacobian: {_name(call)} {what}", found, rule)
            )
    assert isinstance(x, Tensor)
    return x.data, y.data


def _expect_alone(call: Call, x: Array, y: Array) -> None:
    """Raise ArgumentError unless the layer gives y for x, whatever else is in a batch.

    Copies of x would not do for the rest: a mean over copies is x, and a batch whose
    examples are equal, or that is a single one, gives the same y as they.
    """
    xp = array_module(x)
    same = True
    with no_grad(), numpy.errstate(all="ignore"):
        size = xp.max(xp.abs(y)) if y.size else xp.zeros(())
        room = math.sqrt(numpy.finfo(y.dtype).eps) * size
        # No number of x is equal to both.
        for other in xp.zeros_like(x), 2 * x + 1:
            again: Any = call.module(Tensor(xp.stack([other, x, other]))).data
            fits = again.shape == (3, *y.shape)
            near = fits and to_host(xp.all(xp.abs(again[1] - y) <= room))
            same = same and bool(near)
    if not same:
        raise ArgumentError(
            f"{WHO}: jacobian: {_name(call)} gives another result for an example "
            "among others than in its batch, expected a layer that neither mixes "
            "examples nor draws at random, and finite numbers; call model.eval()"
        )
