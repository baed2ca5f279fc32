"""The places in a kernel's file where a bug could be, and what is known at each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from minigrad.testing.puzzles.source import Cut, Source


class Change(NamedTuple):
    """Text from start to end is replaced by new."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class Site:
    """A node inside a rule, and what its function knows.

    Attributes:
        source: the file.
        node: the node.
        parent: the node that it stands in.
        arrays: names of which one may stand for another: parameters, saved parts.
        fields: names of saved tuples' fields, a set a tuple.
        known: all names that the function may use.
    """

    source: Source
    node: ast.AST
    parent: ast.AST
    arrays: tuple[str, ...]
    fields: tuple[tuple[str, ...], ...]
    known: frozenset[str]

    def all(self, new: str) -> Change:
        """Replace the whole node, without parentheses that are not needed then."""
        start, end, _ = self.at(self.node, new)
        text, bare = self.source.text, _bare(new)
        if not isinstance(self.parent, ast.BinOp | ast.UnaryOp | ast.Attribute):
            return Change(start, end, bare)
        enclosed = text[start - 1] == "(" and text[end] == ")"
        if enclosed and bare != new:
            return Change(start, end, bare)
        if (
            enclosed
            and isinstance(_expression(new), _ATOMS)
            and text[start - 2] in " -~("
        ):
            return Change(start - 1, end + 1, new)
        return Change(start, end, new)

    def at(self, node: ast.AST, new: str) -> Change:
        """Replace a node inside."""
        return Change(self.source.start(node), self.source.end(node), new)

    def rest(self, sign: str) -> str:
        """Return the text of the node after its sign."""
        return self.of(self.node)[len(sign) :].lstrip()

    def of(self, node: ast.AST) -> str:
        """Return the text of node."""
        return self.source.of(node)

    def sides(self) -> tuple[str, str, str]:
        """Return left, operator and right of a binary operation, parentheses kept."""
        node = self.node
        assert isinstance(node, ast.BinOp)
        start, end = self.source.start(node), self.source.end(node)
        left, right = self.source.end(node.left), self.source.start(node.right)
        between = self.source.text[left:right]
        sign = between.strip("() \n")
        at = left + between.index(sign)
        text = self.source.text
        return text[start:at].rstrip(), sign, text[at + len(sign) : end].lstrip()


_ATOMS: Final = (ast.Name, ast.Attribute, ast.Call, ast.Subscript)
"""What needs no parentheses anywhere."""


def _bare(text: str) -> str:
    """Return text without the parentheses that enclose all of it."""
    whole, inner = _expression(text), _expression(text[1:-1])
    if not text.startswith("(") or whole is None or inner is None:
        return text
    return text[1:-1] if ast.dump(whole) == ast.dump(inner) else text


def _expression(text: str) -> ast.expr | None:
    """Return the tree of an expression; None if text is none."""
    try:
        return ast.parse(text, mode="eval").body
    except SyntaxError:
        return None


def sites(source: Source, cut: Cut) -> Iterator[Site]:
    """Yield every place in the rules where a bug could be."""
    body = source.tree.body
    classes = [node for node in body if isinstance(node, ast.ClassDef)]
    fields = tuple(_fields(source, n) for n in classes if n.name.startswith("Saved"))
    top = frozenset(n.id for n in ast.walk(source.tree) if isinstance(n, ast.Name))
    for node in body:
        if isinstance(node, ast.FunctionDef) and node.name in cut.rules:
            roots: list[ast.AST] = [node]
        elif isinstance(node, ast.Assign) and cut.variable in source.of(
            node.targets[0]
        ):
            roots = [n for n in ast.walk(node) if isinstance(n, ast.Lambda)]
        else:
            continue
        for root in roots:
            own = {n.id for n in ast.walk(root) if isinstance(n, ast.Name)}
            arrays = tuple(dict.fromkeys(_arrays(source, root, set().union(*fields))))
            # xp may be used only where it is known.
            known = frozenset(
                own if isinstance(root, ast.Lambda) else own | (top - {"xp"})
            )
            for place, parent in _inside(root):
                yield Site(source, place, parent, arrays, fields, known)


def _fields(source: Source, node: ast.ClassDef) -> tuple[str, ...]:
    """Return the fields of a NamedTuple that are arrays."""
    return tuple(
        line.target.id
        for line in node.body
        if isinstance(line, ast.AnnAssign)
        and isinstance(line.target, ast.Name)
        and source.of(line.annotation).startswith("Array")
    )


def _arrays(source: Source, root: ast.AST, fields: set[str]) -> Iterator[str]:
    """Yield the parameters of a rule, and what it unpacks of `saved`, if arrays."""
    for node in ast.walk(root):
        match node:
            case ast.arg(arg=name, annotation=how):
                array = how is None or source.of(how) == "Array"
                if array and name not in ("xp", "saved", "out"):
                    yield name
            case ast.Assign(targets=[ast.Tuple(elts=parts)], value=ast.Name("saved")):
                names = [part.id for part in parts if isinstance(part, ast.Name)]
                yield from (name for name in names if name in fields)
            case _:
                pass


def _inside(root: ast.AST) -> Iterator[tuple[ast.AST, ast.AST]]:
    """Yield all nodes in root where values are computed, and their parents.

    Left out are indices, annotations and decorators.
    """
    for child in ast.iter_child_nodes(root):
        body = not isinstance(root, ast.FunctionDef) or child in root.body
        index = isinstance(root, ast.Subscript) and child is root.slice
        words = isinstance(root, ast.AnnAssign) and child is root.annotation
        if body and not index and not words and not isinstance(child, ast.arguments):
            yield child, root
            yield from _inside(child)
