"""Forward passes whose graph is read for what backward would do, and is not run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from minigrad.inspect.backward_work.products import NONE, Products, products
from minigrad.inspect.backward_work.rows import Work
from minigrad.inspect.model_summary._meter import STRANGERS
from minigrad.inspect.record.frozen import leaving
from minigrad.tape import Node, Tensor
from minigrad.typing import Array


class Calls:
    """Traces a forward pass: the products of each recorded call's backward, by node."""

    def __init__(self) -> None:
        """Begin without calls."""
        self.products: dict[Node, Products] = {}

    def ran(
        self,
        kernel: Any,
        inputs: tuple[Any, ...],
        arrays: list[Array],
        y: Any,
        node: Node | None,
    ) -> None:
        """Count what the gradients of a call take, if it is recorded."""
        if node is not None:
            self.products[node] = products(kernel, arrays, y)

    def returned(self, module: Any, y: Any) -> None:
        """See that a module returned; what it gave does not matter."""


class Found(NamedTuple):
    """What backward does in one module itself."""

    work: Work
    passes: bool
    """Whether a gradient leaves the module for what lies before it."""


def tensors(y: Any) -> Iterator[Tensor]:
    """Walk over the tensors in what a model returned."""
    if isinstance(y, Tensor):
        yield y
    elif isinstance(y, dict | tuple | list):
        for part in y.values() if isinstance(y, dict) else y:
            yield from tensors(part)


def reached(y: Any) -> list[Node]:
    """List the nodes that a backward pass from all of y comes to."""
    waiting = [one.node for one in tensors(y) if one.node is not None]
    found = set(waiting)
    while waiting:
        for target in waiting.pop().targets:
            if type(target) is Node and target not in found:
                found.add(target)
                waiting.append(target)
    return list(found)


def found(model: Any, calls: Calls, nodes: Iterable[Node]) -> dict[str, Found]:
    """Sum what backward does at nodes by the path of the module that called."""
    paths = {id(module): path for path, module in model.named_modules()}
    parameters = {id(one) for one in model.parameters()}
    sums: dict[str, Found] = {}
    for node in nodes:
        path = paths.get(id(node.scope), STRANGERS)
        work, passes = sums.get(path, Found(Work(0, 0), False))
        own = _work(node, calls.products.get(node, NONE), parameters)
        both = Work(work.weights + own.weights, work.inputs + own.inputs)
        sums[path] = Found(both, passes or any(True for _ in leaving(node, parameters)))
    return sums


def _work(node: Node, cost: Products, parameters: set[int]) -> Work:
    """Count the gradients that are asked of one call."""
    names = node.kernel.inputs(len(node.targets))
    wanted = {
        name: target
        for name, target in zip(names, node.targets, strict=True)
        if target is not None
    }
    weights = sum(
        cost.own.get(name, 0)
        for name, target in wanted.items()
        if id(target) in parameters
    )
    everything = sum(cost.own.get(name, 0) for name in wanted)
    return Work(weights, everything - weights + cost.needed(wanted))
