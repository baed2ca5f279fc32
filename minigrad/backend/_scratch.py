"""Working memory that each thread keeps from call to call."""

from __future__ import annotations

import threading
from typing import Any

import numpy
from numpy import ndarray


class _Lines(threading.local):
    def __init__(self) -> None:
        self.buffers: dict[Any, ndarray] = {}


_lines = _Lines()


def scratch(count: int, size: int, dtype: Any) -> ndarray:
    """Return count lines of size elements, uninitialised: (count, size).

    The memory is this thread's until its next call with the same dtype: fresh blocks
    of some megabytes would have their pages faulted in every time.
    """
    dtype = numpy.dtype(dtype)
    buffer = _lines.buffers.get(dtype)
    if buffer is None or buffer.size < count * size:
        buffer = _lines.buffers[dtype] = numpy.empty(count * size, dtype)
    return buffer[: count * size].reshape(count, size)
