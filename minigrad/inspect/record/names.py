"""What the gradients of a recording are called."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.tape import Node, Tensor


class Names:
    """Names of a model's parameters and modules, and of tensors the caller named.

    Attributes:
        tensors: every name that is known -> the tensor.
        parameters: ids of the model's parameters.
        model: whether a model was given.
    """

    def __init__(
        self,
        model: Any,
        names: Mapping[str, Any] | None,
        who: str = "gradient_flow",
    ) -> None:
        """Collect the names; raises ArgumentError for what is no model or no tensor.

        who is what errors say was called.
        """
        self._who = who
        self.tensors: dict[str, Tensor] = {}
        self.parameters: set[int] = set()
        self._modules: dict[int, str] = {}
        self._first: dict[object, str] = {}
        if not isinstance(names, Mapping | None):
            kind = type(names).__name__
            raise ArgumentError(
                f"{who}: names is a {kind}, expected a dict of name -> tensor"
            )
        for name, tensor in (names or {}).items():
            if not isinstance(tensor, Tensor):
                kind = type(tensor).__name__
                raise ArgumentError(
                    f"{who}: names[{name!r}] is a {kind}, expected a Tensor"
                )
            self._add(name, tensor)
        if model is not None:
            self._add_model(model)

    def _add_model(self, model: Any) -> None:
        if not hasattr(model, "named_modules"):
            raise ArgumentError(
                f"{self._who}: model is a {type(model).__name__}, expected a Module; "
                "pass tensors as names={'h': tensor}"
            )
        for path, module in model.named_modules():
            self._modules[id(module)] = path
            # Module by module: a parameter that several of them share has a name in
            # each.
            for name, parameter in module.named_parameters(recurse=False):
                self.parameters.add(id(parameter))
                self._add(f"{path}.{name}" if path else name, parameter)

    def _add(self, name: str, tensor: Tensor) -> None:
        if self.tensors.setdefault(name, tensor) is not tensor:
            raise ArgumentError(
                f"{self._who}: names[{name!r}] is also the name of a parameter of "
                "the model, expected another one"
            )
        self._first.setdefault(_key(tensor), name)

    def of(self, target: Node | Tensor) -> str | None:
        """Return the first name of a target of gradients, or None."""
        key = target.number if isinstance(target, Node) else ("leaf", id(target))
        return self._first.get(key)

    def of_tensor(self, tensor: Tensor) -> str | None:
        """Return the first name of a tensor that a call was given, or None."""
        return self._first.get(_key(tensor))

    def owner(self, target: Node | Tensor) -> str:
        """Return the path of the module that owns a parameter, "" if there is none."""
        if id(target) not in self.parameters:
            return ""
        return (self.of(target) or "").rpartition(".")[0]

    def module(self, module: Any) -> str:
        """Return the path of the module a kernel was called in, else its class."""
        if module is None:
            return ""
        return self._modules.get(id(module), type(module).__name__)

    def stem(self, kernel: Any, module: Any) -> str:
        """Return what calls of kernel in module are labelled with, before `#n`."""
        path = self.module(module)
        return f"{path}/{kernel.name}" if path else kernel.name

    def title(self, name: str) -> str | None:
        """Return the name under which the tensor called name is recorded, if any."""
        tensor = self.tensors.get(name)
        return None if tensor is None else self._first[_key(tensor)]


def _key(tensor: Tensor) -> object:
    """Identify what gradients are sent to; numbers of nodes are never used again."""
    return ("leaf", id(tensor)) if tensor.node is None else tensor.node.number
