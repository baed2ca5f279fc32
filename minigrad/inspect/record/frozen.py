"""Which parameters a pass found frozen, why, and where the gradient went instead."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Final, NamedTuple

from minigrad.inspect.record.labels import Labels
from minigrad.inspect.record.names import Names
from minigrad.tape import Node, Tensor

SHOWN: Final = 3
"""Receivers of what flows through a frozen layer that are named at most."""


class Frozen(NamedTuple):
    """A parameter that was frozen when forward and backward ran.

    Attributes:
        reason: a clause, such as "LayerOut froze it in epoch 3".
        module: path of the layer that owns it, "" for the model itself.
        receivers: what the layer handed its gradient on to; none if it handed on none.
        passes: how many found it frozen; the rest is of the last of them.
    """

    reason: str
    module: str
    receivers: tuple[str, ...]
    passes: int = 1

    def sentence(self) -> str:
        """Say why there is no gradient, and what became of the one that came."""
        layer = f"`{self.module}`" if self.module else "the model"
        said = f"{self.reason}; its gradient was not computed"
        if not self.receivers:
            return f"{said}, and none flows through {layer}"
        listed, rest = ", ".join(self.receivers[:SHOWN]), len(self.receivers) - SHOWN
        more = f" and {rest} more" if rest > 0 else ""
        return f"{said}, while one still flows through {layer} to {listed}{more}"


def find(names: Names, order: Sequence[Node], labels: Labels) -> dict[str, Frozen]:
    """Return the model's frozen parameters by name, for a pass over order.

    One that was frozen after forward gets a gradient all the same: it is left out.
    """
    held = {
        names.title(name) or name: tensor
        for name, tensor in names.tensors.items()
        if id(tensor) in names.parameters and not tensor.requires_grad
    }
    if not held:
        return {}
    sent_to = {id(target) for node in order for target in node.targets}
    held = {name: one for name, one in held.items() if id(one) not in sent_to}
    paths = {name: names.owner(tensor) for name, tensor in held.items()}
    sent = _receivers(names, order, labels, set(paths.values()))
    return {
        name: Frozen(tensor.origin, paths[name], tuple(sent[paths[name]]))
        for name, tensor in held.items()
    }


def _receivers(
    names: Names, order: Sequence[Node], labels: Labels, paths: set[str]
) -> dict[str, dict[str, None]]:
    """Name what each of the modules at paths sends gradients to, parameters aside."""
    sent: dict[str, dict[str, None]] = {path: {} for path in paths}
    for node in order:
        path = names.module(node.scope)
        # What was called outside of any module is not the outermost one's.
        inside = node.scope is not None and path in sent
        for target in leaving(node, names.parameters) if inside else ():
            sent[path][labels.target(target)] = None
    return sent


def leaving(node: Node, parameters: Collection[int]) -> Iterator[Node | Tensor]:
    """Yield the targets of node that lie outside of its module, parameters aside.

    parameters are the ids of the model's.
    """
    for target in node.targets:
        if isinstance(target, Node):
            if target.scope is not node.scope:
                yield target
        elif target is not None and id(target) not in parameters:
            yield target
