"""Bugs of backward rules as changes of source text: one place, all else untouched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from minigrad.testing.puzzles import _finders as find
from minigrad.testing.puzzles.site import Change, Site, sites
from minigrad.testing.puzzles.source import Cut, Source


class Kind(NamedTuple):
    """What a kind of bug is, in words, and how its places are found."""

    said: str
    places: Callable[[Site], Iterator[Change]]


KINDS: Final[dict[str, Kind]] = {
    "term_dropped": Kind("one of several terms is left out", find.term_dropped),
    "sign_flipped": Kind("a minus is lost, or one too many", find.sign_flipped),
    "plus_for_minus": Kind("+ where - belongs, or - where +", find.plus_for_minus),
    "factor_dropped": Kind("one factor of a product is left out", find.factor_dropped),
    "line_dropped": Kind("a line that changes an array is left out", find.line_dropped),
    "number_dropped": Kind("a factor such as 2 or 0.5 is lost", find.number_dropped),
    "twice": Kind("a factor 2 too many", find.twice),
    "mean_for_sum": Kind(
        "a mean where a sum belongs, or a sum where a mean", find.mean_for_sum
    ),
    "divisor_dropped": Kind("what should divide is left out", find.divisor_dropped),
    "times_for_divide": Kind("* where / belongs, or / where *", find.times_for_divide),
    "axis_changed": Kind("summed over the wrong axis", find.axis_changed),
    "transposed": Kind("a transpose is lost, or one too many", find.transposed),
    "wrong_array": Kind("another array is read than the right one", find.wrong_array),
    "wrong_function": Kind("another function than the right one", find.wrong_function),
    "condition_flipped": Kind("a condition is turned round", find.condition_flipped),
    "written": Kind("an array that belongs to others is written into", find.written),
    "copy_dropped": Kind("a copy is left out, so memory is shared", find.copy_dropped),
}


class SourceBug(NamedTuple):
    """A change, and the key of KINDS that it is of."""

    kind: str
    change: Change

    def planted(self, text: str) -> str:
        """Return text with the bug."""
        start, end, new = self.change
        return text[:start] + new + text[end:]


def source_bugs(cut: Cut) -> dict[str, list[SourceBug]]:
    """List what could be changed in the rules of a kernel's file, kind by kind."""
    source = Source(cut.text)
    found: dict[str, list[SourceBug]] = {kind: [] for kind in KINDS}
    seen = {cut.text}
    for site in sites(source, cut):
        for kind, (_, places) in KINDS.items():
            for change in places(site):
                bug = SourceBug(kind, change)
                text = bug.planted(cut.text)
                if text not in seen:
                    seen.add(text)
                    found[kind].append(bug)
    return found
