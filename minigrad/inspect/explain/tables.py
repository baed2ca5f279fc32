"""Plain-text tables of at most 100 columns, and plain numbers for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from minigrad.inspect.record.measures import Measures

WIDTH: Final = 100
NAME: Final = 40
"""Width that the first column keeps however wide the others are."""

COLUMNS: Final = ("norm", "share", "cosine", "cancel", "gain", "dead %", "finite")


def number(value: float | None) -> str:
    """Write value with three significant digits; `-` if there is none.

    >>> number(1234.5), number(0.00001234), number(None)
    ('1.23e3', '1.23e-5', '-')
    """
    if value is None:
        return "-"
    text = f"{value:.3g}"
    mantissa, mark, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if mark else text


def finite(value: float | None) -> float | None:
    """Return value, or None if JSON has no word for it."""
    return value if value is None or math.isfinite(value) else None


def plain(measures: Measures) -> dict[str, Any]:
    """Return measures as a dict that JSON can hold: what is not finite is None."""
    return {
        name: value if isinstance(value, bool) else finite(value)
        for name, value in measures._asdict().items()
    }


def contributions(title: str, rows: Sequence[tuple[str, Measures, Any]]) -> str:
    """Lay out title and one row of measures for each label; lines if there are any."""
    header = [
        "edge (input) term",
        "norm",
        "share",
        "cosine",
        "cancel",
        "gain",
        "dead %",
        "finite",
    ]
    cells = [
        [
            label,
            number(measures.norm),
            number(measures.share),
            number(measures.cosine),
            number(measures.cancellation),
            number(measures.gain),
            number(100 * measures.dead),
            "yes" if measures.finite else "NO",
        ]
        for label, measures, _ in rows
    ]
    if any(line for _, _, line in rows):
        header.append("line")
        for row, (_, _, line) in zip(cells, rows, strict=True):
            row.append(str(line or ""))
    return layout(title, header, cells)


def layout(title: str, header: Sequence[str], rows: Sequence[list[str]]) -> str:
    """Align rows under header: the first column to the left, the others to the right.

    A first column wider than NAME that would make lines longer than WIDTH loses its
    middle.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    room = WIDTH - sum(width + 2 for width in widths[1:])
    widths[0] = min(widths[0], max(room, NAME))
    lines = [
        "  ".join(
            [
                _shorten(row[0], widths[0]).ljust(widths[0]),
                *(
                    cell.rjust(width)
                    for cell, width in zip(row[1:], widths[1:], strict=True)
                ),
            ]
        ).rstrip()
        for row in [header, *rows]
    ]
    return "\n".join([title, *lines])


def _shorten(text: str, width: int) -> str:
    """Cut the middle out of text: names differ at their ends."""
    if len(text) <= width:
        return text
    tail = (width - 2) * 2 // 3
    return f"{text[: width - 2 - tail]}..{text[-tail:]}"
