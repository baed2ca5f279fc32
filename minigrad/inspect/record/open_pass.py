"""What is held of a pass while it runs, and let go of when it ends."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from minigrad.inspect.interventions import Intervention
from minigrad.inspect.record.frozen import find
from minigrad.inspect.record.labels import Labels
from minigrad.inspect.record.measures import Arrived
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.records import Target
from minigrad.inspect.record.sums import square
from minigrad.inspect.record.trace import Trace, at
from minigrad.tape import Node, Tensor, modes
from minigrad.typing import Array


class Pending:
    """The edges that have come to a target so far."""

    __slots__ = ("before", "edges", "information", "target")

    def __init__(self, target: Node | Tensor) -> None:
        self.target = target
        self.edges: list[Arrived] = []
        self.information: Array | None = None
        old = None if isinstance(target, Node) else target.cotangent
        self.before: Array = 0.0 if old is None else square(old)


class OpenPass:
    """What is held of a pass while it runs; without an order, between two passes."""

    def __init__(
        self, names: Names, order: Sequence[Node] = (), trace: Trace | None = None
    ) -> None:
        lines = {} if trace is None else trace.lines
        self.root = order[0] if order else None
        self.labels = Labels(names, order, lines)
        self.frozen = find(names, order, self.labels) if order else {}
        self.chosen: set[Any] | None = None
        self.pending: dict[Any, Pending] = {}
        self.found: list[Target] = []
        self.fault = "" if trace is None else self._first_fault(order, trace)
        known = modes.observers.get()
        self.changes = [one for one in known if isinstance(one, Intervention)]
        self._square: tuple[Any, Array] = (None, 0.0)

    def _first_fault(self, order: Sequence[Node], trace: Trace) -> str:
        for node in reversed(order):
            if node in trace.faults:
                call = self.labels.call(node)
                return f"{call.label}{at(call.line)} {trace.faults[node]}"
        return ""

    def is_chosen(self, target: Node | Tensor) -> bool:
        """Tell whether the gradient of target is measured."""
        return self.chosen is None or target in self.chosen

    def square(self, node: Node, dy: Any) -> Array:
        """Return the squared norm of dy, once for all inputs of a call."""
        if self._square[0] is not node:
            self._square = node, square(dy)
        return self._square[1]

    def changed(self, place: str, terms: Iterable[str]) -> str:
        """Name the intervention that changed one of terms."""
        places = [f"{place}{term}" for term in terms]
        for change in self.changes:
            if any(one in change.changed for one in places):
                return change.who
        return ""
