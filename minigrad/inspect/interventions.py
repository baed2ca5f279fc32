"""Changing what flows back: drop, scale or detach terms by name, and run on.

An ablation asks what training would be without one path of the gradient. Terms are
chosen by shell patterns; what is chosen is changed before it is added up, recorded by
`gradient_flow`, or sent further.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from minigrad.backend import array_module
from minigrad.errors import ArgumentError, got
from minigrad.inspect.record.chooser import Chooser
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.selection import Choice, Globs
from minigrad.kernels._arguments import is_real
from minigrad.tape import Node, Tensor, modes
from minigrad.typing import Array, Terms


class Intervention:
    """Changes the chosen terms of the backward passes in a block.

    Attributes:
        who: "drop", "scale" or "detach".
        factor: what chosen terms are multiplied by; None lets nothing flow.
    """

    def __init__(self, who: str, factor: float | None, names: Names, choice: Choice):
        """Multiply what is chosen by factor; None lets nothing flow in its place."""
        self.who, self.factor = who, factor
        self._chooser = Chooser(who, names, choice)

    @property
    def changed(self) -> dict[str, None]:
        """Every changed term once, as `consumer (input) term`, in backward order."""
        return self._chooser.chosen

    def start(self, order: Sequence[Node]) -> None:
        """Label the calls of a pass."""
        self._chooser.start(order)

    def wants(self, node: Node, name: str, target: Any) -> bool:
        """Choose by all but the term, whose name is not known yet."""
        return self._chooser.wants(node, name, target)

    def edge(
        self, node: Node, name: str, target: Any, terms: Terms, dy: Any
    ) -> Terms | None:
        """Replace the chosen terms; None if there is none among these."""
        taken = {term for term in terms if self._chooser.takes(node, name, term)}
        if not taken:
            return None
        return {
            term: self._times(array) if term in taken else array
            for term, array in terms.items()
            if term not in taken or self.factor is not None
        }

    def _times(self, array: Array) -> Array:
        # Not 0 * array, which leaves NaN of what is not finite.
        if self.factor == 0:
            return array_module(array).zeros_like(array)
        return array * self.factor

    def total(self, target: Node | Tensor, gradient: Array) -> None:
        """Sums are of no concern."""

    def end(self, complete: bool) -> None:
        """Nothing is held beyond a pass."""

    def expect_changes(self) -> None:
        """Raise ArgumentError if passes ran and nothing in them was chosen."""
        self._chooser.expect_any()

    def __repr__(self) -> str:
        return f"<{self.who}: {len(self.changed)} terms changed>"


@contextmanager
def _intervene(
    who: str, factor: float | None, model: Any, names: Any, choice: Choice
) -> Generator[Intervention]:
    intervention = Intervention(who, factor, Names(model, names, who), choice)
    with modes.observed(intervention, first=True):
        yield intervention
    intervention.expect_changes()


def drop(
    term: Globs = None,
    *,
    model: Any = None,
    names: Mapping[str, Tensor] | None = None,
    kernel: Globs = None,
    module: Globs = None,
    input: Globs = None,
    into: Globs = None,
) -> Any:
    """Put zeros in the place of terms, in the backward passes inside the block.

    Args:
        term: a shell pattern, or several, for names of terms; None takes all.
        model: its parameters and modules give gradients and calls their names.
        names: more tensors to name.
        kernel: patterns for the kernel that sends the term.
        module: patterns for the path of the module that called it.
        input: patterns for the name of the kernel's input that the term belongs to.
        into: patterns for the gradient that the term is a part of.

    The block's value lists in `changed` what was. Raises ArgumentError at the end of
    the block if passes ran and nothing fitted.

    >>> from minigrad import inspect, tensor
    >>> x = tensor([3.0], requires_grad=True)
    >>> with inspect.drop(kernel="mul", input="a"):
    ...     (x * x).backward()
    >>> x.grad.item()
    3.0
    """
    choice = Choice.of("drop", term, kernel, module, input, into)
    return _intervene("drop", 0.0, model, names, choice)


def scale(
    factor: float,
    term: Globs = None,
    *,
    model: Any = None,
    names: Mapping[str, Tensor] | None = None,
    kernel: Globs = None,
    module: Globs = None,
    input: Globs = None,
    into: Globs = None,
) -> Any:
    """Multiply terms by factor, in the backward passes inside the block; see `drop`.

    >>> from minigrad import inspect, tensor
    >>> x = tensor([3.0], requires_grad=True)
    >>> with inspect.scale(-1, kernel="mul") as change:
    ...     (x * x).backward()
    >>> x.grad.item(), list(change.changed)
    (-6.0, ['mul#1 (a) direct', 'mul#1 (b) direct'])
    """
    if not is_real(factor) or not math.isfinite(factor):
        rule = "a real number that is finite"
        raise ArgumentError(got("scale", "factor", repr(factor), rule))
    choice = Choice.of("scale", term, kernel, module, input, into)
    return _intervene("scale", float(factor), model, names, choice)


def detach(
    term: Globs = None,
    *,
    model: Any = None,
    names: Mapping[str, Tensor] | None = None,
    kernel: Globs = None,
    module: Globs = None,
    input: Globs = None,
    into: Globs = None,
) -> Any:
    """Let nothing flow in the place of terms, as if inputs were detached; see `drop`.

    What receives nothing else has no gradient afterwards, and nothing behind it is
    computed.

    >>> from minigrad import inspect, tensor
    >>> x = tensor([3.0], requires_grad=True)
    >>> with inspect.detach(kernel="exp"):
    ...     x.exp().backward()
    >>> x.has_grad
    False
    """
    choice = Choice.of("detach", term, kernel, module, input, into)
    return _intervene("detach", None, model, names, choice)
