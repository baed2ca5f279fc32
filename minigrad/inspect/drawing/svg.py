"""Pictures of graphs as SVG: one file without links, for light and dark pages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Final

from minigrad.inspect.drawing._layout import Layout, Size, Wire, lay_out
from minigrad.inspect.drawing.cards import Arrow, Card, Sheet

FONT: Final = 12.0
"""Pixels; a character of a monospaced font is at most 0.62 of it wide."""
ADVANCE: Final = 0.62 * FONT
LINE: Final = 16.0
PAD: Final = 9.0
MARGIN: Final = 16.0
DEEP: Final = 7
"""A graph of more layers runs down the page, not to the right."""

_STYLE: Final = """
.mg { --page: #ffffff; --ink: #1c2330; --pale: #5a6472; --line: #8a94a3;
  --call: #f4f6f8; --leaf: #e6f0fd; --leaf-line: #2f6fc4; --fold: #f2eefb;
  --fold-line: #7457bd; --grad: #ad4106; }
@media (prefers-color-scheme: dark) {
  .mg { --page: #14171c; --ink: #e7eaf0; --pale: #9ba5b3; --line: #6d7786;
    --call: #20262e; --leaf: #152a44; --leaf-line: #62a0f0; --fold: #282040;
    --fold-line: #a68ee6; --grad: #ffab70; }
}
.mg text { font: 12px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono",
  "Liberation Mono", monospace; fill: var(--ink); white-space: pre; }
.mg .page, .mg .chip { fill: var(--page); }
.mg .title { font-weight: bold; }
.mg .pale, .mg .note { fill: var(--pale); }
.mg .grad { fill: var(--grad); }
.mg rect.box { fill: var(--call); stroke: var(--line); stroke-width: 1.2; }
.mg .parameter rect.box, .mg .leaf rect.box { fill: var(--leaf);
  stroke: var(--leaf-line); }
.mg .fold rect.box { fill: var(--fold); stroke: var(--fold-line); }
.mg .input rect.box, .mg .constant rect.box { fill: var(--page);
  stroke-dasharray: 4 3; }
.mg .root rect.box { stroke: var(--grad); stroke-width: 2.5; }
.mg path { fill: none; stroke: var(--line); stroke-width: 1.3; }
.mg .still path { stroke-dasharray: 4 3; }
.mg path.head { fill: var(--line); stroke-dasharray: none; }
"""


def render(sheet: Sheet, down: bool | None = None) -> str:
    """Draw sheet; down: whether layers follow each other down, None: by their number.

    The same sheet gives the same text, byte for byte.
    """
    boxes = [_box_size(card) for card in sheet.cards]
    labels = [_label_size(arrow) for arrow in sheet.arrows]
    if down is None:
        down = max(_laid(sheet, boxes, labels, True).layers, default=0) >= DEEP
    layout = _laid(sheet, boxes, labels, down)
    width, height = _turn(layout.size, down)
    notes = [line for note in sheet.notes for line in _wrapped(note, width)]
    full = max([width, *(_text_width(line) for line in notes)]) + 2 * MARGIN
    foot = height + (MARGIN if notes else 0)
    tall = foot + LINE * len(notes) + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mg" role="img" '
        f'width="{_n(full)}" height="{_n(tall)}" '
        f'viewBox="{_n(-MARGIN)} {_n(-MARGIN)} {_n(full)} {_n(tall)}">',
        f"<title>{_safe(sheet.title)}</title>",
        f"<desc>{_safe(_described(sheet))}</desc>",
        f"<style>{_STYLE}</style>",
        f'<rect class="page" x="{_n(-MARGIN)}" y="{_n(-MARGIN)}" '
        f'width="{_n(full)}" height="{_n(tall)}"/>',
    ]
    for arrow, route in zip(sheet.arrows, layout.routes, strict=True):
        parts.append(_edge(arrow, [_turn(point, down) for point in route], down))
    for arrow, size, corner in zip(sheet.arrows, labels, layout.labels, strict=True):
        parts.append(_label(arrow, size, _turn(corner, down)))
    for card, size, corner in zip(sheet.cards, boxes, layout.boxes, strict=True):
        parts.append(_box(card, size, _turn(corner, down)))
    for at, line in enumerate(notes):
        parts.append(_text("note", 0, foot + LINE * (at + 0.75), line))
    return "\n".join([*parts, "</svg>\n"])


def _laid(
    sheet: Sheet,
    boxes: Sequence[tuple[float, float]],
    labels: Sequence[tuple[float, float]],
    down: bool,
) -> Layout:
    wires = [
        Wire(arrow.source, arrow.target, Size(*_turn(size, down)))
        for arrow, size in zip(sheet.arrows, labels, strict=True)
    ]
    return lay_out([Size(*_turn(size, down)) for size in boxes], wires)


def _turn(pair: Sequence[float], down: bool) -> tuple[float, float]:
    """Turn (along, across) to (x, y), or back."""
    return (pair[1], pair[0]) if down else (pair[0], pair[1])


# -- sizes -----------------------------------------------------------------------------


def _text_width(text: str) -> float:
    wide = sum(unicodedata.east_asian_width(one) in "WF" for one in text)
    return ADVANCE * (len(text) + wide)


def _words(card: Card) -> list[str]:
    return [f"{row.label} {row.text}" if row.label else row.text for row in card.rows]


def _box_size(card: Card) -> tuple[float, float]:
    widest = max(_text_width(line) for line in (card.title, *_words(card)))
    return widest + 2 * PAD, LINE * (1 + len(card.rows)) + PAD


def _label_size(arrow: Arrow) -> tuple[float, float]:
    if not arrow.lines:
        return 0.0, 0.0
    widest = max(_text_width(line) for line in arrow.lines)
    return widest + PAD, LINE * len(arrow.lines) + 2


def _wrapped(note: str, width: float) -> list[str]:
    """Break note into lines as wide as the picture, or as 70 characters."""
    room = max(70, int(width / ADVANCE))
    lines = [""]
    for word in note.split():
        if lines[-1] and len(lines[-1]) + len(word) >= room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


# -- elements --------------------------------------------------------------------------


def _n(value: float) -> str:
    """Write a coordinate with at most one decimal.

    >>> _n(3.0), _n(2.26), _n(-0.01)
    ('3', '2.3', '0')
    """
    return f"{round(value, 1) + 0:g}" if abs(value) < 1e5 else f"{value:.0f}"


def _safe(text: str) -> str:
    """Escape text; characters that XML forbids become question marks."""
    allowed = re.sub(
        "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", text
    )
    return escape(allowed)


def _text(kind: str, x: float, y: float, text: str) -> str:
    return f'<text class="{kind}" x="{_n(x)}" y="{_n(y)}">{_safe(text)}</text>'


def _box(card: Card, size: tuple[float, float], corner: tuple[float, float]) -> str:
    (width, height), (x, y) = size, corner
    root = " root" if card.root else ""
    parts = [
        f'<g class="{card.kind}{root}"><title>{_safe(card.tip)}</title>',
        f'<rect class="box" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" '
        f'height="{_n(height)}" rx="5"/>',
        _text("title", x + PAD, y + LINE, card.title),
    ]
    for at, row in enumerate(card.rows, 2):
        kind = "grad" if row.gradient else "value"
        label = f'<tspan class="pale">{_safe(row.label)} </tspan>' if row.label else ""
        parts.append(
            f'<text class="{kind}" x="{_n(x + PAD)}" y="{_n(y + LINE * at)}">'
            f"{label}{_safe(row.text)}</text>"
        )
    return "".join([*parts, "</g>"])


def _label(arrow: Arrow, size: tuple[float, float], corner: tuple[float, float]) -> str:
    if not arrow.lines:
        return ""
    (width, height), (x, y) = size, corner
    kind = "grad" if arrow.gradient else "pale"
    texts = [
        _text(kind, x + PAD / 2, y + LINE * (at + 0.8), line)
        for at, line in enumerate(arrow.lines)
    ]
    chip = (
        f'<rect class="chip" x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" '
        f'height="{_n(height)}"/>'
    )
    return "".join(["<g>", chip, *texts, "</g>"])


def _edge(arrow: Arrow, points: Sequence[tuple[float, float]], down: bool) -> str:
    """Draw straight lines within layers, curves between them, and a head."""
    steps = [f"M{_n(points[0][0])} {_n(points[0][1])}"]
    for at, (one, other) in enumerate(pairwise(points)):
        if at % 2 == 0 or one == other:
            steps.append(f"L{_n(other[0])} {_n(other[1])}")
            continue
        middle = ((one[0] + other[0]) / 2, (one[1] + other[1]) / 2)
        bends = (
            ((one[0], middle[1]), (other[0], middle[1]))
            if down
            else ((middle[0], one[1]), (middle[0], other[1]))
        )
        steps.append("C" + " ".join(f"{_n(x)} {_n(y)}" for x, y in (*bends, other)))
    kind = "flows" if arrow.gradient else "still"
    x, y = points[-1]
    wings = ((-4, -7), (4, -7)) if down else ((-7, -4), (-7, 4))
    head = " ".join(f"L{_n(x + dx)} {_n(y + dy)}" for dx, dy in wings)
    return (
        f'<g class="{kind}"><path d="{"".join(steps)}"/>'
        f'<path class="head" d="M{_n(x)} {_n(y)} {head}Z"/></g>'
    )


def _described(sheet: Sheet) -> str:
    """Put the picture into words: a line for each box, and one for each edge."""
    lines = [", ".join([card.title, *_words(card)]) for card in sheet.cards]
    lines += [
        f"{sheet.cards[arrow.source].title} to {sheet.cards[arrow.target].title}: "
        + ", ".join(arrow.lines)
        for arrow in sheet.arrows
    ]
    return "\n".join(lines)
