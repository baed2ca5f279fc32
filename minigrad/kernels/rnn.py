"""Elman's recurrent network: one direction of one layer over all time steps.

    h_t = f(x_t w_ih' + b_ih + h w_hh' + b_hh)        f is tanh or relu

Where mask is False, the state passes a step unchanged and y is 0. Slope 0 where relu's
sum is 0.

Terms: `direct`, through f. With a mask h0 has a `carry`, too: that of sequences without
a step.

Source: Elman 1990, Finding structure in time; back-propagation through time: Werbos
1990.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, got
from minigrad.kernels import _over_time as over
from minigrad.kernels import _recurrent as rec
from minigrad.kernels._analytic import at_least
from minigrad.kernels._once import Once
from minigrad.kernels._over_time import Step
from minigrad.kernels._recurrent import Flow, Walk
from minigrad.typing import Array, Result, Terms

ORDER: Final = (0,)


class Saved(NamedTuple):
    """What backward reads: x (T, N, I), w_ih (H, I), w_hh (H, H), the states.

    states (T + 1, N, H), mask (T, N) or None; f's name says how states give its slope.
    """

    x: Array
    w_ih: Array
    w_hh: Array
    states: Array
    mask: Array | None
    nonlinearity: str
    reverse: bool
    once: Once


def rnn(
    x: Array,
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array,
    b_hh: Array,
    mask: Array | None = None,
    *,
    nonlinearity: str = "tanh",
    reverse: bool = False,
) -> Result:
    """Run over x (T, N, I) from h0 (N, H); from the last time on if reverse."""
    name = "rnn" if mask is None else "rnn_masked"
    if nonlinearity not in ("tanh", "relu"):
        rule = "'tanh' or 'relu'"
        raise ArgumentError(got(name, "nonlinearity", repr(nonlinearity), rule))
    rec.expect_inputs(name, 1, x, (w_ih, w_hh, b_ih, b_hh), mask, h0=h0)
    rest = rec.at_rest(mask)
    xp = array_module(x)
    x = xp.ascontiguousarray(x)
    states = rec.slots(x, h0, reverse)
    w_x, w_h = over.planes(w_ih, ORDER), over.planes(w_hh, ORDER)[0]
    b, z = (b_ih + b_hh)[None], xp.empty((1, len(x), *h0.shape), x.dtype)

    def walk(part: Sequence[Step]) -> None:
        for t, old, new in part:
            state = states[new]
            xp.matmul(states[old], w_h, out=state)
            xp.add(state, z[0, t], out=state)
            if nonlinearity == "tanh":
                xp.tanh(state, out=state)
            else:
                state[...] = at_least(xp, state, 0.0)
            if rest is not None:
                xp.copyto(state, states[old], where=rest[t])

    parts = over.stretches(over.steps(len(x), reverse), w_ih, w_hh, x.shape[1])
    over.relay(parts, lambda p: over.project(z, x, w_x, b, over.times(p)), walk)
    saved = Saved(x, w_ih, w_hh, states, mask, nonlinearity, reverse, Once())
    return rec.output(states, reverse, mask), saved


def _slopes(saved: Saved) -> Array:
    """Return f's slope at all steps (T, N, H), 0 where masked."""
    h = rec.after(saved.states, saved.reverse)
    xp = array_module(h)
    if saved.nonlinearity == "tanh":
        slopes = xp.subtract(1, h * h)
    else:
        slopes = (xp.real(h) > 0).astype(h.dtype)
    return slopes if saved.mask is None else slopes * saved.mask[:, :, None]


def _start(dy: Any, saved: Saved) -> tuple[Flow, Walk]:
    """Prepare the walk back over time."""
    xp = array_module(saved.states)
    dz, rest = _slopes(saved), rec.at_rest(saved.mask)
    dys, dh = rec.masked_dy(dy, saved.mask), dy.h.copy()
    w, scratch = saved.w_hh, xp.empty_like(dh)

    def walk(part: Sequence[Step]) -> None:
        for t, _, _ in part:
            xp.add(dh, dys[t], out=dh)
            xp.multiply(dz[t], dh, out=dz[t])
            if rest is not None:
                xp.multiply(dh, rest[t], out=scratch)
            xp.matmul(dz[t], w, out=dh)
            if rest is not None:
                xp.add(dh, scratch, out=dh)

    return Flow(dz[None], dz[None], dh), walk


def _first(dy: Any, saved: Saved, flow: Flow) -> tuple[Terms]:
    """Part the gradient of h0: what enters a sum, and what never does."""
    rest = rec.at_rest(saved.mask)
    if rest is None:
        return ({"direct": flow.h0.copy()},)
    parts = rec.first_state(
        rec.masked_dy(dy, saved.mask),
        dy.h,
        rec.arrivals(flow.dz_h, saved.w_hh, ORDER),
        rest,
        over.steps(len(saved.x), saved.reverse),
    )
    return ({"direct": parts[1].copy(), "carry": parts[0].copy()},)


RNN_KERNEL, RNN_MASKED_KERNEL = rec.kernels(
    rec.Layer("rnn", rnn, ("h0",), _start, _first, ("direct",), ORDER, ORDER)
)
