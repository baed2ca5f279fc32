"""Law 3: kernels write nothing they are given, alias nothing, and repeat themselves."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend import use_backend
from minigrad.kernels._spec import Record, fit
from minigrad.tape import no_grad
from minigrad.testing._subject import Subject
from minigrad.testing._values import leaves
from minigrad.testing.fake_device import fake_device


class _Watched:
    """Arrays that a kernel may read only: locked, and compared afterwards."""

    def __init__(self) -> None:
        self.held: list[tuple[str, ndarray, bytes]] = []

    def add(self, what: str, values: Any) -> None:
        """Lock every array in values, however nested."""
        for label, array in _arrays(what, values):
            array.setflags(write=False)
            self.held.append((label, array, array.tobytes()))

    def changed(self) -> str | None:
        """Name the first array that is no longer what it was."""
        for label, array, before in self.held:
            if array.tobytes() != before:
                return label
        return None

    def sharing(self, array: ndarray) -> str | None:
        """Name the first array that shares memory with array."""
        for label, other, _ in self.held:
            if numpy.may_share_memory(other, array):
                return label
        return None


def _arrays(what: str, values: Any) -> Iterator[tuple[str, ndarray]]:
    if isinstance(values, ndarray):
        yield what, values
    elif hasattr(values, "_fields"):
        for name, value in zip(values._fields, values, strict=True):
            yield from _arrays(f"{what}.{name}", value)
    elif isinstance(values, tuple | list):
        for position, value in enumerate(values):
            yield from _arrays(f"{what}[{position}]", value)


def check_purity(subject: Subject) -> None:
    """Run on locked arrays, twice; raise if anything is written, aliased or differs."""
    first = _locked_run(subject)
    # What a kernel must not read is different the second time.
    try:
        with no_grad(), fake_device(), use_backend("fake"):
            second = _locked_run(subject)
    except (TypeError, AttributeError) as error:
        raise subject.fail(
            f"raises when another backend is current, expected the data to decide: "
            f"{error}",
            "an array is made with new_array or current_backend",
        ) from error
    for what, value in first.items():
        other = second[what]
        if list(value) != list(other):
            raise subject.fail(
                f"{what} has terms {list(value)}, then {list(other)} in a second call, "
                "expected the same names in the same order",
                "the order of the terms depends on something global",
            )
        for name, array in value.items():
            if array.tobytes() != other[name].tobytes():
                raise subject.fail(
                    f"{what}, {name} differs between two calls, expected the same bits",
                    "something global is read: a mode, a counter or a random state",
                )


def _locked_run(subject: Subject) -> dict[str, dict[str, ndarray]]:
    """Run forward and all rules on locked copies; return copies of the results."""
    kernel = subject.kernel
    arrays = [array.copy() for array in subject.arrays]
    inputs, rest = _Watched(), _Watched()
    for name, array in zip(subject.names, arrays, strict=True):
        inputs.add(f"input {name}", array)
    with _writes_refused(subject, "forward", inputs):
        y, record = subject.run(arrays)
    for part in leaves(y):
        owner = inputs.sharing(part)
        if owner and not kernel.aliases:
            raise subject.fail(
                f"y shares memory with {owner}, expected an array of its own",
                "y is a view; copy it, or declare aliases=True",
            )
    results = {"y": {str(at): part.copy() for at, part in enumerate(leaves(y))}}
    dy = subject.case.cotangent(y)
    rest.held += inputs.held
    rest.add("saved", record.saved)
    owned = list(rest.held)
    rest.add("dy", dy)
    rest.add("y", y)
    for index in subject.checked:
        name = subject.names[index]
        with _writes_refused(subject, f"the rule of input {name}", rest):
            terms = subject.rule(index, dy, record)
        _check_terms(subject, index, terms, record, owned)
        results[f"input {name}"] = {
            term: numpy.array(value) for term, value in terms.items()
        }
        with _writes_refused(subject, f"the gradient of input {name}", rest):
            gradient = kernel.gradient(index, dy, record)
        _check_array(subject, f"the gradient of input {name}", gradient, owned)
        results[f"gradient of {name}"] = {"sum": gradient.copy()}
    return results


@contextmanager
def _writes_refused(subject: Subject, who: str, watched: _Watched) -> Generator[None]:
    try:
        yield
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise subject.fail(
            f"{who} writes into an array it was given, expected no write",
            f"an in-place operation on {_suspects(watched)}",
        ) from error
    changed = watched.changed()
    if changed:
        raise subject.fail(
            f"{who} changed {changed}, expected it untouched",
            f"an in-place operation on {changed}",
        )


def _suspects(watched: _Watched) -> str:
    return " or ".join(label for label, _, _ in watched.held)


def _check_terms(
    subject: Subject,
    index: int,
    terms: Mapping[str, Any],
    record: Record,
    owned: list[tuple[str, ndarray, bytes]],
) -> None:
    """Terms must be a non-empty dict of words to arrays that fit the input."""
    name = subject.names[index]
    if not terms or not all(str(term).isidentifier() for term in terms):
        raise subject.fail(
            f"the rule of input {name} names its terms {list(terms)}, "
            "expected at least one, each a word"
        )
    for term, value in terms.items():
        what = f"term {term} of input {name}"
        _check_array(subject, what, value, owned)
        shape = record.shapes[index]
        try:
            fitted = fit(value, shape, record.dtypes[index])
        except ValueError as error:
            swapped = sorted(value.shape) == sorted(shape)
            raise subject.fail(
                f"{what} has shape {value.shape}, expected one that sums to {shape}",
                "it is transposed" if swapped else "a sum or axis is missing",
            ) from error
        if fitted.shape != shape:
            raise subject.fail(f"{what} has shape {fitted.shape}, expected {shape}")


def _check_array(
    subject: Subject,
    what: str,
    value: Any,
    owned: list[tuple[str, ndarray, bytes]],
) -> None:
    if not isinstance(value, ndarray | numpy.generic):
        raise subject.fail(f"{what} is a {type(value).__name__}, expected an array")
    if isinstance(value, numpy.generic):
        return
    for label, other, _ in owned:
        if numpy.may_share_memory(other, value):
            raise subject.fail(
                f"{what} shares memory with {label}, expected its own memory or dy's",
                "the tape may add into it; copy it",
            )
