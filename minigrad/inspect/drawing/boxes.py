"""What the picture of a graph is made of: tensors and kernel calls, and their edges."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

import numpy

from minigrad.backend import to_host
from minigrad.inspect.record.sums import square
from minigrad.inspect.record.trace import Line
from minigrad.typing import Array, Shape

KEPT: Final = 64
"""Arrays of up to so many elements are kept whole, since their numbers may be shown."""


class Amount(NamedTuple):
    """What is kept of an array.

    Attributes:
        shape, dtype: those of the array.
        norm: its Euclidean norm.
        array: a copy on the host if it has at most KEPT elements, else None.
    """

    shape: Shape
    dtype: str
    norm: float
    array: numpy.ndarray | None

    @classmethod
    def of(cls, array: Array) -> Self:
        """Measure array, and copy it if it is small."""
        kept = numpy.array(to_host(array)) if array.size <= KEPT else None
        norm = math.sqrt(float(to_host(square(array))))
        return cls(tuple(array.shape), str(array.dtype), norm, kept)

    @property
    def size(self) -> int:
        """How many elements the array has."""
        return math.prod(self.shape)

    @property
    def number(self) -> Any:
        """The only element as a Python number, or None if there are others."""
        return self.array.item() if self.array is not None and self.size == 1 else None


class Result(NamedTuple):
    """One result of a box.

    Attributes:
        field: its name among several results of one call, else "".
        value: None where the forward pass ran outside the block.
        gradient: None where no gradient has come.
    """

    field: str
    value: Amount | None
    gradient: Amount | None


class Box(NamedTuple):
    """A tensor that nobody computed, or a kernel call with what it gave.

    Attributes:
        key: its place in `Graph.boxes`, which are in forward order.
        kind: "parameter" (of the model), "leaf" (needs a gradient), "input" (a tensor
            that needs none), "constant" (an array, a number, a buffer or a frozen
            parameter), "result" (of a call whose graph an earlier backward has freed)
            or "call".
        name: path of the parameter, the name given, or "".
        label: `module/kernel#n` of a call, else "".
        kernel: name of the kernel of a call or result, else "".
        module: path of the module that made the call, "" for the model itself; None
            outside of modules and for what is no call.
        line: of the user's code that made the call, if it ran inside the block.
        results: one, or as many as the kernel has.
    """

    key: int
    kind: str
    name: str
    label: str
    kernel: str
    module: str | None
    line: Line | None
    results: tuple[Result, ...]

    @property
    def value(self) -> Amount | None:
        """The value of the first result."""
        return self.results[0].value

    @property
    def gradient(self) -> Amount | None:
        """The gradient of the first result."""
        return self.results[0].gradient


class Part(NamedTuple):
    """One named term of what flows over an edge."""

    name: str
    amount: Amount


class Link(NamedTuple):
    """An edge: one result of a box is one input of a call.

    Attributes:
        key: its place in `Graph.links`.
        source, field: key of the box, and its result's field.
        consumer, input: key of the box of the call, and which input of it.
        terms: what its kernel sends back; none if no gradient has come.
        contribution: the sum of the terms: a part of the gradient of the source.
        local: the local derivative, contribution / dy, where contribution and the dy
            that has arrived at the consumer are one number each; else None.
        gain: |contribution| / |dy|; None where dy is zero.
    """

    key: int
    source: int
    field: str
    consumer: int
    input: str
    terms: tuple[Part, ...] = ()
    contribution: Amount | None = None
    local: Any = None
    gain: float | None = None


class Products(NamedTuple):
    """Inner products of all contributions to one gradient, by key of their links.

    From them the norm of the sum of any of the contributions is known.
    """

    links: tuple[int, ...]
    matrix: numpy.ndarray

    def norm(self, links: Sequence[int]) -> float:
        """Return the norm of the sum of the contributions over links."""
        at = [self.links.index(key) for key in links]
        # Rounding can make a sum that cancels a hair less than nothing.
        return math.sqrt(max(0.0, float(self.matrix[numpy.ix_(at, at)].sum())))


class Picture(NamedTuple):
    """All there is to be drawn of one pass.

    Attributes:
        boxes: in forward order.
        links: consumer by consumer.
        products: of the links that leave a result, by key of its box and its field.
        root: key of the box that backward() was called on; None without a pass.
        classes: path of a module -> name of its class.
    """

    boxes: list[Box]
    links: list[Link]
    products: Mapping[tuple[int, str], Products]
    root: int | None
    classes: Mapping[str, str]
