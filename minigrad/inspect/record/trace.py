"""What is remembered of a forward pass: who called each kernel, and what it made."""

from __future__ import annotations

import linecache
import sys
from collections import Counter
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from minigrad.inspect.record import faults
from minigrad.inspect.record.names import Names
from minigrad.tape import Node, Tensor, modes
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


class Fault(NamedTuple):
    """The first result of a forward pass that is not finite.

    Attributes:
        label: of the call that made it; that of `Labels`, if all calls took part.
        kernel: its kernel's name.
        line: of the user's code that called it.
        sentence: all there is to say, without a full stop.
    """

    label: str
    kernel: str
    line: Line | None
    sentence: str


class Trace:
    """Traces the calls of a block: where they were made and, if asked, their results.

    Attributes:
        lines: node -> line of the user's code. Entries go when their graph does.
        values: node -> a copy of y, an array or a NamedTuple of arrays.
        fault: the first result not finite since the last `restart`.
    """

    def __init__(self, names: Names, keep: bool) -> None:
        """Remember lines, and if keep is True values too; names are for faults."""
        self.lines: MutableMapping[Node, Line | None] = WeakKeyDictionary()
        self.values: MutableMapping[Node, Any] = WeakKeyDictionary()
        self.fault: Fault | None = None
        self._names = names
        self._keep = keep
        self._last: Any = None
        self._counts: Counter[str] = Counter()

    def restart(self) -> None:
        """Begin a new forward pass: count calls from 1, forget the fault."""
        self.fault = None
        self._counts.clear()

    def ran(
        self, kernel: Any, inputs: tuple[Any, ...], arrays: list[Array], y: Any
    ) -> None:
        """Hold y until its node is known, and look whether it is finite."""
        self._last = y if self._keep else None
        module = self._names.module(modes.scope.get())
        stem = f"{module}/{kernel.name}" if module else kernel.name
        self._counts[stem] += 1
        if self.fault is None and not faults.is_finite(y):
            label = f"{stem}#{self._counts[stem]}"
            line = user_line()
            sentence = self._fault(label + at(line), kernel, inputs, arrays, y)
            self.fault = Fault(label, kernel.name, line, sentence)

    def _fault(
        self, call: str, kernel: Any, inputs: Any, arrays: list[Array], y: Any
    ) -> str:
        given = next(faults.culprits(kernel, inputs, arrays), None)
        if given is None:
            operands = dict(zip(kernel.inputs(len(arrays)), arrays, strict=True))
            return (
                f"{call} made {faults.faulty(y)} of y, of finite inputs: "
                f"{faults.statistics(operands)}"
            )
        name, value, array = given
        known = isinstance(value, Tensor) and (self._names.leaf(value) or value.name)
        own = f", `{known}`," if known else ""
        return (
            f"{call} was given what is not finite: its input {name}{own} has "
            f"{faults.faulty(array)}"
        )

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
