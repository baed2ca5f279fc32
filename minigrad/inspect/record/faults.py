"""Where in a forward or backward pass the first number that is not finite was made."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy

from minigrad.backend import array_module, is_array, to_host
from minigrad.inspect.explain.tables import number
from minigrad.typing import Array


def is_finite(value: Any) -> bool:
    """Tell whether an array, or every array of a tuple, has finite elements only."""
    return all(_finite(part) for part in _parts(value))


def _parts(value: Any) -> Iterable[Array]:
    return value if isinstance(value, tuple) else (value,)


def _finite(array: Array) -> bool:
    if array.dtype.kind not in "fc" or not array.size:
        return True
    xp = array_module(array)
    with numpy.errstate(all="ignore"):
        # One quick pass: a sum is finite only if all its elements are. It overflows
        # now and then without one that is not, so what it suspects is looked at again.
        total = to_host(xp.sum(array)).item()
        if math.isfinite(total.real) and math.isfinite(total.imag):
            return True
        return bool(to_host(xp.all(xp.isfinite(array))).item())


def faulty(value: Any) -> str:
    """Count and place what is not finite: `1 NaN among 6 elements, at [0, 2]`."""
    array = next(part for part in map(_on_host, _parts(value)) if not _finite(part))
    bad = ~numpy.isfinite(array)
    count = int(bad.sum())
    place = [int(at) for at in numpy.argwhere(bad)[0]]
    kind = "NaN" if numpy.isnan(array[bad]).any() else "infinite number"
    plural = f"{count} {kind}s" if count > 1 else f"1 {kind}"
    if kind == "infinite number" and count == 1:
        plural = "-inf" if array[bad][0].real < 0 else "inf"
    first = "the first at" if count > 1 else "at"
    return f"{plural} among {array.size} elements, {first} {place}"


def statistics(operands: Mapping[str, Array]) -> str:
    """Describe arrays by shape, dtype and range, those that are not finite first."""
    return "; ".join(
        f"{name} {_described(array)}"
        for name, array in sorted(operands.items(), key=lambda one: _finite(one[1]))
    )


def _described(array: Array) -> str:
    head = f"{tuple(array.shape)} {array.dtype}"
    if not array.size or array.dtype.kind not in "fciu":
        return head
    if not _finite(array):
        return f"{head} with {faulty(array)}"
    values = _on_host(array)
    if array.dtype.kind == "c":
        return f"{head}, |.| up to {number(float(abs(values).max()))}"
    low, high = float(values.min()), float(values.max())
    zeros = int(values.size - numpy.count_nonzero(values))
    text = f"{head}, {number(low)} to {number(high)}"
    return f"{text}, {zeros} zeros" if zeros else text


def saved_operands(saved: Any) -> dict[str, Array]:
    """Name the float arrays that a kernel saved."""
    fields = getattr(saved, "_asdict", dict[str, Any])()
    return {
        name: value
        for name, value in fields.items()
        if is_array(value) and value.dtype.kind in "fc" and value.size
    }


def describe(
    kernel: Any, inputs: tuple[Any, ...], arrays: list[Array], y: Any, name: Any
) -> str:
    """Say what a call that gave y was given, or made, that is not finite.

    name maps a tensor to its name or None. The label of the call goes in front.
    """
    given = next(culprits(kernel, inputs, arrays), None)
    if given is None:
        operands = dict(zip(kernel.inputs(len(arrays)), arrays, strict=True))
        return f"made {faulty(y)} of y, of finite inputs: {statistics(operands)}"
    which, value, array = given
    known = name(value)
    own = f", `{known}`," if known else ""
    return f"was given what is not finite: its input {which}{own} has {faulty(array)}"


def culprits(
    kernel: Any, inputs: tuple[Any, ...], arrays: list[Array]
) -> Iterator[tuple[str, Any, Array]]:
    """Yield (input's name, what was passed, its array) for inputs not finite."""
    names = kernel.inputs(len(arrays))
    for name, given, array in zip(names, inputs, arrays, strict=True):
        if not _finite(array):
            yield name, given, array


def _on_host(array: Array) -> numpy.ndarray:
    return numpy.asarray(to_host(array))
