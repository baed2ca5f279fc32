"""Products over all time steps beside a walk that takes one step after the other.

A recurrent layer multiplies every input by the same weights, before the walk or, for
gradients, after it: large products that could use all threads, beside steps so small
that they use one. So the walk goes by stretches of time, and another thread multiplies
a stretch before (forward) or after (backward) it is walked.

Planes (G, T, N, H) hold what a step computes, gate by gate: T steps, N sequences, H
units, G gates. PyTorch's weights are G blocks of H rows; `order` lists the block that
belongs to each plane.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from threading import Event

from numpy import ndarray

from minigrad.backend import BLOCK, add_product, array_module, parallel_for
from minigrad.typing import Array

Step = tuple[int, int, int]
"""A time, and the slots that hold the states before and after it."""

STRETCH = 8
"""Steps to a stretch: few, as one thread waits for the other at both ends, but with
less the threads wake each other too often."""

WORTHWHILE = 1 << 26
"""Multiplications from which on threads share them: 0.7 ms on one. An LSTM of 128 units
over 80 steps of 32 sequences has 2.5 times as many and gains a sixth by it; an RNN has
a quarter of that and would lose as much."""

WIDE = 1 << 25
"""Multiplications of one step from which on BLAS has use for all threads itself."""


def steps(length: int, reverse: bool) -> list[Step]:
    """List the steps in the order in which they are taken.

    There are T + 1 slots: the state after time t lies in slot t + 1, and before it in
    slot t; the other way round where time runs backwards.
    """
    if reverse:
        return [(t, t + 1, t) for t in reversed(range(length))]
    return [(t, t, t + 1) for t in range(length)]


def times(stretch: Sequence[Step]) -> slice:
    """Return the times of consecutive steps as a slice."""
    ends = stretch[0][0], stretch[-1][0]
    return slice(min(ends), max(ends) + 1)


def stretches(
    walk: Sequence[Step], w_ih: Array, w_hh: Array, count: int
) -> list[Sequence[Step]]:
    """Part the walk of count sequences where sharing the work of it pays."""
    small = len(walk) * count * w_ih.size < WORTHWHILE or count * w_hh.size > WIDE
    if type(w_ih) is not ndarray or small:
        return [walk]
    return [walk[at : at + STRETCH] for at in range(0, len(walk), STRETCH)]


def relay(
    parts: Sequence[Sequence[Step]],
    first: Callable[[Sequence[Step]], None],
    second: Callable[[Sequence[Step]], None],
) -> None:
    """Call first on each part in order, and second once first has done it."""
    if len(parts) == 1:
        first(parts[0])
        second(parts[0])
        return
    done = [Event() for _ in parts]

    def run_first() -> None:
        try:
            for part, event in zip(parts, done, strict=True):
                first(part)
                event.set()
        finally:
            # After an error nobody must wait; it is raised when both have ended.
            for event in done:
                event.set()

    def run_second() -> None:
        for part, event in zip(parts, done, strict=True):
            event.wait()
            second(part)

    # Where the threads are taken these run one after the other, which is right, too.
    parallel_for(2, lambda index: run_second() if index else run_first())


def shared(count: int, body: Callable[[int], None], like: Array, products: int) -> None:
    """Call body(0) ... body(count - 1), on all threads if it pays."""
    if type(like) is ndarray and products >= WORTHWHILE:
        parallel_for(count, body)
        return
    for index in range(count):
        body(index)


def in_blocks(like: Array, body: Callable[[slice], None]) -> None:
    """Call body with slices of the times of like (T, N, H), on all threads if large."""
    length, size = like.shape[0], math.prod(like.shape[1:])
    # A formula of many planes: a quarter of a block of each keeps them all in cache.
    count = max(1, BLOCK // 4 // max(1, size))
    if type(like) is not ndarray or length < 4 * count:
        body(slice(None))
        return
    parts = range(0, length, count)
    parallel_for(
        len(parts), lambda index: body(slice(parts[index], parts[index] + count))
    )


def rows(x: Array, part: slice) -> Array:
    """View the times of x (T, N, K) that part names as a matrix (T * N, K)."""
    x = x[part]
    # Not -1 for the rows: with K = 0 NumPy could not tell how many there are.
    return x.reshape(x.shape[0] * x.shape[1], x.shape[2])


def planes(w: Array, order: Sequence[int], halved: int = 0) -> Array:
    """Lay the blocks of w (G * H, K) out as (G, K, H), the first ones halved.

    sigmoid(x) = 0.5 + 0.5 * tanh(x / 2): with halved sums one tanh does for all gates.
    """
    xp = array_module(w)
    size = w.shape[0] // len(order)
    made = xp.empty((len(order), *w.shape[1:], size), w.dtype)
    for plane, block in enumerate(order):
        own = w[block * size : (block + 1) * size]
        xp.multiply(own.T, 0.5 if plane < halved else 1, out=made[plane])
    return made


def stacked(w: Array, order: Sequence[int]) -> Array:
    """Lay the blocks of w (G * H, K) out as planes (G, H, K)."""
    size = w.shape[0] // len(order)
    blocks = [w[block * size : (block + 1) * size] for block in order]
    return array_module(w).stack(blocks)


def project(z: Array, x: Array, w: Array, b: Array, part: slice) -> None:
    """Set z (G, T, N, H) to x w + b at some times; w (G, I, H), b (G, H)."""
    for plane in range(len(w)):
        own = rows(z[plane], part)
        own[...] = b[plane]
        add_product(own, rows(x, part), w[plane])


def to_x(dx: Array, dz: Array, w: Array, order: Sequence[int], part: slice) -> None:
    """Set dx (T, N, I) to the sum over gates of dz w, w (G * H, I), at some times."""
    size = dz.shape[3]
    for plane, block in enumerate(order):
        own = w[block * size : (block + 1) * size]
        add_product(rows(dx, part), rows(dz[plane], part), own, 1.0 if plane else 0.0)


def to_weight(dz: Array, x: Array, order: Sequence[int]) -> Array:
    """Return what dz (G, T, N, H) gives a weight (G * H, K) of x (T, N, K)."""
    gates, _, _, size = dz.shape
    dw = array_module(dz).empty((gates * size, x.shape[2]), dz.dtype)

    def body(plane: int) -> None:
        own = dw[order[plane] * size : (order[plane] + 1) * size]
        add_product(own, rows(dz[plane], slice(None)).T, rows(x, slice(None)), 0.0)

    # By gates: faster than what BLAS makes of two threads, and no thread spins.
    shared(gates, body, dz, dz.size * x.shape[2] if gates > 1 else 0)
    return dw


def to_bias(dz: Array, order: Sequence[int]) -> Array:
    """Return what dz (G, T, N, H) gives a bias (G * H,)."""
    xp = array_module(dz)
    gates, length, batch, size = dz.shape
    db = xp.empty(gates * size, dz.dtype)
    # Not a sum: the product with ones is a BLAS call.
    ones = xp.ones(length * batch, dz.dtype)
    for plane, block in enumerate(order):
        db[block * size : (block + 1) * size] = ones @ rows(dz[plane], slice(None))
    return db
