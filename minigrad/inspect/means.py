"""The average of several backward passes, gradient by gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from statistics import fmean
from typing import TypeVar

from minigrad.inspect.measures import Measures
from minigrad.inspect.records import Edge, Pass, Target, Term

_Item = TypeVar("_Item")


def mean_of(passes: Sequence[Pass]) -> Pass:
    """Average passes: each number over those passes that have it.

    A gradient is finite if it always was; its conservation error is the greatest. Kept
    arrays are left out. The order is that of first appearance.
    """
    if len(passes) == 1:
        return passes[0]
    every = (target for one in passes for target in one.values())
    found = _grouped(every, lambda target: target.name)
    return {name: _mean_target(found[name]) for name in found}


def _grouped(
    items: Iterable[_Item], key: Callable[[_Item], str]
) -> dict[str, list[_Item]]:
    groups: dict[str, list[_Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _mean_target(group: Sequence[Target]) -> Target:
    every = (edge for target in group for edge in target.edges)
    return group[0]._replace(
        measures=_mean_measures([target.measures for target in group]),
        edges=tuple(
            _mean_edge(same)
            for same in _grouped(every, lambda edge: edge.title).values()
        ),
        error=max(target.error for target in group),
        sample_information=_mean([target.sample_information for target in group]),
        array=None,
    )


def _mean_edge(group: Sequence[Edge]) -> Edge:
    every = (term for edge in group for term in edge.terms)
    return group[0]._replace(
        terms=tuple(
            Term(name, _mean_measures([term.measures for term in same]))
            for name, same in _grouped(every, lambda term: term.name).items()
        ),
        measures=_mean_measures([edge.measures for edge in group]),
    )


def _mean_measures(group: Sequence[Measures]) -> Measures:
    columns = zip(Measures._fields, zip(*group, strict=True), strict=True)
    means = {name: _mean(column) for name, column in columns}
    finite = all(measures.finite for measures in group)
    return Measures(**{**means, "finite": finite})  # type: ignore[arg-type]


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if known else None
