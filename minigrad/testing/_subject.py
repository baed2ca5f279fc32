"""The kernel under check, what one run of it gives, and how a failure is worded."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import to_backend, to_host
from minigrad.errors import GradientCheckError
from minigrad.kernels._spec import Kernel, NotAGradient, Record, fit
from minigrad.testing._derivative import Claim
from minigrad.testing._values import largest, leaves, mapped
from minigrad.testing.cases import Case
from minigrad.typing import Shape, Terms


class Outcome(NamedTuple):
    """All that one run of a kernel computes, as host arrays.

    y has one array an output; terms and totals are keyed by the input's position, the
    terms brought to the input's shape and dtype. spreads: the largest element of the
    sum of |term|, before the sum over what broadcasting repeated: what rounding errors
    are small against, even where the gradient is 0.
    """

    y: tuple[ndarray, ...]
    terms: dict[int, dict[str, ndarray]]
    totals: dict[int, ndarray]
    spreads: dict[int, float]


def spread(raw: Terms, shape: Shape) -> float:
    """Return the largest element of sum |term|, summed as terms are to shape."""
    whole = 0.0
    for value in map(to_host, raw.values()):
        real = numpy.abs(value)
        whole = whole + fit(real, shape, real.dtype)
    return largest(numpy.asarray(whole))


@dataclass(frozen=True)
class Subject:
    """A kernel, the case it is checked on, and the inputs whose gradients are checked.

    Attributes:
        arrays: the case's arrays, floats as float64.
        names: one name per array.
        checked: positions of the differentiable inputs to check.
    """

    kernel: Kernel
    case: Case
    params: Mapping[str, Any]
    arrays: tuple[ndarray, ...]
    names: tuple[str, ...]
    checked: tuple[int, ...]

    def run(self, arrays: Sequence[Any]) -> tuple[Any, Record]:
        """Run the kernel's forward with the subject's parameters."""
        return self.kernel.run(*arrays, **self.params)

    def rule(self, index: int, dy: Any, record: Record) -> Terms:
        """Call the rule of the input at index as the kernel holds it."""
        if self.kernel.variadic:
            return self.kernel.rules[0](dy, record.saved, index)  # type: ignore[misc]
        return self.kernel.rules[index](dy, record.saved)  # type: ignore[misc]

    def evaluate(
        self, arrays: Sequence[Any], dy: Any, backend: str = "numpy"
    ) -> Outcome:
        """Run forward and every checked rule on arrays and the host cotangent dy."""
        y, record = self.run([to_backend(array, backend) for array in arrays])
        cotangent = mapped(lambda part: to_backend(part, backend), dy)
        terms: dict[int, dict[str, ndarray]] = {}
        totals: dict[int, ndarray] = {}
        spreads: dict[int, float] = {}
        for index in self.checked:
            shape, dtype = record.shapes[index], record.dtypes[index]
            raw = self.rule(index, cotangent, record)
            terms[index] = {
                name: to_host(fit(value, shape, dtype)) for name, value in raw.items()
            }
            spreads[index] = spread(raw, shape)
            totals[index] = to_host(self.kernel.gradient(index, cotangent, record))
        return Outcome(tuple(map(to_host, leaves(y))), terms, totals, spreads)

    def claim(self, index: int) -> Claim | None:
        """Return what the rule of the input at index claims; None if no gradient."""
        kernel, name = self.kernel, self.names[index]
        surrogate = kernel.gradient_of
        if isinstance(surrogate, NotAGradient):
            return None

        def f(*arrays: ndarray) -> Any:
            if surrogate is not None:
                return surrogate(*arrays, **self.params)
            return kernel.forward(*arrays, **self.params)[0]

        def terms(arrays: Sequence[ndarray], dy: Any) -> Terms:
            return kernel.backward_terms(name, dy, self.run(arrays)[1])

        saved = self.run(self.arrays)[1].saved
        held = dict(zip(self.names, self.arrays, strict=True))
        held |= getattr(saved, "_asdict", dict[str, Any])()
        return Claim(
            name=name,
            index=index,
            case=replace(self.case, arrays=self.arrays),
            f=f,
            terms=terms,
            fail=self.fail,
            held={key: a for key, a in held.items() if isinstance(a, ndarray)},
        )

    def fail(
        self, what: str, cause: str = "", details: Sequence[str] = ()
    ) -> GradientCheckError:
        """Word a failure: one sentence, what was measured, and lines that repeat it."""
        sentence = f"{self.kernel.name}: {what}"
        if cause:
            sentence += f"; likely cause: {cause}"
        lines = [sentence, *details, f"seed {self.case.seed}; to repeat it:"]
        return GradientCheckError("\n  ".join([*lines, *self._repeat()]))

    def _repeat(self) -> list[str]:
        """Write the lines that check this case again."""
        drawn = sorted({how.domain for how in self.case.recipe.values()})
        names = ", ".join(["Case", "check_kernel", *drawn])
        kernel, where = _origin(self.kernel)
        params = "".join(f", {name}={value!r}" for name, value in self.params.items())
        bare = Case(self.case.arrays, {}, self.case.seed, self.case.recipe)
        return [
            *([] if self.case.recipe else ["  import numpy"]),
            f"  from minigrad.testing import {names}",
            where,
            f"  check_kernel({kernel}, {bare!r}{params})",
        ]


def _origin(kernel: Kernel) -> tuple[str, str]:
    """Return the kernel's name in its module and the line that imports it."""
    module = getattr(kernel.forward, "__module__", "")
    for name, value in vars(sys.modules.get(module, object)).items():
        if value is kernel:
            return name, f"  from {module} import {name}"
    return "kernel", f"  kernel = ...  # the one called {kernel.name!r}"
