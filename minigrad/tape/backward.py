"""The backward pass: nodes in reverse creation order, sums without copies."""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from sys import getrefcount
from typing import Any, Protocol

from minigrad.backend import array_module
from minigrad.errors import GraphError
from minigrad.kernels._spec import as_array, sum_terms
from minigrad.tape.graph import OUTPUT, Node, Outputs
from minigrad.typing import Array

_number = attrgetter("number")
passes = 0
"""How many backward passes have run; tells a leaf whether one ran without it."""


class Observer(Protocol):
    """Is shown every term of a backward pass, in the order of the tape.

    Arrays belong to the engine: read them during the call, copy what should outlive it.
    A target is the `Node` or leaf `Tensor` that receives the gradient.
    """

    def start(self, root: Node) -> None:
        """See that a pass begins at root; an earlier one may have ended in an error."""

    def edge(
        self, node: Node, name: str, target: Any, terms: Mapping[str, Array], dy: Array
    ) -> None:
        """See the terms that node sends to target through its input called name."""

    def total(self, target: Any, gradient: Array) -> None:
        """See the sum of all that one pass sent to target, once it is complete."""


def run_backward(
    root: Node, dy: Array, *, retain_graph: bool, observer: Observer | None
) -> None:
    """Send dy from root to every leaf below it, freeing nodes as they are done."""
    global passes
    passes += 1
    before = None if observer is None else dict[Any, Any]()
    # A view, so that this pass's dy is an object of its own: kernels may remember what
    # they made of one, and the caller may write new numbers into the array meanwhile.
    root.cotangent = dy[...]
    root.owned = False
    order = _collect(root)
    if observer is not None:
        observer.start(root)
    try:
        for node in order:
            _visit(node, observer, before)
            if not retain_graph:
                node.free()
    except BaseException:
        for node in order:
            node.cotangent = None
        raise
    if observer is not None and before is not None:
        for leaf, old in before.items():
            new = leaf.cotangent
            observer.total(leaf, new if old is None else as_array(new - old))


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


def _visit(
    node: Node, observer: Observer | None, before: dict[Any, Any] | None
) -> None:
    """Hand the gradient that has arrived at node on to its targets."""
    dy = node.cotangent
    node.cotangent = None
    if node.outputs is not None:
        dy = _gather(node.outputs, dy)
    elif observer is not None:
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
        if observer is None:
            dx = kernel.gradient(index, dy, record)  # type: ignore[arg-type]
        else:
            dx = _show(node, index, target, dy, observer, before)
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
    """
    # One reference is dx's, one the argument's.
    return getrefcount(dx.base) <= 2


def _show(
    node: Node,
    index: int,
    target: Any,
    dy: Array,
    observer: Observer,
    before: dict[Any, Any] | None,
) -> Array:
    """Show the terms of one input's gradient; return what runs when nobody looks."""
    kernel, record = node.kernel, node.record
    assert record is not None
    assert before is not None
    if type(target) is not Node and target not in before:
        old = target.cotangent
        before[target] = None if old is None else old.copy()
    name = kernel.inputs(len(record.shapes))[index]
    terms = kernel.backward_terms(name, dy, record)
    observer.edge(node, name, target, terms, dy)
    if kernel.variadic or kernel.fast[index] is None:
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


def _gather(outputs: Outputs, arrived: list[Any]) -> Any:
    """Build dy of a kernel with several outputs; those nobody used get zeros."""
    xp = array_module(next(part for part in arrived if part is not None))
    return outputs.make(
        *(
            xp.zeros(shape, dtype) if part is None else part
            for part, (shape, dtype) in zip(arrived, outputs.specs, strict=True)
        )
    )
