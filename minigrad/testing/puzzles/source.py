"""Cuts one kernel out of its module: a file of its own, its text as it was written.

Kept are the statements that the kernel needs, with the comments before them and the
docstrings after them. `fused` rules are left out: they say once more what the terms
say.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from minigrad.kernels import Kernel


class Source:
    """Python text and its tree, with every node's place in the text."""

    def __init__(self, text: str) -> None:
        self.text, self.tree = text, ast.parse(text)
        self._lines = text.splitlines(keepends=True)
        self._starts = [0]
        for line in self._lines:
            self._starts.append(self._starts[-1] + len(line))

    def place(self, line: int, column: int) -> int:
        """Return where column (in bytes, as ast counts) of line (from 1) lies."""
        before = self._lines[line - 1].encode()[:column] if column else b""
        return self._starts[line - 1] + len(before.decode())

    def start(self, node: ast.AST) -> int:
        """Return where node begins, its first decorator included."""
        first = min([*getattr(node, "decorator_list", ()), node], key=_line)
        # The @ stands before its decorator.
        return self.place(_line(first), 0 if first is not node else _column(first))

    def end(self, node: ast.AST) -> int:
        """Return where node ends."""
        last = getattr(node, "end_lineno", None)
        column = getattr(node, "end_col_offset", None)
        assert last is not None
        assert column is not None
        return self.place(last, column)

    def of(self, node: ast.AST) -> str:
        """Return the text of node."""
        return self.text[self.start(node) : self.end(node)]


def _line(node: ast.AST) -> int:
    return getattr(node, "lineno", 0)


def _column(node: ast.AST) -> int:
    return getattr(node, "col_offset", 0)


def without(text: str, start: int, end: int) -> tuple[int, int]:
    """Widen the place of one of several things between commas to all that goes with it.

    That is its comma, and its lines if nothing else stands on them.
    """
    rest = text[end:].lstrip(" \n")
    comma = rest.startswith(",")
    if comma:
        end = text.index(",", end) + 1
    line = text.rfind("\n", 0, start) + 1
    stop = text.find("\n", end)
    if not text[line:start].strip() and not text[end:stop].strip():
        return line, stop + 1
    if comma:
        return start, end + len(text[end:]) - len(text[end:].lstrip(" "))
    return text.rfind(",", 0, start), end


class Cut(NamedTuple):
    """A kernel's own file.

    Attributes:
        text: the file, without a line of what it is checked on.
        variable: the kernel's name in it.
        rules: its functions that rules call and forward does not.
    """

    text: str
    variable: str
    rules: frozenset[str]


class _Part(NamedTuple):
    """A statement, what it defines and needs, and its text from the last one's end."""

    node: ast.stmt
    names: frozenset[str]
    needs: frozenset[str]
    text: str


def cut(kernel: Kernel) -> Cut:
    """Cut kernel, one of this library, out of the module that defines it."""
    module = sys.modules[kernel.forward.__module__]
    variable = next(name for name, value in vars(module).items() if value is kernel)
    text = _without_unused(_without_fused(inspect.getsource(module)))
    parts = list(_parts(Source(text)))
    kept = _reached({variable}, parts)
    # The rules are the derivative of forward, or of what gradient_of says.
    functions = (kernel.forward, kernel.gradient_of)
    forward = _reached({getattr(f, "__name__", "") for f in functions}, parts)
    defined = [p.names for p in parts if isinstance(p.node, ast.FunctionDef)]
    rules = {name for names in defined for name in names & kept - forward}
    return Cut(_joined(parts, variable, kept), variable, frozenset(rules))


def _joined(parts: Iterable[_Part], variable: str, kept: set[str]) -> str:
    """Put the parts that are kept together, as far apart as they were."""
    text, gap = "", 0
    for part in parts:
        own = part.text.lstrip("\n")
        gap = max(gap, len(part.text) - len(own))
        if _is_kept(part, kept):
            text += "\n" * gap + _narrowed(part, own, variable, kept)
            gap = 0
    return text + "\n"


def _without_fused(text: str) -> str:
    """Drop the argument `fused` of every Kernel(...)."""
    source = Source(text)
    places: list[tuple[int, int]] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and source.of(node.func) == "Kernel":
            places += [
                without(text, source.start(word), source.end(word))
                for word in node.keywords
                if word.arg == "fused"
            ]
    return _dropped(text, places)


def _without_unused(text: str) -> str:
    """Drop functions inside of functions that nothing calls any more."""
    source = Source(text)
    places: list[tuple[int, int]] = []
    for outer in source.tree.body:
        for node in getattr(outer, "body", ()):
            if isinstance(node, ast.FunctionDef) and isinstance(outer, ast.FunctionDef):
                names = [n.id for n in ast.walk(outer) if isinstance(n, ast.Name)]
                if node.name not in names:
                    end = source.end(node)
                    blank = len(text[end:]) - len(text[end:].lstrip("\n"))
                    places.append((source.start(node), end + blank))
    return _dropped(text, places)


def _dropped(text: str, places: Iterable[tuple[int, int]]) -> str:
    for start, end in sorted(places, reverse=True):
        text = text[:start] + text[end:]
    return text


def _parts(source: Source) -> Iterator[_Part]:
    """Part the module at its statements; a docstring goes with what it describes."""
    nodes = source.tree.body
    begun = 0
    for at, node in enumerate(nodes):
        following = nodes[at + 1] if at + 1 < len(nodes) else None
        if at and following is not None and _is_text(following):
            continue
        end = source.end(node)
        owner = nodes[at - 1] if at and _is_text(node) else node
        text, begun = source.text[begun:end], end
        yield _Part(owner, frozenset(_defined(owner)), frozenset(_needed(owner)), text)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _defined(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return {n.id for n in _names(node) if isinstance(n.ctx, ast.Store)}


def _needed(node: ast.stmt) -> set[str]:
    """Return the names that node reads and does not give itself."""
    own = {n.id for n in _names(node) if isinstance(n.ctx, ast.Store)}
    own |= {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    return {n.id for n in _names(node)} - own


def _names(node: ast.AST) -> list[ast.Name]:
    return [n for n in ast.walk(node) if isinstance(n, ast.Name)]


def _reached(names: set[str], parts: list[_Part]) -> set[str]:
    """Return names and all that their definitions need."""
    needs = {name: part.needs for part in parts for name in part.names}
    found: set[str] = set()
    while names:
        name = names.pop()
        if name not in found:
            found.add(name)
            names |= needs.get(name, frozenset()) - found
    return found


def _is_kept(part: _Part, kept: set[str]) -> bool:
    future = isinstance(part.node, ast.ImportFrom) and part.node.module == "__future__"
    return future or _is_text(part.node) or bool(part.names & kept)


def _narrowed(part: _Part, text: str, variable: str, kept: set[str]) -> str:
    """Return the text of part without imports and kernels that are not kept."""
    node = part.node
    if isinstance(node, ast.ImportFrom) and node.module != "__future__":
        names = [a.name for a in node.names if (a.asname or a.name) in kept]
        if len(names) < len(node.names):
            return import_line(node.module or "", names)
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Tuple):
        names = [getattr(n, "id", "_") for n in node.targets[0].elts]
        if variable in names:
            left = [name if name == variable else "_" for name in names]
            return ", ".join(left) + text[text.index(" =") :]
    return text


def import_line(module: str, names: list[str]) -> str:
    """Write the import of names from module as ruff formats it."""
    line = f"from {module} import {', '.join(names)}"
    if len(line) <= 88:
        return line
    return f"from {module} import (\n    " + ",\n    ".join(names) + ",\n)"
