"""The parts of a model that freeze as one: what counts as a layer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.nn.module import Module
from minigrad.nn.normalization import GroupNorm, LayerNorm, _BatchNorm
from minigrad.tape import Parameter

NORMS = (_BatchNorm, GroupNorm, LayerNorm)
"""Layers whose parameters scale and shift what another layer gave."""

JOINT = " + "
"""Joins the names of modules that make one unit."""

Wanted = Sequence[str | Sequence[str]]
"""Names of modules; names in a tuple of their own make one unit."""


@dataclass(frozen=True)
class Unit:
    """One layer, in LayerOut's sense.

    Attributes:
        name: the path of its module, or paths joined by " + ".
        parameters: what keeps its values while the unit is frozen.
        norms: batch norms whose running statistics can be held still with it.
    """

    name: str
    parameters: tuple[Parameter, ...]
    norms: tuple[Any, ...] = ()

    @property
    def size(self) -> int:
        """Count the numbers in its parameters."""
        return sum(parameter.size for parameter in self.parameters)


def find_units(model: Module, *, with_norms: bool) -> tuple[Unit, ...]:
    """List the modules that hold parameters of their own, in the order of the tree.

    A normalisation is no unit. With with_norms one that comes next behind a unit, in
    that order, belongs to it; else its parameters belong to none.
    """
    held: list[tuple[str, list[Parameter], list[Any]]] = []
    behind = False
    for path, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if isinstance(module, NORMS):
            if behind and held:
                held[-1][1].extend(own if with_norms else [])
                held[-1][2].extend([module] if isinstance(module, _BatchNorm) else [])
            behind = False
        elif own:
            held.append((path, own, []))
            behind = True
    return tuple(Unit(name, tuple(own), tuple(norms)) for name, own, norms in held)


def named_units(who: str, model: Module, wanted: Wanted) -> tuple[Unit, ...]:
    """Make units of the modules called by name, with all that lies below them.

    Raises ArgumentError for what is no list of names or of tuples of names, and for a
    name that the model has not, or that holds no parameter.
    """
    known = dict(model.named_modules())
    units: list[Unit] = []
    for names in _lists(who, wanted):
        for name in names:
            if name not in known:
                listed = ", ".join(repr(path) for path in known if path)
                rule = f"one of the model's modules: {listed}"
                raise ArgumentError(got(who, "unit", repr(name), rule))
        modules = [known[name] for name in names]
        own = dict.fromkeys(_below(modules))
        label = JOINT.join(names)
        if not own:
            rule = "a module that holds parameters"
            raise ArgumentError(got(who, "unit", repr(label), rule))
        norms = [part for module in modules for part in module.modules()]
        norms = [part for part in norms if isinstance(part, _BatchNorm)]
        units.append(Unit(label, tuple(own), tuple(norms)))
    return tuple(units)


def _lists(who: str, wanted: Any) -> list[tuple[str, ...]]:
    """Return the names of each unit, or raise ArgumentError."""
    given: list[Any] = list(wanted) if isinstance(wanted, list | tuple) else [None]
    lists: list[tuple[str, ...]] = []
    for names in given:
        listed = (names,) if isinstance(names, str) else names
        is_list = isinstance(listed, list | tuple)
        if not is_list or not all(isinstance(name, str) for name in listed):
            rule = "a list of names of modules, or of tuples of such names"
            raise ArgumentError(got(who, "units is", repr(wanted), rule))
        lists.append(tuple(listed))
    return lists


def _below(modules: Sequence[Module]) -> Iterator[Parameter]:
    for module in modules:
        yield from module.parameters()


def expect_apart(who: str, units: Sequence[Unit]) -> None:
    """Raise ArgumentError if two units hold the same parameter, as tied weights do."""
    names = [unit.name for unit in units]
    for name in names:
        if names.count(name) > 1:
            rule = "each unit once"
            raise ArgumentError(got(who, "units has", f"`{name}` twice", rule))
    owner: dict[int, str] = {}
    for unit in units:
        for parameter in unit.parameters:
            other = owner.setdefault(id(parameter), unit.name)
            if other != unit.name:
                both = (*other.split(JOINT), *unit.name.split(JOINT))
                raise ArgumentError(
                    f"{who}: units `{other}` and `{unit.name}` share a parameter of "
                    f"shape {parameter.shape}, expected each in one unit; pass "
                    f"units=[..., {tuple(dict.fromkeys(both))}] to freeze them as one"
                )
