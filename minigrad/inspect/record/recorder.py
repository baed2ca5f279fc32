"""The observer of a backward pass that turns arrays into measures as they go by.

What share a term has of a gradient is known only once the last term has come. So terms
are held, mostly without a copy, until the tape says that their sum is complete; then
they are measured and dropped. For a result that is soon, for a leaf it is the end of
the pass: what a recording holds at most is the terms of all leaves.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy

from minigrad.backend import array_module, to_host
from minigrad.inspect.interventions import Intervention
from minigrad.inspect.record.evidence import idle
from minigrad.inspect.record.history import History
from minigrad.inspect.record.labels import Labels
from minigrad.inspect.record.measures import Arrived, Measures, weigh
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.records import Edge, Pass, Source, Target, Term
from minigrad.inspect.record.selection import Selection, fits
from minigrad.inspect.record.sources import Sources
from minigrad.inspect.record.steps import Steps
from minigrad.inspect.record.sums import square
from minigrad.inspect.record.trace import Fault, Trace
from minigrad.tape import Node, Tensor, modes
from minigrad.typing import Array, Terms

DENSE = frozenset({"linear", "linear_no_bias"})
"""Kernels of dense layers, for which G_sample is known: x (N, I), w (O, I)."""


class _Pending:
    """The edges that have come to a target so far."""

    __slots__ = ("before", "edges", "information", "target")

    def __init__(self, target: Node | Tensor) -> None:
        self.target = target
        self.edges: list[Arrived] = []
        self.information: Array | None = None
        old = None if isinstance(target, Node) else target.cotangent
        self.before: Array = 0.0 if old is None else square(old)


class Recorder:
    """Observes backward passes and keeps the measures of all chosen gradients."""

    def __init__(
        self,
        names: Names,
        selection: Selection,
        sources: Sources | None,
        trace: Trace,
        passes: int,
        keep: bool,
    ) -> None:
        """Record what is selected under names; keep arrays if asked."""
        self.names = names
        self.trace = trace
        self._selection = selection
        self._sources = sources
        self._keep = keep
        self._history = History(passes)
        self._steps = Steps(names)
        self._root: Node | None = None
        self._labels = Labels(names, (), {})
        self._chosen: set[Any] | None = None
        self._pending: dict[Any, _Pending] = {}
        self._found: list[Target] = []
        self._fault: Fault | None = None

    @property
    def history(self) -> History:
        """The passes so far; an error may have cut short the last."""
        self.close()
        return self._history

    def may_see(self, name: str) -> bool:
        """Tell whether the selection leaves a gradient called name in."""
        return fits(self._selection.name, name)

    # -- the observer ------------------------------------------------------------------

    def start(self, order: Sequence[Node]) -> None:
        """Begin a pass."""
        self.close()
        self._root = order[0]
        self._labels = Labels(self.names, order, self.trace.lines)
        if not self._selection.everything:
            self._chosen = self._selection.chosen(order, self._labels)
        if self._sources is not None:
            known = modes.observers.get()
            changes = [one for one in known if isinstance(one, Intervention)]
            self._sources.start(order, changes)
        self._fault = self.trace.fault
        self.trace.restart()

    def wants(self, node: Node, name: str, target: Node | Tensor) -> bool:
        """Choose the targets that are selected; sources are followed everywhere."""
        return self._is_chosen(target) or self._sources is not None

    def _is_chosen(self, target: Node | Tensor) -> bool:
        return self._chosen is None or target in self._chosen

    def edge(
        self, node: Node, name: str, target: Node | Tensor, terms: Terms, dy: Any
    ) -> None:
        """Hold the terms until the gradient of target is complete."""
        if self._sources is not None:
            self._sources.sent(node)
        if not self._is_chosen(target):
            return
        pending = self._pending.get(target)
        if pending is None:
            pending = self._pending[target] = _Pending(target)
            pending.information = _sample_information(node, name, target, dy)
        elif len(pending.edges) == 1:
            # The tape is about to add this gradient into the array of the first.
            held: Any = pending.edges[0].terms
            for term, array in held.items():
                if array is target.cotangent:
                    held[term] = array.copy()
            pending.information = None
        saved = node.record.saved  # type: ignore[union-attr]
        state = idle(node.kernel.name, name, saved)
        arrived = Arrived(node.number, name, dict(terms), square(dy), state)
        pending.edges.append(arrived)

    def total(self, target: Node | Tensor, gradient: Array) -> None:
        """Measure what has come to target, and let go of it."""
        if self._sources is not None and isinstance(target, Node):
            self._sources.arrived(target, gradient, target is self._root)
        if not self._is_chosen(target) and target is not self._root:
            return
        # What backward() was called on has a gradient without edges.
        pending = self._pending.pop(target, None) or _Pending(target)
        # Backward comes to the last consumer first.
        pending.edges.sort(key=lambda edge: edge.number)
        self._found.append(self._measured(pending, gradient))
        if isinstance(target, Tensor):
            self._steps.before(target)

    def end(self, complete: bool) -> None:
        """See that the pass is over."""

    # -- measuring ---------------------------------------------------------------------

    def _measured(self, pending: _Pending, gradient: Array) -> Target:
        target, edges = pending.target, pending.edges
        sources = {} if self._sources is None else self._sources.of(target)
        weighed = weigh(edges, gradient, pending.before, sources)
        call = self._labels.call(target) if isinstance(target, Node) else None
        information = pending.information
        measured = zip(edges, weighed.edges, weighed.terms, weighed.idle, strict=True)
        return Target(
            name=self._labels.target(target),
            call=call.label if call else "",
            kind=self._kind(target),
            number=target.number if isinstance(target, Node) else None,
            parent=call.parent if call else None,
            shape=gradient.shape,
            dtype=gradient.dtype,
            module=call.module if call else self.names.owner(target),
            line=call.line if call else None,
            measures=weighed.total,
            edges=tuple(self._edge(*one) for one in measured),
            sources=tuple(
                Source(name, one, sources[name].copy() if self._keep else None)
                for name, one in weighed.sources.items()
            ),
            error=_greater(weighed.error, weighed.source_error),
            sample_information=(
                None if information is None else to_host(information).item()
            ),
            array=gradient.copy() if self._keep else None,
        )

    def _edge(
        self,
        edge: Arrived,
        whole: Measures,
        parts: dict[str, Measures],
        state: float | None,
    ) -> Edge:
        call = self._labels.calls[edge.number]
        terms = tuple(
            Term(name, measures, edge.terms[name].copy() if self._keep else None)
            for name, measures in parts.items()
        )
        return Edge(
            consumer=call.label,
            number=edge.number,
            kernel=call.kernel,
            module=call.module,
            input=edge.input,
            terms=terms,
            measures=whole,
            idle=state,
            line=call.line,
        )

    def _kind(self, target: Node | Tensor) -> str:
        if id(target) in self.names.parameters:
            return "parameter"
        if self.names.of(target):
            return "named"
        return "result" if isinstance(target, Node) else "leaf"

    def close(self) -> None:
        """End the open pass, in the order in which forward made what got gradients."""
        self._pending.clear()
        if not self._found:
            return
        done: Pass = {}
        updates = self._steps.after()
        for target in sorted(self._found, key=_place):
            weight, update = updates.get(target.name, (None, None))
            name = self._unique(target, done)
            done[name] = target._replace(name=name, weight_norm=weight, update=update)
        self._found = []
        self._history.add(done, self._fault)

    def _unique(self, target: Target, taken: Pass) -> str:
        """Number what would bear the name of another target."""
        if target.kind in ("parameter", "named"):
            return target.name
        found, count = target.name, 1
        while found in taken or found in self.names.tensors:
            count += 1
            found = f"{target.name}#{count}"
        return found


def _greater(one: float, other: float) -> float:
    """Return the greater of two errors; NaN is greater than all."""
    return one if not one <= other else other


def _place(target: Target) -> tuple[float, bool]:
    """Order targets as forward made them; a leaf comes before its first consumer."""
    if target.number is not None:
        return target.number, True
    return target.edges[0].number, False


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
