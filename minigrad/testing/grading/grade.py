"""Holds a kernel to every law, and goes on after a failure: a verdict a law and input.

What is found is said to whoever wrote the kernel: which law, the smallest case that
breaks it, what came out and what should have, the likely cause, and the line to look
at.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy

from minigrad.errors import GradientCheckError, MinigradError
from minigrad.kernels import Kernel
from minigrad.testing._subject import Subject
from minigrad.testing._values import leaves, total
from minigrad.testing.cases import Case
from minigrad.testing.differences import jacobian
from minigrad.testing.grading.obligations import LAWS, MOOT, OF_Y, guarded
from minigrad.testing.grading.student import defined_at, describe, place


class Element(NamedTuple):
    """One element of a gradient, what was found for it and expected, and at what dy."""

    name: str
    found: float
    expected: float
    dy: Any


class Fault(NamedTuple):
    """What breaks a law.

    Attributes:
        said: what was found, a sentence.
        cause: the likely cause; empty if none is known.
        where: the line to look at, file:line.
        case: the smallest case that shows the cause: what was said holds for it.
        failed: at how many cases it was found.
        smallest: whether it was found at no smaller case.
        worst: the element of the gradient that is most wrong, if one is.
        raised: whether the kernel's code raised an exception.
    """

    said: str
    cause: str
    where: str
    case: Case
    failed: int
    smallest: bool = True
    worst: Element | None = None
    raised: bool = False


class Verdict(NamedTuple):
    """Whether a law holds for an input.

    Attributes:
        law: a key of LAWS.
        input: the input's name; empty for y, the result of forward.
        fault: what breaks it, or None.
        skipped: why it could not be decided; empty if it was.
    """

    law: str
    input: str
    fault: Fault | None = None
    skipped: str = ""

    @property
    def holds(self) -> bool:
        """Whether it was decided and nothing breaks it."""
        return self.fault is None and not self.skipped


class _BrokenError(GradientCheckError):
    """A failure whose sentence and cause can be told apart."""

    def __init__(self, said: str, cause: str) -> None:
        super().__init__(said)
        self.said, self.cause = said, cause


class _Graded(Subject):
    """A subject whose failures are told apart."""

    def fail(
        self, what: str, cause: str = "", details: Sequence[str] = ()
    ) -> GradientCheckError:
        """Keep sentence and cause apart."""
        return _BrokenError(what, cause)


def grade(kernel: Kernel, cases: Sequence[Case], path: str) -> Iterator[Verdict]:
    """Yield the verdicts on kernel, of the file at path, as they are found.

    First those on y, then those on every input that has a rule and floats.
    """
    grader = _Grader(kernel, cases, path)
    broken: dict[str, str] = {}
    for verdict in grader.about(None, broken):
        if not verdict.holds:
            broken[verdict.law] = "forward must hold it first"
        yield verdict
    for index in differentiable(kernel, cases[0]):
        yield from grader.about(index, broken)


def first_fault(kernel: Kernel, cases: Sequence[Case], path: str) -> Fault | None:
    """Return the first fault found, law after law; None if every law holds."""
    grader = _Grader(kernel, cases, path, brief=True)
    for law in LAWS:
        for index in (None, *differentiable(kernel, cases[0])):
            if index is not None or law in OF_Y:
                fault = grader.verdict(kernel, law, index).fault
                if fault is not None:
                    return fault
    return None


def differentiable(kernel: Kernel, case: Case) -> list[int]:
    """Return the positions of the inputs that have a rule."""
    rules = kernel.rules * (len(case.arrays) if kernel.variadic else 1)
    return [at for at, rule in enumerate(rules) if rule is not None]


_CONSEQUENCES: Final = {
    "runs": {"runs": "it must run first"},
    "gradient": {"complex": "its gradient must be right first"},
}
"""Law -> the laws that are not looked at once it is broken, and why."""


@dataclass(frozen=True)
class _Grader:
    kernel: Kernel
    cases: Sequence[Case]
    path: str
    brief: bool = False
    """Whether one failure is enough, and where it is worst of no interest."""

    def name(self, index: int | None) -> str:
        """Return the name of the input at index; nothing for y."""
        names = self.kernel.inputs(len(self.cases[0].arrays))
        return "" if index is None else names[index]

    def about(self, index: int | None, broken: dict[str, str]) -> Iterator[Verdict]:
        """Yield the verdicts on one input, or on y, but for laws broken already."""
        kernel, skipped, failed = self.kernel, dict(broken), set[str]()
        if "pure" in broken:
            kernel = guarded(kernel)
        for law in LAWS if index is not None else OF_Y:
            why = skipped.get(law) or skipped.get("runs", "")
            if why:
                yield Verdict(law, self.name(index), skipped=why)
                continue
            verdict = self.verdict(kernel, law, index)
            fault = verdict.fault
            if law == "gradient" and "linear" in failed and fault is not None:
                cause = "what breaks the law `linear`, above"
                verdict = verdict._replace(fault=fault._replace(cause=cause))
            if verdict.skipped != MOOT:
                yield verdict
            if fault is not None:
                failed.add(law)
                skipped |= _CONSEQUENCES.get(law, {})
            if law in failed and law == "pure":
                # What is written into would spoil the verdicts on the other laws.
                kernel = guarded(kernel)

    def verdict(self, kernel: Kernel, law: str, index: int | None) -> Verdict:
        """Hold kernel to one law at all cases."""
        found: list[tuple[Subject, BaseException]] = []
        undecided: list[str] = []
        for case in self.cases:
            subject = _subject(kernel, case, index)
            problem = _attempt(lambda s=subject: LAWS[law].check(s, index))
            if isinstance(problem, str):
                undecided.append(problem)
            elif problem is not None:
                found.append((subject, problem))
                if self.brief:
                    break
        if found:
            return Verdict(law, self.name(index), self._fault(law, index, found))
        skipped = undecided[0] if len(undecided) == len(self.cases) else ""
        return Verdict(law, self.name(index), skipped=skipped)

    def _fault(
        self, law: str, index: int | None, found: list[tuple[Subject, BaseException]]
    ) -> Fault:
        """Word the failure at the smallest case that shows its likely cause."""
        subject, error = found[0]
        at = 0 if self.kernel.variadic else index
        rule = self.kernel.forward if at is None else self.kernel.rules[at]
        where = defined_at(rule, self.path)
        if not isinstance(error, _BrokenError):
            line = place(error, self.path)
            said, cause = f"raises {describe(error)}", LAWS[law].when_raised
            own = isinstance(error, MinigradError)
            if isinstance(error, TypeError) and not line and not own:
                cause = self._signature(index)
            return Fault(
                said, cause, line or where, subject.case, len(found), raised=True
            )
        first = subject
        subject, error, cause = _telling(found)
        where = place(error.__cause__, self.path) or where if error.__cause__ else where
        worst = None
        if law == "gradient" and index is not None and not self.brief:
            found_worst = _attempt(lambda: _worst(subject, index))
            worst = found_worst if isinstance(found_worst, Element) else None
        return Fault(
            error.said,
            cause,
            where,
            subject.case,
            len(found),
            subject is first,
            worst,
        )

    def _signature(self, index: int | None) -> str:
        if index is not None:
            given = "dy, saved, index" if self.kernel.variadic else "dy, saved"
            return f"a rule is called as rule({given})"
        names = ", ".join(self.kernel.inputs(len(self.cases[0].arrays)))
        params = "".join(f", {name}=..." for name in self.cases[0].params)
        return f"forward is called as forward({names}{params})"


_NUMBER: Final = re.compile(r"(?<!axis )\b\d[\d.e+-]*")


def _telling(
    found: Sequence[tuple[Subject, BaseException]],
) -> tuple[Subject, _BrokenError, str]:
    """Return a failure to be shown, and a likely cause that holds for it.

    It is the first, with what the causes of all begin with; or else the first whose
    cause is that of the clearest, but for numbers: short and equal lengths have several
    explanations, and each case its own numbers.
    """
    broken = [(at, error) for at, error in found if isinstance(error, _BrokenError)]
    short = min((error.cause for _, error in broken), key=len)
    if short and all(error.cause.startswith(short) for _, error in broken):
        # A factor of 2 need not be the length 2 that one case happens to have.
        return *broken[0], short
    _, clearest = max(broken, key=lambda pair: _clarity(pair[0]))
    kind = _NUMBER.sub("#", clearest.cause)
    at, error = next(p for p in broken if _NUMBER.sub("#", p[1].cause) == kind)
    return at, error, error.cause


def _clarity(subject: Subject) -> tuple[int, int]:
    """Count the different lengths above 1, then the elements."""
    lengths = {length for array in subject.arrays for length in array.shape}
    return len(lengths - {1}), sum(array.size for array in subject.arrays)


def _subject(kernel: Kernel, case: Case, index: int | None) -> Subject:
    """Make a subject with arrays of its own, of which at most one input is checked."""
    arrays = tuple(array.copy() for array in case.arrays)
    names = kernel.inputs(len(arrays))
    checked = () if index is None else (index,)
    return _Graded(kernel, case, case.params, arrays, names, checked)


def _attempt(check: Callable[[], Any]) -> Any:
    """Call check; return what it returns or raises, NumPy's warnings apart."""
    with numpy.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return check()
        except (Exception, SystemExit) as error:
            return error


def _worst(subject: Subject, index: int) -> Element | None:
    """Find the element of the gradient that differs most from the true one."""
    claim = subject.claim(index)
    if claim is None:
        return None
    y, record = subject.run(subject.arrays)
    dy = subject.case.cotangent(y)
    parts = zip(leaves(dy), jacobian(claim.f, subject.arrays, index), strict=True)
    expected = numpy.asarray(sum(numpy.tensordot(d, j, d.ndim) for d, j in parts))
    found = total(subject.kernel.backward_terms(claim.name, dy, record))
    gap = numpy.nan_to_num(numpy.abs(found - expected), nan=numpy.inf)
    at: Any = numpy.unravel_index(int(numpy.argmax(gap)), gap.shape)
    name = f"dL/d{claim.name}" + (f"[{', '.join(map(str, at))}]" if at else "")
    return Element(name, float(found[at]), float(expected[at]), dy)
