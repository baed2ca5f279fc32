"""What is kept of a backward pass: numbers and names only, for each gradient in it."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from functools import reduce
from typing import Any, Final, NamedTuple

from minigrad.inspect.explain import tables
from minigrad.inspect.record.measures import Measures, greater
from minigrad.inspect.record.trace import Line
from minigrad.typing import Array, Shape

SHOWN: Final = 12
"""Sources that a table shows at most."""


class Term(NamedTuple):
    """One named term of a kernel's backward."""

    name: str
    measures: Measures
    array: Array | None = None
    """A copy of the term itself if the recording keeps arrays."""


class Source(NamedTuple):
    """What of a gradient comes from one source: a loss term, example or time step."""

    name: str
    measures: Measures
    array: Array | None = None
    """A copy of the part itself if the recording keeps arrays."""


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
        idle: share of the kernel's elements that pass nothing or little on, such as
            units of a relu that are off; None for kernels without such a state.
        line: of the user's code that called the kernel, if the block holds that too.
        changed: what changed a term of it, as "drop"; "" if nothing did.
    """

    consumer: str
    number: int
    kernel: str
    module: str
    input: str
    terms: tuple[Term, ...]
    measures: Measures
    idle: float | None = None
    line: Line | None = None
    changed: str = ""

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
        module: path of the module that made or owns it; "" where there is none.
        line: of the user's code that made a result, if the block holds that too.
        measures: of the whole gradient.
        edges: in forward order; none for the tensor that backward() was called on.
        sources: what each source gave, in the order given; () if none were asked for.
        error: of conservation, the greater of `Weighed.error` and `.source_error`.
        sample_information: G_sample of a dense layer's weight, else None.
        weight_norm: Euclidean norm of a leaf's values before the step.
        update: |change of the values| / weight_norm by the optimizer's step inside the
            block, before the next pass; None if there was none, or the values were 0.
        before: norm of the gradient that a leaf held before the pass added to it.
        array: a copy of the gradient if the recording keeps arrays.
    """

    name: str
    call: str
    kind: str
    number: int | None
    parent: int | None
    shape: Shape
    dtype: Any
    module: str
    line: Line | None
    measures: Measures
    edges: tuple[Edge, ...]
    sources: tuple[Source, ...]
    error: float
    sample_information: float | None = None
    weight_norm: float | None = None
    update: float | None = None
    before: float = 0.0
    array: Array | None = None

    def bare(self) -> Target:
        """Return this gradient without arrays."""
        if self.array is None:
            return self  # A recording keeps all arrays or none.
        return self._replace(
            array=None,
            edges=tuple(
                edge._replace(terms=tuple(t._replace(array=None) for t in edge.terms))
                for edge in self.edges
            ),
            sources=tuple(source._replace(array=None) for source in self.sources),
        )

    def table(self) -> str:
        """Lay out one row for each edge and term, in forward order, and the total.

        An edge of several terms has a row of its own, their sum, above theirs. Sources
        follow, the SHOWN ones of the greatest shares if there are more.
        """
        rows: list[tuple[str, Measures, Line | None]] = []
        for edge in self.edges:
            if len(edge.terms) == 1:
                name = f"{edge.title} {edge.terms[0].name}"
                rows.append((name, edge.measures, edge.line))
                continue
            rows.append((edge.title, edge.measures, edge.line))
            rows += [(f"  {term.name}", term.measures, None) for term in edge.terms]
        rows.append(("total", self.measures, None))
        rows += [(f"from {s.name}", s.measures, None) for s in self._main_sources()]
        facts = [f"conservation error {tables.number(self.error)}"]
        if self.update is not None:
            facts.append(f"update / weight {tables.number(self.update)}")
        if len(self.sources) > SHOWN:
            facts.append(f"the greatest {SHOWN} of {len(self.sources)} sources")
        title = f"into {self.name} {self.shape} {self.dtype}: {', '.join(facts)}"
        return tables.contributions(title, rows)

    def _main_sources(self) -> list[Source]:
        """Return the sources of the greatest shares, in the order given."""

        def share(at: int) -> float:
            return abs(self.sources[at].measures.share or 0.0)

        chosen = sorted(range(len(self.sources)), key=share, reverse=True)[:SHOWN]
        return [self.sources[at] for at in sorted(chosen)]

    def __str__(self) -> str:
        return self.table()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Walk over the records of the total, the edges and the terms; see Flow."""
        head: dict[str, Any] = {"target": self.name, "kind": self.kind}
        blank = dict.fromkeys(
            ("consumer", "kernel", "module", "input", "term", "source", "idle", "line")
        )
        whole = {
            **tables.plain(self.measures),
            "shape": list(self.shape),
            "dtype": str(self.dtype),
            "conservation_error": tables.finite(self.error),
            "weight_norm": tables.finite(self.weight_norm),
            "update": tables.finite(self.update),
        }
        yield {**head, "level": "total", **blank, **whole}
        for source in self.sources:
            base = {**head, "level": "source", **blank, **whole, "source": source.name}
            yield {**base, **tables.plain(source.measures)}
        for edge in self.edges:
            place = {
                "consumer": edge.consumer,
                "kernel": edge.kernel,
                "module": edge.module,
                "input": edge.input,
                "idle": edge.idle,
                "line": str(edge.line) if edge.line else None,
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
    header = [
        "gradient",
        "shape",
        "edges",
        "terms",
        "norm",
        "mean abs",
        "cancel",
        "dead %",
        "finite",
    ]
    rows = [_row(target) for target in targets]
    if any(target.update is not None for target in targets):
        header.append("update")
        for row, target in zip(rows, targets, strict=True):
            row.append(tables.number(target.update))
    edges = sum(len(target.edges) for target in targets)
    error = tables.number(reduce(greater, (target.error for target in targets)))
    title = (
        f"gradient flow: {passes}, {len(targets)} gradients, {edges} edges, "
        f"conservation error {error}"
    )
    return tables.layout(title, header, rows)


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
