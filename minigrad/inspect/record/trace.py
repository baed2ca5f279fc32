"""What is remembered of a forward pass: who called each kernel, and what went wrong."""

from __future__ import annotations

import linecache
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from minigrad.inspect.record import faults
from minigrad.inspect.record.names import Names
from minigrad.tape import Node, Tensor
from minigrad.typing import Array

_PACKAGE = str(Path(__file__).parents[2])


class Line(NamedTuple):
    """A line of the user's code."""

    file: str
    number: int

    @property
    def text(self) -> str:
        """What the line says, or "" if its file cannot be read."""
        return linecache.getline(self.file, self.number).strip()

    def __str__(self) -> str:
        """Name the file, without folders, and the number."""
        return f"{Path(self.file).name}:{self.number}"


def user_line() -> Line | None:
    """Find the innermost line on the stack that is not in minigrad."""
    frame = sys._getframe(1)
    while frame.f_code.co_filename.startswith(_PACKAGE):
        if frame.f_back is None:
            return None
        frame = frame.f_back
    return Line(frame.f_code.co_filename, frame.f_lineno)


def at(line: Line | None) -> str:
    """Word a line as the end of a clause, or ""."""
    return f" at {line}" if line else ""


class Trace:
    """Remembers of each recorded call of a block where it was made, and of what.

    Attributes:
        lines: node -> line of the user's code. Entries go when their graph does.
        faults: node -> what was not finite, for calls with a result that is not.
        used: name of a leaf -> the call that used it last, as `kernel at line`.
    """

    def __init__(self, names: Names, *, look: bool) -> None:
        """Remember lines; look is whether results are looked at for faults."""
        self.lines: MutableMapping[Node, Line | None] = WeakKeyDictionary()
        self.faults: MutableMapping[Node, str] = WeakKeyDictionary()
        self.used: dict[str, str] = {}
        self._names = names
        self._look = look

    def ran(
        self,
        kernel: Any,
        inputs: tuple[Any, ...],
        arrays: list[Array],
        y: Any,
        node: Node | None,
    ) -> None:
        """Note where the call was made, of which leaves, and whether y is finite."""
        line = user_line()
        if node is not None:
            self.lines[node] = line
            if self._look and not faults.is_finite(y):
                said = faults.describe(kernel, inputs, arrays, y, self.name)
                self.faults[node] = said
        for value in inputs:
            name = self._names.of_tensor(value) if isinstance(value, Tensor) else None
            if name is not None:
                self.used[name] = f"{kernel.name}{at(line)}"

    def name(self, value: Any) -> str | None:
        """Name what a call was given, if it is a tensor with a name."""
        known = isinstance(value, Tensor)
        return (self._names.of_tensor(value) or value.name) if known else None

    def returned(self, module: Any, y: Any) -> None:
        """Calls of modules are not needed: kernel calls know theirs."""
