"""All passes of a recording, however many, in the memory of a few.

The last passes are kept whole. Of all passes there are the averages, for each gradient
a sketch and a curve of its norm over time, and the first or worst pass for each thing
that can be wrong with it.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import Final, NamedTuple

from minigrad.inspect.explain import reasons, tables
from minigrad.inspect.record.frozen import Frozen
from minigrad.inspect.record.means import Means
from minigrad.inspect.record.records import Pass, Target
from minigrad.inspect.record.sketch import Series, Sketch
from minigrad.inspect.record.steps import Moved

TRACKED: Final = ("norm", "dead", "update")
"""What is sketched over time, of each gradient."""


class Event(NamedTuple):
    """A pass, counted from 1, in which something was noticed of a gradient."""

    at: int
    target: Target
    sentence: str
    """What `reasons.explain` says of it; "" in `last` and `worst`."""


class OverTime:
    """How one gradient developed over all passes.

    Attributes:
        sketches: "norm", "dead" and "update" -> `Sketch` of its values.
        curves: the same -> `Series` of (pass, value), evenly thinned out.
    """

    def __init__(self, name: str) -> None:
        """Begin without passes."""
        self.name = name
        self.sketches = {what: Sketch() for what in TRACKED}
        self.curves = {what: Series() for what in TRACKED}

    def add(self, what: str, at: int, value: float | None) -> None:
        """Count in what one measure was in pass at, if it was."""
        if value is not None:
            self.sketches[what].add(value)
            self.curves[what].add(at, value)

    def table(self) -> str:
        """Lay out one row for each of norm, fraction of zeros, update / weight."""
        header = "measure|first|last|mean|min|5 %|median|95 %|max|passes|not finite"
        rows = [
            [
                {"dead": "zeros", "update": "update / weight"}.get(what, what),
                *(
                    tables.number(value)
                    for value in (
                        sketch.first,
                        sketch.last,
                        sketch.mean,
                        sketch.minimum,
                        sketch.quantile(0.05),
                        sketch.quantile(0.5),
                        sketch.quantile(0.95),
                        sketch.maximum,
                    )
                ),
                str(sketch.count),
                str(sketch.faults),
            ]
            for what, sketch in self.sketches.items()
            if sketch.count or sketch.faults
        ]
        return tables.layout(f"{self.name} over time", header.split("|"), rows)

    def __str__(self) -> str:
        return self.table()


class History:
    """What is kept of all passes.

    Attributes:
        recent: the last passes, whole.
        count: how many passes there were in all.
        cut_short: how many of them ended in an error; they lack gradients.
        over_time: name -> how that gradient developed.
        ill: name -> the first pass in which its verdict was not healthy.
        last: name -> the last pass in which it received a gradient.
        worst: name -> the pass of its greatest conservation error.
        dead: name -> the pass with the most zeros in it, if it ever had one.
        fault: the first gradient that was not finite, nearest to its cause.
        calls: label of a call -> name of the gradient of its result.
        left_out: names of gradients that came, but that the selection left out.
        frozen: name -> a parameter that was frozen in some pass.
        detached: terms that interventions let nothing flow in the place of.
        used: name of a leaf -> the call that used it last; see `Trace`.
        has_edges: whether any gradient was more than what backward() was called on.
        roots: names of what backward() was called on.
    """

    def __init__(self, keep: int) -> None:
        """Keep the last `keep` passes whole."""
        self.recent: deque[Pass] = deque(maxlen=keep)
        self.count = self.cut_short = 0
        self.over_time: dict[str, OverTime] = {}
        self.ill: dict[str, Event] = {}
        self.last: dict[str, Event] = {}
        self.worst: dict[str, Event] = {}
        self.dead: dict[str, Event] = {}
        self.fault: Event | None = None
        self.calls: dict[str, str] = {}
        self.roots: dict[str, None] = {}
        self.has_edges = False
        self.left_out: dict[str, None] = {}
        self.frozen: dict[str, Frozen] = {}
        self.detached: dict[str, None] = {}
        self.used: dict[str, str] = {}
        self._means = Means()
        self._mean: tuple[int, Pass] = (0, {})

    def add(self, one: Pass, fault: str = "", *, complete: bool = True) -> None:
        """Count a pass in; fault is what its forward pass had, if that was seen."""
        self.count += 1
        self.cut_short += not complete
        self.recent.append(one)
        self._means.add(one)
        # In the order of backward, so that the first fault is nearest to the cause.
        for name, target in reversed(one.items()):
            self._note(name, target, one, fault)

    def amend(self, updates: Moved) -> None:
        """Add to the last pass how far the step after it moved the weights."""
        if not updates:
            return
        last = self.recent[-1]
        for name, (weight, update) in updates.items():
            if name not in last:
                continue
            last[name] = last[name]._replace(weight_norm=weight, update=update)
            known = self.last[name]
            target = known.target._replace(weight_norm=weight, update=update)
            self.last[name] = known._replace(target=target)
            self.over_time[name].add("update", self.count, update)
        self._means.amend(updates)
        self._mean = (0, {})

    def freeze(self, found: Mapping[str, Frozen]) -> None:
        """Add the parameters that the last pass found frozen."""
        for name, one in found.items():
            known = self.frozen.get(name)
            passes = 1 if known is None else known.passes + 1
            self.frozen[name] = one._replace(passes=passes)

    def is_frozen(self, name: str) -> bool:
        """Tell whether name is a parameter that was frozen in all passes."""
        one = self.frozen.get(name)
        return one is not None and one.passes == self.count

    def spell(self, name: str) -> str:
        """Say in how many passes a parameter was frozen; "" if in all or in none."""
        if name not in self.frozen or self.is_frozen(name):
            return ""
        return f"{self.frozen[name].passes} of {self.count} passes"

    def _note(self, name: str, target: Target, one: Pass, fault: str) -> None:
        if name not in self.over_time:
            self.over_time[name] = OverTime(name)
        over_time = self.over_time[name]
        over_time.add("norm", self.count, target.measures.norm)
        over_time.add("dead", self.count, target.measures.dead)
        if target.call:
            self.calls.setdefault(target.call, name)
        if target.edges:
            self.has_edges = True
        else:
            self.roots[name] = None
        bare = target.bare()
        self.last[name] = Event(self.count, bare, "")
        if name not in self.ill and reasons.verdict(bare) != "healthy":
            self.ill[name] = Event(self.count, bare, reasons.explain(bare, one, fault))
        if self.fault is None and not bare.measures.finite:
            self.fault = Event(self.count, bare, reasons.explain(bare, one, fault))
        known = self.worst.get(name)
        if known is None or _is_worse(bare.error, known.target.error):
            self.worst[name] = Event(self.count, bare, "")
        known = self.dead.get(name)
        most = known.target.measures.dead if known else 0.0
        if bare.measures.dead > most:
            self.dead[name] = Event(self.count, bare, reasons.explain(bare, one))

    def mean(self) -> Pass:
        """Return the averages over all passes; a single pass is returned as it is."""
        if self.count == 1:
            return self.recent[0]
        if self._mean[0] != self.count:
            self._mean = self.count, self._means.result()
        return self._mean[1]


def _is_worse(error: float, known: float) -> bool:
    """Compare errors; NaN is worse than any number, and the first NaN stays."""
    return not math.isnan(known) and not error <= known
