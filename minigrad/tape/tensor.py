"""The tensor: an array, whether it needs a gradient, and the node that made it."""

from __future__ import annotations

from typing import Any

import numpy

from minigrad.backend import (
    array_module,
    is_array,
    is_backend_name,
    new_array,
    to_backend,
)
from minigrad.errors import DTypeError, GraphError, ShapeError, got
from minigrad.kernels._spec import Kernel, Record
from minigrad.tape import backward as _backward
from minigrad.tape import modes
from minigrad.tape.graph import (
    OUTPUT,
    Node,
    Outputs,
    expect_writeable,
    lock,
)
from minigrad.tape.operators import Operators, plain_index
from minigrad.typing import Array


def apply(kernel: Kernel, *inputs: Any, **params: Any) -> Any:
    """Run kernel on tensors and record it if a gradient may be asked for.

    Arrays and Python numbers are taken as constants. A kernel with several outputs
    gives a NamedTuple of tensors.
    """
    arrays: list[Array] = []
    targets: list[Any] = []
    tracked = False
    for value in inputs:
        if not isinstance(value, Tensor):
            arrays.append(_constant(value, inputs))
            targets.append(None)
            continue
        arrays.append(value.data)
        if value.requires_grad:
            tracked = True
            targets.append(value.node or value)
        else:
            targets.append(None)
    y, record = kernel.run(*arrays, **params)
    if not tracked:
        return _unrecorded(y, f"no input of {kernel.name} required a gradient")
    if not modes.recording.get():
        return _unrecorded(y, "it was created under no_grad()")
    if kernel.has_constants:
        # Inputs whose rule is None (labels, masks) get no gradient.
        pairs = zip(targets, kernel.rules, strict=True)
        targets = [target if rule is not None else None for target, rule in pairs]
        # Not any(targets): the truth of a leaf is that of its element.
        if all(target is None for target in targets):
            return _unrecorded(y, f"{kernel.name} has no derivative by that input")
    node = Node(kernel, tuple(targets), record, modes.scope.get())
    saved = record.saved
    if saved:
        node.locked = lock(saved, kernel.name)
    return _several(node, y) if isinstance(y, tuple) else _tracked(y, node)


def _constant(value: Any, inputs: tuple[Any, ...]) -> Array:
    """Take an array as it is, a number as a 0-d array like the first tensor."""
    if is_array(value):
        return value
    default = "float32" if isinstance(value, float) else None
    for other in inputs:
        if isinstance(other, Tensor):
            # Not for integers: a fraction would be cut off in silence.
            dtype = other.data.dtype if other.data.dtype.kind in "fc" else default
            return array_module(other.data).asarray(value, dtype)
    return new_array(value, default)


def _unrecorded(y: Any, reason: str) -> Any:
    """Wrap results that need no gradient, for this reason."""
    if isinstance(y, tuple):
        return type(y)(*(_unrecorded(part, reason) for part in y))
    out = Tensor(y)
    out.origin = reason
    return out


def _tracked(y: Array, node: Node) -> Tensor:
    """Wrap a result of node; __init__ with its checks costs as much as an add."""
    out = Tensor.__new__(Tensor)
    out.data = y
    out.requires_grad = True
    out.node = node
    out.cotangent = None
    out.owned = True
    out.name = None
    return out


def _several(node: Node, y: Any) -> Any:
    """Give each output a node of its own, so that its gradient sums by itself."""
    node.outputs = Outputs(type(y), tuple((part.shape, part.dtype) for part in y))
    results: list[Tensor] = []
    for position, part in enumerate(y):
        record = Record(position, (part.shape,), (part.dtype,))
        results.append(_tracked(part, Node(OUTPUT, (node,), record, node.scope)))
    return type(y)(*results)


class Tensor(Operators):
    """An n-dimensional array that remembers how it was computed.

    Make one with `minigrad.tensor`. Attributes:
        data: the array, on any backend.
        requires_grad: whether backward() reaches it.
        name: what errors and reports call it; None if it was never named.
    """

    __slots__ = ()

    apply = staticmethod(apply)

    @staticmethod
    def wrap(data: Array) -> Tensor:
        """Make a tensor that needs no gradient, without copying."""
        return Tensor(data)

    def __init__(
        self, data: Array, requires_grad: bool = False, name: str | None = None
    ) -> None:
        """Wrap an array without copying it."""
        if requires_grad and data.dtype.kind not in "fc":
            raise DTypeError(
                got(
                    "tensor",
                    "dtype",
                    data.dtype,
                    "a float dtype where requires_grad=True",
                    'pass dtype="float32"',
                )
            )
        self.data = data
        self.requires_grad = requires_grad
        self.node = None
        self.cotangent = None
        self.owned = True
        self.name = name
        self.origin = "it was made with requires_grad=False"
        self.passes = _backward.passes

    def detach(self) -> Tensor:
        """Return a tensor on the same memory that no gradient passes through."""
        out = Tensor(self.data, name=self.name)
        out.origin = "it was made by detach()"
        return out

    def clone(self) -> Tensor:
        """Return a copy that gradients pass through."""
        return self * 1 if self.requires_grad else Tensor(self.data.copy())

    def to(self, target: Any) -> Tensor:
        """Move to a backend ("numpy", "cupy") or cast to a dtype; a leaf stays a leaf.

        Gradients pass through a cast, not through a move between backends: move data
        and parameters before computing with them.
        """
        if is_backend_name(target):
            if self.node is not None:
                raise GraphError(
                    f"to({target!r}): the tensor is a result of "
                    f"{self.node.kernel.name}, expected a leaf; move the inputs, "
                    "or detach() it first"
                )
            moved = to_backend(self.data, target)
            return self if moved is self.data else self._like(moved)
        try:
            dtype = numpy.dtype(target)
        except TypeError:
            rule = "a backend ('numpy', 'cupy') or a dtype such as 'float32'"
            raise DTypeError(got("to", "target", repr(target), rule)) from None
        return self if dtype == self.dtype else self.astype(dtype)

    def _like(self, data: Array) -> Tensor:
        out = Tensor(data, self.requires_grad, self.name)
        out.origin = self.origin
        return out

    # -- writing in place --------------------------------------------------------------

    def copy_(self, values: Any) -> Tensor:
        """Overwrite the elements; raises GraphError if a live graph needs the old."""
        self._expect_no_history("copy_")
        source = values.data if isinstance(values, Tensor) else values
        expect_writeable(self.data, "copy_")
        self.data[...] = source
        return self

    def __setitem__(self, index: Any, values: Any) -> None:
        """Overwrite elements in place, under the rules of copy_."""
        self._expect_no_history("setitem")
        expect_writeable(self.data, "setitem")
        source = values.data if isinstance(values, Tensor) else values
        self.data[plain_index(index)] = source

    # -- gradients ---------------------------------------------------------------------

    def backward(self, dy: Any = None, *, retain_graph: bool = False) -> None:
        """Add the gradient of this tensor to every leaf it was computed from.

        Args:
            dy: gradient of the final scalar with respect to this tensor, of its shape
                and dtype; may be left out if the tensor has one element (then it is 1).
            retain_graph: keep saved arrays, so that backward can run again.

        Raises GraphError, with the reason, if there is nothing to differentiate.
        """
        if self.node is None:
            raise GraphError(f"backward: {self._title()} has no graph: {self.why()}")
        cotangent = self._cotangent(dy)
        _backward.run_backward(
            self.node,
            cotangent,
            retain_graph=retain_graph,
            observer=modes.observer.get(),
        )

    def _cotangent(self, dy: Any) -> Array:
        xp = array_module(self.data)
        if dy is None:
            if self.size != 1:
                raise GraphError(
                    got(
                        "backward",
                        "shape",
                        self.shape,
                        "a scalar",
                        "reduce it with .sum() or .mean(), or pass dy",
                    )
                )
            return xp.ones(self.shape, self.dtype)
        array = dy.data if isinstance(dy, Tensor) else dy
        if not is_array(array):
            array = xp.asarray(array, self.dtype)
        if array.shape != self.shape:
            raise ShapeError(got("backward", "dy has shape", array.shape, self.shape))
        if array.dtype != self.dtype:
            raise DTypeError(got("backward", "dy has dtype", array.dtype, self.dtype))
        return array

    @property
    def has_grad(self) -> bool:
        """Whether a gradient is there to be read."""
        return self.cotangent is not None

    @property
    def grad(self) -> Tensor:
        """The gradient that backward passes have added up; raises GraphError if none.

        The message says why there is none. Set it to None to clear it.
        """
        if self.cotangent is None:
            raise GraphError(f"grad: {self._title()} has no gradient: {self.why()}")
        return Tensor(self.cotangent)

    @grad.setter
    def grad(self, value: Any) -> None:
        self.passes = _backward.passes
        if value is None:
            self.cotangent = None
            return
        array = value.data if isinstance(value, Tensor) else value
        if array.shape != self.shape:
            raise ShapeError(got("grad", "shape", array.shape, self.shape))
        self.cotangent = array
        self.owned = False

    def retain_grad(self) -> Tensor:
        """Keep the gradient of a result too, once backward() has passed it."""
        if self.node is not None:
            self.node.tensor = self
        return self

    def why(self) -> str:
        """Say in one clause why there is no gradient (or graph)."""
        if self.node is not None:
            if self.node.record is None:
                return (
                    "it is a result, whose gradient was freed during backward(); "
                    "call retain_grad() on it before"
                )
            return "backward() has not run, or did not pass through this result"
        if not self.requires_grad:
            return self.origin
        if _backward.passes == self.passes:
            return "backward() has not run since it was made or cleared"
        return "it is not on any path to what backward() was called on"
