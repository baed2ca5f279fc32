"""Carries out the updates of one step: small parameters as one, large ones in parts.

Parameters stay where they are. Views of one long buffer would spare the copies of the
small ones, 10 microseconds for 40 of them, but a graph that needs one weight would lock
all the others; and gradients, which arrive one by one, would still have to be copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import array_module, memory_order, parallel_for, scratch
from minigrad.typing import Array

SMALL = 1 << 13
"""Elements that are updated as one at most. Above this add_scaled calls BLAS, which
rounds once less: what a parameter becomes must not depend on its neighbours."""

PART = 1 << 18
"""Elements per part of a large parameter. Adam on 4M: 3.5 ms; with half of it 5.1, as
threads then wait for the interpreter lock; with four times as much 3.7."""

LONG = 1 << 16
"""Shorter parameters stay on one thread: two would wait for the interpreter lock."""

THRESHOLD = 3 << 20
"""Below this many elements of p, g and state threads cost more than they save: with
momentum 0.6M parameters take 0.21 ms, 0.28 on two threads; 1M 0.23 and 0.24; 4M 1.5 and
1.2. Adam, which computes more, would gain from 0.4M parameters on."""

Rule = Callable[..., None]
"""(xp, scratch, p, g, *state, **options) -> None; writes p and state, never g."""


class Update(NamedTuple):
    """What one step does to one parameter: rule(xp, scratch, *arrays, **options)."""

    rule: Rule
    arrays: tuple[Array, ...]
    """p, g, *state: of one shape and dtype."""
    options: dict[str, Any]


def run_updates(updates: Sequence[Update]) -> None:
    """Carry out updates in place, in the fastest way.

    Each element is computed alone: the result does not depend on how they are cut, put
    together and shared over threads. Where parameters share memory, they are updated
    one after the other, in order.
    """
    if len(updates) > 1 and _overlap(updates):
        for update in updates:
            run_updates([update])
        return
    small: list[Update] = []
    long: list[Update] = []
    for update in updates:
        size = update.arrays[0].size
        if array_module(*update.arrays) is not numpy:
            _run_whole(update)
        elif size <= SMALL:
            small.append(update)
        elif (lines := _lines(update)) is None:
            _run_whole(update)
        elif size < LONG:
            _run_line(lines)
        else:
            long.append(lines)
    for batch in _batches(small):
        _run_together(batch)
    _run_long(long)


def _overlap(updates: Sequence[Update]) -> bool:
    """Tell whether one update may read or write what another one writes."""
    written = [_owner(update.arrays[0]) for update in updates]
    owners = set(written)
    return len(owners) < len(written) or any(
        _owner(update.arrays[1]) in owners for update in updates
    )


def _owner(array: Array) -> int:
    base = array.base
    return id(array if base is None else base)


def _run_whole(update: Update) -> None:
    """Update arrays of any backend and layout at once."""
    rule, arrays, options = update
    xp, p = array_module(*arrays), arrays[0]
    rule(xp, (xp.empty_like(p), xp.empty_like(p)), *arrays, **options)


def _run_line(update: Update) -> None:
    """Update lines on this thread, in working memory that is there already."""
    rule, arrays, options = update
    line = arrays[0]
    rule(numpy, scratch(2, line.size, line.dtype), *arrays, **options)


def _batches(small: Sequence[Update]) -> Iterator[list[Update]]:
    """Group neighbours that one call can update: up to SMALL elements in all."""
    batch: list[Update] = []
    size = 0
    for update in small:
        p = update.arrays[0]
        if batch and (
            size + p.size > SMALL
            or update.rule is not batch[0].rule
            or update.options != batch[0].options
            or p.dtype != batch[0].arrays[0].dtype
        ):
            yield batch
            batch, size = [], 0
        batch.append(update)
        size += p.size
    if batch:
        yield batch


def _run_together(batch: Sequence[Update]) -> None:
    """Update small arrays as one: gather, compute, write back all but the gradient."""
    rule, _, options = batch[0]
    columns = list(zip(*(update.arrays for update in batch), strict=True))
    lines = tuple(numpy.concatenate(column, axis=None) for column in columns)
    _run_line(Update(rule, lines, options))
    for index, (line, column) in enumerate(zip(lines, columns, strict=True)):
        start = 0
        for place in column if index != 1 else ():
            stop = start + place.size
            part = line[start:stop]
            place[...] = part if place.ndim == 1 else part.reshape(place.shape)
            start = stop


def _lines(update: Update) -> Update | None:
    """View the arrays as lines in the memory order of p; None if it has gaps."""
    p = update.arrays[0]
    order = None if p.flags.c_contiguous else memory_order(p)
    lines: list[ndarray] = []
    for index, array in enumerate(update.arrays):
        line = array if order is None else array.transpose(order)
        if not line.flags.c_contiguous:
            if index != 1:
                return None
            # A gradient that lies otherwise: a copy costs less than mixed orders.
            line = numpy.ascontiguousarray(line)
        lines.append(line.reshape(-1))
    return Update(update.rule, tuple(lines), update.options)


def _run_long(updates: Sequence[Update]) -> None:
    """Update long lines: in parts on all threads, if that pays."""
    if sum(map(_work, updates)) < THRESHOLD:
        for update in updates:
            _run_line(update)
        return
    parts = [part for update in updates for part in _parts(update)]
    # The longest first: short ones even out what the threads have left to do.
    parts.sort(key=_work, reverse=True)
    parallel_for(len(parts), lambda index: _run_line(parts[index]))


def _work(update: Update) -> int:
    return update.arrays[0].size * len(update.arrays)


def _parts(update: Update) -> Iterator[Update]:
    """Cut lines into parts of nearly equal length, so that none is SMALL."""
    size = update.arrays[0].size
    count = -(-size // PART)
    for index in range(count):
        piece = slice(size * index // count, size * (index + 1) // count)
        arrays = tuple(line[piece] for line in update.arrays)
        yield Update(update.rule, arrays, update.options)
