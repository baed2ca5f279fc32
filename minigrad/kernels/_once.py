"""What the rules of several inputs share, formed by the first that is called.

The tape asks for one input's gradient after the other, and much of what a rule needs
the next one needs, too. A kernel whose rules share work keeps a `Once` as the last
field of its saved tuple.

Remembered is what was made of the same dy and saved arrays: the same objects, that is.
The tape makes a dy of its own for every pass and locks what is saved; who calls a
kernel by hand and writes into dy makes a new dy as well.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from minigrad.typing import Array


class Once:
    """Remembers what one function of dy and saved gave, until the next pass."""

    __slots__ = ("known",)

    def __init__(self) -> None:
        self.known: tuple[tuple[Any, ...], Any] = ((), None)

    def __call__(self, function: Callable[[Any, Any], Any], dy: Any, saved: Any) -> Any:
        """Return function(dy, saved), which nobody may write to."""
        result = self.find(dy, saved)
        return self.keep(dy, saved, function(dy, saved)) if result is None else result

    def take(
        self, name: str, function: Callable[[Any, Any], dict[str, Array]], dy: Any,
        saved: Any,
    ) -> Array:  # fmt: skip
        """Hand over the array that function(dy, saved) calls name.

        It is remembered no longer, since the tape may add into a gradient that it gets.
        """
        left = self(function, dy, saved)
        if name not in left:
            left.update(function(dy, saved))
        return left.pop(name)

    def find(self, dy: Any, saved: Any) -> Any:
        """Return what was kept for dy and saved, or None."""
        given, result = self.known
        now = (dy, *saved[:-1])
        same = len(given) == len(now) and all(map(operator.is_, given, now))
        return result if same else None

    def keep(self, dy: Any, saved: Any, result: Any) -> Any:
        """Remember result for dy and saved, and return it."""
        self.known = (dy, *saved[:-1]), result
        return result
