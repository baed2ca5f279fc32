"""The average of any number of backward passes, in the memory of one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad.inspect.record.measures import Measures, greater
from minigrad.inspect.record.records import Edge, Pass, Source, Target, Term


class _Numbers:
    """The mean of each number over those times that it was there."""

    __slots__ = ("counts", "sums")

    def __init__(self, width: int) -> None:
        self.sums = [0.0] * width
        self.counts = [0] * width

    def add(self, values: tuple[Any, ...]) -> None:
        for at, value in enumerate(values):
            if value is not None:
                self.sums[at] += value
                self.counts[at] += 1

    def mean(self, at: int) -> float | None:
        count = self.counts[at]
        return self.sums[at] / count if count else None


class _MeanMeasures:
    """Averages measures; the average is finite if all were."""

    __slots__ = ("finite", "numbers")

    def __init__(self) -> None:
        self.numbers = _Numbers(len(Measures._fields))
        self.finite = True

    def add(self, measures: Measures) -> None:
        self.numbers.add(measures)
        self.finite = self.finite and measures.finite

    def result(self) -> Measures:
        means = {
            name: self.numbers.mean(at) for at, name in enumerate(Measures._fields)
        }
        return Measures(**{**means, "finite": self.finite})  # type: ignore[arg-type]


class _MeanEdge:
    """Averages the same edge of several passes."""

    __slots__ = ("first", "measures", "numbers", "terms")

    def __init__(self, first: Edge) -> None:
        self.first = first
        self.measures = _MeanMeasures()
        self.numbers = _Numbers(1)
        self.terms: dict[str, _MeanMeasures] = {}

    def add(self, edge: Edge) -> None:
        self.measures.add(edge.measures)
        self.numbers.add((edge.idle,))
        for term in edge.terms:
            _measures(self.terms, term.name).add(term.measures)

    def result(self) -> Edge:
        return self.first._replace(
            terms=tuple(Term(name, one.result()) for name, one in self.terms.items()),
            measures=self.measures.result(),
            idle=self.numbers.mean(0),
        )


class _MeanTarget:
    """Averages the same gradient of several passes."""

    __slots__ = ("edges", "error", "first", "measures", "numbers", "sources")

    def __init__(self, first: Target) -> None:
        self.first = first
        self.measures = _MeanMeasures()
        self.numbers = _Numbers(3)
        self.error = first.error
        self.edges: dict[str, _MeanEdge] = {}
        self.sources: dict[str, _MeanMeasures] = {}

    def add(self, target: Target) -> None:
        self.measures.add(target.measures)
        self.numbers.add((target.sample_information, None, None))
        self.error = greater(self.error, target.error)
        for edge in target.edges:
            found = self.edges.get(edge.title)
            if found is None:
                found = self.edges[edge.title] = _MeanEdge(edge._replace(terms=()))
            found.add(edge)
        for source in target.sources:
            _measures(self.sources, source.name).add(source.measures)

    def amend(self, weight: float, update: float | None) -> None:
        self.numbers.add((None, weight, update))

    def result(self) -> Target:
        information, weight, update = (self.numbers.mean(at) for at in range(3))
        return self.first._replace(
            measures=self.measures.result(),
            edges=tuple(edge.result() for edge in self.edges.values()),
            sources=tuple(
                Source(name, one.result()) for name, one in self.sources.items()
            ),
            error=self.error,
            sample_information=information,
            weight_norm=weight,
            update=update,
        )


class Means:
    """Averages passes: each number over those passes that have it.

    A gradient is finite if it always was; its conservation error is the greatest. Kept
    arrays are left out. The order is that of first appearance.
    """

    def __init__(self) -> None:
        """Begin without a pass."""
        self._targets: dict[str, _MeanTarget] = {}

    def add(self, one: Pass) -> None:
        """Count a pass in."""
        for name, target in one.items():
            found = self._targets.get(name)
            if found is None:
                bare = target._replace(edges=(), sources=(), array=None)
                found = self._targets[name] = _MeanTarget(bare)
            found.add(target)

    def amend(self, updates: Mapping[str, tuple[float, float | None]]) -> None:
        """Count in what the step after the last pass did: weight norm and update."""
        for name, moved in updates.items():
            if name in self._targets:
                self._targets[name].amend(*moved)

    def result(self) -> Pass:
        """Return the averages."""
        return {name: one.result() for name, one in self._targets.items()}


def _measures(held: dict[str, _MeanMeasures], name: str) -> _MeanMeasures:
    """Return the averages called name, new ones if there are none yet."""
    if name not in held:
        held[name] = _MeanMeasures()
    return held[name]
