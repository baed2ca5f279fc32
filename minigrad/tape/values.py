"""The part of a tensor that is an array: what it holds, shows, exports."""

from __future__ import annotations

from typing import Any

import numpy

from minigrad.backend import backend_of, to_host
from minigrad.errors import DTypeError, GraphError, ShapeError, got
from minigrad.tape.graph import Node
from minigrad.typing import Array, Shape


class Values:
    """Base of Tensor: its slots, and all that concerns only the data."""

    __slots__ = (
        "__weakref__",
        "cotangent",
        "data",
        "name",
        "node",
        "origin",
        "owned",
        "passes",
        "requires_grad",
    )

    data: Array
    requires_grad: bool
    node: Node | None
    cotangent: Any
    owned: bool
    name: str | None
    origin: str
    """Why there is no node: the reason that errors give."""
    passes: int
    """Backward passes that had run when a leaf was made or its gradient cleared."""

    # -- what it is ------------------------------------------------------------------

    @property
    def shape(self) -> Shape:
        """Lengths of the axes."""
        return self.data.shape

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self.data.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self.data.size

    @property
    def dtype(self) -> Any:
        """NumPy dtype of the elements."""
        return self.data.dtype

    @property
    def backend(self) -> str:
        """Name of the backend that holds the data: "numpy" or "cupy"."""
        return backend_of(self.data).name

    @property
    def is_leaf(self) -> bool:
        """Whether no recorded operation made it."""
        return self.node is None

    def __len__(self) -> int:
        """Length of the first axis; raises ShapeError for a 0-d tensor."""
        if not self.data.ndim:
            raise ShapeError("len: a 0-d tensor, expected at least one axis")
        return self.data.shape[0]

    def __bool__(self) -> bool:
        """Truth of the one element."""
        return bool(self.item())

    def __float__(self) -> float:
        """Value of the one element."""
        return float(self.item())

    def __int__(self) -> int:
        """Value of the one element, cut to an integer."""
        return int(self.item())

    def __hash__(self) -> int:
        """Hash by identity: `==` compares elements."""
        return id(self)

    def __repr__(self) -> str:
        """Shape, dtype, backend and statistics; the values themselves up to six."""
        head = f"shape={self.shape}, dtype={self.dtype}, backend={self.backend}"
        if self.name:
            head = f"{self.name!r}, {head}"
        if self.requires_grad:
            made_by = self.node.kernel.name if self.node else "leaf"
            head += f", requires_grad ({made_by})"
        return f"Tensor({head}, {_statistics(to_host(self.data))})"

    # -- moving and copying ------------------------------------------------------------

    def numpy(self) -> numpy.ndarray:
        """Return the values as a NumPy array; shares memory if they are on the host."""
        return to_host(self.data)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> numpy.ndarray:
        """Let NumPy read the values; raises GraphError if a gradient is needed."""
        if self.requires_grad:
            raise GraphError(
                f"array: {self._title()} requires a gradient, which NumPy does not "
                "see; pass tensor.detach().numpy()"
            )
        return numpy.array(to_host(self.data), dtype, copy=copy)

    def item(self) -> Any:
        """Return the only element as a Python number; raises ShapeError if not one."""
        if self.size != 1:
            raise ShapeError(
                got("item", "a tensor of shape", self.shape, "exactly one element")
            )
        return to_host(self.data).reshape(()).item()

    def tolist(self) -> Any:
        """Return the values as nested Python lists."""
        return to_host(self.data).tolist()

    def __dlpack__(self, **options: Any) -> Any:
        """Export the memory by DLPack; raises GraphError if a gradient is needed."""
        if self.requires_grad:
            raise GraphError(
                "DLPack: the tensor requires a gradient, which the other library "
                "would not see; export tensor.detach()"
            )
        return self.data.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        """Name the device for DLPack."""
        return self.data.__dlpack_device__()

    def _title(self) -> str:
        return f"`{self.name}`" if self.name else f"the tensor of shape {self.shape}"


def _statistics(values: numpy.ndarray) -> str:
    if values.size == 0:
        return "empty"
    if values.size <= 6:
        return numpy.array2string(values, precision=4, separator=" ").replace("\n", "")
    finite = values[numpy.isfinite(values)] if values.dtype.kind in "fc" else values
    if values.dtype.kind not in "fiu" or not finite.size:
        return f"{values.size} elements, {values.size - finite.size} not finite"
    text = (
        f"mean={finite.mean():.4g}, std={finite.std(dtype=numpy.float64):.4g}, "
        f"min={finite.min():.4g}, max={finite.max():.4g}"
    )
    missing = values.size - finite.size
    return f"{text}, {missing} not finite" if missing else text


def expect_dtype(
    who: str, what: str, given: Any, rule: str = "a dtype such as 'float32'"
) -> Any:
    """Return given as NumPy's dtype; raise DTypeError, with rule, if it is none."""
    try:
        # numpy.dtype(None) is float64.
        if given is not None:
            return numpy.dtype(given)
    except TypeError:
        pass
    raise DTypeError(got(who, what, repr(given), rule))
