"""Arrays that a live graph has saved are read-only until its backward has run."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

from numpy import ndarray

from minigrad.backend import is_array
from minigrad.errors import GraphError
from minigrad.typing import Array

NO_ARRAYS: Final[Sequence[Array]] = ()

_locks: dict[int, str] = {}
"""id of a saved array -> the kernel whose backward needs it.

A node holds the arrays it locks, so an id stands for one array as long as it is here.
"""

_again: dict[int, int] = {}
"""id of a saved array -> how many more nodes need it, where there are more than one."""

_waiting: dict[int, list[Array]] = {}
"""id of a locked array -> views of it that can open only when it does."""

_dropped: deque[Sequence[Array]] = deque()
"""What nodes held that were dropped without a backward."""

_guard = threading.Lock()
"""Held wherever the tables change."""

_acquire, _release = _guard.acquire, _guard.release
"""A `with` takes twice as long."""


def lock(saved: Any, kernel: str) -> list[Array]:
    """Make the arrays in saved, and the memory they are views of, read-only.

    Device arrays have no such flag: writes through tensors and optimizers find them
    here, writes through CuPy itself do not.
    """
    held: list[Array] = []
    _acquire()
    try:
        for value in saved:
            while type(value) is ndarray or is_array(value):
                key = id(value)
                if key in _locks:
                    _again[key] = _again[key] + 1 if key in _again else 1
                    held.append(value)
                elif type(value) is not ndarray:
                    _locks[key] = kernel
                    held.append(value)
                elif value.flags.writeable:
                    # By position: the keyword `write` takes three times as long.
                    value.setflags(False)  # type: ignore[call-arg]
                    _locks[key] = kernel
                    held.append(value)
                # What was read-only before is not ours to open again.
                value = value.base
                if value is None:
                    break
    finally:
        _release()
    if _dropped:
        unlock(NO_ARRAYS)
    return held


def unlock(held: Sequence[Array]) -> None:
    """Release one hold on each array; the last one makes it writeable again.

    Goes on with what finalizers have left meanwhile.
    """
    while True:
        _acquire()
        try:
            # Backwards, because a view is held before the memory it looks into.
            for array in reversed(held):
                key = id(array)
                if key in _again:
                    more = _again.pop(key)
                    if more > 1:
                        _again[key] = more - 1
                    continue
                del _locks[key]
                if type(array) is not ndarray:
                    continue
                if array.base is None and not _waiting:
                    array.setflags(True)  # type: ignore[call-arg]
                else:
                    _open(array, key)
        finally:
            _release()
        if not _dropped or _guard.locked():
            return  # Or whoever is at the tables goes on.
        try:
            held = _dropped.popleft()
        except IndexError:
            return  # Another thread was faster.


def unlock_later(held: Sequence[Array]) -> None:
    """Unlock as soon as nobody is at the tables; for finalizers, which run anywhere."""
    _dropped.append(held)
    if not _guard.locked():
        unlock(NO_ARRAYS)


def _open(array: ndarray, key: int) -> None:
    """Make array writeable; a view waits until its memory is."""
    owner = array.base
    if owner is not None and id(owner) in _locks:
        _waiting.setdefault(id(owner), []).append(array)
        return
    array.setflags(write=True)
    if key in _waiting:
        for view in _waiting.pop(key):
            if id(view) not in _locks:
                view.setflags(write=True)


def expect_writeable(array: Array, who: str) -> None:
    """Raise GraphError if a live graph has saved array, naming the kernel."""
    for memory in (array, array.base):
        kernel = _locks.get(id(memory))
        if kernel is not None:
            raise GraphError(
                f"{who}: the values are needed by {kernel}, whose backward has not "
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
