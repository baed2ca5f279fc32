"""What is written in the boxes of a picture and on its edges."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from minigrad.inspect.drawing.boxes import Amount, Box, Link, Result
from minigrad.inspect.drawing.folding import Bundle, Fold, Group
from minigrad.inspect.explain import tables
from minigrad.typing import Shape

ROWS: Final = 4
COLUMNS: Final = 5
"""Matrices up to this size are written out, and rows of up to COLUMNS numbers."""
WIDEST: Final = 34
"""Characters of a name before its middle is left out."""


TIMES: Final = "\u00d7"

_LEGEND: Final = (
    (
        TIMES,
        f"{TIMES} local derivative: it times the gradient at the arrow's head goes "
        "back over the edge (=); what comes back to a box adds up to its gradient",
    ),
    ("gain", "gain: norm of what goes back over the edge / norm of the gradient"),
    ("|grad|", "|grad|: norm of the gradient that goes back over the edge"),
)
"""What stands on edges, and what it means."""


class Row(NamedTuple):
    """One line of text: its first word, pale, the rest, and whether of a gradient."""

    label: str
    text: str
    gradient: bool = False


class Card(NamedTuple):
    """A box: kind (of `Box`, or "fold"), title and rows; tip is shown on pointing."""

    kind: str
    title: str
    rows: tuple[Row, ...]
    tip: str
    root: bool = False


class Arrow(NamedTuple):
    """An edge between two cards, and the lines on it; whether a gradient flows."""

    source: int
    target: int
    lines: tuple[str, ...]
    gradient: bool


class Sheet(NamedTuple):
    """A picture in words.

    Attributes:
        title: says what it is of, for who cannot see it.
        notes: stand below it.
    """

    title: str
    cards: list[Card]
    arrows: list[Arrow]
    notes: tuple[str, ...]


def written(fold: Fold, root: int | None) -> Sheet:
    """Write the cards and arrows of fold; root is the box backward() was called on."""
    cards = [
        _folded(group) if group.folded else _single(group.boxes, root)
        for group in fold.groups
    ]
    arrows = [_arrow(bundle, fold) for bundle in fold.bundles]
    calls = sum(len(group.of_kind("call")) for group in fold.groups)
    title = f"graph of {calls} kernel calls in {len(cards)} boxes"
    return Sheet(title, cards, arrows, _notes(fold, arrows))


def _notes(fold: Fold, arrows: list[Arrow]) -> tuple[str, ...]:
    """Explain the words that are used."""
    notes = [fold.note] if fold.note else []
    used = [line for arrow in arrows if arrow.gradient for line in arrow.lines]
    for mark, words in _LEGEND:
        if any(mark in line for line in used):
            notes.append(words)
    return tuple(notes)


# -- boxes -----------------------------------------------------------------------------


def _single(boxes: tuple[Box, ...], root: int | None) -> Card:
    """Write a box with its numbers; several are inputs of the same group."""
    first = boxes[0]
    if len(boxes) > 1:
        shapes = sorted({str(box.value.shape) for box in boxes if box.value})
        rows = [Row("shape", shape) for shape in shapes[:ROWS]]
        tip = "\n".join(_tip(box) for box in boxes[:20])
        return Card(first.kind, f"{len(boxes)} inputs", tuple(rows), tip)
    title = first.name or ("" if first.kernel else first.kind)
    if first.kernel:
        title = f"{title} = {first.kernel}" if title else first.kernel
    rows = [Row("in", shorten(first.module))] if first.module else []
    for result in first.results:
        rows += _result(result)
    return Card(first.kind, shorten(title), tuple(rows), _tip(first), first.key == root)


def _tip(box: Box) -> str:
    parts = [box.name or box.label or box.kind]
    if box.name and box.label:
        parts.append(box.label)
    if box.line is not None:
        parts.append(f"{box.line}  {box.line.text}")
    if box.kind == "result":
        parts.append("an earlier backward() has freed what it was computed from")
    return "\n".join(parts)


def _result(result: Result) -> list[Row]:
    field = f"{result.field} " if result.field else ""
    rows = [] if result.value is None else _amount(f"{field}value", result.value)
    if result.gradient is not None:
        found = _amount(f"{field}grad", result.gradient)
        rows += [row._replace(gradient=True) for row in found]
    return rows


def _amount(label: str, amount: Amount) -> list[Row]:
    """Write an array: its number, its numbers if they are few, or shape and norm."""
    if amount.number is not None:
        return [Row(label, digits(amount.number))]
    array, shape = amount.array, str(amount.shape).replace(" ", "")
    if array is None or not _few(amount.shape):
        return [Row(label, f"{shape} norm {tables.number(amount.norm)}")]
    lines = array.reshape(-1, array.shape[-1])
    cells = [[digits(value, 3) for value in line] for line in lines.tolist()]
    width = max(len(cell) for line in cells for cell in line)
    texts = [" ".join(cell.rjust(width) for cell in line) for line in cells]
    if array.ndim == 1:
        return [Row(label, f"[{texts[0].strip()}]")]
    return [Row(label, shape), *(Row("", text) for text in texts)]


def _few(shape: Shape) -> bool:
    """Tell whether an array of shape is written out."""
    if len(shape) == 1:
        return 0 < shape[0] <= COLUMNS
    return len(shape) == 2 and 0 < shape[0] <= ROWS and 0 < shape[1] <= COLUMNS


def _folded(group: Group) -> Card:
    """Write what a module holds and what comes to it."""
    calls = group.of_kind("call")
    trained = group.of_kind("parameter", "leaf")
    rows = [Row("calls", f"{len(calls):,}")]
    if trained:
        count = sum(box.value.size for box in trained if box.value)
        rows.append(Row("parameters", f"{count:,}"))
    last = calls[-1].value
    if last is not None:
        rows.append(Row("last result", str(last.shape).replace(" ", "")))
    gradients = [box.gradient.norm for box in trained if box.gradient]
    if group.gradient is not None:
        text = tables.number(group.gradient)
        rows.append(Row("|grad| arriving", text, True))
    if gradients:
        text = tables.number(sum(norm * norm for norm in gradients) ** 0.5)
        rows.append(Row("|grad| parameters", text, True))
    tip = "\n".join([group.title, *(box.label for box in calls[:20])])
    if len(calls) > 20:
        tip += f"\nand {len(calls) - 20} more"
    return Card("fold", shorten(group.title), tuple(rows), tip)


# -- edges -----------------------------------------------------------------------------


def _arrow(bundle: Bundle, fold: Fold) -> Arrow:
    ends = fold.groups[bundle.source], fold.groups[bundle.target]
    flows = bundle.norm is not None
    if not any(end.folded or len(end.boxes) > 1 for end in ends):
        (link,) = bundle.links
        return Arrow(bundle.source, bundle.target, _link(link), flows)
    lines = [f"|grad| {tables.number(bundle.norm)}"] if flows else []
    if bundle.tensors > 1 and flows:
        lines.append(f"of {bundle.tensors} tensors")
    return Arrow(bundle.source, bundle.target, tuple(lines), flows)


def _link(link: Link) -> tuple[str, ...]:
    """Write the local derivative, the terms if several, and what they come to."""
    name = f"{link.field} to {link.input}" if link.field else link.input
    if link.contribution is None:
        return (name,)
    total = link.contribution
    scalar = total.number is not None
    if link.local is not None:
        head = f"{name} {TIMES} {digits(link.local)}"
    elif link.gain is not None:
        head = f"{name} gain {digits(link.gain, 3)}"
    else:
        head = name
    lines = [head]
    if len(link.terms) > 1:
        lines += [f"{term} {_size(amount, scalar)}" for term, amount in link.terms]
    equals = "=" if scalar else "norm"
    return (*lines, f"{equals} {_size(total, scalar)}")


def _size(amount: Amount, scalar: bool) -> str:
    return digits(amount.number) if scalar else digits(amount.norm, 3)


# -- words -----------------------------------------------------------------------------


def digits(value: Any, count: int = 4) -> str:
    """Write a number with count significant digits.

    >>> digits(0.123456), digits(-2.0), digits(1.5e-7), digits(True)
    ('0.1235', '-2', '1.5e-7', 'True')
    """
    if isinstance(value, bool | int):
        return str(value)
    text = f"{value:.{count}g}"
    mantissa, mark, exponent = text.partition("e")
    if not mark or isinstance(value, complex):
        return "0" if text == "-0" else text
    return f"{mantissa}e{int(exponent)}"


def shorten(text: str) -> str:
    """Cut the middle out of a long name."""
    if len(text) <= WIDEST:
        return text
    head = WIDEST // 3
    return f"{text[:head]}..{text[-(WIDEST - head - 2) :]}"
