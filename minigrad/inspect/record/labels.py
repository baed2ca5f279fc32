"""What the calls and gradients of one backward pass are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from minigrad.inspect.record.names import Names
from minigrad.inspect.record.trace import Line
from minigrad.tape import Node, Tensor
from minigrad.tape.graph import OUTPUT


class Call(NamedTuple):
    """A kernel call that took part, or one of the results of a call with several.

    Attributes:
        label: `module/kernel#n`, the n-th call of that kernel in that module, and
            `.field` behind it for one of several results.
        kernel, module: name of the kernel, path of the module that called it.
        parent: number of the call of which this is one of several results, else None.
        line: where the user's code made it, if the forward pass was traced.
    """

    label: str
    kernel: str
    module: str
    parent: int | None
    line: Line | None


class Labels:
    """Names of the calls in one pass by their numbers, and of what gets gradients."""

    def __init__(
        self, names: Names, order: Iterable[Node], lines: Mapping[Node, Line | None]
    ) -> None:
        """Label the nodes of a pass, given newest first."""
        self._names = names
        self.calls: dict[int, Call] = {}
        counts: Counter[str] = Counter()
        for node in reversed(list(order)):
            module = names.module(node.scope)
            line = lines.get(node)
            if node.kernel is OUTPUT:
                self.calls[node.number] = self._result(node, module)
                continue
            stem = names.stem(node.kernel, node.scope)
            counts[stem] += 1
            label = f"{stem}#{counts[stem]}"
            self.calls[node.number] = Call(label, node.kernel.name, module, None, line)

    def _result(self, node: Node, module: str) -> Call:
        """Label one of several results; its call has been labelled before."""
        (parent,) = node.targets
        above = self.calls[parent.number]
        field = parent.outputs.make._fields[node.record.saved]  # type: ignore[union-attr]
        label = f"{above.label}.{field}"
        return Call(label, above.kernel, module, parent.number, above.line)

    def call(self, node: Node) -> Call:
        """Return what is known of the call that made node."""
        return self.calls[node.number]

    def target(self, target: Any) -> str:
        """Name what a gradient is sent to: by its name, else by the call; "leaf"."""
        own = target.name if isinstance(target, Tensor) else None
        call = self.calls[target.number].label if isinstance(target, Node) else None
        return self._names.of(target) or own or call or "leaf"
