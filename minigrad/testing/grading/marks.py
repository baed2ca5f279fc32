"""Prints verdicts: a line each, and below a broken law what is known about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, Final

import numpy

from minigrad.kernels import Kernel
from minigrad.testing.cases import Case
from minigrad.testing.grading.grade import Fault, Verdict, differentiable, grade
from minigrad.testing.grading.obligations import LAWS
from minigrad.testing.grading.recipe import Recipe, cases
from minigrad.testing.grading.student import code_at

SHOWN: Final = 12
"""Arrays of more elements are shown by their shapes."""


def mark(kernel: Kernel, recipe: Recipe, path: str, seed: int, examples: int) -> bool:
    """Check kernel, of the file at path, and print verdicts; return if all is well."""
    drawn = cases(recipe, seed, examples)
    plural = "" if len(drawn) == 1 else "s"
    print(f"{kernel.name}, {path}: {len(drawn)} case{plural}, seed {seed}")
    for line in _notes(kernel, recipe, drawn[0]):
        print(f"  note: {line}")
    print()
    width = max([1, *map(len, recipe.inputs)])
    verdicts: list[Verdict] = []

    def found() -> Iterator[Verdict]:
        for verdict in grade(kernel, drawn, path):
            verdicts.append(verdict)
            yield verdict

    for (name, skipped), group in groupby(found(), lambda v: (v.input, v.skipped)):
        head = f"  {name or 'y':{width}}  "
        if skipped:
            laws = ", ".join(verdict.law for verdict in group)
            print(f"{head}{'':8}  -      not checked: {laws} ({skipped})")
            continue
        for verdict in group:
            for line in _lines(verdict, head, len(drawn)):
                print(line)
    print()
    print(summary(kernel.name, verdicts))
    return all(verdict.holds for verdict in verdicts)


def _notes(kernel: Kernel, recipe: Recipe, case: Case) -> Iterable[str]:
    """Say what was guessed, and what is not checked."""
    if recipe.guessed:
        stated = recipe.lines()[0]
        yield (
            f"how to draw {_listed(recipe.guessed)} is guessed; state it in the file, "
            f"for example\n"
            f"        from minigrad.testing import normal\n        {stated}"
        )
    checked = differentiable(kernel, case)
    for index, name in enumerate(recipe.inputs):
        if index not in checked:
            yield f"{name} is not checked: its rule is None"


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _lines(verdict: Verdict, head: str, count: int) -> Iterable[str]:
    law = LAWS[verdict.law]
    words = law.of_input if verdict.input else law.of_y
    if verdict.fault is None:
        yield f"{head}{verdict.law:8}  ok     {words}"
    else:
        yield f"{head}{verdict.law:8}  WRONG  not so: {words}"
        for line in _details(verdict.fault, count):
            yield f"      {line}"


def _details(fault: Fault, count: int) -> Iterable[str]:
    worst = fault.worst
    if worst is None:
        yield f"found: {' '.join(fault.said.split())}"
    else:
        yield f"found: {worst.name} is {worst.found:.6g}, expected {worst.expected:.6g}"
    if fault.cause:
        yield f"likely cause: {fault.cause}"
    shown = "the smallest" if fault.smallest else "the smallest that shows it"
    yield f"at {fault.failed} of {count} cases, {shown}: {_shown(fault)}"
    code = code_at(fault.where)
    yield f"look at: {fault.where}" + (f"   {code}" if code else "")


def _shown(fault: Fault) -> str:
    """Write the case as assignments."""
    case = fault.case
    arrays = dict(zip(case.recipe, case.arrays, strict=True))
    values = [_assigned(name, array) for name, array in arrays.items()]
    values += [f"{name} = {value!r}" for name, value in case.params.items()]
    if fault.worst is not None and isinstance(fault.worst.dy, numpy.ndarray):
        values.append(_assigned("dy", fault.worst.dy))
    return ", ".join(values)


def _assigned(name: str, array: Any) -> str:
    if array.size > SHOWN:
        return f"{name} of shape {array.shape}"
    rounded = array.round(4) if array.dtype.kind == "f" else array
    return f"{name} = {rounded.tolist()}"


def summary(name: str, verdicts: Sequence[Verdict]) -> str:
    """Count the laws that hold, and name the places to look at."""
    held = sum(verdict.holds for verdict in verdicts)
    if held == len(verdicts):
        return f"{name}: all {held} laws hold"
    places: dict[str, str] = {}
    for verdict in verdicts:
        if verdict.fault is not None:
            what = f"the rule of {verdict.input}" if verdict.input else "forward"
            places.setdefault(verdict.fault.where, f"{what}, {verdict.fault.where}")
    text = f"{name}: {held} of {len(verdicts)} laws hold"
    return f"{text}; look at {' and at '.join(places.values())}" if places else text
