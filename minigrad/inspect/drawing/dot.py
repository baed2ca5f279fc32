"""Pictures of graphs as text for Graphviz, for who would rather lay them out there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from minigrad.inspect.drawing.cards import Card, Sheet

_FILLS: Final = {
    "call": '"#f4f6f8"',
    "fold": '"#f2eefb"',
    "leaf": '"#e6f0fd"',
    "parameter": '"#e6f0fd"',
}


def render(sheet: Sheet) -> str:
    """Write sheet as a digraph; the same sheet gives the same text."""
    lines = [
        "digraph minigrad {",
        "  rankdir=LR;",
        f"  label={_quoted(sheet.notes)};",
        '  node [shape=box, style="rounded,filled", fontname=monospace, fontsize=10];',
        "  edge [fontname=monospace, fontsize=9];",
    ]
    for at, card in enumerate(sheet.cards):
        lines.append(f"  n{at} [label={_quoted(_words(card))}{_look(card)}];")
    for arrow in sheet.arrows:
        style = 'fontcolor="#ad4106"' if arrow.gradient else "style=dashed"
        label = f"label={_quoted(arrow.lines)}, {style}"
        lines.append(f"  n{arrow.source} -> n{arrow.target} [{label}];")
    return "\n".join([*lines, "}\n"])


def _words(card: Card) -> list[str]:
    rows = [f"{row.label} {row.text}" if row.label else row.text for row in card.rows]
    return [card.title, *rows]


def _look(card: Card) -> str:
    fill = _FILLS.get(card.kind)
    look = f", fillcolor={fill}" if fill else ', style="rounded,dashed"'
    return f"{look}, penwidth=2" if card.root else look


def _quoted(lines: Iterable[str]) -> str:
    r"""Quote lines, each ended by the mark that sets it to the left.

    >>> print(_quoted(['a "b"', "c\\d"]))
    "a \"b\"\lc\\d\l"
    """
    safe = (
        line.replace("\\", "\\\\")
        .replace('"', '\\"')
        .replace("\n", " ")
        .replace("\0", "?")
        for line in lines
    )
    return '"' + "".join(f"{line}\\l" for line in safe) + '"'
