"""Small sums over outputs and terms that all checks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy
from numpy import ndarray


def leaves(y: Any) -> tuple[Any, ...]:
    """Return the arrays of one output or of a NamedTuple of several."""
    parts = y if isinstance(y, tuple) else (y,)
    return tuple(numpy.asarray(p) if isinstance(p, numpy.generic) else p for p in parts)


def mapped(f: Callable[..., Any], *values: Any) -> Any:
    """Apply f to arrays, or field by field to NamedTuples of them."""
    first = values[0]
    if isinstance(first, tuple):
        parts = (f(*fields) for fields in zip(*values, strict=True))
        return type(first)(*parts)  # type: ignore[call-arg]
    return f(*values)


def cast(array: ndarray, dtype: str) -> ndarray:
    """Cast an array if it is one of floats."""
    return array.astype(dtype) if array.dtype.kind == "f" else array


def largest(array: ndarray) -> float:
    """Return the greatest magnitude; 0 for an empty array, NaN if one is in it."""
    return float(numpy.max(numpy.abs(array), initial=0.0))


def magnitude(terms: Mapping[str, ndarray]) -> ndarray:
    """Return sum |term|, element by element."""
    return numpy.asarray(sum(numpy.abs(term) for term in terms.values()))


def total(terms: Mapping[str, ndarray]) -> ndarray:
    """Return the sum of terms in written order."""
    values = iter(terms.values())
    result = next(values)
    for value in values:
        result = result + value
    return numpy.asarray(result)
