"""The observer of a backward pass that turns arrays into measures as they go by.

What share a term has of a gradient is known only once the last term has come. So terms
are held, mostly without a copy, until the tape says that their sum is complete; then
they are measured and dropped. For a result that is soon, for a leaf it is the end of
the pass: what a recording holds at most is the terms of all leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy

from minigrad.backend import array_module, to_host
from minigrad.inspect.record.evidence import idle
from minigrad.inspect.record.history import History
from minigrad.inspect.record.measures import Arrived, Measures, greater, weigh
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.open_pass import OpenPass, Pending
from minigrad.inspect.record.records import Edge, Pass, Source, Target, Term
from minigrad.inspect.record.selection import Selection, expect_fit
from minigrad.inspect.record.sources import Sources
from minigrad.inspect.record.steps import Steps
from minigrad.inspect.record.trace import Trace
from minigrad.tape import Node, Tensor
from minigrad.typing import Array, Terms

DENSE = frozenset({"linear", "linear_no_bias"})
"""Kernels of dense layers, for which G_sample is known: x (N, I), w (O, I)."""


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
        self.selection = selection
        self._sources = sources
        self._keep = keep
        self._history = History(passes)
        self._steps = Steps(names)
        self._open = OpenPass(names)

    @property
    def history(self) -> History:
        """The passes so far, with the step after the last one if it was taken."""
        self._history.amend(self._steps.after(last=False))
        self._history.used = self.trace.used
        return self._history

    @property
    def calls(self) -> Mapping[str, str]:
        """Label of a call -> name of its result's gradient; see `History`."""
        return self._history.calls

    def close(self) -> None:
        """See that the block ends: what has not moved by now will not be seen to."""
        self._history.amend(self._steps.after(last=True))

    def expect_choice(self) -> None:
        """Raise ArgumentError if passes ran and nothing in them was selected."""
        history = self._history
        if self.selection.everything or not history.count or history.has_edges:
            return
        wanted = self.selection.described()
        expect_fit("gradient_flow", "gradient", wanted, history.left_out)

    # -- the observer ------------------------------------------------------------------

    def start(self, order: Sequence[Node]) -> None:
        """Begin a pass."""
        self.close()
        now = self._open = OpenPass(self.names, order, self.trace)
        if not self.selection.everything:
            now.chosen, others = self.selection.chosen(order, now.labels)
            self._history.left_out |= dict.fromkeys(others)
        if self._sources is not None:
            self._sources.start(order, now.changes)

    def wants(self, node: Node, name: str, target: Node | Tensor) -> bool:
        """Choose the targets that are selected; sources are followed everywhere."""
        return self._open.is_chosen(target) or self._sources is not None

    def edge(
        self, node: Node, name: str, target: Node | Tensor, terms: Terms, dy: Any
    ) -> None:
        """Hold the terms until the gradient of target is complete."""
        now = self._open
        if self._sources is not None:
            self._sources.sent(node)
        if not terms or not now.is_chosen(target):
            return
        pending = now.pending.get(target)
        if pending is None:
            pending = now.pending[target] = Pending(target)
            pending.information = _sample_information(node, name, target, dy)
        elif len(pending.edges) == 1:
            # The tape is about to add this gradient into the array of the first.
            held: Any = pending.edges[0].terms
            for term, array in held.items():
                if array is target.cotangent:
                    held[term] = array.copy(order="K")
            pending.information = None
        saved = node.record.saved  # type: ignore[union-attr]
        state = idle(node.kernel.name, name, saved)
        size = now.square(node, dy)
        pending.edges.append(Arrived(node.number, name, dict(terms), size, state))

    def total(self, target: Node | Tensor, gradient: Array) -> None:
        """Measure what has come to target, and let go of it."""
        now = self._open
        if self._sources is not None and isinstance(target, Node):
            self._sources.arrived(target, gradient, target is now.root)
        if not now.is_chosen(target) and target is not now.root:
            return
        # What backward() was called on has a gradient without edges.
        pending = now.pending.pop(target, None) or Pending(target)
        # Backward comes to the last consumer first.
        pending.edges.sort(key=lambda edge: edge.number)
        now.found.append(self._measured(pending, gradient))
        if isinstance(target, Tensor):
            self._steps.before(target)

    def end(self, complete: bool) -> None:
        """File the pass, in the order in which forward made what got gradients."""
        now = self._open
        # Nothing of a pass may outlive it: graphs lock the arrays that they need.
        self._open = OpenPass(self.names)
        if self._sources is not None:
            self._sources.end()
        if not now.found:
            return
        done: Pass = {}
        for target in sorted(now.found, key=_place):
            name = self._unique(target, done)
            done[name] = target._replace(name=name)
        for change in now.changes:
            if change.factor is None:
                self._history.detached |= change.changed
        self._history.add(done, now.fault, complete=complete)
        self._history.freeze(now.frozen)

    # -- measuring ---------------------------------------------------------------------

    def _measured(self, pending: Pending, gradient: Array) -> Target:
        target, edges = pending.target, pending.edges
        sources = {} if self._sources is None else self._sources.of(target)
        weighed = weigh(edges, gradient, pending.before, sources)
        call = self._open.labels.call(target) if isinstance(target, Node) else None
        information = pending.information
        measured = zip(edges, weighed.edges, weighed.terms, weighed.idle, strict=True)
        return Target(
            name=self._open.labels.target(target),
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
                Source(name, one, self._kept(sources[name]))
                for name, one in weighed.sources.items()
            ),
            error=greater(weighed.error, weighed.source_error),
            sample_information=(
                None if information is None else to_host(information).item()
            ),
            before=weighed.before,
            array=self._kept(gradient),
        )

    def _edge(
        self,
        edge: Arrived,
        whole: Measures,
        parts: dict[str, Measures],
        state: float | None,
    ) -> Edge:
        call = self._open.labels.calls[edge.number]
        terms = tuple(
            Term(name, measures, self._kept(edge.terms[name]))
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
            changed=self._open.changed(f"{call.label} ({edge.input}) ", parts),
        )

    def _kept(self, array: Array) -> Array | None:
        return array.copy(order="K") if self._keep else None

    def _kind(self, target: Node | Tensor) -> str:
        if id(target) in self.names.parameters:
            return "parameter"
        if self.names.of(target):
            return "named"
        return "result" if isinstance(target, Node) else "leaf"

    def _unique(self, target: Target, taken: Pass) -> str:
        """Number what would bear the name of another target."""
        if target.kind in ("parameter", "named"):
            return target.name
        found, count = target.name, 1
        while found in taken or found in self.names.tensors:
            count += 1
            found = f"{target.name}#{count}"
        return found


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
