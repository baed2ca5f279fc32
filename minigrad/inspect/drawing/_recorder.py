"""Watches a forward and a backward pass and writes down what a picture shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary, ref

from minigrad.inspect.drawing._draft import Call, Draft
from minigrad.inspect.drawing.boxes import Amount, Picture
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.trace import user_line
from minigrad.tape import Node, Tensor
from minigrad.typing import Array, Terms


class GraphRecorder:
    """Traces calls, observes passes, and keeps what is to be drawn of the last."""

    def __init__(self, model: Any, names: Mapping[str, Tensor]) -> None:
        """Look names up when a pass begins; raises ArgumentError for a wrong model."""
        self._model = model
        self._given = names
        self._calls: WeakKeyDictionary[Node, Call] = WeakKeyDictionary()
        self._titles: WeakKeyDictionary[Node, str] = WeakKeyDictionary()
        self._draft: Draft | None = None
        self._done: Picture | None = None
        self._names()

    def _names(self) -> Names:
        return Names(self._model, self._given, "graph")

    def picture(self) -> Picture | None:
        """Return the last pass, else the forward pass so far; None without either."""
        if self._draft is not None:
            return self._draft.picture()
        nodes = [node for node in list(self._calls) if node.record is not None]
        if nodes and (self._done is None or self._done.root is None):
            # The draft goes at once: it would keep the graph, and its arrays locked.
            self._done = self._drawn(_with_ancestors(nodes), None).picture()
        return self._done

    def close(self) -> None:
        """Keep the picture alone."""
        self._done = self.picture()
        self._draft = self._model = None
        self._given = {}
        self._calls.clear()

    def _drawn(self, order: Sequence[Node], root: Node | None) -> Draft:
        return Draft(order, root, self._names(), self._calls, self._titles, self._model)

    # -- the tracer --------------------------------------------------------------------

    def ran(
        self,
        kernel: Any,
        inputs: tuple[Any, ...],
        arrays: list[Array],
        y: Any,
        node: Node | None,
    ) -> None:
        """Keep the values of a call that is in the graph."""
        for value in inputs:
            if isinstance(value, Tensor) and value.node is not None and value.name:
                self._titles[value.node] = value.name
        if node is None:
            return
        constants = {
            index: _identity(value)
            for index, (value, target) in enumerate(
                zip(inputs, node.targets, strict=True)
            )
            if target is None and arrays[index].size
        }
        self._calls[node] = Call(
            constants,
            {index: Amount.of(arrays[index]) for index in constants},
            tuple(Amount.of(part) for part in (y if isinstance(y, tuple) else (y,))),
            user_line(),
        )

    def returned(self, module: Any, y: Any) -> None:
        """Calls of modules are not needed: kernel calls know theirs."""

    # -- the observer ------------------------------------------------------------------

    def start(self, order: Sequence[Node]) -> None:
        """Draft the graph while it is whole: backward frees it on its way."""
        self._draft = self._drawn(order, order[0])

    def wants(self, node: Node, name: str, target: Any) -> bool:
        """Ask for everything."""
        return True

    def edge(self, node: Node, name: str, target: Any, terms: Terms, dy: Any) -> None:
        """Measure what node sends to target."""
        if self._draft is not None and terms:
            self._draft.sent(node, name, target, terms, dy)

    def total(self, target: Any, gradient: Array) -> None:
        """Measure what has come to target."""
        if self._draft is not None:
            self._draft.arrived(target, gradient)

    def end(self, complete: bool) -> None:
        """Keep what has flowed, and let go of the graph and its arrays."""
        if self._draft is not None:
            self._done = self._draft.picture()
            self._draft = None
        for node in [node for node in list(self._calls) if node.record is None]:
            del self._calls[node]


def _identity(value: Any) -> Any:
    """Return what tells a constant from others but keeps no graph alive."""
    if isinstance(value, Tensor) and value.node is not None:
        return ref(value.node)
    return value


def _with_ancestors(nodes: Sequence[Node]) -> list[Node]:
    """List nodes and all that they depend on, newest first, without freed ones."""
    found = set(nodes)
    waiting = list(nodes)
    while waiting:
        for target in waiting.pop().targets:
            if (
                isinstance(target, Node)
                and target.record is not None
                and target not in found
            ):
                found.add(target)
                waiting.append(target)
    return sorted(found, key=lambda node: node.number, reverse=True)
