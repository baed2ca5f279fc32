"""What is remembered of a forward pass: who called each kernel, and what it made."""

from __future__ import annotations

import linecache
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from minigrad.tape import Node
from minigrad.typing import Array

_PACKAGE = str(Path(__file__).parents[1])


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


class Trace:
    """Traces the calls of a block: where they were made and, if asked, their results.

    Attributes:
        lines: node -> line of the user's code. Entries go when their graph does.
        values: node -> a copy of y, an array or a NamedTuple of arrays.
    """

    def __init__(self, keep: bool) -> None:
        """Remember lines, and if keep is True values too."""
        self.lines: MutableMapping[Node, Line | None] = WeakKeyDictionary()
        self.values: MutableMapping[Node, Any] = WeakKeyDictionary()
        self._keep = keep
        self._last: Any = None

    def ran(
        self, kernel: Any, inputs: tuple[Any, ...], arrays: list[Array], y: Any
    ) -> None:
        """Hold y until its node is known."""
        self._last = y if self._keep else None

    def made(self, node: Node) -> None:
        """Remember where node was made, and of what value."""
        self.lines[node] = user_line()
        if self._keep:
            y = self._last
            several = isinstance(y, tuple)
            self.values[node] = (
                type(y)(*(part.copy() for part in y)) if several else y.copy()
            )

    def returned(self, module: Any, y: Any) -> None:
        """Calls of modules are not needed: kernel calls know theirs."""
