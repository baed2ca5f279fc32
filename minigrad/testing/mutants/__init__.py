"""Broken copies of a kernel: each has one bug, and `check_kernel` must reject each.

A checker is worth what it refuses. The bugs are those that hand-written backward rules
have had elsewhere: lost terms, signs and sums, writes into what others own, modes read
from a global, float64 that creeps in.

`python -m minigrad.testing.mutants` plants bugs into a kernel's source instead, as
puzzles for students.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from minigrad.kernels._spec import Kernel, NotAGradient
from minigrad.testing import _bugs
from minigrad.testing._bugs import Bug, Plan
from minigrad.testing._values import total
from minigrad.testing.cases import Case

__all__ = ["KINDS", "Mutant", "mutants"]


class Mutant(NamedTuple):
    """A broken kernel, or the reason why this bug cannot be planted.

    Attributes:
        name: the bug.
        input: the input whose rule, or which itself, is concerned.
        kernel: the broken kernel; None where the bug does not apply.
        said: a regular expression that the rejection's message matches.
        reason: why it does not apply.
    """

    name: str
    input: str
    kernel: Kernel | None
    said: str
    reason: str = ""


class _Kind(NamedTuple):
    said: str
    build: Bug
    needs_gradient: bool = False
    """Whether a zero gradient, or none at all, hides the bug."""


def mutants(kernel: Kernel, case: Case, **params: Any) -> Iterator[Mutant]:
    """Yield every kind of bug for every differentiable input of kernel.

    Args:
        kernel: a kernel that passes `check_kernel` at the case.
        case: where the broken kernels will be checked; its shapes decide what applies.
        **params: the kernel's parameters, over those of the case.

    >>> from minigrad.kernels.arithmetic import NEG_KERNEL
    >>> from minigrad.testing import normal
    >>> found = [m for m in mutants(NEG_KERNEL, Case.draw(0, a=normal(3))) if m.kernel]
    >>> [m.name for m in found][:4]
    ['sign_flipped', 'zeros_returned', 'doubled', 'axis_swapped']
    """
    y, record = kernel.run(*case.arrays, **{**case.params, **params})
    names = kernel.inputs(len(case.arrays))
    rules = kernel.rules * len(names) if kernel.variadic else kernel.rules
    for index, (name, rule) in enumerate(zip(names, rules, strict=True)):
        if rule is None or case.arrays[index].dtype.kind != "f":
            continue
        terms = kernel.backward_terms(name, case.cotangent(y), record)
        plan = Plan(kernel, case.arrays, name, index, y, record.saved, terms)
        for bug, kind in KINDS.items():
            built = _reason(plan, kind) or kind.build(plan)
            if isinstance(built, str):
                yield Mutant(bug, name, None, kind.said, built)
            else:
                yield Mutant(bug, name, built, kind.said)


def _reason(plan: Plan, kind: _Kind) -> str:
    if not kind.needs_gradient:
        return ""
    if isinstance(plan.kernel.gradient_of, NotAGradient):
        return "the rules are declared to be no gradient"
    return "" if total(plan.terms).any() else "the gradient is zero at this case"


KINDS: Final[dict[str, _Kind]] = {
    "term_dropped": _Kind("is missing", _bugs.last_term(None), True),
    "term_sign_flipped": _Kind("wrong sign", _bugs.last_term(-1.0), True),
    "sign_flipped": _Kind("wrong sign", _bugs.scaled(-1.0), True),
    "zeros_returned": _Kind("zeros are returned", _bugs.scaled(0.0), True),
    "doubled": _Kind("2 times too large", _bugs.scaled(2.0), True),
    "axis_swapped": _Kind("transposed|reversed|shifted", _bugs.axis_swapped, True),
    "sum_missing": _Kind("a sum over axis|zeros are returned", _bugs.sum_missing, True),
    "cotangent_written": _Kind("writes into", _bugs.cotangent_written),
    "saved_written": _Kind("writes into|changed", _bugs.saved_written),
    "input_written": _Kind("writes into", _bugs.input_written),
    "mode_read": _Kind("differs between two calls", _bugs.mode_read),
    "unrepeatable": _Kind("differs between two calls", _bugs.unrepeatable, True),
    "fused_wrong": _Kind("fused", _bugs.fused_wrong, True),
    "promoted_to_float64": _Kind("float64 for float32 input", _bugs.promoted),
    "nonlinear_in_dy": _Kind("linear in dy", _bugs.nonlinear, True),
    "constant_added": _Kind("linear in dy", _bugs.constant_added),
    "terms_reordered": _Kind("same order", _bugs.reordered),
    "output_aliases_input": _Kind("y shares memory", _bugs.output_aliased),
    "term_aliases_saved": _Kind("shares memory", _bugs.term_aliased),
    "converted_to_host": _Kind("backend 'fake'", _bugs.on_host),
    "no_terms": _Kind("at least one", _bugs.no_terms),
}
