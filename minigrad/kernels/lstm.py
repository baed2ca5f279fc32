"""Long short-term memory: one direction of one layer over all time steps.

    i, f, o = sigmoid(.), g = tanh(.) of x_t w_ih' + b_ih + h w_hh' + b_hh
    c_t = f * c + i * g        h_t = o * tanh(c_t)

Weights are PyTorch's: blocks of rows for i, f, g, o. Where mask is False, state and
cell pass a step unchanged and y is 0.

Terms: of x, weights and biases one per gate, what flows through that gate's sum at any
time (`input_gate`, `forget_gate`, `cell_gate`, `output_gate`). Of h0 one per gate,
which is how it enters. Of c0 `carry`, the constant error carousel: it runs along the
cells to outputs and passes no gate's sum (only values: f, and o at the exit); and one
per gate for what leaves the cells by some h_t and first enters that gate. With a mask
h0 has a `carry`, too: that of sequences without a step.

lstm_dropped multiplies h by a factor on its way into the gates (not on its way out),
the same at all times: a dropout mask, say, as in Gal & Ghahramani 2016,
arXiv:1512.05287. The factor gates the gradient likewise, and has none itself.

Source: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000.
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

GATES: Final = ("input_gate", "forget_gate", "cell_gate", "output_gate")
ORDER: Final = (3, 0, 1, 2)
"""Planes are o, i, f, g: the first three are sigmoids, the last three act on c."""


class Output(NamedTuple):
    """y (T, N, H), 0 where masked; the last state h (N, H) and cell c (N, H)."""

    y: Array
    h: Array
    c: Array


class Saved(NamedTuple):
    """What backward reads; gates (4, T, N, H) are the values of o, i, f, g.

    x (T, N, I), w_ih (4 H, I), w_hh (4 H, H), tanh_c (T, N, H), states and cells
    (T + 1, N, H), mask (T, N) or None, factor (N, H) or None.
    """

    x: Array
    w_ih: Array
    w_hh: Array
    gates: Array
    tanh_c: Array
    states: Array
    cells: Array
    mask: Array | None
    factor: Array | None
    reverse: bool
    once: Once


def lstm(
    x: Array,
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array,
    b_hh: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> Result:
    """Run over x (T, N, I) from h0, c0 (N, H); from the last time on if reverse."""
    name = "lstm" if mask is None else "lstm_masked"
    rec.expect_inputs(name, 4, x, (w_ih, w_hh, b_ih, b_hh), mask, h0=h0, c0=c0)
    return _run(x, h0, c0, w_ih, w_hh, b_ih + b_hh, mask, None, reverse)


def lstm_dropped(
    x: Array,
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    b_ih: Array,
    b_hh: Array,
    factor: Array,
    mask: Array | None = None,
    *,
    reverse: bool = False,
) -> Result:
    """Do what lstm does; gates see h * factor, factor (N, H), in the place of h."""
    name = "lstm_dropped" if mask is None else "lstm_dropped_masked"
    states = {"h0": h0, "c0": c0, "factor": factor}
    rec.expect_inputs(name, 4, x, (w_ih, w_hh, b_ih, b_hh), mask, **states)
    return _run(x, h0, c0, w_ih, w_hh, b_ih + b_hh, mask, factor, reverse)


def _run(
    x: Array,
    h0: Array,
    c0: Array,
    w_ih: Array,
    w_hh: Array,
    bias: Array,
    mask: Array | None,
    factor: Array | None,
    reverse: bool,
) -> Result:
    rest = rec.at_rest(mask)
    xp = array_module(x)
    x = xp.ascontiguousarray(x)
    states, cells = rec.slots(x, h0, reverse), rec.slots(x, c0, reverse)
    w_x, w_h = over.planes(w_ih, ORDER, 3), over.planes(w_hh, ORDER, 3)
    b = over.planes(bias, ORDER, 3)
    gates = xp.empty((4, len(x), *h0.shape), x.dtype)
    tanh_c, sums = xp.empty_like(gates[0]), xp.empty_like(gates[:, 0])
    scratch, dropped = sums[0], None if factor is None else xp.empty_like(h0)
    o, i, f, g = (gates[plane] for plane in range(4))

    def walk(part: Sequence[Step]) -> None:
        for t, old, new in part:
            z, c, squashed, sigmoids = gates[:, t], cells[new], tanh_c[t], gates[:3, t]
            entering = states[old]
            if dropped is not None:
                entering = xp.multiply(entering, factor, out=dropped)
            xp.matmul(entering, w_h, out=sums)
            xp.add(z, sums, out=z)
            xp.tanh(z, out=z)
            xp.multiply(sigmoids, 0.5, out=sigmoids)
            xp.add(sigmoids, 0.5, out=sigmoids)
            xp.multiply(f[t], cells[old], out=c)
            xp.multiply(i[t], g[t], out=scratch)
            xp.add(c, scratch, out=c)
            xp.tanh(c, out=squashed)
            xp.multiply(o[t], squashed, out=states[new])
            if rest is not None:
                xp.copyto(states[new], states[old], where=rest[t])
                xp.copyto(c, cells[old], where=rest[t])

    parts = over.stretches(over.steps(len(x), reverse), w_ih, w_hh, x.shape[1])
    over.relay(parts, lambda p: over.project(gates, x, w_x, b, over.times(p)), walk)
    y, h = rec.output(states, reverse, mask)
    saved = Saved(
        x, w_ih, w_hh, gates, tanh_c, states, cells, mask, factor, reverse, Once()
    )  # fmt: skip
    return Output(y, h, cells[0 if reverse else -1].copy()), saved


def _entering(saved: Saved) -> Array:
    """Return what the gates saw of the states before each time (T, N, H)."""
    states = rec.before(saved.states, saved.reverse)
    return states if saved.factor is None else states * saved.factor


def _factors(saved: Saved) -> tuple[Array, Array, Array]:
    """Return what dz is per unit of dh (o) or dc (i, f, g), dc per dh, dc per dc_t+1.

    Shapes (4, T, N, H), (T, N, H), (T, N, H). All are local to their step.
    """
    gates, tanh_c = saved.gates, saved.tanh_c
    xp = array_module(gates)
    old = rec.before(saved.cells, saved.reverse)
    slopes, exits = xp.empty_like(gates), xp.empty_like(tanh_c)

    def body(part: slice) -> None:
        o, i, f, g = (gates[plane][part] for plane in range(4))
        by_o, by_i, by_f, by_g = (slopes[plane][part] for plane in range(4))
        c, leaving = tanh_c[part], exits[part]
        for gate, factor, slope in ((o, c, by_o), (i, g, by_i), (f, old[part], by_f)):
            xp.subtract(1, gate, out=slope)
            xp.multiply(slope, gate, out=slope)
            xp.multiply(slope, factor, out=slope)
        for value, factor, slope in ((g, i, by_g), (c, o, leaving)):
            xp.multiply(value, value, out=slope)
            xp.subtract(1, slope, out=slope)
            xp.multiply(slope, factor, out=slope)

    over.in_blocks(tanh_c, body)
    if saved.mask is None:
        return slopes, exits, gates[2]
    seen = saved.mask[:, :, None]
    return slopes * seen, exits * seen, xp.where(seen, gates[2], 1)


def _start(dy: Any, saved: Saved) -> tuple[Flow, Walk]:
    """Prepare the walk back over time."""
    xp = array_module(saved.gates)
    slopes, exits, keep = _factors(saved)
    rest, dys = rec.at_rest(saved.mask), rec.masked_dy(dy, saved.mask)
    factor = saved.factor
    dh, dc = dy.h.copy(), dy.c.copy()
    w = over.stacked(saved.w_hh, ORDER)
    sent, scratch = xp.empty((4, *dh.shape), dh.dtype), xp.empty_like(dh)

    def walk(part: Sequence[Step]) -> None:
        for t, _, _ in part:
            dz, dz_o, dz_c = slopes[:, t], slopes[0, t], slopes[1:, t]
            xp.add(dh, dys[t], out=dh)
            xp.multiply(dh, exits[t], out=scratch)
            xp.add(dc, scratch, out=dc)
            xp.multiply(dz_o, dh, out=dz_o)
            xp.multiply(dz_c, dc, out=dz_c)
            xp.multiply(dc, keep[t], out=dc)
            if rest is not None:
                xp.multiply(dh, rest[t], out=scratch)
            xp.matmul(dz, w, out=sent)
            xp.add(sent[0], sent[1], out=dh)
            xp.add(dh, sent[2], out=dh)
            xp.add(dh, sent[3], out=dh)
            if factor is not None:
                xp.multiply(dh, factor, out=dh)
            if rest is not None:
                xp.add(dh, scratch, out=dh)

    return Flow(slopes, slopes, dh, dc), walk


def _first(dy: Any, saved: Saved, flow: Flow) -> tuple[Terms, Terms]:
    """Part the gradients of h0 and c0 by how they leave the chain of cells."""
    xp = array_module(saved.gates)
    sent = rec.arrivals(flow.dz_h, saved.w_hh, ORDER)
    if saved.factor is not None:
        sent = sent * saved.factor
    _, exits, keep = _factors(saved)
    rest, dys = rec.at_rest(saved.mask), rec.masked_dy(dy, saved.mask)
    # (1 + G, N, H): first what never entered a gate, then what first entered each.
    h, c = (xp.zeros((5, *dy.h.shape), dy.h.dtype) for _ in range(2))
    h[0], c[0] = dy.h, dy.c
    for t, _, _ in reversed(over.steps(len(saved.x), saved.reverse)):
        h[0] += dys[t]
        c = keep[t] * (c + exits[t] * h)
        h = h * (0 if rest is None else rest[t])
        h[1:] += sent[:, t]
    places = {gate: 1 + ORDER.index(block) for block, gate in enumerate(GATES)}
    h_terms = {gate: h[place].copy() for gate, place in places.items()}
    if rest is not None:
        h_terms["carry"] = h[0].copy()
    c_terms = {gate: c[place].copy() for gate, place in places.items()}
    return h_terms, {"carry": c[0].copy(), **c_terms}


_LAYER: Final = rec.Layer(
    "lstm", lstm, ("h0", "c0"), _start, _first, GATES, ORDER, ORDER
)
LSTM_KERNEL, LSTM_MASKED_KERNEL = rec.kernels(_LAYER)
LSTM_DROPPED_KERNEL, LSTM_DROPPED_MASKED_KERNEL = rec.kernels(
    _LAYER._replace(
        name="lstm_dropped",
        forward=lstm_dropped,
        entering=_entering,
        constants=("factor",),
    )
)
