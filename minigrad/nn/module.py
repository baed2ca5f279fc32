"""The tree of modules: each holds parameters, buffers and other modules.

What belongs to a module is found by looking at its attributes: each value of
`vars(module)` that is a Parameter, a Buffer or a Module is a part of it, in the order
of assignment. Lists and dicts of modules are not looked into: use ModuleList and
ModuleDict. Names, order and layouts in state dicts are PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self, TypeVar, cast

import numpy

from minigrad.backend import current_backend, is_backend_name, to_backend, to_host
from minigrad.errors import ArgumentError, DTypeError, got
from minigrad.nn._state import expect_fit, expect_names, expect_state, on_host
from minigrad.tape import Parameter, Tensor, expect_writeable, modes, no_grad
from minigrad.typing import Array, DType


class Buffer(Tensor):
    """A tensor that is saved with its module but not trained: a running mean, say."""

    __slots__ = ()

    def __init__(self, data: Array, name: str | None = None) -> None:
        """Wrap an array without copying it."""
        super().__init__(data, name=name)
        self.origin = "it is a buffer, which is saved but not trained"


class IncompatibleKeys(NamedTuple):
    """The names on which a module and a state that was loaded disagree."""

    missing_keys: list[str]
    unexpected_keys: list[str]


_Kind = TypeVar("_Kind", bound=Tensor)


def new_parameter(shape: tuple[int, ...], dtype: DType, name: str) -> Parameter:
    """Make a parameter of zeros on the current backend, to be filled by nn.init.

    Raises DTypeError unless dtype is that of a float.
    """
    try:
        known = numpy.dtype(dtype).kind in "fc"
    except TypeError:
        known = False
    if not known:
        raise DTypeError(got(name, "dtype", repr(dtype), "a float dtype, as 'float32'"))
    return Parameter(current_backend().module.zeros(shape, dtype), name=name)


class Module:
    """Base of all layers and models.

    A subclass sets its parts as attributes and computes in `forward`; it need not call
    `super().__init__()`.

    >>> from minigrad import nn
    >>> class Twice(nn.Module):
    ...     def __init__(self):
    ...         self.layer = nn.Linear(3, 3)
    ...     def forward(self, x):
    ...         return self.layer(self.layer(x))
    >>> [name for name, _ in Twice().named_parameters()]
    ['layer.weight', 'layer.bias']
    """

    training: bool = True
    """Whether dropout and its like are on; set by train() and eval()."""

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """Compute the output; every subclass writes its own."""
        raise NotImplementedError(
            f"{type(self).__name__}: there is no forward, expected a method "
            "forward(self, x)"
        )

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        """Run forward; what it records is known to belong to this module."""
        token = modes.scope.set(self)
        try:
            y = self.forward(*inputs, **options)
        finally:
            modes.scope.reset(token)
        if modes.tracing:
            for tracer in modes.tracers.get():
                tracer.returned(self, y)
        return y

    # -- the parts ---------------------------------------------------------------------

    def _children(self) -> list[tuple[str, Module]]:
        """List the modules held directly, one that is held twice under both names."""
        held = vars(self).items()
        return [(name, part) for name, part in held if isinstance(part, Module)]

    def _tree(
        self, prefix: str, above: tuple[Module, ...] = ()
    ) -> Iterator[tuple[str, Module]]:
        """Walk over all paths to all modules, parents first."""
        if self in above:
            raise ArgumentError(
                f"{type(self).__name__}: `{prefix}` is a module that holds it, "
                "expected a tree; keep the back reference out of the attributes"
            )
        yield prefix, self
        for name, child in self._children():
            yield from child._tree(_join(prefix, name), (*above, self))

    def _parts(
        self, kind: type[_Kind], prefix: str, recurse: bool
    ) -> Iterator[tuple[str, _Kind]]:
        """Walk over the tensors of one kind, each once, under its first name."""
        seen: set[int] = set()
        for path, module in self._tree(prefix) if recurse else [(prefix, self)]:
            for name, value in vars(module).items():
                if isinstance(value, kind) and id(value) not in seen:
                    seen.add(id(value))
                    yield _join(path, name), value

    def named_parameters(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """Walk over (name, parameter); one that is shared comes once."""
        return self._parts(Parameter, prefix, recurse)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """Walk over the parameters; one that is shared comes once."""
        return (parameter for _, parameter in self.named_parameters("", recurse))

    def named_buffers(
        self, prefix: str = "", recurse: bool = True
    ) -> Iterator[tuple[str, Buffer]]:
        """Walk over (name, buffer); one that is shared comes once."""
        return self._parts(Buffer, prefix, recurse)

    def buffers(self, recurse: bool = True) -> Iterator[Buffer]:
        """Walk over the buffers; one that is shared comes once."""
        return (buffer for _, buffer in self.named_buffers("", recurse))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Walk over (name, module), this one first, each once."""
        seen: set[Module] = set()
        for path, module in self._tree(prefix):
            if module not in seen:
                seen.add(module)
                yield path, module

    def modules(self) -> Iterator[Module]:
        """Walk over this module and all below it, each once."""
        return (module for _, module in self.named_modules())

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Walk over (name, module) for the modules held directly, each once."""
        seen: set[Module] = set()
        for name, module in self._children():
            if module not in seen:
                seen.add(module)
                yield name, module

    def children(self) -> Iterator[Module]:
        """Walk over the modules held directly, each once."""
        return (module for _, module in self.named_children())

    def apply(self, function: Callable[[Module], object]) -> Self:
        """Call function on every module of the tree, children first."""
        for child in self.children():
            child.apply(function)
        function(self)
        return self

    # -- how it runs -------------------------------------------------------------------

    def train(self, mode: bool = True) -> Self:
        """Switch to training (mode=False: evaluation) here and in all modules below."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch to evaluation: dropout off, running statistics used."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """Let backward() reach the parameters, or freeze them."""
        for parameter in self.parameters():
            parameter.requires_grad = requires_grad
            if not requires_grad:
                parameter.origin = "requires_grad_(False) froze it"
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters; False fills those there are with 0."""
        for parameter in self.parameters():
            if set_to_none or not parameter.has_grad:
                parameter.grad = None
            else:
                parameter.grad.copy_(0)

    def to(self, target: Any) -> Self:
        """Move to a backend ("numpy", "cupy") or cast what is float to a dtype.

        Parameters stay the same objects. Do it before making an optimizer, whose state
        does not move along. Gradients are cleared. Raises DTypeError for a dtype that
        cannot hold weights, such as int64.
        """
        _expect_target(f"{type(self).__name__}.to", target)
        with no_grad():
            for tensor in (*self.parameters(), *self.buffers()):
                data = tensor.detach().to(target).data
                if data.dtype == tensor.dtype or tensor.dtype.kind == "f":
                    tensor.data = data
                tensor.grad = None
        return self

    # -- saving and loading ------------------------------------------------------------

    def _state(self) -> dict[str, Tensor]:
        """Name what is saved: of each module first parameters, then buffers."""
        return {
            _join(path, name): value
            for path, module in self._tree("")
            for kind in (Parameter, Buffer)
            for name, value in vars(module).items()
            if isinstance(value, kind)
        }

    def state_dict(self) -> dict[str, numpy.ndarray]:
        """Return name -> NumPy array for all parameters and buffers.

        Other than in PyTorch the arrays are copies on the host: a state that is kept
        does not change when training goes on.
        """
        return {
            name: numpy.array(to_host(value.data), order="C")
            for name, value in self._state().items()
        }

    def load_state_dict(
        self, state: Mapping[str, Any], strict: bool = True
    ) -> IncompatibleKeys:
        """Write the arrays of state into the parameters and buffers.

        Args:
            state: name -> array or tensor of the shape and dtype that is there.
            strict: whether the names must be the same on both sides.

        Nothing is written unless all of it fits. Raises ArgumentError for names,
        ShapeError, DTypeError, and GraphError if a live graph needs the old values.
        """
        who = f"{type(self).__name__}.load_state_dict"
        expect_state(who, state)
        own = self._state()
        missing = [name for name in own if name not in state]
        unexpected = [name for name in state if name not in own]
        if strict:
            expect_names(who, missing, unexpected)
        loaded = {name: on_host(state[name]) for name in own if name in state}
        expect_fit(who, own, loaded)
        for name in loaded:
            expect_writeable(own[name].data, f"{who}: {name}")
        for name, array in loaded.items():
            own[name].data[...] = to_backend(array, own[name].backend)
        return IncompatibleKeys(missing, unexpected)

    # -- how it looks ------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Describe this module in its repr, without what it holds."""
        return ""

    def __repr__(self) -> str:
        """Show the tree, one module a line."""
        lines = [
            f"({name}): {part!r}".replace("\n", "\n  ")
            for name, part in self._children()
        ]
        head = f"{type(self).__name__}({self.extra_repr()}"
        return "\n  ".join([head, *lines]) + ("\n)" if lines else ")")


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name


def _expect_target(who: str, target: object) -> None:
    """Raise DTypeError unless target is a backend or a dtype that can be trained."""
    if is_backend_name(target):
        return
    try:
        fits = target is not None and numpy.dtype(cast(Any, target)).kind in "fc"
    except TypeError:
        fits = False
    if not fits:
        rule = "a backend ('numpy', 'cupy') or a float dtype such as 'float32'"
        raise DTypeError(got(who, "target", repr(target), rule))
