"""Boxes and links of a pass as they are found, and what flows over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy

from minigrad.backend import array_module, to_host
from minigrad.inspect.drawing.boxes import (
    Amount,
    Box,
    Link,
    Part,
    Picture,
    Products,
    Result,
)
from minigrad.inspect.record.labels import Labels
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.sums import square
from minigrad.inspect.record.trace import Line
from minigrad.kernels._spec import NOT_A_GRADIENT, sum_terms
from minigrad.tape import Node, Tensor
from minigrad.tape.graph import OUTPUT
from minigrad.typing import Array, Terms


class Call(NamedTuple):
    """What the tracer saw of a call: inputs without a gradient by index, and y."""

    constants: dict[int, Any]
    amounts: dict[int, Amount]
    values: tuple[Amount, ...]
    line: Line | None


class Draft:
    """The boxes and links of one pass, with what has flowed over them so far."""

    def __init__(
        self,
        order: Iterable[Node],
        root: Node | None,
        names: Names,
        calls: Mapping[Node, Call],
        titles: Mapping[Node, str],
        model: Any,
    ) -> None:
        """Draft the graph of the nodes in order, newest first."""
        self._names = names
        self._calls = calls
        self._titles = titles
        self._boxes: list[Box] = []
        self._links: list[Link] = []
        # Where a gradient arrives: node or tensor -> key of its box, and field.
        self._places: dict[Any, tuple[int, str]] = {}
        self._constants: dict[int, int] = {}
        self._wires: dict[tuple[int, str], int] = {}
        self._gradients: dict[tuple[int, str], Amount] = {}
        self._held: dict[Any, list[tuple[int, Array]]] = {}
        self._products: dict[tuple[int, str], Products] = {}
        self._classes = {
            path: type(module).__name__
            for path, module in (model.named_modules() if model is not None else ())
        }
        nodes = [node for node in order if node.kernel is not OUTPUT]
        self._labels = Labels(names, nodes, {})
        for node in reversed(nodes):
            self._add(node)
        self.root = None if root is None else self._place(root)[0]

    def picture(self) -> Picture:
        """Return the draft with the gradients that have come."""
        boxes = [
            box._replace(
                results=tuple(
                    one._replace(gradient=self._gradients.get((box.key, one.field)))
                    for one in box.results
                )
            )
            for box in self._boxes
        ]
        return Picture(
            boxes, list(self._links), dict(self._products), self.root, self._classes
        )

    # -- the structure -----------------------------------------------------------------

    def _add(self, node: Node) -> None:
        """Draft the box of a call, those of its inputs that are new, and the links."""
        call = self._calls.get(node)
        names = node.kernel.inputs(len(node.record.shapes))  # type: ignore[union-attr]
        sources: list[tuple[str, tuple[int, str]]] = []
        for index, (name, target) in enumerate(zip(names, node.targets, strict=True)):
            if target is not None:
                sources.append((name, self._place(target)))
            elif call is not None and index in call.constants:
                value, amount = call.constants[index], call.amounts[index]
                sources.append((name, self._constant(value, amount)))
        label = self._labels.call(node)
        fields = node.outputs.make._fields if node.outputs else ("",)  # type: ignore[attr-defined]
        values = call.values if call else (None,) * len(fields)
        key = self._new(
            kind="call",
            name=self._names.of(node) or self._titles.get(node) or "",
            label=label.label,
            kernel=label.kernel,
            module=None if node.scope is None else label.module,
            line=call.line if call else None,
            results=tuple(
                Result(field, value, None)
                for field, value in zip(fields, values, strict=True)
            ),
        )
        self._places[node] = key, ""
        for name, (source, field) in sources:
            self._wires[node.number, name] = len(self._links)
            self._links.append(Link(len(self._links), source, field, key, name))

    def _new(self, **facts: Any) -> int:
        key = len(self._boxes)
        self._boxes.append(Box(key, **facts))
        return key

    def _place(self, target: Any) -> tuple[int, str]:
        """Find where a gradient for target arrives; draft the box of a new leaf."""
        found = self._places.get(target)
        if found is None and isinstance(target, Node):
            # One of several results.
            (parent,) = target.targets
            position = target.record.saved  # type: ignore[union-attr]
            found = self._places[parent][0], parent.outputs.make._fields[position]
        elif found is None:
            kind = "parameter" if id(target) in self._names.parameters else "leaf"
            value = Amount.of(target.data)
            found = self._tensor(kind, target, value), ""
        self._places[target] = found
        return found

    def _constant(self, value: Any, amount: Amount) -> tuple[int, str]:
        """Find, or draft, the box of what needs no gradient."""
        if not isinstance(value, Tensor):
            kind, title = "constant", ""
            if not hasattr(value, "shape"):
                # Numbers that are equal may be one object, but are not one thing.
                return self._tensor(kind, None, amount), title
        elif value.node is not None and value.node in self._places:
            # A result, asked by a kernel that has no derivative for it.
            return self._places[value.node]
        else:
            # Subclasses are parameters, here frozen ones, and buffers.
            kind = "input" if type(value) is Tensor else "constant"
        key = self._constants.get(id(value))
        if key is None:
            key = self._constants[id(value)] = self._tensor(kind, value, amount)
        return key, ""

    def _tensor(self, kind: str, value: Any, amount: Amount) -> int:
        known = isinstance(value, Tensor)
        name = (self._names.of(value) or value.name or "") if known else ""
        return self._new(
            kind=kind,
            name=name,
            label="",
            kernel="",
            module=None,
            line=None,
            results=(Result("", amount, None),),
        )

    # -- what flows --------------------------------------------------------------------

    def sent(self, node: Node, name: str, target: Any, terms: Terms, dy: Any) -> None:
        """Write what flows over a link on it."""
        whole = sum_terms(list(terms.values()))
        held = self._held.setdefault(target, [])
        if len(held) == 1 and held[0][1] is target.cotangent:
            # The tape is about to add into the array of the first.
            held[0] = held[0][0], held[0][1].copy()
        at = self._wires[node.number, name]
        held.append((at, whole))
        contribution = Amount.of(whole)
        arrived = math.sqrt(float(to_host(square(dy))))
        self._links[at] = self._links[at]._replace(
            terms=tuple(
                Part(term, contribution if part is whole else Amount.of(part))
                for term, part in terms.items()
            ),
            contribution=contribution,
            local=_local(node, name, dy, contribution),
            gain=contribution.norm / arrived if arrived > 0 else None,
        )

    def arrived(self, target: Any, gradient: Array) -> None:
        """Write the gradient of target on its box."""
        place = self._place(target)
        self._gradients[place] = Amount.of(gradient)
        held = self._held.pop(target, None)
        if held:
            links, arrays = zip(*held, strict=True)
            self._products[place] = Products(links, _products(arrays))


def _products(arrays: Sequence[Array]) -> numpy.ndarray:
    """Return the inner products of all pairs, on the host."""
    if len(arrays) == 1:
        return numpy.full((1, 1), float(to_host(square(arrays[0]))))
    xp = array_module(arrays[0])
    wide = "complex128" if arrays[0].dtype.kind == "c" else "float64"
    rows = xp.stack([array.reshape(-1).astype(wide) for array in arrays])
    with numpy.errstate(all="ignore"):
        return numpy.asarray(to_host((rows @ rows.conj().T).real))


def _local(node: Node, name: str, dy: Any, contribution: Amount) -> Any:
    """Return the derivative of one number by one other; None where it is not that."""
    if isinstance(dy, tuple) or dy.size != 1 or contribution.size != 1:
        return None
    arrived = to_host(dy).item()
    if arrived and math.isfinite(abs(arrived)):
        return contribution.number / arrived
    if node.kernel.gradient_of is NOT_A_GRADIENT:
        return None
    # Nothing arrives, but rules are linear in dy: ask for what 1 would become.
    unit = array_module(dy).ones_like(dy)
    terms = node.kernel.backward_terms(name, unit, node.record)  # type: ignore[arg-type]
    return to_host(sum_terms(list(terms.values()))).item()
