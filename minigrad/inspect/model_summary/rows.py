"""One row for each module of a model, and the tables they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from minigrad.errors import ArgumentError, got
from minigrad.inspect.explain import tables
from minigrad.inspect.model_summary._meter import STRANGERS
from minigrad.inspect.model_summary.costs import Cost
from minigrad.typing import Shape


class Gradient(NamedTuple):
    """What the parameters of a module and below have got from backward passes.

    Attributes:
        norm: Euclidean norm of all of it.
        rms: norm / sqrt(number of elements).
        ratio: norm / norm of the weights that it belongs to; None if that is 0.
        zeros: fraction of elements that are exactly 0.
        missing: how many trainable elements have no gradient.
    """

    norm: float
    rms: float
    ratio: float | None
    zeros: float
    missing: int


class Row(NamedTuple):
    """A module with all that is below it, so the first row is of the whole model.

    Attributes:
        path, kind: path in the model, "" for the model itself; class.
        calls: how often it was called.
        shapes: of what its last call returned.
        trainable, frozen, buffers: elements of each, what is shared counted once.
        shared: elements among them that a row which is not above this one has had.
        cost: operations of forward; see minigrad.inspect.model_summary.costs.
        share: of the model's FLOPs, from 0 to 1; None if there are none.
        output_bytes: of the arrays its kernel calls made; views of others are free.
        saved_bytes: of the arrays kept for backward, each counted where it is kept
            first; parameters and buffers are none of them, the model's inputs are.
        gradient: None if no parameter has one.
    """

    path: str
    kind: str
    calls: int
    shapes: tuple[Shape, ...]
    trainable: int
    frozen: int
    buffers: int
    shared: int
    cost: Cost
    share: float | None
    output_bytes: int
    saved_bytes: int
    gradient: Gradient | None

    @property
    def parameters(self) -> int:
        """Trainable and frozen elements."""
        return self.trainable + self.frozen


class Summary:
    """One row for each module in the order of the tree; print it.

    Attributes:
        rows: the model first.
        ran: whether the model was run, so that there are shapes and costs.
    """

    def __init__(self, rows: Sequence[Row], ran: bool) -> None:
        """Take the rows."""
        self.rows = list(rows)
        self.ran = ran

    @property
    def total_parameters(self) -> int:
        """Elements of all parameters, shared ones once."""
        return self.rows[0].parameters

    @property
    def total_trainable(self) -> int:
        """Elements of the parameters that need a gradient."""
        return self.rows[0].trainable

    @property
    def total_frozen(self) -> int:
        """Elements of the parameters that need none."""
        return self.rows[0].frozen

    @property
    def total_buffers(self) -> int:
        """Elements of all buffers."""
        return self.rows[0].buffers

    @property
    def total_multiply_adds(self) -> int:
        """Multiply-adds of one forward pass."""
        return self.rows[0].cost.multiply_adds

    @property
    def total_flops(self) -> int:
        """Floating-point operations of one forward pass."""
        return self.rows[0].cost.flops

    @property
    def total_output_bytes(self) -> int:
        """Bytes of all arrays that kernels made."""
        return self.rows[0].output_bytes

    @property
    def total_saved_bytes(self) -> int:
        """Bytes that forward keeps for backward."""
        return self.rows[0].saved_bytes

    def row(self, path: str) -> Row:
        """Return the row of a module; raises ArgumentError if there is none."""
        for row in self.rows:
            if row.path == path:
                return row
        rule = "a path that print(summary) lists"
        raise ArgumentError(got("summary", "row", repr(path), rule))

    def table(self) -> str:
        """Lay out sizes and costs, and gradients if there are any."""
        parts = [self._sizes()]
        if any(row.gradient for row in self.rows):
            parts.append(self._gradients())
        return "\n\n".join(parts)

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return (
            f"<Summary: {len(self.rows)} modules, {self.total_parameters} parameters>"
        )

    def _sizes(self) -> str:
        header = ["module", "parameters"]
        if self.ran:
            header[1:1] = ["output"]
            header += ["mult-adds", "FLOPs", "%", "outputs", "saved"]
        cells: list[list[str]] = []
        for row in self.rows:
            line = [_title(row), f"{row.parameters:,}{'*' if row.shared else ''}"]
            if self.ran:
                line[1:1] = [_shapes(row)]
                line += [
                    short(row.cost.multiply_adds),
                    short(row.cost.flops),
                    "-" if row.share is None else f"{100 * row.share:.1f}",
                    short(row.output_bytes, "B"),
                    short(row.saved_bytes, "B"),
                ]
            cells.append(line)
        head = self.rows[0]
        title = (
            f"{head.kind}: {head.trainable:,} trainable and {head.frozen:,} frozen "
            f"parameters, {head.buffers:,} elements of buffers"
        )
        lines = [tables.layout(title, header, cells)]
        lines.append("each row holds those below it; shared parameters count once")
        if any(row.shared for row in self.rows):
            lines.append("* some of them are those of a module further up")
        if self.ran:
            lines.append(
                "FLOPs = 2 x mult-adds + operations on single elements, of forward; "
                "saved: kept for backward"
            )
        return "\n".join(lines)

    def _gradients(self) -> str:
        header = ["gradient of", "norm", "rms", "grad / weight", "zeros %", "missing"]
        cells: list[list[str]] = []
        for row in self.rows:
            found = row.gradient
            if found is not None:
                cells.append(
                    [
                        _title(row),
                        tables.number(found.norm),
                        tables.number(found.rms),
                        tables.number(found.ratio),
                        tables.number(100 * found.zeros),
                        f"{found.missing:,}",
                    ]
                )
        return tables.layout("gradients that parameters hold", header, cells)


def _title(row: Row) -> str:
    """Indent the last part of the path, with the class behind it."""
    if not row.path or row.path == STRANGERS:
        return f"{row.path or row.kind}"
    depth = row.path.count(".") + 1
    return f"{'  ' * depth}{row.path.rpartition('.')[2]} {row.kind}"


def _shapes(row: Row) -> str:
    if not row.shapes:
        return "-"
    more = len(row.shapes) - 1
    text = str(row.shapes[0]).replace(" ", "")
    return f"{text} +{more}" if more else text


def short(value: int, unit: str = "") -> str:
    """Write a count with three digits and k, M, G or T.

    >>> short(999), short(15_346_630_656), short(2048, "B")
    ('999', '15.3G', '2.05kB')
    """
    size, letters = float(value), "kMGT"
    letter = ""
    # From 999.5 on three digits would round it to 1000.
    while size >= 999.5 and letters:
        size, letter, letters = size / 1000, letters[0], letters[1:]
    return f"{size:.3g}{letter}{unit}"
