"""Hold a kernel, or a function of tensors, to the laws of its gradient.

1. <dy, J v> of forward equals <sum of terms, v>, to 1e-9 of sum |term * v|; dy and v
   are random, never ones, which hide every gradient that sums to zero.
2. Every term is linear in dy; `fused` equals their sum; names keep their order.
3. Nothing given is written, nothing aliases undeclared, two calls agree bit for bit.
4. float32 stays within 64 eps of float64, dtypes included.
5. Reversed, strided and column-order views change nothing.
6. Neither does the backend.
7. Where forward takes complex numbers, so do the rules, and Im / h of the gradient at
   x + ihv is its derivative: by a central difference and by symmetry.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend import use_backend
from minigrad.errors import ArgumentError, BackendError, GradientCheckError, got
from minigrad.kernels._spec import Kernel
from minigrad.tape import Tensor, no_grad
from minigrad.testing._analytic import check_analytic
from minigrad.testing._derivative import Claim, Verdict, check_claim
from minigrad.testing._laws import (
    check_backend,
    check_layouts,
    check_linear,
    check_refusals,
    check_single,
    sensitivity,
)
from minigrad.testing._purity import check_purity
from minigrad.testing._subject import Subject
from minigrad.testing.cases import Case
from minigrad.testing.fake_device import fake_device


@dataclass(frozen=True)
class CheckReport:
    """What a check that passed has to say.

    Attributes:
        name: the kernel's or function's name.
        methods: input -> "complex step", "central difference", "not a gradient", or
            "kinks everywhere", which means that it was not checked.
        redraws: points given up because of kinks.
        said: input -> why it was not checked by complex step; "second order" -> why
            law 7 was not.
    """

    name: str
    methods: Mapping[str, str]
    redraws: int = 0
    said: Mapping[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        lines = [f"{self.name}: {name} by {how}" for name, how in self.methods.items()]
        lines += [f"{self.name}: {name}: {why}" for name, why in self.said.items()]
        return "\n".join(lines)


def check_kernel(
    kernel: Kernel,
    case: Case,
    *,
    inputs: Iterable[str] | None = None,
    single: bool = True,
    layouts: bool = True,
    backends: Iterable[str] | None = None,
    **params: Any,
) -> CheckReport:
    """Hold kernel to every law of the module's list at one case.

    Args:
        kernel: what to check.
        case: arrays, parameters and seed; from `kernel_cases` or `Case.draw`.
        inputs: names of the inputs to differentiate; default: all that have a rule.
        single: compare float32 with float64; turn off where a case overflows float32.
        layouts: compare layouts; turn off where forward depends on them.
        backends: besides numpy; default: the fake device, and cupy if a GPU is there.
        **params: the kernel's parameters, over those of the case.

    Raises GradientCheckError with the likely cause and the lines that repeat it.

    >>> from minigrad.kernels.arithmetic import MUL_KERNEL
    >>> from minigrad.testing import normal
    >>> print(check_kernel(MUL_KERNEL, Case.draw(0, a=normal(2, 3), b=normal(3))))
    mul: a by complex step
    mul: b by complex step
    """
    subject = _subject(kernel, case, inputs, params)
    check_purity(subject)
    check_refusals(subject)
    verdicts: dict[str, Verdict] = {}
    for index in subject.checked:
        check_linear(subject, index)
        claim = subject.claim(index)
        verdict = Verdict("not a gradient") if claim is None else check_claim(claim)
        verdicts[subject.names[index]] = verdict
    if single:
        check_single(subject)
    dy = case.cotangent(subject.run(subject.arrays)[0])
    reference = subject.evaluate(subject.arrays, dy)
    slack = sensitivity(subject, subject.arrays, dy, reference)
    if layouts:
        check_layouts(subject, reference, dy, slack)
    with fake_device():
        for backend in _other_backends() if backends is None else backends:
            check_backend(subject, reference, dy, slack, backend)
    report = _report(kernel.name, verdicts)
    if set(report.methods.values()) == {"complex step"}:
        kinked = check_analytic(subject, reference, dy, slack)
        if kinked:
            return replace(report, said={**report.said, "second order": kinked})
    return report


def _subject(
    kernel: Kernel, case: Case, inputs: Iterable[str] | None, params: dict[str, Any]
) -> Subject:
    arrays = _as_float64(case.arrays)
    names = kernel.inputs(len(arrays))
    rules = kernel.rules * len(arrays) if kernel.variadic else kernel.rules
    able = [
        name
        for name, rule, array in zip(names, rules, arrays, strict=False)
        if rule is not None and array.dtype.kind == "f"
    ]
    chosen = able if inputs is None else list(inputs)
    for name in chosen:
        if name not in able:
            rule = f"a differentiable input of {kernel.name}: {', '.join(able)}"
            raise ArgumentError(got("check_kernel", "input", repr(name), rule))
    checked = tuple(names.index(name) for name in chosen)
    return Subject(kernel, case, {**case.params, **params}, arrays, names, checked)


def _as_float64(arrays: Iterable[Any]) -> tuple[ndarray, ...]:
    return tuple(
        array.astype(numpy.float64) if array.dtype.kind == "f" else array
        for array in map(numpy.asarray, arrays)
    )


@functools.cache
def _other_backends() -> tuple[str, ...]:
    try:
        with use_backend("cupy"):
            return ("fake", "cupy")
    except BackendError:
        return ("fake",)


def _report(name: str, verdicts: Mapping[str, Verdict]) -> CheckReport:
    return CheckReport(
        name=name,
        methods={key: verdict.method for key, verdict in verdicts.items()},
        redraws=sum(verdict.redraws for verdict in verdicts.values()),
        said={key: verdict.said for key, verdict in verdicts.items() if verdict.said},
    )


def check_function(
    f: Callable[..., Tensor], *arrays: Any, seed: int = 0
) -> CheckReport:
    """Hold backward() through f to law 1: f takes tensors and returns one.

    Args:
        f: a function of as many tensors as there are arrays; called about ten times, so
            it must not draw random numbers.
        *arrays: values to check at, cast to float64; those of integers and booleans
            are passed on and not differentiated.
        seed: what the cotangent and the directions are drawn from.

    Raises GradientCheckError with the likely cause.

    >>> print(check_function(lambda x, w: (x @ w).tanh(), [[1.0, 2.0]], [[0.5], [0.1]]))
    <lambda>: x0 by complex step
    <lambda>: x1 by complex step
    """
    case = Case(_as_float64(arrays), seed=seed)
    name = getattr(f, "__name__", type(f).__name__)
    verdicts = {
        f"x{index}": check_claim(_claim(f, name, case, index))
        for index, array in enumerate(case.arrays)
        if array.dtype.kind == "f"
    }
    return _report(name, verdicts)


def _claim(f: Callable[..., Tensor], name: str, case: Case, index: int) -> Claim:
    """State that backward() through f gives the gradient of input index."""

    def values(*arrays: ndarray) -> ndarray:
        with no_grad():
            return _expect_tensor(name, f(*map(Tensor, arrays))).data

    def gradient(arrays: Sequence[ndarray], dy: ndarray) -> dict[str, ndarray]:
        tensors = [Tensor(array.copy(), array.dtype.kind == "f") for array in arrays]
        y = _expect_tensor(name, f(*tensors))
        x = tensors[index]
        if y.node is not None:
            y.backward(dy)
        zeros = numpy.zeros(x.shape)
        return {"gradient": x.grad.numpy() if x.has_grad else zeros}

    def fail(what: str, cause: str, details: Sequence[str]) -> GradientCheckError:
        lines = [f"{name}: {what}; likely cause: {cause}", *details]
        return GradientCheckError("\n  ".join([*lines, f"seed {case.seed}"]))

    held = {f"x{at}": array for at, array in enumerate(case.arrays)}
    return Claim(f"x{index}", index, case, values, gradient, fail, held, cancels=False)


def _expect_tensor(name: str, y: Any) -> Tensor:
    if not isinstance(y, Tensor):
        rule = "a Tensor"
        raise ArgumentError(got("check_function", f"{name} returned", type(y), rule))
    return y
