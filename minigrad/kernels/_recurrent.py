"""What the kernels of recurrent layers share: their inputs, states, masks and rules.

A kernel runs one direction of one layer over all time steps. Letters: T steps, N
sequences, I inputs, H units, G gates; see `_over_time` for planes and order.

Only the walk backwards is sequential: it leaves dz, the gradients of the gates' sums,
and all parameters' gradients are products with them. The tape asks for the gradients
one by one, so the walk's result is kept until the next pass (`Once`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from minigrad.backend import array_module
from minigrad.errors import DTypeError, ShapeError, got
from minigrad.kernels import _over_time as over
from minigrad.kernels._over_time import Step
from minigrad.kernels._spec import Kernel, expect_float, expect_shapes
from minigrad.typing import Array, Fused, Rule, Terms


class Output(NamedTuple):
    """y (T, N, H): the state after each step, 0 where masked; h (N, H): the last."""

    y: Array
    h: Array


class Flow(NamedTuple):
    """What a walk backwards leaves.

    dz_x and dz_h (G, T, N, H) are the gradients of what the products with x and with
    the state give, plane by plane; h0 and c0 (N, H) those of the first state and cell.
    """

    dz_x: Array
    dz_h: Array
    h0: Array
    c0: Any = None


Walk = Callable[[Sequence[Step]], None]
"""Walks some steps in the order given, which is the reverse of forward's."""


class Layer(NamedTuple):
    """What tells one kind of recurrent layer from another.

    start(dy, saved) returns a Flow that the walk is to fill, and the walk. first(dy,
    saved, flow) returns the terms of each of states. gates names PyTorch's blocks;
    order_x and order_h list the blocks of dz_x and dz_h. entering(saved) is what the
    product with w_hh saw of the states before each time (T, N, H). constants are
    inputs without a gradient, behind the biases.
    """

    name: str
    forward: Callable[..., Any]
    states: tuple[str, ...]
    start: Callable[[Any, Any], tuple[Flow, Walk]]
    first: Callable[[Any, Any, Flow], tuple[Terms, ...]]
    gates: tuple[str, ...]
    order_x: tuple[int, ...]
    order_h: tuple[int, ...]
    entering: Callable[[Any], Array] = lambda saved: before(saved.states, saved.reverse)
    constants: tuple[str, ...] = ()


# -- inputs and states ---------------------------------------------------------------


def expect_inputs(
    name: str,
    gates: int,
    x: Array,
    weights: Sequence[Array],
    mask: Array | None,
    **states: Array,
) -> None:
    """Raise unless x, weights (w_ih, w_hh, b_ih, b_hh), mask and states fit."""
    w_ih, w_hh, b_ih, b_hh = weights
    expect_float(name, x=x)
    if x.ndim != 3 or not x.shape[0]:
        rule = "(T, N, I) with at least one time step"
        raise ShapeError(got(name, "x has shape", x.shape, rule))
    if w_hh.ndim != 2 or w_hh.shape[0] != gates * w_hh.shape[1]:
        rule = f"({gates} * H, H)" if gates > 1 else "(H, H)"
        raise ShapeError(got(name, "w_hh has shape", w_hh.shape, rule))
    length, size = w_hh.shape
    expect_shapes(name, (length, x.shape[2]), w_ih=w_ih)
    expect_shapes(name, (length,), b_ih=b_ih, b_hh=b_hh)
    expect_shapes(name, (x.shape[1], size), **states)
    if mask is not None:
        expect_shapes(name, x.shape[:2], mask=mask)
        if mask.dtype.kind != "b":
            raise DTypeError(got(name, "mask has dtype", mask.dtype, "bool"))


def slots(x: Array, first: Array, reverse: bool) -> Array:
    """Make the slots (T + 1, N, H) with the first state in its place."""
    made = array_module(x).empty((x.shape[0] + 1, *first.shape), x.dtype)
    made[-1 if reverse else 0] = first
    return made


def before(states: Array, reverse: bool) -> Array:
    """View slots (T + 1, N, H) as the states before each time (T, N, H)."""
    return states[1:] if reverse else states[:-1]


def after(states: Array, reverse: bool) -> Array:
    """View slots (T + 1, N, H) as the states after each time (T, N, H)."""
    return states[:-1] if reverse else states[1:]


def at_rest(mask: Array | None) -> Array | None:
    """Return (T, N, 1): True where a sequence passes a step unchanged."""
    return None if mask is None else ~mask[:, :, None]


def output(states: Array, reverse: bool, mask: Array | None) -> Output:
    """Return what the layer gives: the states after each time, and the last one."""
    y, last = after(states, reverse), states[0 if reverse else -1].copy()
    if mask is not None:
        y = array_module(y).where(mask[:, :, None], y, 0)
    return Output(y, last)


def masked_dy(dy: Any, mask: Array | None) -> Array:
    """Return dy.y with 0 where y is 0 by its mask."""
    if mask is None:
        return dy.y
    return array_module(dy.y).where(mask[:, :, None], dy.y, 0)


# -- terms ---------------------------------------------------------------------------


def by_gate(
    whole: Callable[[Array], Array],
    dz: Array,
    order: Sequence[int],
    gates: Sequence[str],
) -> Terms:
    """Return what flows through each gate's sum alone: whole with all others zero."""
    terms: Terms = {}
    for block, gate in enumerate(gates):
        alone = array_module(dz).zeros_like(dz)
        plane = order.index(block)
        alone[plane] = dz[plane]
        terms[gate] = whole(alone)
    return terms


def arrivals(dz: Array, w: Array, order: Sequence[int]) -> Array:
    """Return what each gate sends to the state before each time: (G, T, N, H)."""
    gates, length, batch, size = dz.shape
    sums = dz.reshape(gates, length * batch, size)
    sent = array_module(dz).matmul(sums, over.stacked(w, order))
    return sent.reshape(gates, length, batch, size)


def first_state(
    dy: Array, last: Array, sent: Array, keep: Array, walk: Sequence[Step]
) -> Array:
    """Part the first state's gradient by how it leaves the chain of states.

    A state passes on keep (T, N, H or 1) of itself; sent (G, T, N, H) arrives from the
    gates. Returns (1 + G, N, H): first what never went through a gate, then what first
    left through each.
    """
    xp = array_module(dy)
    parts = xp.zeros((1 + sent.shape[0], *last.shape), last.dtype)
    parts[0] = last
    for t, _, _ in reversed(walk):
        parts[0] += dy[t]
        parts *= keep[t]
        parts[1:] += sent[:, t]
    return parts


# -- the kernels ---------------------------------------------------------------------


def walked(layer: Layer, dy: Any, saved: Any) -> Flow:
    """Return the flow, after a walk if it is not known."""

    def walk_back(dy: Any, saved: Any) -> Flow:
        flow, walk = layer.start(dy, saved)
        walk(over.steps(len(saved.x), saved.reverse)[::-1])
        return flow

    return saved.once(walk_back, dy, saved)


def _x_gradient(layer: Layer, dy: Any, saved: Any) -> Array:
    """Send dz back to x, on another thread while the walk goes on."""
    x, w = saved.x, saved.w_ih
    dx = array_module(x).empty(x.shape, x.dtype)
    walk = over.steps(len(x), saved.reverse)[::-1]
    parts = over.stretches(walk, w, saved.w_hh, x.shape[1])
    known = saved.once.find(dy, saved)
    flow, step = layer.start(dy, saved) if known is None else (known, None)

    def send(part: Sequence[Step]) -> None:
        over.to_x(dx, flow.dz_x, w, layer.order_x, over.times(part))

    if step is None:
        # By the same parts, so that the sums are the same to the bit.
        products = x.shape[0] * x.shape[1] * w.size if len(parts) > 1 else 0
        over.shared(len(parts), lambda index: send(parts[index]), x, products)
        return dx
    over.relay(parts, step, send)
    saved.once.keep(dy, saved, flow)
    return dx


def _whole_x(dz: Array, order: Sequence[int], saved: Any) -> Array:
    dx = array_module(dz).empty(saved.x.shape, dz.dtype)
    over.to_x(dx, dz, saved.w_ih, order, slice(None))
    return dx


Whole = Callable[[Array, Sequence[int], Any], Array]

_WHOLE: dict[str, tuple[bool, Whole]] = {
    "x": (True, _whole_x),
    "w_ih": (True, lambda dz, order, saved: over.to_weight(dz, saved.x, order)),
    "b_ih": (True, lambda dz, order, saved: over.to_bias(dz, order)),
    "b_hh": (False, lambda dz, order, saved: over.to_bias(dz, order)),
}
"""Input -> whether it is on x's side (else the state's), (dz, order, saved) -> its
gradient. That of w_hh follows from the layer."""


def _rules(layer: Layer, on_x: bool, whole: Whole) -> tuple[Rule, Fused]:
    """Return the rule by gates and the one pass of an input that gates sum."""
    order = layer.order_x if on_x else layer.order_h

    def dz(dy: Any, saved: Any) -> Array:
        flow = walked(layer, dy, saved)
        return flow.dz_x if on_x else flow.dz_h

    def terms(dy: Any, saved: Any) -> Terms:
        def alone(part: Array) -> Array:
            return whole(part, order, saved)

        return by_gate(alone, dz(dy, saved), order, layer.gates)

    return terms, lambda dy, saved: whole(dz(dy, saved), order, saved)


def _state_rules(layer: Layer, place: int, state: str) -> tuple[Rule, Fused]:
    """Return the rule and the one pass of a first state."""
    return (
        lambda dy, saved: layer.first(dy, saved, walked(layer, dy, saved))[place],
        # Copied: the tape may add into what it gets, and the flow is kept.
        lambda dy, saved: getattr(walked(layer, dy, saved), state).copy(),
    )


def kernels(layer: Layer) -> tuple[Kernel, Kernel]:
    """Build the kernel of a layer, and the one that takes a mask."""

    def whole_w_hh(dz: Array, order: Sequence[int], saved: Any) -> Array:
        return over.to_weight(dz, layer.entering(saved), order)

    wholes = {**_WHOLE, "w_hh": (False, whole_w_hh)}
    found = {name: _rules(layer, *how) for name, how in wholes.items()}
    for place, state in enumerate(layer.states):
        found[state] = _state_rules(layer, place, state)
    names = ("x", *layer.states, "w_ih", "w_hh", "b_ih", "b_hh")
    terms: dict[str, Rule | None] = {name: found[name][0] for name in names}
    terms |= dict.fromkeys(layer.constants)
    fused = {name: found[name][1] for name in names}
    fused["x"] = lambda dy, saved: _x_gradient(layer, dy, saved)
    name = layer.name
    return (
        Kernel(name, layer.forward, terms, fused),
        Kernel(f"{name}_masked", layer.forward, {**terms, "mask": None}, fused),
    )
