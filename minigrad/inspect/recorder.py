"""The observer of a backward pass that turns arrays into measures as they go by.

What share a term has of a gradient is known only once the last term has come. So terms
are held, mostly without a copy, until the tape says that their sum is complete; then
they are measured and dropped. For a result that is soon, for a leaf it is the end of
the pass: what a recording holds at most is the terms of all leaves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy

from minigrad.backend import array_module, to_host
from minigrad.inspect.measures import Measures, square, weigh
from minigrad.inspect.names import Names
from minigrad.inspect.records import Edge, Pass, Target, Term
from minigrad.tape import Node, Observer, Tensor
from minigrad.tape.graph import OUTPUT
from minigrad.typing import Array

DENSE = frozenset({"linear", "linear_no_bias"})
"""Kernels of dense layers, for which G_sample is known: x (N, I), w (O, I)."""


class _Arrived(NamedTuple):
    """An edge whose terms are not measured yet."""

    number: int
    input: str
    terms: dict[str, Array]
    square: Array
    """Squared norm of the dy that came to the consumer."""


class _Pending:
    """The edges that have come to a target so far."""

    __slots__ = ("before", "edges", "information", "target")

    def __init__(self, target: Node | Tensor) -> None:
        self.target = target
        """Held so that its id stays its own."""
        self.edges: list[_Arrived] = []
        self.information: Array | None = None
        old = None if isinstance(target, Node) else target.cotangent
        self.before: Array = 0.0 if old is None else square(old)


class _Call(NamedTuple):
    """A kernel call that took part; one of several results names the whole call."""

    kernel: str
    module: str
    parent: int | None = None
    field: str = ""


class Recorder:
    """Observes backward passes and keeps the measures of all gradients in them."""

    def __init__(self, names: Names, outer: Observer | None, keep: bool) -> None:
        """Record under names, tell outer everything too, keep arrays if asked."""
        self.names = names
        self._outer = outer
        self._keep = keep
        self._passes: list[Pass] = []
        self._pending: dict[int, _Pending] = {}
        self._calls: dict[int, _Call] = {}
        self._found: list[Target] = []

    @property
    def passes(self) -> list[Pass]:
        """The passes so far; an error may have cut short the last."""
        self._close()
        return self._passes

    def start(self, root: Node) -> None:
        """Begin a pass."""
        if self._outer is not None:
            self._outer.start(root)
        self._close()

    def edge(
        self,
        node: Node,
        name: str,
        target: Node | Tensor,
        terms: Mapping[str, Array],
        dy: Any,
    ) -> None:
        """Hold the terms until the gradient of target is complete."""
        if self._outer is not None:
            self._outer.edge(node, name, target, terms, dy)
        self._know(node)
        pending = self._pending.get(id(target))
        if pending is None:
            pending = self._pending[id(target)] = _Pending(target)
            pending.information = _sample_information(node, name, target, dy)
        elif len(pending.edges) == 1:
            # The tape is about to add this gradient into the array of the first.
            first = pending.edges[0].terms
            for term, array in first.items():
                if array is target.cotangent:
                    first[term] = array.copy()
            pending.information = None
        pending.edges.append(_Arrived(node.number, name, dict(terms), square(dy)))

    def total(self, target: Node | Tensor, gradient: Array) -> None:
        """Measure what has come to target, and let go of it."""
        if self._outer is not None:
            self._outer.total(target, gradient)
        # What backward() was called on has a gradient without edges.
        pending = self._pending.pop(id(target), None) or _Pending(target)
        if isinstance(target, Node):
            self._know(target)
        # Backward comes to the last consumer first.
        pending.edges.sort(key=lambda edge: edge.number)
        self._found.append(self._measured(pending, gradient))

    def _measured(self, pending: _Pending, gradient: Array) -> Target:
        target, edges = pending.target, pending.edges
        weighed = weigh(
            [(edge.terms, edge.square) for edge in edges], gradient, pending.before
        )
        number = target.number if isinstance(target, Node) else None
        information = pending.information
        measured = zip(edges, weighed.edges, weighed.terms, strict=True)
        return Target(
            name=self._name(target),
            call="",
            kind=self._kind(target),
            number=number,
            parent=None if number is None else self._calls[number].parent,
            shape=gradient.shape,
            dtype=gradient.dtype,
            measures=weighed.total,
            edges=tuple(self._edge(*one) for one in measured),
            error=weighed.error,
            sample_information=(
                None if information is None else to_host(information).item()
            ),
            array=gradient.copy() if self._keep else None,
        )

    def _edge(
        self, edge: _Arrived, whole: Measures, parts: Mapping[str, Measures]
    ) -> Edge:
        call = self._calls[edge.number]
        terms = tuple(
            Term(name, measures, edge.terms[name].copy() if self._keep else None)
            for name, measures in parts.items()
        )
        return Edge("", edge.number, call.kernel, call.module, edge.input, terms, whole)

    def _name(self, target: Node | Tensor) -> str:
        own = None if isinstance(target, Node) else target.name
        return self.names.of(target) or own or ""

    def _kind(self, target: Node | Tensor) -> str:
        if id(target) in self.names.parameters:
            return "parameter"
        if self.names.of(target):
            return "named"
        return "result" if isinstance(target, Node) else "leaf"

    def _know(self, node: Node) -> None:
        """Keep what labels are made of; the node itself may be freed."""
        if node.number in self._calls:
            return
        module = self.names.module(node.scope)
        if node.kernel is not OUTPUT:
            self._calls[node.number] = _Call(node.kernel.name, module)
            return
        (parent,) = node.targets
        position = node.record.saved  # type: ignore[union-attr]
        fields = parent.outputs.make._fields
        self._know(parent)
        self._calls[node.number] = _Call(
            parent.kernel.name, module, parent.number, fields[position]
        )

    def _close(self) -> None:
        """End the open pass: now that all calls are known they can be counted."""
        self._pending.clear()
        if not self._found:
            return
        labels = _labels(self._calls)
        done: Pass = {}
        for target in sorted(self._found, key=_place):
            call = "" if target.number is None else labels[target.number]
            name = self._unique(target, target.name or call or "leaf", done)
            edges = tuple(
                edge._replace(consumer=labels[edge.number]) for edge in target.edges
            )
            done[name] = target._replace(name=name, call=call, edges=edges)
        self._passes.append(done)
        self._found = []
        self._calls = {}

    def _unique(self, target: Target, name: str, taken: Pass) -> str:
        """Number what would bear the name of another target."""
        if target.kind in ("parameter", "named"):
            return name
        found, count = name, 1
        while found in taken or found in self.names.tensors:
            count += 1
            found = f"{name}#{count}"
        return found


def _place(target: Target) -> tuple[float, bool]:
    """Order targets as forward made them; a leaf comes before its first consumer."""
    if target.number is not None:
        return target.number, True
    return target.edges[0].number, False


def _labels(calls: Mapping[int, _Call]) -> dict[int, str]:
    """Name calls `module/kernel#n`, the n-th of that kernel in that module."""
    counts: Counter[str] = Counter()
    labels: dict[int, str] = {}
    for number, call in sorted(calls.items()):
        if call.parent is not None:
            labels[number] = f"{labels[call.parent]}.{call.field}"
            continue
        stem = f"{call.module}/{call.kernel}" if call.module else call.kernel
        counts[stem] += 1
        labels[number] = f"{stem}#{counts[stem]}"
    return labels


def _sample_information(
    node: Node, name: str, target: Node | Tensor, dy: Array
) -> Array | None:
    """Compute G_sample for the weight of a dense layer on x (N, I), else None.

    dE_n/dw_ij is x_ni * delta_nj, so the mean of its absolute values over i and j is
    the product of the means over i and over j. The mean over n of a loss that is itself
    a mean has delta_n = N dy_n, hence the sum over n here.
    """
    if node.kernel.name not in DENSE or name != "w" or isinstance(target, Node):
        return None
    x = node.record.saved.x  # type: ignore[union-attr]
    if x.ndim != 2:
        return None
    xp = array_module(x, dy)
    with numpy.errstate(all="ignore"):
        each = xp.mean(xp.abs(x), axis=1, dtype="float64") * xp.mean(
            xp.abs(dy), axis=1, dtype="float64"
        )
        return xp.sum(each)
