"""Stopping where something happens: at a term that meets a condition, at a NaN."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy

from minigrad.backend import array_module, to_host
from minigrad.errors import ArgumentError, NonFiniteError, WatchpointError, got
from minigrad.inspect.explain.tables import number
from minigrad.inspect.record import faults
from minigrad.inspect.record.chooser import Chooser
from minigrad.inspect.record.labels import Labels
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.selection import Choice, Globs
from minigrad.inspect.record.sums import square
from minigrad.inspect.record.trace import Line, Trace, at, user_line
from minigrad.tape import Node, Tensor, modes
from minigrad.typing import Array, Terms


class Seen(NamedTuple):
    """A term as it flows by.

    Attributes:
        consumer: label of the kernel call that sends it, as `0/linear#1`.
        kernel, module: name of its kernel, path of the module that called it.
        input: the kernel's input that it belongs to.
        term: its name.
        into: name of the gradient that it is a part of.
        line: of the user's code that called the kernel, if the block holds that too.
        array: the term itself; copy what should outlive the condition.
    """

    consumer: str
    kernel: str
    module: str
    input: str
    term: str
    into: str
    line: Line | None
    array: Array

    @property
    def norm(self) -> float:
        """Euclidean norm, in float64."""
        return to_host(square(self.array)).item() ** 0.5

    @property
    def rms(self) -> float:
        """Root mean square of the elements."""
        return self.norm / (self.array.size or 1) ** 0.5

    @property
    def dead(self) -> float:
        """Fraction of elements that are exactly 0."""
        alive = to_host(array_module(self.array).count_nonzero(self.array)).item()
        return 1 - alive / self.array.size if self.array.size else 0.0

    @property
    def finite(self) -> bool:
        """Whether no element is infinite or NaN."""
        return faults.is_finite(self.array)

    def __str__(self) -> str:
        where = f"{self.consumer} ({self.input}) {self.term}, into `{self.into}`"
        return f"{where},{at(self.line)}" if self.line else where


def _seen(
    labels: Labels, node: Node, name: str, target: Any, term: str, array: Array
) -> Seen:
    call = labels.call(node)
    return Seen(
        consumer=call.label,
        kernel=call.kernel,
        module=call.module,
        input=name,
        term=term,
        into=labels.target(target),
        line=call.line,
        array=array,
    )


class _Watchpoint:
    """Raises WatchpointError at the first chosen term that meets a condition."""

    def __init__(
        self, names: Names, condition: Callable[[Seen], Any], choice: Choice
    ) -> None:
        self.trace = Trace(names, look=False)
        self.chooser = Chooser("watch", names, choice)
        self._condition = condition

    def start(self, order: Sequence[Node]) -> None:
        self.chooser.start(order, self.trace.lines)

    def wants(self, node: Node, name: str, target: Any) -> bool:
        return self.chooser.wants(node, name, target)

    def edge(self, node: Node, name: str, target: Any, terms: Terms, dy: Any) -> None:
        for term, array in terms.items():
            if not self.chooser.takes(node, name, term):
                continue
            seen = _seen(self.chooser.labels, node, name, target, term, array)
            if not self._condition(seen):
                continue
            facts = f"norm {number(seen.norm)}, rms {number(seen.rms)}"
            raise WatchpointError(
                f"watch: the condition holds for {seen}: {facts}, "
                f"{number(100 * seen.dead)} % zeros",
                seen._replace(array=array.copy()),
            )

    def total(self, target: Any, gradient: Array) -> None:
        """Sums are of no concern."""

    def end(self, complete: bool) -> None:
        """Nothing is held beyond a pass but names."""


class _Detector:
    """Raises NonFiniteError at the first number that is not finite."""

    def __init__(self, names: Names) -> None:
        self.trace = Trace(names, look=False)
        self._names = names
        self._labels = Labels(names, (), {})
        self._counts: Counter[str] = Counter()
        self._met: set[int] = set()

    def start(self, order: Sequence[Node]) -> None:
        self._labels = Labels(self._names, order, self.trace.lines)
        # The next call belongs to a new forward pass.
        self._counts.clear()
        self._met.clear()

    def ran(
        self,
        kernel: Any,
        inputs: tuple[Any, ...],
        arrays: list[Array],
        y: Any,
        node: Node | None,
    ) -> None:
        self.trace.ran(kernel, inputs, arrays, y, node)
        stem = self._names.stem(kernel, modes.scope.get())
        self._counts[stem] += 1
        if faults.is_finite(y):
            return
        call = f"{stem}#{self._counts[stem]}{at(user_line())}"
        said = faults.describe(kernel, inputs, arrays, y, self.trace.name)
        raise NonFiniteError(f"forward: {call} {said}")

    def returned(self, module: Any, y: Any) -> None:
        """Calls of modules are of no concern."""

    def wants(self, node: Node, name: str, target: Any) -> bool:
        return True

    def edge(self, node: Node, name: str, target: Any, terms: Terms, dy: Any) -> None:
        if isinstance(target, Tensor) and id(target) not in self._met:
            self._met.add(id(target))
            self._expect_finite_before(target)
        for term, array in terms.items():
            if faults.is_finite(array):
                continue
            seen = _seen(self._labels, node, name, target, term, array)
            saved = node.record.saved  # type: ignore[union-attr]
            operands = faults.statistics(faults.saved_operands(saved))
            norm = number(to_host(square(dy)).item() ** 0.5)
            raise NonFiniteError(
                f"backward: {seen} has {faults.faulty(array)}, where a finite "
                f"gradient of norm {norm} had arrived"
                + (f"; saved: {operands}" if operands else "")
            )

    def _expect_finite_before(self, leaf: Tensor) -> None:
        """Raise NonFiniteError if an earlier pass has left such a gradient."""
        old = leaf.cotangent
        if old is not None and not faults.is_finite(old):
            raise NonFiniteError(
                f"backward: the gradient that `{self._labels.target(leaf)}` held "
                f"before this pass has {faults.faulty(old)}; call zero_grad()"
            )

    def total(self, target: Any, gradient: Array) -> None:
        if faults.is_finite(gradient):
            return
        title = self._labels.target(target)
        raise NonFiniteError(
            f"backward: the gradient of `{title}` has {faults.faulty(gradient)}, "
            "though all terms are finite: their sum overflows, or backward() was given "
            "it"
        )

    def end(self, complete: bool) -> None:
        """Nothing is held beyond a pass but names."""


@contextmanager
def watch(
    condition: Callable[[Seen], Any],
    *,
    model: Any = None,
    names: Mapping[str, Tensor] | None = None,
    term: Globs = None,
    kernel: Globs = None,
    module: Globs = None,
    input: Globs = None,
    into: Globs = None,
) -> Generator[None]:
    """Stop a backward pass inside the block at the first term that meets a condition.

    Args:
        condition: function of a `Seen`; what it returns is taken as true or false.
        model: its parameters and modules give gradients and calls their names.
        names: more tensors to name.
        term: shell patterns for the terms to look at; None takes all.
        kernel: patterns for the kernel that sends the term.
        module: patterns for the path of the module that called it.
        input: patterns for the name of the kernel's input that the term belongs to.
        into: patterns for the gradient that the term is a part of.

    Raises ArgumentError at the end if passes ran and nothing fitted. Raises
    WatchpointError, which says where; its `seen` holds the term. Some leaves
    have a new gradient then and others have not: clear all before you go on.

    >>> from minigrad import WatchpointError, inspect, tensor
    >>> x = tensor([3.0], requires_grad=True)
    >>> try:
    ...     with inspect.watch(lambda seen: seen.norm > 5, names={"x": x}):
    ...         (x * x * x).backward()
    ... except WatchpointError as error:
    ...     print(error.seen.term, error.seen.into, error.seen.norm)
    direct x 9.0
    """
    if not callable(condition):
        kind = f"a {type(condition).__name__}"
        raise ArgumentError(got("watch", "condition is", kind, "a function of a Seen"))
    choice = Choice.of("watch", term, kernel, module, input, into)
    watchpoint = _Watchpoint(Names(model, names, "watch"), condition, choice)
    with modes.traced(watchpoint.trace), modes.observed(watchpoint):
        yield
    watchpoint.chooser.expect_any()


@contextmanager
def detect_nonfinite(
    model: Any = None, *, names: Mapping[str, Tensor] | None = None
) -> Generator[None]:
    """Stop at the first infinite number or NaN of the passes inside the block.

    Looks at the result of every kernel call, under no_grad() too, and at every term of
    backward. Costs one more pass over each array, and the terms.

    Args:
        model: its parameters and modules give gradients and calls their names.
        names: more tensors to name.

    Raises NonFiniteError, naming the kernel call, the term, the line of the caller's
    code, and the operands with their ranges.

    >>> from minigrad import NonFiniteError, inspect, tensor
    >>> try:
    ...     with inspect.detect_nonfinite():
    ...         tensor([1.0, 0.0]).log()
    ... except NonFiniteError as error:
    ...     print(str(error).partition(",")[0])  # doctest: +ELLIPSIS
    forward: log#1 at ... made -inf among 2 elements
    """
    detector = _Detector(Names(model, names, "detect_nonfinite"))
    # NumPy need not warn of what is about to be named.
    with (
        numpy.errstate(all="ignore"),
        modes.traced(detector),
        modes.observed(detector),
    ):
        yield
