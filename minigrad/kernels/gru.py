"""Gated recurrent unit: one direction of one layer over all time steps.

    r, z = sigmoid(x_t w_ih' + b_ih + h w_hh' + b_hh)      (their rows)
    n = tanh(x_t w_ih' + b_ih + r * (h w_hh' + b_hh))      (its rows)
    h_t = (1 - z) * n + z * h

Weights are PyTorch's: blocks of rows for r, z, n. Where mask is False, the state passes
a step unchanged and y is 0.

Terms: of x, weights and biases one per gate, what flows through that gate's sum at any
time (`reset_gate`, `update_gate`, `new_gate`; w_hh and b_hh enter the new gate behind
r). Of h0 `carry`, which runs along the states to outputs and passes no gate's sum (only
the value of z), and one per gate for what first leaves the states into that gate.

Source: Cho et al. 2014, arXiv:1406.1078, in the form of cuDNN: r scales the product
with h, not h itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from minigrad.backend import array_module
from minigrad.kernels import _over_time as over
from minigrad.kernels import _recurrent as rec
from minigrad.kernels._once import Once
from minigrad.kernels._over_time import Step
from minigrad.kernels._recurrent import Flow, Walk
from minigrad.typing import Array, Result, Terms

GATES: Final = ("reset_gate", "update_gate", "new_gate")
FORWARD: Final = (0, 1, 2)
"""Planes of forward are r, z, n: the first two are sigmoids."""
ORDER_X: Final = (2, 0, 1)
ORDER_H: Final = (0, 1, 2)
"""Planes of dz are n, r, z and n's recurrent sum: x acts on the first three of them,
the state on the last three."""


class Saved(NamedTuple):
    """What backward reads; gates (3, T, N, H) are the values of r, z, n.

    x (T, N, I), w_ih (3 H, I), w_hh (3 H, H), states (T + 1, N, H), mask (T, N) or
    None; recalled (T, N, H) is what r scales.
    """

    x: Array
    w_ih: Array
    w_hh: Array
    gates: Array
    recalled: Array
    states: Array
    mask: Array | None
    reverse: bool
    once: Once


def gru(
    x: Array,
    h0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array,
    b_hh: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> Result:
    """Run over x (T, N, I) from h0 (N, H); from the last time on if reverse."""
    name = "gru" if mask is None else "gru_masked"
    rec.expect_inputs(name, 3, x, (w_ih, w_hh, b_ih, b_hh), mask, h0=h0)
    rest = rec.at_rest(mask)
    xp = array_module(x)
    x = xp.ascontiguousarray(x)
    states = rec.slots(x, h0, reverse)
    w_x, w_h = over.planes(w_ih, FORWARD, 2), over.planes(w_hh, FORWARD, 2)
    b_x, b_h = (over.planes(b, FORWARD, 2) for b in (b_ih, b_hh))
    gates = xp.empty((3, len(x), *h0.shape), x.dtype)
    recalled, sums = xp.empty_like(gates[0]), xp.empty_like(gates[:, 0])
    r, z, n = (gates[plane] for plane in range(3))
    bias = b_h[:, None, :]

    def walk(part: Sequence[Step]) -> None:
        for t, old, new in part:
            sigmoids, candidate, state = gates[:2, t], n[t], states[new]
            xp.matmul(states[old], w_h, out=sums)
            xp.add(sums, bias, out=sums)
            xp.add(sigmoids, sums[:2], out=sigmoids)
            xp.tanh(sigmoids, out=sigmoids)
            xp.multiply(sigmoids, 0.5, out=sigmoids)
            xp.add(sigmoids, 0.5, out=sigmoids)
            recalled[t] = sums[2]
            xp.multiply(r[t], sums[2], out=state)
            xp.add(candidate, state, out=candidate)
            xp.tanh(candidate, out=candidate)
            # (1 - z) n + z h = n + z (h - n)
            xp.subtract(states[old], candidate, out=state)
            xp.multiply(state, z[t], out=state)
            xp.add(state, candidate, out=state)
            if rest is not None:
                xp.copyto(state, states[old], where=rest[t])

    parts = over.stretches(over.steps(len(x), reverse), w_ih, w_hh, x.shape[1])
    over.relay(parts, lambda p: over.project(gates, x, w_x, b_x, over.times(p)), walk)
    y = rec.output(states, reverse, mask)
    return y, Saved(x, w_ih, w_hh, gates, recalled, states, mask, reverse, Once())


def _factors(saved: Saved) -> tuple[Array, Array]:
    """Return dz per unit of dh (4, T, N, H), and what a state keeps (T, N, H)."""
    gates, recalled = saved.gates, saved.recalled
    xp = array_module(gates)
    old = rec.before(saved.states, saved.reverse)
    slopes = xp.empty((4, *recalled.shape), gates.dtype)

    def body(part: slice) -> None:
        r, z, n = (gates[plane][part] for plane in range(3))
        by_n, by_r, by_z, by_recalled = (slopes[plane][part] for plane in range(4))
        xp.multiply(n, n, out=by_n)
        xp.subtract(1, by_n, out=by_n)
        xp.subtract(1, z, out=by_z)
        xp.multiply(by_n, by_z, out=by_n)
        xp.multiply(by_z, z, out=by_z)
        xp.multiply(by_n, r, out=by_recalled)
        xp.subtract(1, r, out=by_r)
        xp.multiply(by_r, by_recalled, out=by_r)
        xp.multiply(by_r, recalled[part], out=by_r)
        xp.multiply(by_z, old[part] - n, out=by_z)

    over.in_blocks(recalled, body)
    if saved.mask is None:
        return slopes, gates[1]
    seen = saved.mask[:, :, None]
    return slopes * seen, xp.where(seen, gates[1], 1)


def _start(dy: Any, saved: Saved) -> tuple[Flow, Walk]:
    """Prepare the walk back over time."""
    xp = array_module(saved.gates)
    slopes, keep = _factors(saved)
    dys, dh = rec.masked_dy(dy, saved.mask), dy.h.copy()
    w = over.stacked(saved.w_hh, ORDER_H)
    sent = xp.empty((3, *dh.shape), dh.dtype)

    def walk(part: Sequence[Step]) -> None:
        for t, _, _ in part:
            dz = slopes[:, t]
            xp.add(dh, dys[t], out=dh)
            xp.multiply(dz, dh, out=dz)
            xp.multiply(dh, keep[t], out=dh)
            xp.matmul(dz[1:], w, out=sent)
            xp.add(dh, sent[0], out=dh)
            xp.add(dh, sent[1], out=dh)
            xp.add(dh, sent[2], out=dh)

    return Flow(slopes[:3], slopes[1:], dh), walk


def _first(dy: Any, saved: Saved, flow: Flow) -> tuple[Terms]:
    """Part the gradient of h0 by how it leaves the chain of states."""
    parts = rec.first_state(
        rec.masked_dy(dy, saved.mask),
        dy.h,
        rec.arrivals(flow.dz_h, saved.w_hh, ORDER_H),
        _factors(saved)[1],
        over.steps(len(saved.x), saved.reverse),
    )
    names = ("carry", *GATES)
    return ({name: parts[place].copy() for place, name in enumerate(names)},)


GRU_KERNEL, GRU_MASKED_KERNEL = rec.kernels(
    rec.Layer("gru", gru, ("h0",), _start, _first, GATES, ORDER_X, ORDER_H)
)
