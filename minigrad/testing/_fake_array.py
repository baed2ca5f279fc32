"""The fake device's array: a host array behind the manners of CuPy's.

What CuPy does implicitly at the price of a transfer (`bool`, `float`, `item`,
iteration) is refused too, since a kernel must not do it.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy
from numpy import ndarray

from minigrad.testing._fused_array import (
    NUMBERS,
    FusedArray,
    binary,
    call,
    method,
    refusing,
    unary,
    unwrap,
)
from minigrad.typing import Shape


class FakeArray(FusedArray):
    """An array of the fake device."""

    __slots__ = ()

    def get(self) -> ndarray:
        """Copy to the host."""
        return self.host.copy()

    item = refusing("item()")
    tolist = refusing("tolist()")
    tobytes = refusing("tobytes()")

    all = method("all")
    any = method("any")
    argmax = method("argmax")
    argmin = method("argmin")
    argsort = method("argsort")
    clip = method("clip")
    conj = method("conj")
    conjugate = method("conjugate")
    cumprod = method("cumprod")
    cumsum = method("cumsum")
    diagonal = method("diagonal")
    dot = method("dot")
    fill = method("fill")
    flatten = method("flatten")
    max = method("max")
    mean = method("mean")
    min = method("min")
    nonzero = method("nonzero")
    prod = method("prod")
    ravel = method("ravel")
    repeat = method("repeat")
    reshape = method("reshape")
    round = method("round")
    sort = method("sort")
    squeeze = method("squeeze")
    std = method("std")
    sum = method("sum")
    swapaxes = method("swapaxes")
    trace = method("trace")
    transpose = method("transpose")
    var = method("var")
    view = method("view")

    __pos__ = unary(numpy.positive)
    __abs__ = unary(numpy.absolute)
    __rpow__ = binary(numpy.power, swap=True)
    __matmul__ = binary(numpy.matmul)
    __rmatmul__ = binary(numpy.matmul, swap=True)

    def take(self, indices: Any, axis: int | None = None, out: Any = None) -> Any:
        """Take elements; indices out of range wrap."""
        return call(
            FakeArray, numpy.take, self, indices, axis=axis, out=out, mode="wrap"
        )

    @property
    def shape(self) -> Shape:
        """Lengths of the axes."""
        return self.host.shape

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.host.size

    @property
    def strides(self) -> Shape:
        """Bytes from one element to the next along each axis."""
        return self.host.strides

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self.host.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self.host.nbytes

    @property
    def flags(self) -> SimpleNamespace:
        """CuPy's three flags; there is no `writeable`."""
        flags = self.host.flags
        return SimpleNamespace(
            c_contiguous=flags.c_contiguous,
            f_contiguous=flags.f_contiguous,
            owndata=flags.owndata,
        )

    @property
    def base(self) -> FakeArray | None:
        """The array whose memory this one shares; None if it owns its memory."""
        base = self.host.base
        return FakeArray(base) if isinstance(base, ndarray) else None

    @property
    def T(self) -> Any:  # noqa: N802 (NumPy's name)
        """The axes reversed; a view."""
        return FakeArray(self.host.T)

    @property
    def mT(self) -> Any:  # noqa: N802 (NumPy's name)
        """The last two axes swapped; a view."""
        return FakeArray(self.host.mT)

    @property
    def real(self) -> Any:
        """The real part; a view, itself if real."""
        return call(FakeArray, numpy.real, self)

    @property
    def imag(self) -> Any:
        """The imaginary part; a view, zeros if real."""
        return call(FakeArray, numpy.imag, self)

    def __len__(self) -> int:
        return len(self.host)

    def __getitem__(self, index: Any) -> Any:
        return FakeArray(numpy.asarray(self.host[host_index(index, self.host.shape)]))

    def __setitem__(self, index: Any, values: Any) -> None:
        self.host[host_index(index, self.host.shape)] = unwrap(values, {})

    def __array_ufunc__(
        self, ufunc: Any, method: str, *inputs: Any, **options: Any
    ) -> Any:
        """Let numpy.exp(array) run here; refuses host arrays among the inputs."""
        if any(not isinstance(x, FusedArray | ndarray | NUMBERS) for x in inputs):
            return NotImplemented
        if method != "__call__":
            return NotImplemented
        out = options.pop("out", (None,))[0]
        return call(FakeArray, ufunc, *inputs, out=out, **options)


def host_index(index: Any, shape: Shape) -> Any:
    """Translate an index; integer arrays that point outside wrap, as in CuPy."""
    parts = list(index) if isinstance(index, tuple) else [index]
    parts = [part.host if isinstance(part, FusedArray) else part for part in parts]
    parts = [numpy.asarray(p) if isinstance(p, list) and p else p for p in parts]
    used = sum(map(_axes_used, parts))
    axis = 0
    for position, part in enumerate(parts):
        if part is Ellipsis:
            axis += len(shape) - used
            continue
        if isinstance(part, ndarray) and part.dtype.kind in "iu" and axis < len(shape):
            # Widened: small integers may not hold the length of the axis.
            parts[position] = part.astype("int64") % max(shape[axis], 1)
        axis += _axes_used(part)
    return tuple(parts) if isinstance(index, tuple) else parts[0]


def _axes_used(part: Any) -> int:
    if part is None or part is Ellipsis:
        return 0
    if isinstance(part, ndarray) and part.dtype.kind == "b":
        return part.ndim
    return 1
