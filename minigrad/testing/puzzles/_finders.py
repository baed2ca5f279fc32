"""One function a kind of bug: given a place in a rule, what could stand there instead.

Each looks at one node of the syntax tree. Whether what it yields is wrong is not
decided here: a factor may be one.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from minigrad.testing.puzzles.site import Change, Site
from minigrad.testing.puzzles.source import without


def term_dropped(site: Site) -> Iterator[Change]:
    node, text = site.node, site.source.text
    if isinstance(node, ast.Dict) and len(node.keys) > 1:
        for key, value in zip(node.keys, node.values, strict=True):
            if isinstance(key, ast.Constant):
                ends = site.source.start(key), site.source.end(value)
                yield Change(*without(text, *ends), "")


def _terms(site: Site) -> Iterator[ast.expr]:
    """Yield the values of a dict of terms; not those of the dict of rules."""
    if isinstance(site.node, ast.Dict) and not isinstance(site.parent, ast.keyword):
        for key, value in zip(site.node.keys, site.node.values, strict=True):
            if isinstance(key, ast.Constant):
                yield value


_UNSIGNED: Final = (ast.Call, ast.Attribute, ast.Name, ast.Subscript)


def _before(site: Site, node: ast.expr, sign: str) -> Iterator[Change]:
    """Put a factor before a product, or something that can be a factor."""
    if isinstance(node, ast.IfExp):
        yield from _before(site, node.body, sign)
        yield from _before(site, node.orelse, sign)
    product = isinstance(node, ast.BinOp) and isinstance(
        node.op, ast.Mult | ast.Div | ast.MatMult
    )
    if product or isinstance(node, _UNSIGNED):
        start = site.source.start(node)
        yield Change(start, start, sign)


def sign_flipped(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        whole = isinstance(node.operand, ast.Constant)
        if not (whole and isinstance(getattr(node.operand, "value", 0), int)):
            yield site.all(site.rest("-"))
    for value in _terms(site):
        yield from _before(site, value, "-")


def plus_for_minus(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        left, sign, right = site.sides()
        yield site.all(f"{left} {'-' if sign == '+' else '+'} {right}")
    if isinstance(node, ast.AugAssign) and isinstance(node.op, ast.Add | ast.Sub):
        sign = "-=" if isinstance(node.op, ast.Add) else "+="
        yield site.all(f"{site.of(node.target)} {sign} {site.of(node.value)}")
    yield from _function(site, {"add": "subtract", "subtract": "add"})


def _function(site: Site, others: dict[str, str]) -> Iterator[Change]:
    """Call another function of xp."""
    node = site.node
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        new = others.get(node.func.attr)
        if new and site.of(node.func.value) == "xp":
            yield site.at(node.func, f"xp.{new}")


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, int | float)


def factor_dropped(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, _, right = site.sides()
        if not _is_number(node.right):
            yield site.all(left)
        if not _is_number(node.left):
            yield site.all(right)


def line_dropped(site: Site) -> Iterator[Change]:
    """Leave out a statement that changes an array; not one that fills an empty one."""
    node, text = site.node, site.source.text
    if not isinstance(node, ast.Expr | ast.AugAssign):
        return
    given, _, out = site.of(node).rstrip(")").partition(", out=")
    if isinstance(node, ast.AugAssign) or (out and f"{out}," in f"{given},"):
        start = text.rfind("\n", 0, site.source.start(node)) + 1
        yield Change(start, text.index("\n", site.source.end(node)) + 1, "")


def number_dropped(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        left, _, right = site.sides()
        if _is_number(node.left):
            yield site.all(right)
        if _is_number(node.right):
            yield site.all(left)


def twice(site: Site) -> Iterator[Change]:
    for value in _terms(site):
        yield from _before(site, value, "2 * ")


def divisor_dropped(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        yield site.all(site.sides()[0])


_COUNTS: Final = ("count", "number", "len(", "pixel", "size")


def mean_for_sum(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
        left, _, right = site.sides()
        if any(word in right for word in _COUNTS):
            yield site.all(left)
    for old, new in (("sum", "mean"), ("mean", "sum")):
        if func := _method(site, old):
            yield site.at(func, f"{_owner(site, func)}.{new}")
    if isinstance(node, ast.Call) and site.of(node.func) == "total":
        first, rest = node.args[0], node.args[1:]
        if isinstance(first, ast.Name | ast.Attribute) and rest:
            inner = site.source.text[site.source.start(rest[0]) : site.all("").end]
            yield site.all(f"{site.of(first)}.mean({inner}")


def _method(site: Site, name: str) -> ast.Attribute | None:
    """Return the function of a call of something's method of this name."""
    match site.node:
        case ast.Call(func=ast.Attribute(attr=found) as func) if found == name:
            return func
        case _:
            return None


def _owner(site: Site, func: ast.Attribute) -> str:
    """Return what stands before the dot, with its parentheses."""
    return site.of(func)[: -len(func.attr)].rstrip(" .\n")


def axis_changed(site: Site) -> Iterator[Change]:
    node = site.node
    if not isinstance(node, ast.Call):
        return
    axes = [word.value for word in node.keywords if word.arg == "axis"]
    if site.of(node.func) in ("total", "xp.expand_dims"):
        axes += node.args[1:2]
    for axis in axes:
        new = "1" if site.of(axis) == "0" else "0"
        yield site.at(axis, new)


def transposed(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield site.all(_owner(site, node))
    if func := _method(site, "swapaxes"):
        yield site.all(_owner(site, func))
    for value in _terms(site):
        if isinstance(value, ast.BinOp) and isinstance(value.op, ast.MatMult):
            yield site.at(value, f"({site.of(value)}).T")


def wrong_array(site: Site) -> Iterator[Change]:
    match site.node:
        case ast.Name(id=name, ctx=ast.Load()) if name in site.arrays and name != "dy":
            others = [other for other in site.arrays if other not in (name, "dy")]
            yield from map(site.all, others)
        case ast.Attribute(value=ast.Name("saved"), attr=name):
            for fields in site.fields:
                if name in fields:
                    others = [f"saved.{other}" for other in fields if other != name]
                    yield from map(site.all, others)
        case _:
            pass


def times_for_divide(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        left, sign, right = site.sides()
        yield site.all(f"{left} {'/' if sign == '*' else '*'} {right}")
    yield from _function(site, {"multiply": "divide", "divide": "multiply"})


def wrong_function(site: Site) -> Iterator[Change]:
    others = {"sin": "cos", "cos": "sin", "sign": "abs", "exp": "expm1", "log": "log1p"}
    yield from _function(site, others)
    pairs = {"at_least": "at_most", "at_most": "at_least"}
    if isinstance(site.node, ast.Call) and isinstance(site.node.func, ast.Name):
        new = pairs.get(site.node.func.id, "")
        if new in site.known:
            yield site.at(site.node.func, new)


_FLIPPED: Final[dict[type[ast.cmpop], str]] = {
    ast.Lt: ">",
    ast.LtE: ">=",
    ast.Gt: "<",
    ast.GtE: "<=",
    ast.Eq: "!=",
    ast.NotEq: "==",
}


def condition_flipped(site: Site) -> Iterator[Change]:
    node = site.node
    if isinstance(node, ast.Compare) and type(node.ops[0]) in _FLIPPED:
        left, right = site.of(node.left), site.of(node.comparators[0])
        # What asks for a shape is seldom what is wrong.
        if "ndim" not in left:
            yield site.all(f"{left} {_FLIPPED[type(node.ops[0])]} {right}")
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Invert):
        yield site.all(site.rest("~"))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        left, _, right = site.sides()
        yield site.all(f"{left} & {right}")


_IN_PLACE: Final[dict[type[ast.operator], str]] = {
    ast.Mult: "multiply",
    ast.Div: "divide",
    ast.Add: "add",
    ast.Sub: "subtract",
}


def written(site: Site) -> Iterator[Change]:
    """Let a result go where one of the given arrays is."""
    node = site.node
    if isinstance(node, ast.Call) and site.of(node).endswith("**out)"):
        first, end = site.of(node.args[0]), site.all("").end
        if first in site.arrays:
            yield Change(end - len("**out)"), end, f"out={first})")
    if isinstance(node, ast.BinOp) and type(node.op) in _IN_PLACE:
        left, _, right = site.sides()
        if left == "dy" and "xp" in site.known and right.isidentifier():
            yield site.all(f"xp.{_IN_PLACE[type(node.op)]}(dy, {right}, out=dy)")
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
        left, sign, _ = replace(site, node=node.value).sides()
        if left in site.arrays and type(node.value.op) in _IN_PLACE:
            indent = " " * node.col_offset
            name, right = site.of(node.targets[0]), site.of(node.value.right)
            yield site.all(f"{left} {sign}= {right}\n{indent}{name} = {left}")


def copy_dropped(site: Site) -> Iterator[Change]:
    if func := _method(site, "copy"):
        yield site.all(_owner(site, func))
