"""Boxes and links of a pass as they are found, and what flows over them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple
from weakref import ref

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

AT_ONCE: Final = 1 << 18
"""Elements that are widened at a time for inner products: 2 MB of float64."""


class Call(NamedTuple):
    """What the tracer saw of a call: inputs without a gradient by index, and y.

    Of a result, the constant is a weak reference to its node.
    """

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
        fields = _fields(node)
        values = call.values if call else (None,) * len(fields)
        key = self._new(
            kind="call",
            name=self._title(node),
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
        all_facts: dict[str, Any] = {"label": "", "kernel": "", "module": None}
        all_facts |= {"line": None, **facts}
        self._boxes.append(Box(key, **all_facts))
        return key

    def _place(self, target: Any) -> tuple[int, str]:
        """Find where a gradient for target arrives; draft the box of what is new."""
        found = self._places.get(target)
        if found is not None:
            return found
        if not isinstance(target, Node):
            kind = "parameter" if id(target) in self._names.parameters else "leaf"
            value = Amount.of(target.data)
            found = self._tensor(kind, self._title(target), value), ""
        elif target.kernel is OUTPUT and target.record is not None:
            # One of several results.
            (parent,) = target.targets
            found = self._place(parent)[0], _fields(parent)[target.record.saved]
        else:
            found = self._freed(target), ""
        self._places[target] = found
        return found

    def _freed(self, node: Node) -> int:
        """Draft the box of a result whose graph an earlier backward has freed."""
        return self._new(
            kind="result",
            name=self._title(node),
            kernel="" if node.kernel is OUTPUT else node.kernel.name,
            results=tuple(Result(field, None, None) for field in _fields(node)),
        )

    def _constant(self, value: Any, amount: Amount) -> tuple[int, str]:
        """Find, or draft, the box of what needs no gradient."""
        if isinstance(value, ref):
            # A result, asked by a kernel that has no derivative for it.
            kind, value = "input", value()
            if value is not None and self._is_drawn(value):
                return self._place(value)
        else:
            # Subclasses are parameters, here frozen ones, and buffers.
            kind = "input" if type(value) is Tensor else "constant"
        title = self._title(value) if isinstance(value, Node | Tensor) else ""
        if not isinstance(value, Node) and not hasattr(value, "shape"):
            # Numbers that are equal may be one object, but are not one thing.
            return self._tensor(kind, title, amount), ""
        key = self._constants.get(id(value))
        if key is None:
            key = self._constants[id(value)] = self._tensor(kind, title, amount)
        return key, ""

    def _is_drawn(self, node: Node) -> bool:
        above = node.targets if node.kernel is OUTPUT else (node,)
        return any(one in self._places for one in above)

    def _title(self, target: Node | Tensor) -> str:
        own = target.name if isinstance(target, Tensor) else self._titles.get(target)
        return self._names.of(target) or own or ""

    def _tensor(self, kind: str, name: str, amount: Amount) -> int:
        return self._new(kind=kind, name=name, results=(Result("", amount, None),))

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


def _fields(node: Node) -> tuple[str, ...]:
    """Name the results of a call: one is called ""."""
    return node.outputs.make._fields if node.outputs else ("",)  # type: ignore[attr-defined]


def _products(arrays: Sequence[Array]) -> numpy.ndarray:
    """Return the inner products of all pairs, on the host."""
    count, first = len(arrays), arrays[0]
    if count == 1:
        return numpy.full((1, 1), float(to_host(square(first))))
    xp = array_module(first)
    wide = "complex128" if first.dtype.kind == "c" else "float64"
    # All in the order in which the first lies in memory, so that few are copied.
    order = sorted(range(first.ndim), key=lambda axis: -abs(first.strides[axis]))
    flat = [array.transpose(order).reshape(-1) for array in arrays]
    total = xp.zeros((count, count), "float64")
    block = max(1, AT_ONCE // count)
    with numpy.errstate(all="ignore"):
        for start in range(0, first.size, block):
            stop = min(start + block, first.size)
            rows = xp.empty((count, stop - start), wide)
            for at, array in enumerate(flat):
                rows[at] = array[start:stop]
            total = total + (rows @ rows.conj().T).real
        return numpy.asarray(to_host(total))


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
