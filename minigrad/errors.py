"""The exception family: every error that minigrad raises on purpose.

A message is one sentence, `<who>: <argument> <got>, expected <rule>[; <remedy>]`.
"""

from __future__ import annotations


class MinigradError(Exception):
    """Base of every error raised on purpose; catch it to catch them all."""


class ShapeError(MinigradError, ValueError):
    """Shapes of arrays disagree."""


class DTypeError(MinigradError, TypeError):
    """An array has a dtype that the operation does not take."""


class BackendError(MinigradError, TypeError):
    """Arrays of two backends were mixed, or a backend is not there."""


class ArgumentError(MinigradError, ValueError):
    """A number, name or option lies outside what is accepted."""


class BadIndexError(ArgumentError, IndexError):
    """An index lies outside its axis. An IndexError, too, so that iteration ends."""


class GraphError(MinigradError, RuntimeError):
    """A gradient or graph operation is not possible; the message says why."""


class NonFiniteError(MinigradError, ArithmeticError):
    """A number that is not finite was made; the message says where and of what."""


class WatchpointError(MinigradError, RuntimeError):
    """A condition on a term holds that a watchpoint waited for.

    Attributes:
        seen: the term, as the condition saw it; its array is a copy.
    """

    def __init__(self, message: str, seen: object) -> None:
        """Carry the message and what was seen."""
        super().__init__(message)
        self.seen = seen


class FileFormatError(MinigradError, ValueError):
    """A file is missing, damaged or not what its name says."""


class GradientCheckError(MinigradError, AssertionError):
    """A backward disagrees with its forward; the message names the likely cause."""


def got(who: str, what: str, found: object, expected: object, remedy: str = "") -> str:
    """Word an error: `who: what found, expected rule; remedy`.

    >>> got("linear", "w has shape", (3, 4), "(out, 5)", "transpose it")
    'linear: w has shape (3, 4), expected (out, 5); transpose it'
    """
    sentence = f"{who}: {what} {found}, expected {expected}"
    return f"{sentence}; {remedy}" if remedy else sentence
