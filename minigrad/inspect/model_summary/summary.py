"""What a model is made of and what it costs, module by module."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

from minigrad.backend import (
    array_module,
    backend_of,
    current_backend,
    is_array,
    to_host,
)
from minigrad.errors import ArgumentError, got
from minigrad.inspect.model_summary._meter import STRANGERS, Meter, alone, untouched
from minigrad.inspect.model_summary.costs import Cost
from minigrad.inspect.model_summary.rows import Gradient, Row, Summary
from minigrad.inspect.record.sums import square
from minigrad.tape import Tensor, enable_grad


def summary(model: Any, *inputs: Any, **options: Any) -> Summary:
    """Run model once on inputs, and tell what each module is, makes and costs.

    The model stays as it is: gradients, buffers, training mode and the random streams
    are what they were, also those of modules in plain lists, tuples, sets and dicts.
    What else forward changes, such as a counter of its own, stays changed. Recordings
    around the call do not see the run. If parameters hold gradients, the table shows
    them, too. A module that is held twice has one row, under its first path.

    Args:
        model: a Module, run in its present mode.
        inputs: what it is called with: tensors, arrays, or a shape as a tuple of
            integers, for which zeros of the parameters' dtype are made. Without any the
            model is not run.
        options: keywords it is called with.

    Raises ArgumentError for what is no Module, and what the model raises.

    >>> from minigrad import nn
    >>> from minigrad.inspect.model_summary.summary import summary
    >>> found = summary(nn.Linear(3, 2), (5, 3))
    >>> found.total_parameters, found.total_multiply_adds, found.rows[0].shapes
    (8, 30, ((5, 2),))
    """
    if not hasattr(model, "named_modules"):
        kind = f"a {type(model).__name__}"
        raise ArgumentError(got("summary", "model is", kind, "a Module"))
    meter = Meter(model)
    if inputs or options:
        like = next((p for p in model.parameters() if p.dtype.kind in "fc"), None)
        given = [
            as_input("summary", at, value, like) for at, value in enumerate(inputs, 1)
        ]
        with untouched(model), enable_grad(), alone(meter):
            model(*given, **options)
        meter.forget()
    return Summary(_rows(model, meter), bool(inputs or options))


def as_input(who: str, place: int, value: Any, like: Tensor | None) -> Any:
    """Return a tensor: of value, or of zeros like like if value is a shape.

    Raises ArgumentError, in the name of who, for what is neither.
    """
    if value is None or isinstance(value, Tensor):
        return value
    if is_array(value):
        return Tensor(value)
    if isinstance(value, tuple | list):
        if all(type(size) is int and size >= 0 for size in value):
            backend = current_backend() if like is None else backend_of(like.data)
            dtype = "float32" if like is None else like.dtype
            return Tensor(backend.module.zeros(tuple(value), dtype))
        if not any(isinstance(part, int | float) for part in value):
            return tuple(as_input(who, place, part, like) for part in value)
    rule = "a tensor, an array, or a shape as (64, 3, 32, 32)"
    raise ArgumentError(got(who, f"input {place} is", repr(value), rule))


class _Facts(NamedTuple):
    """Of one parameter: squared norms, and elements of the gradient that are 0."""

    square: float
    weight: float
    zeros: int


def _rows(model: Any, meter: Meter) -> list[Row]:
    modules: dict[str, Any] = dict(model.named_modules())
    holders: dict[int, str] = {}
    for path, module in modules.items():
        for parameter in module.parameters(recurse=False):
            holders.setdefault(id(parameter), path)
    facts = {id(one): _facts(one) for one in model.parameters() if one.has_grad}
    rows = [
        _row(path, type(module).__name__, meter, list(module.parameters()),
             sum(buffer.size for buffer in module.buffers()), holders, facts)
        for path, module in modules.items()
    ]  # fmt: skip
    if STRANGERS in meter.tallies:
        rows.append(_row(STRANGERS, "", meter, [], 0, {}, {}))
    return rows


def _row(
    path: str,
    kind: str,
    meter: Meter,
    parameters: list[Any],
    buffers: int,
    holders: dict[int, str],
    facts: dict[int, _Facts],
) -> Row:
    below = [
        (tally, meter.cost(at)) for at, tally in meter.tallies.items() if _in(at, path)
    ]
    cost = _sum(each for _, each in below)
    flops = _sum(meter.cost(at) for at in meter.tallies).flops
    own = meter.tallies[path]
    trainable = sum(one.size for one in parameters if one.requires_grad)
    return Row(
        path=path,
        kind=kind,
        calls=own.calls,
        shapes=own.shapes,
        trainable=trainable,
        frozen=sum(one.size for one in parameters) - trainable,
        buffers=buffers,
        shared=sum(one.size for one in parameters if not _in(holders[id(one)], path)),
        cost=cost,
        share=cost.flops / flops if flops else None,
        output_bytes=sum(tally.output_bytes for tally, _ in below),
        saved_bytes=sum(tally.saved_bytes for tally, _ in below),
        gradient=_gradient(parameters, facts),
    )


def _in(path: str, above: str) -> bool:
    """Tell whether path is above or lies below it."""
    return not above or path == above or path.startswith(f"{above}.")


def _sum(all_costs: Iterable[Cost]) -> Cost:
    columns = zip(*all_costs, strict=True)
    return Cost(*(sum(column) for column in columns))


def _facts(parameter: Any) -> _Facts:
    gradient = parameter.grad.data
    alive = int(to_host(array_module(gradient).count_nonzero(gradient)))
    return _Facts(
        float(to_host(square(gradient))),
        float(to_host(square(parameter.data))),
        gradient.size - alive,
    )


def _gradient(parameters: list[Any], facts: dict[int, _Facts]) -> Gradient | None:
    held = [one for one in parameters if id(one) in facts]
    count = sum(one.size for one in held)
    if not count:
        return None
    known = [facts[id(one)] for one in held]
    norm = math.sqrt(sum(one.square for one in known))
    weight = math.sqrt(sum(one.weight for one in known))
    missing = [one for one in parameters if one.requires_grad and not one.has_grad]
    return Gradient(
        norm=norm,
        rms=norm / math.sqrt(count),
        ratio=norm / weight if weight else None,
        zeros=sum(one.zeros for one in known) / count,
        missing=sum(one.size for one in missing),
    )
