"""Arrays that a live graph has saved are read-only until its backward has run.

There is no lock of the threading kind: it would cost a tenth of a small product, and
finalizers, which run anywhere, could not take it. Each step is one operation of a dict
or list, which the interpreter does not interrupt. Where two threads meet at the same
array, the worst is that it opens early; it never stays closed.
"""

from __future__ import annotations

from typing import Any

from numpy import ndarray

from minigrad.backend import is_array
from minigrad.errors import GraphError
from minigrad.typing import Array

Holds = list[str]
"""The kernels whose backward needs one array, one entry a node."""

Held = list[Any]
"""What one node holds: array, holds, array, holds, ... with a view before its memory.

Flat, because the collector's work grows with the number of tuples that graphs keep.
"""

_locks: dict[int, Holds] = {}
"""id of a saved array -> its holds. Nodes keep the arrays, so an id stands for one."""

_waiting: dict[int, list[Array]] = {}
"""id of a locked array -> views of it that can open only when it does."""


def lock(saved: Any, kernel: str) -> Held:
    """Make the arrays in saved, and the memory they are views of, read-only.

    Device arrays have no such flag: writes through tensors and optimizers find them
    here, writes through CuPy itself do not.
    """
    held: Held = []
    for value in saved:
        while type(value) is ndarray or is_array(value):
            key = id(value)
            holds = _locks.get(key)
            if holds is None and type(value) is ndarray:
                if value.flags.writeable:
                    # By position: the keyword `write` takes three times as long.
                    value.setflags(False)  # type: ignore[call-arg]
                    holds = _locks.setdefault(key, [])
                # What was read-only before is not ours to open again.
            elif holds is None:
                holds = _locks.setdefault(key, [])
            if holds is not None:
                holds.append(kernel)
                held.append(value)
                held.append(holds)
            value = value.base
            if value is None:
                break
    return held


def unlock(held: Held) -> None:
    """Release and forget what is held; the last hold makes an array writeable again."""
    # From the end, so that memory opens before the views of it.
    while held:
        holds = held.pop()
        array = held.pop()
        holds.pop()
        if holds:
            continue
        _locks.pop(id(array), None)
        if type(array) is not ndarray:
            continue
        if array.base is None and not _waiting:
            array.setflags(True)  # type: ignore[call-arg]
        else:
            _open(array)


def _open(array: ndarray) -> None:
    """Make array writeable; a view waits until its memory is."""
    owner = array.base
    if owner is not None and id(owner) in _locks:
        _waiting.setdefault(id(owner), []).append(array)
        if id(owner) in _locks:
            return
        # Another thread has opened it meanwhile.
        array = owner
    elif isinstance(owner, ndarray) and not owner.flags.writeable:
        return
    array.setflags(write=True)
    for view in _waiting.pop(id(array), ()):
        if id(view) not in _locks:
            view.setflags(write=True)


def expect_writeable(array: Array, who: str) -> None:
    """Raise GraphError if a live graph has saved array, naming the kernel."""
    for memory in (array, array.base):
        holds = _locks.get(id(memory))
        if holds:
            raise GraphError(
                f"{who}: the values are needed by {holds[0]}, whose backward has not "
                "run, expected no in-place write while the graph lives; run backward() "
                "first, delete the result (a stored exception may keep one, as does "
                "sys.last_exc), or compute it under no_grad()"
            )
    if not isinstance(array, ndarray) or array.flags.writeable:
        return
    owner = array.base
    if isinstance(owner, ndarray) and owner.flags.writeable and 0 not in array.strides:
        # A view that was made while its memory was locked.
        array.setflags(write=True)
        return
    raise GraphError(
        f"{who}: the array is read-only, expected a writeable one; copy it first"
    )
