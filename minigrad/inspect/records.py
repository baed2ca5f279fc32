"""What is kept of a backward pass: numbers and names only, for each gradient in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from minigrad.inspect import tables
from minigrad.inspect.measures import Measures
from minigrad.typing import Array, Shape


class Term(NamedTuple):
    """One named term of a kernel's backward."""

    name: str
    measures: Measures
    array: Array | None = None
    """A copy of the term itself if the recording keeps arrays."""


class Edge(NamedTuple):
    """What one consumer of a tensor sent back to it.

    Attributes:
        consumer: label of the kernel call, as `0/linear#1`.
        number: the call's place in the forward order.
        kernel, module: name of the kernel, path of the module that called it ("" for
            the outermost and for calls outside of any).
        input: which input of the kernel the tensor was.
        terms: what the gradient is the sum of.
        measures: those of the sum.
    """

    consumer: str
    number: int
    kernel: str
    module: str
    input: str
    terms: tuple[Term, ...]
    measures: Measures

    @property
    def title(self) -> str:
        """The consumer and, in parentheses, its input."""
        return f"{self.consumer} ({self.input})"


class Target(NamedTuple):
    """The gradient of one tensor, and the edges over which it came.

    Attributes:
        name: the parameter's path, the name given to the recording, or call.
        call: for a result, the label of the kernel call that made it, else "".
        kind: "parameter" (of the model), "named" (by the caller), "leaf" or "result".
        number: of the call that made it; None for a leaf.
        parent: number of the call of which this is one of several results, else None.
        measures: of the whole gradient.
        edges: in forward order; none for the tensor that backward() was called on.
        error: of conservation, see `Weighed.error`.
        sample_information: G_sample of a dense layer's weight, else None.
        array: a copy of the gradient if the recording keeps arrays.
    """

    name: str
    call: str
    kind: str
    number: int | None
    parent: int | None
    shape: Shape
    dtype: Any
    measures: Measures
    edges: tuple[Edge, ...]
    error: float
    sample_information: float | None = None
    array: Array | None = None

    def table(self) -> str:
        """Lay out one row for each edge and term, in forward order, and the total.

        An edge of several terms has a row of its own, their sum, above theirs.
        """
        rows: list[tuple[str, Measures]] = []
        for edge in self.edges:
            if len(edge.terms) == 1:
                rows.append((f"{edge.title} {edge.terms[0].name}", edge.measures))
                continue
            rows.append((edge.title, edge.measures))
            rows += [(f"  {term.name}", term.measures) for term in edge.terms]
        rows.append(("total", self.measures))
        title = (
            f"into {self.name} {self.shape} {self.dtype}: "
            f"conservation error {tables.number(self.error)}"
        )
        return tables.contributions(title, rows)

    def __str__(self) -> str:
        return self.table()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Walk over the records of the total, the edges and the terms; see Flow."""
        head: dict[str, Any] = {"target": self.name, "kind": self.kind}
        blank = dict.fromkeys(("consumer", "kernel", "module", "input", "term"))
        whole = {
            **tables.plain(self.measures),
            "shape": list(self.shape),
            "dtype": str(self.dtype),
            "conservation_error": tables.finite(self.error),
        }
        yield {**head, "level": "total", **blank, **whole}
        for edge in self.edges:
            place = {
                "consumer": edge.consumer,
                "kernel": edge.kernel,
                "module": edge.module,
                "input": edge.input,
            }
            base = {**head, "level": "edge", **blank, **whole, **place}
            yield {**base, **tables.plain(edge.measures)}
            for term in edge.terms:
                measured = tables.plain(term.measures)
                yield {**base, "level": "term", "term": term.name, **measured}


Pass = dict[str, Target]
"""The gradients of one backward pass by name, in forward order."""


def overview(passes: str, targets: Collection[Target]) -> str:
    """Lay out one row for each of targets; passes says what the numbers are of."""
    header = "gradient|shape|edges|terms|norm|mean abs|cancel|dead %|finite"
    edges = sum(len(target.edges) for target in targets)
    error = tables.number(max(target.error for target in targets))
    title = (
        f"gradient flow: {passes}, {len(targets)} gradients, {edges} edges, "
        f"conservation error {error}"
    )
    return tables.layout(title, header.split("|"), [_row(target) for target in targets])


def _row(target: Target) -> list[str]:
    measures = target.measures
    return [
        target.name,
        str(target.shape),
        str(len(target.edges)),
        str(sum(len(edge.terms) for edge in target.edges)),
        tables.number(measures.norm),
        tables.number(measures.mean_abs),
        tables.number(measures.cancellation),
        tables.number(100 * measures.dead),
        "yes" if measures.finite else "NO",
    ]
