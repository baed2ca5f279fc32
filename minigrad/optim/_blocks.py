"""Runs update rules in place: on small arrays at once, on large ones in blocks."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend import (
    BLOCK,
    THRESHOLD,
    array_module,
    memory_order,
    parallel_for,
)
from minigrad.typing import Array

SMALL = 1 << 12
"""Up to this many elements new working memory costs less than finding the old."""

Update = Callable[..., None]
"""(xp, scratch, p, g, *state, **options) -> None; writes p and state, never g."""


class _Scratch(threading.local):
    """Two lines of working memory per thread and dtype, kept from step to step."""

    def __init__(self) -> None:
        self.buffers: dict[Any, ndarray] = {}

    def lines(self, size: int, dtype: Any) -> tuple[ndarray, ndarray]:
        buffer = self.buffers.get(dtype)
        if buffer is None or buffer.shape[1] < size:
            buffer = self.buffers[dtype] = numpy.empty((2, size), dtype)
        return buffer[0, :size], buffer[1, :size]


_scratch = _Scratch()


def update_in_place(update: Update, *arrays: Array, **options: Any) -> None:
    """Call update on arrays p, g, *state of one shape and dtype, in the fastest way.

    The result does not depend on blocks and threads: each element is computed alone.
    """
    xp = array_module(*arrays)
    p = arrays[0]
    lines = _lines(arrays) if xp is numpy and p.size > SMALL else None
    if lines is None:
        update(xp, (xp.empty_like(p), xp.empty_like(p)), *arrays, **options)
        return
    size, dtype = lines[0].size, lines[0].dtype
    if size < THRESHOLD:
        update(xp, _scratch.lines(size, dtype), *lines, **options)
        return

    def body(index: int) -> None:
        parts = [line[index * BLOCK : (index + 1) * BLOCK] for line in lines]
        update(xp, _scratch.lines(parts[0].size, dtype), *parts, **options)

    parallel_for(-(-size // BLOCK), body)


def _lines(arrays: tuple[ndarray, ...]) -> list[ndarray] | None:
    """View arrays as lines in memory order; None unless they share a dense layout."""
    first = arrays[0]
    if not first.flags.c_contiguous:
        order = memory_order(first)
        arrays = tuple(array.transpose(order) for array in arrays)
    if all(array.flags.c_contiguous for array in arrays):
        return [array.reshape(-1) for array in arrays]
    return None
