"""Level 3: what of each gradient comes from which source, all in one backward pass.

A source is a result on the way from the loss back: a loss term, the loss of one
example, the output at one time step. The gradient that arrives there is its own. Beside
the gradient of the tape, every source's own part is sent through the same rules, which
are linear in dy; so the parts of any gradient sum to it. What has come through no
source is one more part, the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, Final, NamedTuple
from weakref import WeakKeyDictionary

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, BadIndexError, GraphError, got
from minigrad.inspect.interventions import Intervention
from minigrad.kernels._spec import as_array, sum_terms
from minigrad.tape import Node, Tensor
from minigrad.tape.backward import gather
from minigrad.tape.graph import OUTPUT
from minigrad.typing import Array, Terms

REST: Final = "rest"
"""The part of a gradient that has come through no source."""


class Along(NamedTuple):
    """A tensor each of whose slices along axis is a source."""

    tensor: Tensor
    axis: int


Origin = Tensor | Along
"""What a source is given as."""


def along(tensor: Tensor, axis: int = 0) -> Along:
    """Make every slice of tensor along axis a source: an example, a time step.

    Raises ArgumentError for what is no tensor, BadIndexError for an axis it lacks.
    """
    if not isinstance(tensor, Tensor):
        kind = f"a {type(tensor).__name__}"
        raise ArgumentError(got("along", "tensor is", kind, "a Tensor"))
    if not tensor.ndim:
        rule = 'one with an axis; a mean hides its parts, pass reduction="none"'
        raise BadIndexError(got("along", "tensor has shape", (), rule))
    if isinstance(axis, bool) or not isinstance(axis, int):
        raise ArgumentError(got("along", "axis", repr(axis), "an integer"))
    if not -tensor.ndim <= axis < tensor.ndim:
        rule = f"one of the {tensor.ndim} axes of shape {tensor.shape}"
        raise BadIndexError(got("along", "axis", axis, rule))
    return Along(tensor, axis % tensor.ndim)


Seed = Callable[[Array], Array]
"""Cuts a source's own part out of the gradient at its tensor."""


class Sources:
    """The parts of all gradients on their way back, source by source."""

    def __init__(self, given: Mapping[str, Origin]) -> None:
        """Take sources by name; raises ArgumentError or GraphError for wrong ones."""
        # Not to keep alive: graphs lock the arrays that they need.
        self._seeds: MutableMapping[Node, list[tuple[str, Seed]]] = WeakKeyDictionary()
        self._names: list[str] = []
        # By target: source -> its part; a list, one entry an output, if several.
        self._held: dict[Any, dict[str, Any]] = {}
        self._changes: Sequence[Intervention] = ()
        if not isinstance(given, Mapping):
            found, rule = f"a {type(given).__name__}", "a dict of name -> tensor"
            raise ArgumentError(got("gradient_flow", "sources is", found, rule))
        self._given = tuple(given)
        for name, source in given.items():
            self._add(name, source)

    def _add(self, name: str, source: Any) -> None:
        tensor = source.tensor if isinstance(source, Along) else source
        who = f"gradient_flow: sources[{name!r}]"
        if not isinstance(tensor, Tensor):
            rule = "a Tensor, or inspect.along(tensor, axis)"
            raise ArgumentError(f"{who} is a {type(source).__name__}, expected {rule}")
        if tensor.node is None:
            raise GraphError(
                f"{who} is no result that needs a gradient, expected one between the "
                "parameters and the loss"
            )
        if name == REST:
            raise ArgumentError(
                f"{who}: `{REST}` is what no source has, expected another name"
            )
        seeds = self._seeds.setdefault(tensor.node, [])
        if seeds:
            raise ArgumentError(
                f"{who} is the same tensor as {seeds[0][0]!r}, expected each once"
            )
        seeds += _slices(name, source) if isinstance(source, Along) else [(name, _all)]
        for label, _ in seeds:
            if label in self._names:
                raise ArgumentError(f"{who}: {label!r} is the name of two sources")
            self._names.append(label)

    def start(self, order: Sequence[Node], changes: Sequence[Intervention]) -> None:
        """Begin a pass in which changes are made to the terms.

        Raises GraphError if no source is on the way.
        """
        if not any(node in self._seeds for node in order):
            listed = ", ".join(f"`{name}`" for name in self._given)
            raise GraphError(
                f"gradient_flow: the sources {listed} are on no path from what "
                "backward() was called on, expected results of the same forward pass; "
                "open a block for each pass"
            )
        self._held = {}
        self._changes = changes

    def end(self) -> None:
        """Let go of all parts."""
        self._held = {}
        self._changes = ()

    def arrived(self, node: Node, dy: Array, root: bool) -> None:
        """See the whole gradient of node: sources take what nobody has claimed."""
        held = self._held.setdefault(node, {})
        if root:
            held[REST] = dy
        if node in self._seeds and REST in held:
            rest = held.pop(REST)
            for name, seed in self._seeds[node]:
                _add_to(held, name, seed(rest))
        if node.kernel is OUTPUT:
            self._hand_up(node)

    def _hand_up(self, node: Node) -> None:
        """Put the parts of one of several results where their kernel's node is."""
        (parent,) = node.targets
        above = self._held.setdefault(parent, {})
        for name, part in self._held[node].items():
            parts = above.setdefault(name, [None] * len(parent.outputs.specs))
            parts[node.record.saved] = part  # type: ignore[union-attr]

    def sent(self, node: Node) -> None:
        """Send the parts that have come to node through its rules, once a pass."""
        held = self._held.pop(node, {})
        for name, dy in held.items():
            if node.outputs is not None:
                dy = gather(node.outputs, dy)
            for target, part in self._through(node, dy):
                _add_to(self._held.setdefault(target, {}), name, part)

    def _through(self, node: Node, dy: Any) -> Iterator[tuple[Any, Array]]:
        """Yield what the rules of node make of dy, for each target."""
        kernel, record = node.kernel, node.record
        assert record is not None
        names = kernel.inputs(len(record.shapes))
        for index, (name, target) in enumerate(zip(names, node.targets, strict=True)):
            if target is None:
                continue
            changes = [o for o in self._changes if o.wants(node, name, target)]
            if not changes:
                yield target, kernel.gradient(index, dy, record)
                continue
            terms: Terms = kernel.backward_terms(name, dy, record)
            for change in changes:
                other = change.edge(node, name, target, terms, dy)
                terms = terms if other is None else other
            if terms:
                yield target, sum_terms(list(terms.values()))

    def of(self, target: Any) -> dict[str, Array]:
        """Return the parts of a gradient that is complete, in the order given."""
        held = self._held.get(target, {})
        if not isinstance(target, Node):
            self._held.pop(target, None)
        return {name: held[name] for name in (*self._names, REST) if name in held}


def _all(dy: Array) -> Array:
    return dy


def _slices(name: str, source: Along) -> Iterator[tuple[str, Seed]]:
    """Name each slice `name[i]`."""

    def seed(index: int) -> Seed:
        place = (slice(None),) * source.axis + (index,)

        def cut(dy: Array) -> Array:
            part = array_module(dy).zeros_like(dy)
            part[place] = dy[place]
            return part

        return cut

    for index in range(source.tensor.shape[source.axis]):
        yield f"{name}[{index}]", seed(index)


def _add_to(held: dict[str, Any], name: str, part: Array) -> None:
    held[name] = as_array(held[name] + part) if name in held else part
