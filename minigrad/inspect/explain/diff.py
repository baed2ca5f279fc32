"""Where two recordings part: two runs, two backends, or two variants of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from minigrad.inspect.explain import tables
from minigrad.inspect.record.history import History
from minigrad.inspect.record.measures import Measures
from minigrad.inspect.record.records import Pass, Target

TOLERANCE: Final = 1e-5
"""Greatest relative difference of two norms that still counts as rounding: float32
sums over a thousand elements in another order differ by 1e-6."""

_FIELDS: Final = ("norm", "mean_abs", "share")


class Divergence(NamedTuple):
    """The first number, in the order of backward, in which two recordings differ.

    Attributes:
        at: the pass, counted from 1.
        target: name of the gradient.
        place: "" for the gradient itself, else the edge and term.
        what: what differs: a field of `Measures`, "shape", or "presence".
        one, other: its values in both; None where there is none.
        line: of the user's code, if known.
    """

    at: int
    target: str
    place: str
    what: str
    one: Any
    other: Any
    line: str

    def __str__(self) -> str:
        where = f", {self.place}," if self.place else ""
        line = f" ({self.line})" if self.line else ""
        if self.what == "presence":
            sides = "the first" if self.one else "the second"
            return (
                f"pass {self.at}: only {sides} recording has `{self.target}`{where} in "
                f"its backward{line}"
            )
        values = " and ".join(
            tables.number(v) if isinstance(v, float) else str(v)
            for v in (self.one, self.other)
        )
        return (
            f"pass {self.at}: {self.what} of `{self.target}`{where} is {values}{line}"
        )


class Diff:
    """Two recordings side by side; passes and gradients are matched by name."""

    def __init__(self, one: History, other: History) -> None:
        """Compare the passes that both still hold whole."""
        self._one, self._other = one, other

    def divergences(self, tolerance: float = TOLERANCE) -> Iterator[Divergence]:
        """Walk over all differences beyond tolerance (relative), in backward order.

        In each gradient the whole comes first, then its edges and terms. Measures that
        are of no size, below tolerance of the gradient's norm in both, are rounding.
        """
        first, second = _numbered(self._one), _numbered(self._other)
        for at in sorted(first.keys() | second.keys()):
            if at in first and at in second:
                yield from _between(at, first[at], second[at], tolerance)
        if self._one.count != self._other.count:
            yield Divergence(
                min(self._one.count, self._other.count) + 1,
                "all",
                "",
                "presence",
                self._one.count > self._other.count,
                self._other.count > self._one.count,
                "",
            )

    def first_divergence(self, tolerance: float = TOLERANCE) -> Divergence | None:
        """Return where the recordings part first, or None if they agree."""
        return next(self.divergences(tolerance), None)

    def __str__(self) -> str:
        found = self.first_divergence()
        return str(found) if found else "the recordings agree"


def _numbered(history: History) -> dict[int, Pass]:
    start = history.count - len(history.recent) + 1
    return dict(enumerate(history.recent, start))


def _between(at: int, one: Pass, other: Pass, tolerance: float) -> Iterator[Divergence]:
    # Forward order of the first, and what only the second has at the end.
    names = [*one, *(name for name in other if name not in one)]
    for name in reversed(names):
        mine, yours = one.get(name), other.get(name)
        known = mine or yours
        line = str(known.line) if known and known.line else ""
        if mine is None or yours is None:
            values = mine is not None, yours is not None
            yield Divergence(at, name, "", "presence", *values, line)
        elif mine.shape != yours.shape:
            yield Divergence(at, name, "", "shape", mine.shape, yours.shape, line)
        else:
            yield from _parts(at, mine, yours, tolerance, line)


def _parts(
    at: int, one: Target, other: Target, tolerance: float, line: str
) -> Iterator[Divergence]:
    mine, yours = _measures(one), _measures(other)
    size = max(one.measures.norm, other.measures.norm)
    for place in [*mine, *(p for p in yours if p not in mine)]:
        if place not in mine or place not in yours:
            has = place in mine, place in yours
            yield Divergence(at, one.name, place, "presence", *has, line)
            continue
        for what in _FIELDS:
            a, b = getattr(mine[place], what), getattr(yours[place], what)
            scale = 1.0 if what == "share" else size
            if not _close(a, b, tolerance, tolerance * scale):
                yield Divergence(at, one.name, place, what, a, b, line)
                break


def _close(a: float | None, b: float | None, relative: float, absolute: float) -> bool:
    """Tell whether two numbers agree; NaN agrees with NaN, none with none."""
    if a is None or b is None:
        return a is b
    if a == b or (a != a and b != b):
        return True
    return abs(a - b) <= max(relative * max(abs(a), abs(b)), relative * absolute)


def _measures(target: Target) -> Mapping[str, Measures]:
    """List the measures of a gradient by place: "", edge, edge and term."""
    found = {"": target.measures}
    for edge in target.edges:
        found[edge.title] = edge.measures
        for term in edge.terms:
            found[f"{edge.title} {term.name}"] = term.measures
    return found
