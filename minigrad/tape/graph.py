"""Nodes of the recorded graph, and the locks on arrays that they saved."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from numpy import ndarray

from minigrad.backend import is_array
from minigrad.errors import GraphError
from minigrad.kernels._spec import Kernel, Record
from minigrad.typing import Array, Shape

next_number = itertools.count().__next__
"""Numbers nodes as they are made: the reverse of this order is a backward order."""


NO_ARRAYS: Final[Sequence[Array]] = ()


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
    locked: Sequence[Array]
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
        self.locked = NO_ARRAYS
        self.tensor = None
        self.outputs = None

    def free(self) -> None:
        """Drop the saved arrays and the way back; they are writeable again."""
        if self.locked:
            unlock(self.locked)
            self.locked = NO_ARRAYS
        self.record = None
        self.targets = ()
        self.tensor = None

    def __del__(self) -> None:
        """Unlock what a graph that never ran backward had locked."""
        if self.locked:
            unlock(self.locked)


_set_writeable: Callable[[Array, bool], None] = ndarray.setflags  # type: ignore[assignment]
"""By position: the keyword `write` takes three times as long."""

_locks: dict[int, str] = {}
"""id of a saved array -> the kernel whose backward needs it.

A node holds the arrays it locks, so an id stands for one array as long as it is here.
"""

_again: dict[int, int] = {}
"""id of a saved array -> how many more nodes need it, where there are more than one."""


def lock(saved: Any, kernel: str) -> list[Array]:
    """Make the arrays in saved, and the memory they are views of, read-only.

    Device arrays have no such flag: writes through tensors and optimizers find them
    here, writes through CuPy itself do not.
    """
    held: list[Array] = []
    for value in saved:
        while type(value) is ndarray or is_array(value):
            key = id(value)
            if key in _locks:
                _again[key] = _again.get(key, 0) + 1
                held.append(value)
            elif type(value) is not ndarray:
                _locks[key] = kernel
                held.append(value)
            elif value.flags.writeable:
                _set_writeable(value, False)
                _locks[key] = kernel
                held.append(value)
            # What was read-only before is not ours to open again.
            value = value.base
            if value is None:
                break
    return held


def unlock(arrays: Sequence[Array]) -> None:
    """Release one hold on each of arrays; the last one makes it writeable again."""
    # Backwards, because a view opens only after the memory it looks into.
    for array in reversed(arrays):
        key = id(array)
        if key in _again:
            more = _again.pop(key)
            if more > 1:
                _again[key] = more - 1
        else:
            del _locks[key]
            if type(array) is ndarray:
                _set_writeable(array, True)


def expect_writeable(array: Array, who: str) -> None:
    """Raise GraphError if a live graph has saved array, naming the kernel."""
    for memory in (array, array.base):
        known = _locks.get(id(memory))
        if known is not None:
            raise GraphError(
                f"{who}: the values are needed by {known}, whose backward has "
                "not run, expected no in-place write while the graph lives; run "
                "backward() first, delete the result, or compute it under no_grad()"
            )
    flags = getattr(array, "flags", None)
    if isinstance(array, ndarray) and flags is not None and not flags.writeable:
        raise GraphError(
            f"{who}: the array is read-only, expected a writeable one; copy it first"
        )
