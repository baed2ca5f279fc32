"""Which terms of the passes in a block are chosen, and whether any was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minigrad.inspect.record.labels import Labels
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.selection import Choice, expect_fit, fits
from minigrad.inspect.record.trace import Line
from minigrad.tape import Node


class Chooser:
    """Labels the calls of each pass and chooses among their terms.

    Attributes:
        labels: of the pass that runs, or ran last.
        chosen: every term that was chosen, as `consumer (input) term`, in the order of
            backward, each once.
    """

    def __init__(self, who: str, names: Names, choice: Choice) -> None:
        """Choose for who, as errors say."""
        self.labels = Labels(names, (), {})
        self.chosen: dict[str, None] = {}
        self._who, self._names, self._choice = who, names, choice
        self._passed: dict[str, None] = {}

    def start(
        self, order: Sequence[Node], lines: Mapping[Node, Line | None] | None = None
    ) -> None:
        """Label the calls of a pass."""
        self.labels = Labels(self._names, order, lines or {})

    def wants(self, node: Node, name: str, target: Any) -> bool:
        """Choose by all but the term, whose name is not known yet."""
        call, title = self.labels.call(node), self.labels.target(target)
        chosen = self._choice.fits_edge(call, name, title)
        if not chosen:
            self._passed[f"{call.label} ({name})"] = None
        return chosen

    def takes(self, node: Node, name: str, term: str) -> bool:
        """Choose among the terms of an edge that is wanted."""
        chosen = fits(self._choice.term, term)
        place = f"{self.labels.call(node).label} ({name}) {term}"
        (self.chosen if chosen else self._passed)[place] = None
        return chosen

    def expect_any(self) -> None:
        """Raise ArgumentError if passes ran and nothing in them was chosen."""
        if self._passed and not self.chosen:
            expect_fit(self._who, "term", self._choice.described(), self._passed)
