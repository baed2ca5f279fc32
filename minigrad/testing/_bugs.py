"""The bugs that mutants have: each takes a plan and returns the broken kernel.

Where a bug cannot be planted its function returns the reason instead.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy
from numpy import ndarray

from minigrad.kernels._spec import Kernel, fit
from minigrad.tape import is_grad_enabled
from minigrad.testing._diagnosis import rearranged
from minigrad.testing._values import largest, leaves, mapped, total
from minigrad.typing import Array, Terms


@dataclass(frozen=True)
class Plan:
    """A kernel run at one case: what bugs are planted into."""

    kernel: Kernel
    arrays: tuple[ndarray, ...]
    name: str
    index: int
    y: Any
    saved: Any
    terms: dict[str, ndarray]
    """Fitted to the input's shape."""

    @property
    def stem(self) -> str:
        """The key of the rule in kernel.terms."""
        return next(iter(self.kernel.terms)) if self.kernel.variadic else self.name

    def with_rule(self, change: Callable[[Terms, Any, Any], Terms]) -> Kernel:
        """Replace the rule by change(its terms, dy, saved), and drop its fused twin."""
        kernel, stem = self.kernel, self.stem
        original = kernel.terms[stem]

        def rule(dy: Any, saved: Any, *index: int) -> Terms:
            terms = original(dy, saved, *index)  # type: ignore[misc]
            concerned = not index or index[0] == self.index
            return change(terms, dy, saved) if concerned else terms

        fused = {name: f for name, f in kernel.fused.items() if name != stem}
        return replace(kernel, terms={**kernel.terms, stem: rule}, fused=fused)

    def with_forward(self, change: Callable[[Callable[..., Any], Any], Any]) -> Kernel:
        """Replace forward by change(forward with parameters bound, arrays)."""
        original = self.kernel.forward

        def forward(*arrays: Array, **params: Any) -> Any:
            return change(lambda *given: original(*given, **params), arrays)

        return replace(self.kernel, forward=forward)


Bug = Callable[[Plan], Kernel | str]
"""Returns the broken kernel, or why there is none."""


def scaled(factor: float) -> Bug:
    """Multiply the gradient by factor."""

    def change(terms: Terms, dy: Any, saved: Any) -> Terms:
        return {name: factor * value for name, value in terms.items()}

    return lambda plan: plan.with_rule(change)


def last_term(factor: float | None) -> Bug:
    """Multiply the last term that is not zero, or drop it if factor is None."""

    def build(plan: Plan) -> Kernel | str:
        size = largest(total(plan.terms))
        alive = [t for t, value in plan.terms.items() if largest(value) > 1e-3 * size]
        if len(plan.terms) < 2 or not alive:
            return "there is only one term"
        chosen = alive[-1]

        def change(terms: Terms, dy: Any, saved: Any) -> Terms:
            kept = dict(terms)
            last = kept.pop(chosen)
            return kept if factor is None else {**kept, chosen: factor * last}

        return plan.with_rule(change)

    return build


def axis_swapped(plan: Plan) -> Kernel | str:
    right = total(plan.terms)
    chosen = -1
    for at, (_, array) in enumerate(rearranged(right[None])):
        same_shape = array[0].shape == right.shape
        if same_shape and largest(array[0] - right) > 0.1 * largest(right):
            chosen = at
            break
    if chosen < 0:
        return "no permutation of the axes changes the gradient"

    def change(terms: Terms, dy: Any, saved: Any) -> Terms:
        fitted = [fit(value, right.shape, value.dtype) for value in terms.values()]
        summed = numpy.asarray(sum(fitted))
        _, swapped = next(itertools.islice(rearranged(summed[None]), chosen, None))
        return {"direct": swapped[0].copy()}

    return plan.with_rule(change)


def sum_missing(plan: Plan) -> Kernel | str:
    """Let only the first entry of dy's first long axis arrive."""
    first = leaves(plan.y)[0]
    long = [axis for axis, length in enumerate(first.shape) if length > 1]
    if not long:
        return "y has no axis to sum over"
    place = (slice(None),) * long[0] + (slice(1, None),)
    original = plan.kernel.terms[plan.stem]

    def rule(dy: Any, saved: Any, *index: int) -> Terms:
        kept = mapped(lambda part: part.copy(), dy)
        if not index or index[0] == plan.index:
            for part in leaves(kept):
                part[place] = 0
        return original(kept, saved, *index)  # type: ignore[misc]

    terms = {**plan.kernel.terms, plan.stem: rule}
    return replace(plan.with_rule(lambda terms, dy, saved: terms), terms=terms)


def _write_cotangent(terms: Terms, dy: Any, saved: Any) -> Terms:
    for part in leaves(dy):
        part *= 2
    return terms


def cotangent_written(plan: Plan) -> Kernel | str:
    if not any(part.size for part in leaves(plan.y)):
        return "y is empty"
    return plan.with_rule(_write_cotangent)


def _saved_arrays(saved: Any) -> list[ndarray]:
    return [a for a in saved or () if isinstance(a, ndarray) and a.size]


def saved_written(plan: Plan) -> Kernel | str:
    if not _saved_arrays(plan.saved):
        return "no array is saved"

    def change(terms: Terms, dy: Any, saved: Any) -> Terms:
        array = _saved_arrays(saved)[0]
        # Unlocked by force: the comparison must find it where the lock did not help.
        locked = [a for a in (array, array.base) if isinstance(a, ndarray)]
        for memory in reversed(locked):
            memory.flags.writeable = True
        array[...] = 1 - array if array.dtype.kind != "b" else ~array
        return terms

    return plan.with_rule(change)


def input_written(plan: Plan) -> Kernel | str:
    if not plan.arrays[plan.index].size:
        return "the input is empty"

    def change(forward: Callable[..., Any], arrays: Any) -> Any:
        arrays[plan.index][...] = 0
        return forward(*arrays)

    return plan.with_forward(change)


def mode_read(plan: Plan) -> Kernel | str:
    if not any(part.any() for part in leaves(plan.y)):
        return "y is zero at this case"

    def change(forward: Callable[..., Any], arrays: Any) -> Any:
        y, saved = forward(*arrays)
        return (y if is_grad_enabled() else mapped(lambda part: 2 * part, y)), saved

    return plan.with_forward(change)


def unrepeatable(plan: Plan) -> Kernel | str:
    rng = numpy.random.default_rng(0)

    def change(terms: Terms, dy: Any, saved: Any) -> Terms:
        return {name: value * (1 + rng.random()) for name, value in terms.items()}

    return plan.with_rule(change)


def fused_wrong(plan: Plan) -> Kernel | str:
    kernel, stem = plan.kernel, plan.stem
    if kernel.variadic:
        return "variadic kernels have no fused rules"
    original = kernel.terms[stem]

    def fused(dy: Any, saved: Any) -> Array:
        terms = original(dy, saved)  # type: ignore[misc]
        shape = plan.arrays[plan.index].shape
        return 1.5 * sum(fit(value, shape, value.dtype) for value in terms.values())

    return replace(kernel, fused={**kernel.fused, stem: fused})


def promoted(plan: Plan) -> Kernel | str:
    def change(terms: Terms, dy: Any, saved: Any) -> Terms:
        return {name: value * numpy.float64(1) for name, value in terms.items()}

    return plan.with_rule(change)


def nonlinear(plan: Plan) -> Kernel | str:
    def change(terms: Terms, dy: Any, saved: Any) -> Terms:
        square = sum(numpy.sum(part * part) for part in leaves(dy))
        return {name: value * square for name, value in terms.items()}

    return plan.with_rule(change)


def constant_added(plan: Plan) -> Kernel | str:
    if not plan.arrays[plan.index].size:
        return "the input is empty"
    return plan.with_rule(lambda terms, dy, saved: {n: v + 1 for n, v in terms.items()})


def reordered(plan: Plan) -> Kernel | str:
    if len(plan.terms) < 2:
        return "there is only one term"
    calls = itertools.count()

    def change(terms: Terms, dy: Any, saved: Any) -> Terms:
        return dict(reversed(terms.items())) if next(calls) % 2 else terms

    return plan.with_rule(change)


def output_aliased(plan: Plan) -> Kernel | str:
    x = plan.arrays[plan.index]
    if plan.kernel.aliases:
        return "the kernel declares that y may be a view"
    if isinstance(plan.y, tuple) or x.shape != plan.y.shape or not x.size:
        return "y has not the input's shape"

    def change(forward: Callable[..., Any], arrays: Any) -> Any:
        return arrays[plan.index][...], forward(*arrays)[1]

    return plan.with_forward(change)


def term_aliased(plan: Plan) -> Kernel | str:
    shape = plan.arrays[plan.index].shape
    if not any(array.shape == shape for array in _saved_arrays(plan.saved)):
        return "no saved array has the input's shape"

    def change(terms: Terms, dy: Any, saved: Any) -> Terms:
        same = [a for a in _saved_arrays(saved) if a.shape == shape]
        return dict.fromkeys(terms, same[0])

    return plan.with_rule(change)


def on_host(plan: Plan) -> Kernel | str:
    def change(forward: Callable[..., Any], arrays: Any) -> Any:
        return forward(*map(numpy.asarray, arrays))

    return plan.with_forward(change)


def no_terms(plan: Plan) -> Kernel | str:
    return plan.with_rule(lambda terms, dy, saved: {})
