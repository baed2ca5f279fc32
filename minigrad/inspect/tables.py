"""Plain-text tables of at most 100 columns, and plain numbers for JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from minigrad.inspect.measures import Measures

WIDTH: Final = 100


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


def contributions(title: str, rows: Sequence[tuple[str, Measures]]) -> str:
    """Lay out title and one row of measures for each label."""
    header = "edge (input) term|norm|share|cosine|cancel|gain|dead %|finite"
    return layout(
        title,
        header.split("|"),
        [
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
            for label, measures in rows
        ],
    )


def layout(title: str, header: Sequence[str], rows: Sequence[list[str]]) -> str:
    """Align rows under header: the first column to the left, the others to the right.

    A first column that would make lines longer than WIDTH loses its middle.
    """
    columns = list(zip(header, *rows, strict=True))
    widths = [max(len(cell) for cell in column) for column in columns]
    widths[0] = min(widths[0], WIDTH - sum(width + 2 for width in widths[1:]))
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
