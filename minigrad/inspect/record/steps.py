"""How far an optimizer's step moves the weights, relative to their size."""

from __future__ import annotations

import math

from minigrad.backend import array_module, to_host
from minigrad.inspect.record.names import Names
from minigrad.tape import Tensor
from minigrad.typing import Array


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

    def after(self) -> dict[str, tuple[float, float | None]]:
        """Return name -> (norm of the old values, |change| / norm), and let go.

        The ratios are None if nothing at all moved: the step was taken elsewhere.
        """
        found = {name: _moved(*held) for name, held in self._held.items()}
        self._held = {}
        stepped = any(ratio for _, ratio in found.values())
        return {n: (norm, r if stepped else None) for n, (norm, r) in found.items()}


def _moved(tensor: Tensor, old: Array) -> tuple[float, float | None]:
    """Return the norm of old and how far tensor has moved from it, relative to it."""
    norm = _norm(old)
    # After a move to another backend or dtype there is nothing to compare with.
    same = type(tensor.data) is type(old) and tensor.data.dtype == old.dtype
    change = _norm(tensor.data - old) if same and tensor.data.shape == old.shape else 0
    return norm, change / norm if norm else None


def _norm(array: Array) -> float:
    xp = array_module(array)
    square = to_host(xp.vdot(array, array)).item().real
    return math.sqrt(square) if square >= 0 else math.nan
