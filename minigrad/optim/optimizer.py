"""What all optimizers share: parameter groups, state, saving and resuming."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy

from minigrad.backend import array_module, is_array, to_backend, to_host
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.tape import Tensor, expect_writeable
from minigrad.typing import Array

Group = dict[str, Any]
"""{"params": [tensors], "lr": ..., and the optimizer's other options}."""

Options = Mapping[str, Any]
"""The options of a group, as plain Python numbers."""

Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Optimizer:
    """Base of the optimizers: a subclass writes `_update` for one array.

    Attributes:
        param_groups: dicts of "params" and options; writing an option changes the next
            step, which is what schedulers do.
        state: parameter -> its state by name, made in its first step.
    """

    def __init__(self, params: Parameters, defaults: Mapping[str, Any]) -> None:
        """Take tensors, or dicts with "params" and options that differ from defaults.

        Raises ArgumentError if there are none, or one twice, or an option is unknown.
        """
        self.who = type(self).__name__
        self.defaults = dict(defaults)
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[Group] = []
        anything: Any = params
        if isinstance(anything, Tensor) or not isinstance(anything, Iterable):
            raise ArgumentError(
                f"{self.who}: params is a {type(params).__name__}, expected a list of "
                "tensors or of groups; pass model.parameters()"
            )
        given: list[Any] = list(anything)
        if not given:
            raise ArgumentError(
                f"{self.who}: there are no parameters, expected at least one; "
                "pass model.parameters()"
            )
        groups = given if isinstance(given[0], Mapping) else [{"params": given}]
        for group in groups:
            self.add_param_group(group)

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Train further tensors, with options that differ from the defaults."""
        if "params" not in param_group:
            raise ArgumentError(f"{self.who}: a group has no key 'params'")
        tensors = param_group["params"]
        tensors = [tensors] if isinstance(tensors, Tensor) else list(tensors)
        group: Group = {"params": tensors, **self.defaults}
        for name, value in param_group.items():
            if name not in group:
                rule = f"one of {', '.join(self.defaults)}"
                raise ArgumentError(got(self.who, "option", repr(name), rule))
            if name != "params":
                group[name] = value
        self._check(group)
        known = {
            id(tensor) for other in self.param_groups for tensor in other["params"]
        }
        for tensor in tensors:
            if not isinstance(tensor, Tensor) or not tensor.is_leaf:
                what = "a result" if isinstance(tensor, Tensor) else repr(tensor)
                raise ArgumentError(
                    f"{self.who}: params contains {what}, expected leaf tensors; "
                    "pass model.parameters()"
                )
            if id(tensor) in known:
                raise ArgumentError(
                    f"{self.who}: a parameter of shape {tensor.shape} is given twice, "
                    "expected each once"
                )
            known.add(id(tensor))
        self.param_groups.append(group)

    def _check(self, options: Options) -> None:
        """Raise ArgumentError if an option is out of range."""
        raise NotImplementedError

    def _update(
        self, p: Array, g: Array, state: dict[str, Any], options: Options
    ) -> None:
        """Change p and state in place by one step with the gradient g."""
        raise NotImplementedError

    def step(self) -> None:
        """Update every parameter that has a gradient, in place.

        Raises GraphError, before anything is written, if a live graph needs the values.
        """
        live: list[tuple[Tensor, Options]] = []
        for group in self.param_groups:
            options: Options = {name: _plain(group[name]) for name in self.defaults}
            live += [(p, options) for p in group["params"] if p.has_grad]
        for tensor, _ in live:
            expect_writeable(tensor.data, f"{self.who}.step")
        for tensor, options in live:
            state = self.state.setdefault(tensor, {})
            self._update(tensor.data, tensor.cotangent, state, options)

    def zero_grad(self) -> None:
        """Clear the gradients of all parameters."""
        for group in self.param_groups:
            for tensor in group["params"]:
                tensor.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return {"state": {index: {name: value}}, "param_groups": [...]}.

        Parameters are numbered in the order they were given; arrays are copies on the
        host.
        """
        tensors = self._tensors()
        groups: list[Group] = []
        start = 0
        for group in self.param_groups:
            stop = start + len(group["params"])
            groups.append({**group, "params": list(range(start, stop))})
            start = stop
        state = {
            index: {name: _saved(value) for name, value in self.state[tensor].items()}
            for index, tensor in enumerate(tensors)
            if tensor in self.state
        }
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what state_dict returned, with the same parameters in order.

        Nothing changes unless all of it fits. Raises ArgumentError or ShapeError.
        """
        groups: list[Group] = state_dict["param_groups"]
        have = [len(group["params"]) for group in groups]
        want = [len(group["params"]) for group in self.param_groups]
        who = f"{self.who}.load_state_dict"
        if have != want:
            raise ArgumentError(got(who, "parameters per group", have, want))
        for group in groups:
            if set(group) != set(self.param_groups[0]):
                options = sorted(set(group) - {"params"})
                rule = ", ".join(self.defaults)
                raise ArgumentError(got(who, "options", ", ".join(options), rule))
        tensors = self._tensors()
        loaded = {
            tensors[int(index)]: {
                name: _loaded(who, name, value, tensors[int(index)])
                for name, value in values.items()
            }
            for index, values in state_dict["state"].items()
        }
        self.state = loaded
        for group, saved in zip(self.param_groups, groups, strict=True):
            group.update({name: _option(saved[name]) for name in self.defaults})

    def _tensors(self) -> list[Tensor]:
        return [tensor for group in self.param_groups for tensor in group["params"]]

    def __repr__(self) -> str:
        """Show the options of every group."""
        groups = [
            ", ".join(
                [f"{len(group['params'])} tensors"]
                + [f"{name}={group[name]}" for name in self.defaults]
            )
            for group in self.param_groups
        ]
        return f"{self.who}({'; '.join(groups)})"


def expect_at_least(who: str, low: float, **options: float) -> None:
    """Raise ArgumentError for the first option below low or NaN."""
    for name, value in options.items():
        if not value >= low:
            raise ArgumentError(got(who, name, value, f"{name} >= {low}"))


def expect_fraction(who: str, **options: float) -> None:
    """Raise ArgumentError for the first option outside [0, 1)."""
    for name, value in options.items():
        if not 0 <= value < 1:
            raise ArgumentError(got(who, name, value, f"0 <= {name} < 1"))


def state_array(state: dict[str, Any], name: str, p: Array) -> Array:
    """Return the state array called name, made of zeros like p if it is not there."""
    if name not in state:
        state[name] = array_module(p).zeros_like(p)
    return state[name]


def _plain(option: Any) -> Any:
    """Make a Python number of NumPy's, which would turn float32 into float64."""
    return option.item() if isinstance(option, numpy.generic) else option


def _option(saved: Any) -> Any:
    """Read an option back: JSON knows no tuples."""
    return tuple(saved) if isinstance(saved, list) else saved


def _saved(value: Any) -> Any:
    return numpy.array(to_host(value), order="C") if is_array(value) else value


def _loaded(who: str, name: str, value: Any, tensor: Tensor) -> Any:
    """Copy value to where the parameter is, in its memory order."""
    if not is_array(value):
        return value
    if value.shape != tensor.shape:
        raise ShapeError(got(who, f"{name} has shape", value.shape, tensor.shape))
    copy = array_module(tensor.data).empty_like(tensor.data)
    copy[...] = to_backend(value, tensor.backend)
    return copy
