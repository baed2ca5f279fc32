"""What the sentences about a gradient are put together from."""

from __future__ import annotations

import math
from typing import Any, Final

from minigrad.inspect.explain.tables import number as text
from minigrad.inspect.record.evidence import KNOWN
from minigrad.inspect.record.measures import NOISE, Measures, epsilon
from minigrad.inspect.record.records import Edge, Pass, Target
from minigrad.inspect.record.trace import at

TINY: Final = 1e-8
"""An rms below it is tiny: at rate 0.1 a float32 weight of 0.05, whose neighbours are
4e-9 away, no longer moves."""

HUGE: Final = 1e2
"""An rms above it is huge: at rate 1e-3 a step moves weights by 0.1, which is more than
most weights are."""

MOSTLY: Final = 0.5
"""Share of idle elements from which on they are said to be the reason."""


def rms(target: Target) -> float:
    """Return the root mean square of the elements."""
    return target.measures.norm / math.sqrt(math.prod(target.shape) or 1)


def cancels(measures: Measures, dtype: Any) -> bool:
    """Tell whether nothing but rounding is left of the terms' sum."""
    lost = measures.cancellation
    return lost is not None and 1 - lost <= NOISE * epsilon(dtype)


def arrived_at(edge: Edge, one: Pass) -> list[Target]:
    """Return the gradients that arrived at the consumer, one for each result."""
    return [t for t in one.values() if edge.number in (t.number, t.parent)]


def unseen(edge: Edge) -> str:
    """Say that the way on from edge was not recorded."""
    return (
        f"what arrived at {place(edge)} was left out of the recording, which chooses "
        "by name, kernel or module"
    )


def place(edge: Edge) -> str:
    """Name an edge and the line that made it."""
    return edge.title + at(edge.line)


def state_of(edge: Edge, least: float) -> str:
    """Describe the state that lets the edge pass little on, if it holds for enough."""
    known = KNOWN.get(f"{edge.kernel} {edge.input}")
    if known is None or edge.idle is None or edge.idle < least:
        return ""
    return f"{known.verdict}: {text(100 * edge.idle)} % {known.words}"
