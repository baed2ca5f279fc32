"""Which gradients of a pass are looked at: those that fit globs."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, NamedTuple, Self

from minigrad.errors import ArgumentError
from minigrad.inspect.record.labels import Call, Labels
from minigrad.tape import Node

Globs = str | Iterable[str] | None
"""Shell patterns such as "features.*.weight", one or several; None fits everything."""


def globs(who: str, what: str, given: Globs) -> tuple[str, ...] | None:
    """Return given as a tuple; raises ArgumentError for what is no pattern."""
    if given is None:
        return None
    several = isinstance(given, Iterable) and not isinstance(given, str)
    patterns: tuple[Any, ...] = tuple(given) if several else (given,)
    if not patterns or not all(isinstance(one, str) for one in patterns):
        raise ArgumentError(
            f"{who}: {what} {given!r}, expected a shell pattern as 'features.*', or "
            "a list of them"
        )
    return patterns


def fits(patterns: tuple[str, ...] | None, text: str) -> bool:
    """Tell whether text fits one of the patterns, or there are none."""
    return patterns is None or any(fnmatchcase(text, one) for one in patterns)


class Selection(NamedTuple):
    """Shell patterns; what is None fits everything.

    A gradient is chosen if its name fits name, and over one of its edges it comes from
    a kernel that fits kernel, called in a module whose path fits module.
    """

    name: tuple[str, ...] | None
    kernel: tuple[str, ...] | None
    module: tuple[str, ...] | None

    @classmethod
    def of(cls, who: str, name: Globs, kernel: Globs, module: Globs) -> Self:
        """Check the patterns; raises ArgumentError."""
        return cls(
            globs(who, "name", name),
            globs(who, "kernel", kernel),
            globs(who, "module", module),
        )

    @property
    def everything(self) -> bool:
        """Whether there are no patterns."""
        return self == (None, None, None)

    def described(self) -> str:
        """List the patterns there are."""
        return _listed(self._asdict())

    def chosen(
        self, order: Iterable[Node], labels: Labels
    ) -> tuple[set[Any], list[str]]:
        """Collect the targets of a pass that are chosen, and names of the others."""
        edges = ((node, target) for node in order for target in node.targets)
        every = [(node, target) for node, target in edges if target is not None]
        chosen = {one for node, one in every if self._fits(labels, node, one)}
        others = [labels.target(one) for _, one in every if one not in chosen]
        return chosen, others

    def _fits(self, labels: Labels, node: Node, target: Any) -> bool:
        call = labels.call(node)
        return (
            fits(self.kernel, call.kernel)
            and fits(self.module, call.module)
            and fits(self.name, labels.target(target))
        )


class Choice(NamedTuple):
    """Shell patterns for terms, and for the edges that they come over."""

    term: tuple[str, ...] | None
    kernel: tuple[str, ...] | None
    module: tuple[str, ...] | None
    input: tuple[str, ...] | None
    into: tuple[str, ...] | None

    @classmethod
    def of(cls, who: str, *given: Globs) -> Self:
        """Check the patterns, in the order of the fields; raises ArgumentError."""
        pairs = zip(cls._fields, given, strict=True)
        return cls(*(globs(who, what, patterns) for what, patterns in pairs))

    def fits_edge(self, call: Call, name: str, target: str) -> bool:
        """Tell whether the input called name of call, sending to target, is chosen."""
        return (
            fits(self.kernel, call.kernel)
            and fits(self.module, call.module)
            and fits(self.input, name)
            and fits(self.into, target)
        )

    def described(self) -> str:
        """List the patterns there are."""
        return _listed(self._asdict())


def _listed(found: dict[str, tuple[str, ...] | None]) -> str:
    return ", ".join(
        f"{what} {' or '.join(patterns)}"
        for what, patterns in found.items()
        if patterns
    )


def expect_fit(who: str, what: str, wanted: str, passed: Iterable[str]) -> None:
    """Raise ArgumentError, as nothing that passed fits what is wanted."""
    known = list(passed)
    close = difflib.get_close_matches(wanted, known, 3, 0.3)
    listed = " or ".join(close or known[:3])
    raise ArgumentError(
        f"{who}: no {what} of the backward pass fits {wanted}, expected one as {listed}"
    )
