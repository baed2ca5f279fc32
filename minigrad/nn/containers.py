"""Modules that hold modules: in a row, in a list, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Self, overload

import numpy

from minigrad.errors import ArgumentError, BadIndexError, got
from minigrad.nn.module import Module


def _put(owner: Module, name: str, module: object) -> None:
    """Make module an attribute of owner, if the name is free or held a module."""
    who = type(owner).__name__
    if not isinstance(module, Module):
        raise ArgumentError(
            f"{who}: `{name}` is a {type(module).__name__}, expected a Module; "
            "wrap a function in a Module with a forward"
        )
    held = vars(owner).get(name)
    taken = hasattr(owner, name) and not isinstance(held, Module)
    if not name or "." in name or taken:
        raise ArgumentError(
            f"{who}: name {name!r}, expected one without dots that is no attribute "
            f"of {who}; choose another"
        )
    vars(owner)[name] = module


class _Row(Module):
    """Modules in order; what Sequential and ModuleList share."""

    def _values(self) -> list[Module]:
        return [part for part in vars(self).values() if isinstance(part, Module)]

    def _name(self, index: object) -> str:
        who = type(self).__name__
        if not isinstance(index, int | numpy.integer):
            rule = "an integer or a slice"
            raise ArgumentError(got(who, "index", repr(index), rule))
        names = [name for name, _ in self._children()]
        if not -len(names) <= index < len(names):
            rule = f"one of {len(names)} modules"
            raise BadIndexError(got(who, "index", index, rule))
        return names[index]

    def append(self, module: Module) -> Self:
        """Add module behind the last one, named by its position."""
        _put(self, str(len(self)), module)
        return self

    def extend(self, modules: Iterable[Module]) -> Self:
        """Add all of modules behind the last one."""
        for module in modules:
            self.append(module)
        return self

    @overload
    def __getitem__(self, index: int) -> Any: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: int | slice) -> Any:
        """Return the module at index, or a new row of the modules in a slice."""
        if isinstance(index, slice):
            return type(self)().extend(self._values()[index])
        return vars(self)[self._name(index)]

    def __setitem__(self, index: int, module: Module) -> None:
        """Put module in the place of the one at index."""
        _put(self, self._name(index), module)

    def __len__(self) -> int:
        """Count the modules."""
        return len(self._children())

    def __iter__(self) -> Iterator[Any]:
        """Walk over the modules in order."""
        return iter(self._values())


class Sequential(_Row):
    """Modules that run one after the other; each gets the output of the one before.

    Takes modules, named "0", "1", ..., or one dict of name -> module.

    >>> from minigrad import nn, tensor
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.ReLU())
    >>> model(tensor([[1.0, 2.0, 3.0]])).shape
    (1, 4)
    """

    def __init__(self, *modules: Module | Mapping[str, Module]) -> None:
        if len(modules) == 1 and isinstance(modules[0], Mapping):
            named = modules[0]
        else:
            named = {str(index): module for index, module in enumerate(modules)}
        for name, module in named.items():
            _put(self, name, module)

    def forward(self, x: Any) -> Any:
        """Run all modules on x."""
        for module in self._values():
            x = module(x)
        return x


class ModuleList(_Row):
    """A list of modules that its owner calls as it likes.

    >>> from minigrad import nn
    >>> len(nn.ModuleList([nn.ReLU(), nn.Tanh()])[1:])
    1
    """

    def __init__(self, modules: Iterable[Module] = ()) -> None:
        self.extend(modules)


class ModuleDict(Module):
    """Modules by name, in the order they were added.

    >>> from minigrad import nn
    >>> list(nn.ModuleDict({"relu": nn.ReLU(), "tanh": nn.Tanh()}))
    ['relu', 'tanh']
    """

    def __init__(self, modules: Mapping[str, Module] | None = None) -> None:
        for name, module in (modules or {}).items():
            self[name] = module

    def __getitem__(self, name: str) -> Any:
        """Return the module called name; raises KeyError if there is none."""
        return dict(self._children())[name]

    def __setitem__(self, name: str, module: Module) -> None:
        """Add module under name, or put it in the place of the one there."""
        _put(self, name, module)

    def __delitem__(self, name: str) -> None:
        """Take the module called name out."""
        del vars(self)[name]

    def __contains__(self, name: object) -> bool:
        """Tell whether a module is called name."""
        return name in self.keys()

    def __len__(self) -> int:
        """Count the modules."""
        return len(self._children())

    def __iter__(self) -> Iterator[str]:
        """Walk over the names."""
        return iter(self.keys())

    def keys(self) -> list[str]:
        """List the names."""
        return [name for name, _ in self._children()]

    def values(self) -> list[Module]:
        """List the modules."""
        return [module for _, module in self._children()]

    def items(self) -> list[tuple[str, Module]]:
        """List (name, module)."""
        return self._children()
