"""The kernel contract: a forward, and a backward that is a sum of named terms.

A kernel is pure mathematics over arrays. It knows neither tape nor tensor, so that it
can be read, run and checked alone. `run` and `backward` are the only ways in: they
check what all kernels ask (one backend, one float dtype) and bring every term to its
input's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import array_module, backend_of
from minigrad.errors import BackendError, DTypeError, GraphError, ShapeError, got
from minigrad.kernels._reduction import total as exact_sum
from minigrad.typing import Array, Fused, Result, Rule, Shape, Terms


class NotAGradient:
    """Type of NOT_A_GRADIENT."""

    def __repr__(self) -> str:
        return "NOT_A_GRADIENT"


NOT_A_GRADIENT: Final = NotAGradient()
"""States that a kernel's rules are no derivative at all, such as target propagation."""


class Record(NamedTuple):
    """What one run leaves for backward: saved arrays, each input's shape and dtype."""

    saved: Any
    shapes: tuple[Shape, ...]
    dtypes: tuple[Any, ...]


class Nothing(NamedTuple):
    """The saved tuple of a kernel whose backward needs only the cotangent."""


NOTHING: Final = Nothing()


@dataclass(frozen=True, eq=False)
class Kernel:
    """One differentiable operation.

    Attributes:
        name: snake_case name of the operation.
        forward: (*arrays, **params) -> (y, saved).
        terms: input name -> rule, in the order of forward's arrays. A rule maps
            (dy, saved) to {term name: array}; None means not differentiable.
        fused: input name -> (dy, saved) -> the sum of the terms in one pass.
        gradient_of: the function whose derivative the terms are, where that is not
            forward (surrogates); NOT_A_GRADIENT where there is none.
        aliases: whether y may share memory with an input.
        variadic: forward takes any number of arrays of one kind; terms has one entry
            whose rule takes (dy, saved, index), and the inputs are called x0, x1, ...
    """

    name: str
    forward: Callable[..., Result]
    terms: Mapping[str, Rule | None]
    fused: Mapping[str, Fused] = field(default_factory=dict)
    gradient_of: Callable[..., Array] | NotAGradient | None = None
    aliases: bool = False
    variadic: bool = False
    rules: tuple[Rule | None, ...] = field(init=False, repr=False)
    fast: tuple[Fused | None, ...] = field(init=False, repr=False)
    arity: int = field(init=False, repr=False)
    has_constants: bool = field(init=False, repr=False)
    """Whether the rule of some input is None."""

    def __post_init__(self) -> None:
        unknown = set(self.fused) - set(self.terms)
        if unknown:
            raise GraphError(f"{self.name}: fused names {unknown}, not among the terms")
        object.__setattr__(self, "rules", tuple(self.terms.values()))
        fast = tuple(self.fused.get(name) for name in self.terms)
        object.__setattr__(self, "fast", fast)
        object.__setattr__(self, "arity", len(self.rules))
        object.__setattr__(self, "has_constants", None in self.rules)

    def inputs(self, count: int) -> tuple[str, ...]:
        """Name the inputs of a run that was given count arrays."""
        if self.variadic:
            (stem,) = self.terms
            return tuple(f"{stem}{index}" for index in range(count))
        return tuple(self.terms)

    def run(self, *arrays: Array, **params: Any) -> tuple[Any, Record]:
        """Compute forward and return (y, record).

        Floats beside complex numbers of no less precision become complex; the record
        keeps the dtypes given. Raises BackendError for mixed backends, DTypeError for
        other mixed float dtypes, and what forward raises for its own preconditions.
        """
        shapes: tuple[Shape, ...]
        dtypes: tuple[Any, ...]
        if len(arrays) == 2 == self.arity:
            # Unrolled: sums and products are what long graphs are made of.
            a, b = arrays
            shapes, dtypes = (a.shape, b.shape), (a.dtype, b.dtype)
            alike = dtypes[0] is dtypes[1] and type(a) is ndarray is type(b)
        else:
            shapes = tuple([array.shape for array in arrays])
            dtypes = tuple([array.dtype for array in arrays])
            alike = len(arrays) == 1 == self.arity and type(arrays[0]) is ndarray
        if not alike:
            arrays = self._checked(arrays)
        if params:
            # A NumPy scalar is a float64, which would make one of a float32 result.
            params = {
                name: value.item() if isinstance(value, numpy.generic) else value
                for name, value in params.items()
            }
        y, saved = self.forward(*arrays, **params)
        if type(y) is not ndarray:
            y = as_array(y)
        return y, Record(saved, shapes, dtypes)

    def _checked(self, arrays: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return arrays of one float dtype, or raise the errors all kernels share."""
        if not self.variadic and len(arrays) != len(self.rules):
            names = ", ".join(self.terms)
            raise ShapeError(
                got(self.name, "arrays given", len(arrays), f"one each for {names}")
            )
        try:
            backend_of(*arrays)
        except BackendError as error:
            raise BackendError(f"{self.name}: {error}") from None
        names = self.inputs(len(arrays))
        rules = self.rules * len(arrays) if self.variadic else self.rules
        known: tuple[str, Any] | None = None
        for name, array, rule in zip(names, arrays, rules, strict=False):
            if rule is None:
                continue
            if known is None:
                known = (name, array.dtype)
            elif array.dtype != known[1]:
                return self._widened(arrays, *known, name, array.dtype)
        return arrays

    def _widened(
        self, arrays: tuple[Array, ...], name: str, dtype: Any, other: str, second: Any
    ) -> tuple[Array, ...]:
        """Make floats complex where other arrays are, or raise DTypeError."""
        wide = _complex_dtype(arrays)
        if wide is None:
            raise DTypeError(
                f"{self.name}: {name} has dtype {dtype} and {other} {second}, expected "
                "one float dtype for both; cast with "
                f'.to("{_narrower(dtype, second)}")'
            )
        return self._checked(
            tuple([a.astype(wide) if a.dtype.kind == "f" else a for a in arrays])
        )

    def backward_terms(self, name: str, dy: Array, record: Record) -> Terms:
        """Return {term: array of the shape and dtype of the input called name}.

        Raises GraphError if the input is not differentiable.
        """
        index, rule = self._rule(name, record)
        if self.variadic:
            terms = rule(dy, record.saved, index)
        else:
            terms = rule(dy, record.saved)
        shape, dtype = record.shapes[index], record.dtypes[index]
        return {term: fit(value, shape, dtype) for term, value in terms.items()}

    def backward(self, name: str, dy: Array, record: Record) -> Array:
        """Return the gradient of the input called name: fused, else the terms' sum."""
        index, _ = self._rule(name, record)
        return self.gradient(index, dy, record)

    def gradient(self, index: int, dy: Array, record: Record) -> Array:
        """Do what backward does, for the input at position index; the tape's way in."""
        shape, dtype = record.shapes[index], record.dtypes[index]
        if self.variadic:
            terms = self.rules[0](dy, record.saved, index)  # type: ignore[misc]
        else:
            fused = self.fast[index]
            if fused is not None:
                return fit(fused(dy, record.saved), shape, dtype)
            terms = self.rules[index](dy, record.saved)  # type: ignore[misc]
        if len(terms) == 1:
            (total,) = terms.values()
            if type(total) is ndarray and total.dtype is dtype and total.shape == shape:
                return total  # As fit would, but for the price of the call.
            return fit(total, shape, dtype)
        return sum_terms([fit(value, shape, dtype) for value in terms.values()])

    def _rule(self, name: str, record: Record) -> tuple[int, Rule]:
        names = self.inputs(len(record.shapes))
        if name not in names:
            raise GraphError(got(self.name, "input", repr(name), f"one of {names}"))
        index = names.index(name)
        rule = self.rules[0 if self.variadic else index]
        if rule is None:
            raise GraphError(
                f"{self.name}: input {name} is not differentiable, "
                "so it has no gradient"
            )
        return index, rule


def _complex_dtype(arrays: tuple[Array, ...]) -> Any:
    """Return the complex dtype that holds all floats among arrays; None without any."""
    dtypes = {array.dtype for array in arrays}
    floats = [dtype.itemsize for dtype in dtypes if dtype.kind == "f"]
    wide = [dtype for dtype in dtypes if dtype.kind == "c"]
    # A complex number is a pair of floats.
    fits = len(wide) == 1 and floats and 2 * max(floats) <= wide[0].itemsize
    return wide[0] if fits else None


def _narrower(one: Any, other: Any) -> Any:
    """Choose which of two dtypes to advise: a float, and the smaller of two."""
    return min(one, other, key=lambda dtype: (dtype.kind not in "fc", dtype.itemsize))


def sum_terms(terms: list[Array]) -> Array:
    """Add arrays of one shape in written order; half precision adds in float32."""
    total = terms[0]
    if total.dtype.itemsize == 2:
        wide = total.astype("float32")
        for term in terms[1:]:
            wide = wide + term
        return wide.astype(total.dtype)
    for term in terms[1:]:
        total = total + term
    return as_array(total)


def fit(value: Array, shape: Shape, dtype: Any) -> Array:
    """Bring value to an input's shape and dtype: sum what broadcasting repeated.

    A float input that met complex ones gets the real part.
    """
    if type(value) is not ndarray:
        value = as_array(value)
    if value.shape != shape:
        value = unbroadcast(value, shape)
    if value.dtype is not dtype and value.dtype != dtype:
        if value.dtype.kind == "c" != dtype.kind:
            value = array_module(value).real(value)
        value = value.astype(dtype, copy=False)
    return value


def unbroadcast(value: Array, shape: Shape) -> Array:
    """Undo broadcasting: sum value over the axes that shape lacks or has as 1.

    A value smaller than shape (a term that is the same along an axis) is repeated.
    float16 comes back as float32, to be cast by fit.
    """
    lead = value.ndim - len(shape)
    if lead > 0:
        value = exact_sum(value, tuple(range(lead)))
    axes = tuple(
        axis
        for axis, (have, want) in enumerate(
            zip(value.shape, shape[len(shape) - value.ndim :], strict=True)
        )
        if want == 1 and have != 1
    )
    if axes:
        value = exact_sum(value, axes, keepdims=True)
    if value.shape != shape:
        value = array_module(value).broadcast_to(value, shape)
    return as_array(value)


def as_array(value: Array) -> Array:
    """Turn the scalar that NumPy makes of a 0-d result back into an array."""
    return numpy.asarray(value) if isinstance(value, numpy.generic) else value


def expect_shapes(kernel: str, expected: Shape, **arrays: Array) -> None:
    """Raise ShapeError naming the first of arrays whose shape is not expected."""
    for name, array in arrays.items():
        if array.shape != expected:
            raise ShapeError(got(kernel, f"{name} has shape", array.shape, expected))


def expect_broadcastable(kernel: str, **arrays: Array) -> Shape:
    """Return the broadcast shape of arrays; raise ShapeError if there is none."""
    shapes = {name: array.shape for name, array in arrays.items()}
    try:
        return numpy.broadcast_shapes(*shapes.values())
    except ValueError:
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ShapeError(
            f"{kernel}: shapes {listed} do not broadcast, expected axes that are "
            "equal or 1, counted from the last"
        ) from None


def expect_float(kernel: str, **arrays: Array) -> None:
    """Raise DTypeError for the first of arrays that is neither float nor complex."""
    for name, array in arrays.items():
        if array.dtype.kind not in "fc":
            raise DTypeError(
                got(
                    kernel,
                    f"{name} has dtype",
                    array.dtype,
                    "a float dtype",
                    'convert it with .to("float32")',
                )
            )
