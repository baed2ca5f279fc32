"""Nodes of the recorded graph."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

from minigrad.kernels._spec import Kernel, Record
from minigrad.tape.locks import Held, unlock
from minigrad.typing import Shape

next_number = itertools.count().__next__
"""Numbers nodes as they are made: the reverse of this order is a backward order."""


class Outputs(NamedTuple):
    """Several results of one kernel: how to build dy, each one's shape and dtype."""

    make: Callable[..., Any]
    specs: tuple[tuple[Shape, Any], ...]


OUTPUT: Final = Kernel(
    name="output",
    forward=lambda x: (x, None),
    terms={"x": lambda dy, saved: {"direct": dy}},
    aliases=True,
)
"""Picks one result of a kernel that has several; saved is its position."""


class Node:
    """One kernel call: what it ran on and what its backward needs.

    Made only for results that need a gradient. `targets` holds, per input, where its
    gradient goes: the node that made it, the leaf tensor, or None if it needs none.
    """

    __slots__ = (
        "__weakref__",
        "cotangent",
        "kernel",
        "locked",
        "number",
        "outputs",
        "owned",
        "record",
        "scope",
        "targets",
        "tensor",
    )

    number: int
    kernel: Kernel
    targets: tuple[Any, ...]
    record: Record | None
    """None once freed."""
    cotangent: Any
    """The gradient that has arrived so far; a list, one entry an output, if several."""
    owned: bool
    """Whether cotangent is this node's own array, to be added to in place."""
    scope: Any
    locked: Held | None
    tensor: Any
    """The result that asked to retain its gradient, else None."""
    outputs: Outputs | None
    """For a kernel with several results; each result has an OUTPUT node of its own."""

    def __init__(
        self, kernel: Kernel, targets: tuple[Any, ...], record: Record, scope: Any
    ) -> None:
        self.number = next_number()
        self.kernel = kernel
        self.targets = targets
        self.record = record
        self.scope = scope
        self.cotangent = None
        self.owned = False
        self.locked = None
        self.tensor = None
        self.outputs = None

    def free(self) -> None:
        """Drop the saved arrays and the way back; they are writeable again."""
        if self.locked:
            unlock(self.locked)
        self.record = None
        self.targets = ()
        self.tensor = None

    def __del__(self) -> None:
        """Unlock what a graph that never ran backward had locked."""
        if self.locked:
            unlock(self.locked)
