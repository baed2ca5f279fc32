"""How far an optimizer's step moves the weights, relative to their size."""

from __future__ import annotations

import math

from minigrad.inspect.record.names import Names
from minigrad.inspect.record.sums import fetch, square
from minigrad.tape import Tensor
from minigrad.typing import Array

Moved = dict[str, tuple[float, float | None]]
"""Name -> norm of the old values, and |change| / norm or None."""


class Steps:
    """Copies weights after a backward pass and compares them after the step."""

    def __init__(self, names: Names) -> None:
        """Watch the tensors that have a name."""
        self._names = names
        self._held: dict[str, tuple[Tensor, Array]] = {}

    def before(self, tensor: Tensor) -> None:
        """Copy the values of tensor, which has just received its gradient."""
        name = self._names.of(tensor)
        if name is not None:
            self._held[name] = tensor, tensor.data.copy()

    def after(self, *, last: bool) -> Moved:
        """Return how far all have moved, and let go; nothing if none has.

        The step may still be to come, unless last is True: then norms are returned, and
        None for ratios, since the step was taken elsewhere, if at all.
        """
        found = {name: _moved(*held) for name, held in self._held.items()}
        stepped = any(change for _, change in found.values())
        if not stepped and not last:
            return {}
        self._held = {}
        if not stepped:
            return {name: (norm, None) for name, (norm, _) in found.items()}
        return {name: (moved[0], _ratio(*moved)) for name, moved in found.items()}


def _moved(tensor: Tensor, old: Array) -> tuple[float, float]:
    """Return the norms of old and of what it has changed by; NaN if incomparable."""
    now = tensor.data
    norm = _norm(old)
    if type(now) is not type(old) or now.dtype != old.dtype or now.shape != old.shape:
        return norm, math.nan
    return norm, _norm(now - old)


def _norm(array: Array) -> float:
    (found,) = fetch([square(array)])
    return math.sqrt(found) if found >= 0 else math.nan


def _ratio(norm: float, change: float) -> float | None:
    return change / norm if norm and not math.isnan(change) else None
