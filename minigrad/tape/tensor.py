"""The tensor: an array, whether it needs a gradient, and the node that made it."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy

from minigrad.backend import (
    array_module,
    is_array,
    is_backend_name,
    new_array,
    to_backend,
)
from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError, got
from minigrad.kernels._spec import Kernel, Record, as_array
from minigrad.tape import backward as _backward
from minigrad.tape import modes
from minigrad.tape.graph import OUTPUT, Node, Outputs
from minigrad.tape.locks import lock
from minigrad.tape.operators import Operators
from minigrad.tape.values import expect_dtype
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
            arrays.append(_constant(value, inputs, kernel))
            targets.append(None)
            continue
        arrays.append(value.data)
        if value.requires_grad:
            tracked = True
            targets.append(value.node or value)
        else:
            targets.append(None)
    y, record = kernel.run(*arrays, **params)
    node, reason = None, ""
    if not tracked:
        reason = f"no input of {kernel.name} required a gradient"
    elif not modes.recording.get():
        reason = "it was created under no_grad()"
    elif kernel.has_constants:
        # Inputs whose rule is None (labels, masks) get no gradient.
        pairs = zip(targets, kernel.rules, strict=True)
        targets = [target if rule is not None else None for target, rule in pairs]
        # Not any(targets): the truth of a leaf is that of its element.
        if all(target is None for target in targets):
            reason = f"{kernel.name} has no derivative by that input"
    if not reason:
        node = Node(kernel, tuple(targets), record, modes.scope.get())
        saved = record.saved
        try:
            if saved:
                node.locked = lock(saved, kernel.name)
        except ValueError:
            # The truth of an array: what is saved has to be a tuple of them.
            found, rule = f"a {type(saved).__name__}", "a NamedTuple of arrays, or None"
            raise ArgumentError(got(kernel.name, "saved is", found, rule)) from None
    if modes.tracing:
        for tracer in modes.tracers.get():
            tracer.ran(kernel, inputs, arrays, y, node)
    if node is None:
        return _unrecorded(y, reason)
    return _several(node, y) if isinstance(y, tuple) else _tracked(y, node)


def _constant(value: Any, inputs: tuple[Any, ...], kernel: Kernel) -> Array:
    """Take an array as it is, a number as a 0-d array like the first tensor."""
    if is_array(value):
        return value
    if not isinstance(value, Number | numpy.bool_):
        kind = "None" if value is None else f"a {type(value).__name__}"
        rule = "a tensor, an array or a number"
        raise DTypeError(got(kernel.name, "an input is", kind, rule))
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
        """Wrap an array without copying it; raises DTypeError for anything else."""
        if isinstance(data, Tensor):
            data = data.data
        elif not is_array(data):
            rule = "an array; pass numbers and lists to minigrad.tensor"
            raise DTypeError(got("tensor", "data is a", type(data).__name__, rule))
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
        self.origin = "its requires_grad is False"
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
        """Move to a backend ("numpy", "cupy"), or cast to a dtype.

        Gradients pass through a cast, whose result is no leaf. They do not pass through
        a move, which gives a new leaf: move data and parameters before computing.
        """
        if is_backend_name(target):
            if target == self.backend:
                return self
            if self.node is not None:
                raise GraphError(
                    f"to({target!r}): the tensor is a result of "
                    f"{self.node.kernel.name}, expected a leaf; move the inputs, "
                    "or detach() it first"
                )
            moved = Tensor(to_backend(self.data, target), self.requires_grad, self.name)
            moved.origin = self.origin
            return moved
        rule = "a backend ('numpy', 'cupy') or a dtype such as 'float32'"
        dtype = expect_dtype("to", "target", target, rule)
        return self if dtype == self.dtype else self.astype(dtype)

    # -- gradients ---------------------------------------------------------------------

    def backward(self, dy: Any = None, *, retain_graph: bool = False) -> None:
        """Add the gradient of this tensor to every leaf it was computed from.

        Args:
            dy: gradient of the final scalar with respect to this tensor, of its shape
                and dtype; may be left out if the tensor has one element (then it is 1).
            retain_graph: keep saved arrays, so that backward can run again.

        Raises GraphError, with the reason, if there is nothing to differentiate.
        """
        if not self.requires_grad:
            raise GraphError(f"backward: {self._title()} has no graph: {self.why()}")
        cotangent = self._expect_like("backward", "dy", self._given(dy))
        if self.node is None:
            # A leaf is a function of itself.
            self.add_gradient(cotangent)
            return
        _backward.run_backward(
            self.node,
            cotangent,
            retain_graph=retain_graph,
            observers=modes.observers.get(),
        )

    def _given(self, dy: Any) -> Any:
        if dy is not None:
            return dy
        if self.size != 1:
            remedy = "reduce it with .sum() or .mean(), or pass dy"
            raise GraphError(got("backward", "shape", self.shape, "a scalar", remedy))
        return array_module(self.data).ones(self.shape, self.dtype)

    def _expect_like(self, who: str, what: str, value: Any) -> Array:
        """Return the array of value, which has to have this shape and dtype."""
        array = value.data if isinstance(value, Tensor) else value
        if not is_array(array):
            rule = "a tensor or an array"
            raise DTypeError(got(who, f"{what} is a", type(value).__name__, rule))
        if array.shape != self.shape:
            raise ShapeError(got(who, f"{what} has shape", array.shape, self.shape))
        if array.dtype != self.dtype:
            raise DTypeError(got(who, f"{what} has dtype", array.dtype, self.dtype))
        return array

    def add_gradient(self, dy: Array) -> None:
        """Add to the gradient in an array of its own."""
        old = self.cotangent
        self.cotangent = dy.copy() if old is None else as_array(old + dy)
        self.owned = True

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
        self.cotangent = self._expect_like("grad", "the value", value)
        self.owned = False

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Let backward() reach this leaf, or no longer; returns the tensor itself."""
        if requires_grad and self.dtype.kind not in "fc":
            rule = "a float dtype"
            raise DTypeError(got("requires_grad_", "dtype", self.dtype, rule))
        if self.node is not None:
            raise GraphError(
                f"requires_grad_: the tensor is a result of {self.node.kernel.name}, "
                "expected a leaf; detach() it first"
            )
        self.requires_grad = requires_grad
        self.origin = "its requires_grad is False"
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        """Copy a leaf with its gradient; raises GraphError for a result."""
        if self.node is not None:
            raise GraphError(
                f"deepcopy: the tensor is a result of {self.node.kernel.name}, "
                "expected a leaf; detach() it first"
            )
        out = type(self).__new__(type(self))
        memo[id(self)] = out
        out.data = self.data.copy(order="K")
        out.requires_grad, out.node, out.owned = self.requires_grad, None, True
        out.cotangent = (
            None if self.cotangent is None else self.cotangent.copy(order="K")
        )
        out.name, out.origin, out.passes = self.name, self.origin, self.passes
        return out

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
