"""Where two recordings part: two runs, two backends, or two variants of a model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from minigrad.errors import ArgumentError, got
from minigrad.inspect.explain import reasons
from minigrad.inspect.record.history import History
from minigrad.inspect.record.measures import Measures
from minigrad.inspect.record.records import Pass, Target
from minigrad.kernels._arguments import is_real

TOLERANCE: Final = 1e-5
"""Greatest relative difference of two norms that still counts as rounding: float32
sums over a thousand elements in another order differ by 1e-6."""

_FIELDS: Final = ("norm", "mean_abs", "share")


class Divergence(NamedTuple):
    """The first number, in the order of backward, in which two recordings differ.

    Attributes:
        at: the pass, counted from 1.
        target: name of the gradient; "" for all.
        place: "" for the gradient itself, else the edge and term.
        what: what differs: a field of `Measures`, "shape", "presence", or "number of
            passes".
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
        values = " and ".join(_written(self.one, self.other))
        of = f" of `{self.target}`" if self.target else ""
        return f"pass {self.at}: {self.what}{of}{where} is {values}{line}"


def _written(*values: Any) -> list[str]:
    """Write numbers with as many digits as tell them apart."""
    for digits in (3, 6, 9, 17):
        texts = [f"{v:.{digits}g}" if isinstance(v, float) else str(v) for v in values]
        if len(set(texts)) > 1:
            break
    return texts


class Diff:
    """Two recordings side by side; passes and gradients are matched by name."""

    def __init__(self, one: History, other: History) -> None:
        """Compare the passes that are still whole, and norms of those before them."""
        self._one, self._other = one, other

    def divergences(self, tolerance: float = TOLERANCE) -> Iterator[Divergence]:
        """Walk over all differences beyond tolerance (relative), in backward order.

        In each gradient the whole comes first, then its edges and terms. Measures that
        are of no size, below tolerance of the gradient's norm in both, are rounding.
        """
        if not is_real(tolerance):
            rule = "a number, relative"
            raise ArgumentError(got("diff", "tolerance", repr(tolerance), rule))
        first, second = _numbered(self._one), _numbered(self._other)
        yield from self._long_ago(min(first.keys() | second.keys()), tolerance)
        for at in sorted(first.keys() | second.keys()):
            if at in first and at in second:
                yield from _between(at, first[at], second[at], tolerance)
        counts = self._one.count, self._other.count
        if counts[0] != counts[1]:
            at = min(counts) + 1
            yield Divergence(at, "", "", "number of passes", *counts, "")

    def _long_ago(self, start: int, tolerance: float) -> Iterator[Divergence]:
        """Compare norms, by their curves, in passes that are no longer whole."""
        found: list[tuple[int, int, Divergence]] = []
        for place, (name, mine) in enumerate(self._one.over_time.items()):
            yours = self._other.over_time.get(name)
            if yours is None:
                continue
            known = dict(yours.curves["norm"].points)
            for at, a in mine.curves["norm"].points:
                b = known.get(at)
                if at < start and b is not None and not _close(a, b, tolerance, 0.0):
                    found.append(
                        (at, -place, Divergence(at, name, "", "norm", a, b, ""))
                    )
        yield from (one for *_, one in sorted(found, key=lambda item: item[:2]))

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
    if reasons.verdict(one) == reasons.verdict(other) == "noise":
        return
    sizes = {
        what: max(getattr(one.measures, what), getattr(other.measures, what))
        for what in ("norm", "mean_abs")
    }
    for place in [*mine, *(p for p in yours if p not in mine)]:
        if place not in mine or place not in yours:
            has = place in mine, place in yours
            yield Divergence(at, one.name, place, "presence", *has, line)
            continue
        for what in _FIELDS:
            a, b = getattr(mine[place], what), getattr(yours[place], what)
            scale = sizes.get(what, 1.0)
            if not _close(a, b, tolerance, tolerance * scale):
                yield Divergence(at, one.name, place, what, a, b, line)
                break


def _close(a: float | None, b: float | None, relative: float, absolute: float) -> bool:
    """Tell whether two numbers agree; NaN agrees with NaN, none with none."""
    if a is None or b is None:
        return a is b
    if a == b or (a != a and b != b):
        return True
    return abs(a - b) <= max(relative * max(abs(a), abs(b)), absolute)


def _measures(target: Target) -> Mapping[str, Measures]:
    """List the measures of a gradient by place: "", edge, edge and term."""
    found = {"": target.measures}
    for edge in target.edges:
        found[edge.title] = edge.measures
        for term in edge.terms:
            found[f"{edge.title} {term.name}"] = term.measures
    return found
