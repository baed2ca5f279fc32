"""The backward pass: nodes in reverse creation order, sums without copies."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from sys import getrefcount
from typing import Any, Protocol

from minigrad.backend import array_module
from minigrad.errors import GraphError
from minigrad.kernels._spec import as_array, sum_terms
from minigrad.tape.graph import OUTPUT, Node, Outputs
from minigrad.typing import Array, Terms

_number = attrgetter("number")
passes = 0
"""How many backward passes have run; tells a leaf whether one ran without it."""


class Observer(Protocol):
    """Is shown every term of a backward pass, in the order of the tape.

    Arrays belong to the engine: read them during the call, copy what should outlive it.
    A target is the `Node` or leaf `Tensor` that receives the gradient.
    """

    def start(self, order: Sequence[Node]) -> None:
        """See that a pass begins over these nodes, the root first.

        An earlier pass may have ended in an error.
        """

    def wants(self, node: Node, name: str, target: Any) -> bool:
        """Tell whether to be shown the terms that node sends to target."""
        ...

    def edge(
        self, node: Node, name: str, target: Any, terms: Terms, dy: Array
    ) -> Terms | None:
        """See the terms that node sends to target through its input called name.

        What is returned, unless None, flows in their place, and is what the observers
        that come later see; without any term nothing flows.
        """

    def total(self, target: Any, gradient: Array) -> None:
        """See the sum of all that one pass sent to target, once it is complete."""

    def end(self, complete: bool) -> None:
        """See that the pass is over; incomplete: an error cut it short."""


Observers = tuple[Observer, ...]


def run_backward(
    root: Node, dy: Array, *, retain_graph: bool, observers: Observers
) -> None:
    """Send dy from root to every leaf below it, freeing nodes as they are done."""
    global passes
    passes += 1
    order = _collect(root)
    # A view, so that this pass's dy is an object of its own: kernels may remember what
    # they made of one, and the caller may write new numbers into the array meanwhile.
    root.cotangent = dy[...]
    root.owned = False
    try:
        if observers:
            _run_observed(order, retain_graph, observers)
            return
        for node in order:
            _visit(node, (), {})
            if not retain_graph:
                node.free()
    except BaseException:
        for node in order:
            node.cotangent = None
        raise


def _run_observed(order: list[Node], retain_graph: bool, observers: Observers) -> None:
    """Run a pass that observers see from its start to its end, however it ends."""
    before = dict[Any, Any]()
    complete = False
    try:
        for observer in observers:
            observer.start(order)
        for node in order:
            _visit(node, observers, before)
            if not retain_graph:
                node.free()
        for leaf, old in before.items():
            new = leaf.cotangent
            own = new if old is None else as_array(new - old)
            for observer in observers:
                observer.total(leaf, own)
        complete = True
    finally:
        for observer in observers:
            observer.end(complete)


def _collect(root: Node) -> list[Node]:
    """List the nodes that root depends on, newest first."""
    found = {root}
    waiting = [root]
    while waiting:
        node = waiting.pop()
        if node.record is None:
            raise GraphError(
                f"backward: the graph of {node.kernel.name} was freed by an earlier "
                "backward(), expected a live one; pass retain_graph=True there"
            )
        for target in node.targets:
            if type(target) is Node and target not in found:
                found.add(target)
                waiting.append(target)
    return sorted(found, key=_number, reverse=True)


def _visit(node: Node, observers: Observers, before: dict[Any, Any]) -> None:
    """Hand the gradient that has arrived at node on to its targets."""
    dy = node.cotangent
    if dy is None:
        return  # An observer let nothing flow here.
    node.cotangent = None
    if node.outputs is not None:
        dy = gather(node.outputs, dy)
    elif observers:
        for observer in observers:
            observer.total(node, dy)
    if node.tensor is not None:
        node.tensor.add_gradient(dy)
    if node.kernel is OUTPUT:
        _place(node, dy)
        return
    kernel, record = node.kernel, node.record
    for index, target in enumerate(node.targets):
        if target is None:
            continue
        if observers:
            dx = _show(node, index, target, dy, observers)
            if dx is None:
                continue
            if type(target) is not Node and target not in before:
                old = target.cotangent
                before[target] = None if old is None else old.copy()
        else:
            dx = kernel.gradient(index, dy, record)  # type: ignore[arg-type]
        fresh = dx is not dy and (dx.base is None or _sole_view(dx))
        arrived = target.cotangent
        if arrived is None:
            if type(target) is not Node and not fresh:
                # A leaf's gradient outlives the pass, so it must not share memory.
                dx, fresh = dx.copy(order="K"), True
            target.cotangent = dx
            target.owned = fresh
        elif target.owned:
            arrived += dx
        else:
            target.cotangent = as_array(arrived + dx)
            target.owned = True


def _sole_view(dx: Array) -> bool:
    """Tell whether nobody but dx refers to the memory that dx is a view of.

    A rule that ends in a transpose or reshape of an array it made hands it over whole.
    One that repeats a number by broadcasting does not: there is memory for one only.
    """
    # One reference is dx's, one the argument's.
    return 0 not in dx.strides and getrefcount(dx.base) <= 2


def _show(
    node: Node,
    index: int,
    target: Any,
    dy: Array,
    observers: Observers,
) -> Array | None:
    """Show the terms of one input's gradient; return what is to flow, if anything."""
    kernel, record = node.kernel, node.record
    assert record is not None
    name = kernel.inputs(len(record.shapes))[index]
    curious = [one for one in observers if one.wants(node, name, target)]
    if not curious:
        return kernel.gradient(index, dy, record)
    terms = kernel.backward_terms(name, dy, record)
    changed = False
    for observer in curious:
        other = observer.edge(node, name, target, terms, dy)
        if other is not None:
            terms, changed = other, True
    if not terms:
        return None
    if changed or kernel.variadic or kernel.fast[index] is None:
        return sum_terms(list(terms.values()))
    # Not the terms' sum: looking must not change a bit, and the observer is to see
    # whether the terms explain what training uses.
    return kernel.gradient(index, dy, record)


def _place(node: Node, dy: Array) -> None:
    """Put the gradient of one of several outputs where its kernel's node finds it."""
    (target,) = node.targets
    if target.cotangent is None:
        target.cotangent = [None] * len(target.outputs.specs)
    target.cotangent[node.record.saved] = dy  # type: ignore[union-attr]


def gather(outputs: Outputs, arrived: list[Any]) -> Any:
    """Build dy of a kernel with several outputs; those nobody used get zeros."""
    xp = array_module(next(part for part in arrived if part is not None))
    return outputs.make(
        *(
            xp.zeros(shape, dtype) if part is None else part
            for part, (shape, dtype) in zip(arrived, outputs.specs, strict=True)
        )
    )
