"""What attention asks of its arrays: shapes that agree, and a key for every query."""

from __future__ import annotations

import numpy

from minigrad.backend import to_host
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.typing import Array, Shape


def scores_shape(name: str, q: Array, k: Array, v: Array) -> Shape:
    """Check the shapes of q, k and v; return that of the scores, (..., L, S)."""
    for role, array in (("q", q), ("k", k), ("v", v)):
        if array.ndim < 2:
            rule = "at least two axes, (..., length, features)"
            raise ShapeError(got(name, f"{role} has shape", array.shape, rule))
    if not k.shape[-2] or not k.shape[-1]:
        rule = "(..., S, E), S >= 1 and E >= 1"
        raise ShapeError(got(name, "k has shape", k.shape, rule))
    if q.shape[-1] != k.shape[-1]:
        rule = f"a last axis of {k.shape[-1]}, as k {k.shape} has"
        raise ShapeError(got(name, "q has shape", q.shape, rule))
    if v.shape[-2] != k.shape[-2]:
        rule = f"a second last axis of {k.shape[-2]}, as k {k.shape} has"
        raise ShapeError(got(name, "v has shape", v.shape, rule))
    return (*_lead(name, q, k, v), q.shape[-2], k.shape[-2])


def _lead(name: str, *arrays: Array) -> Shape:
    """Return the batch axes that arrays have together."""
    leads = [array.shape[:-2] for array in arrays]
    try:
        return numpy.broadcast_shapes(*leads)
    except ValueError:
        rule = "axes that are equal or 1, counted from the last"
        found = ", ".join(map(str, leads))
        raise ShapeError(got(name, "q, k and v have batch axes", found, rule)) from None


def expect_broadcasting(name: str, shape: Shape, **masks: Array) -> None:
    """Raise ShapeError for the first of masks that does not broadcast to shape."""
    for role, mask in masks.items():
        try:
            fits = numpy.broadcast_shapes(mask.shape, shape) == shape
        except ValueError:
            fits = False
        if not fits:
            rule = f"one that broadcasts to {shape}, queries by keys"
            raise ShapeError(got(name, f"{role} has shape", mask.shape, rule))


def expect_readers(name: str, mask: Array, shape: Shape) -> None:
    """Raise ArgumentError for a query, a row of mask, that may read no key."""
    nothing = ~mask.any(axis=-1)
    if not to_host(nothing.any()):
        return
    row = numpy.argwhere(to_host(nothing))[0].tolist()
    where = f"row {row} of the mask" if row else "the mask"
    raise ArgumentError(
        f"{name}: {where} lets a query attend to none of {shape[-1]} "
        "keys, expected at least one; let it attend to one and leave its result out "
        "of the loss"
    )
