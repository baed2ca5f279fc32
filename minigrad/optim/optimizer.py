"""What all optimizers share: parameter groups, state, saving and resuming."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from numbers import Real
from typing import Any

import numpy

from minigrad.backend import array_module, is_array, to_backend, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.optim._blocks import Update, run_updates
from minigrad.tape import Tensor, expect_writeable
from minigrad.typing import Array

Group = dict[str, Any]
"""{"params": [tensors], "lr": ..., and the optimizer's other options}."""

Options = Mapping[str, Any]
"""The options of a group, as plain Python numbers."""

Parameters = Iterable[Tensor] | Iterable[Mapping[str, Any]]


class Optimizer:
    """Base of the optimizers: a subclass writes `_update` for one parameter.

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
        self.defaults = {name: _plain(value) for name, value in defaults.items()}
        self.state: dict[Tensor, dict[str, Any]] = {}
        self.param_groups: list[Group] = []
        given = self._listed(params)
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
        given: Any = param_group
        is_dict = isinstance(given, Mapping)
        if not is_dict or "params" not in given:
            found = "has no key 'params'" if is_dict else f"is a {type(given).__name__}"
            raise ArgumentError(
                f"{self.who}: a group {found}, expected a dict with the key 'params'"
            )
        tensors = given["params"]
        tensors = [tensors] if isinstance(tensors, Tensor) else self._listed(tensors)
        group: Group = {"params": tensors, **self.defaults}
        for name, value in param_group.items():
            if name not in group:
                rule = f"one of {', '.join(self.defaults)}"
                raise ArgumentError(got(self.who, "option", repr(name), rule))
            if name != "params":
                group[name] = _plain(value)
        self._check(group)
        self._expect_new(tensors)
        self.param_groups.append(group)

    def _expect_new(self, tensors: list[Any]) -> None:
        """Raise ArgumentError unless these are leaf tensors, each given once."""
        known = {id(tensor) for tensor in self._tensors()}
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

    def _listed(self, params: object) -> list[Any]:
        """List what params holds, or raise ArgumentError."""
        if isinstance(params, Tensor) or not isinstance(params, Iterable):
            raise ArgumentError(
                f"{self.who}: params is a {type(params).__name__}, expected a list of "
                "tensors or of groups; pass model.parameters()"
            )
        return list(params)

    def _check(self, options: Options) -> None:
        """Raise ArgumentError if an option is out of range."""
        raise NotImplementedError

    def _update(
        self, p: Array, g: Array, state: dict[str, Any], options: Options
    ) -> Update:
        """Say what one step with the gradient g does to p and state; make the state."""
        raise NotImplementedError

    def step(self) -> None:
        """Update every parameter that has a gradient, in place.

        Before anything is written, raises ArgumentError if an option was set to what it
        cannot be, GraphError if a live graph needs the values, DTypeError if a
        parameter was cast and its state was not.
        """
        who = f"{self.who}.step"
        live: list[tuple[Tensor, Options]] = []
        for group in self.param_groups:
            options: Options = {name: _plain(group[name]) for name in self.defaults}
            self._check(options)
            live += [(p, options) for p in group["params"] if p.has_grad]
        for tensor, _ in live:
            expect_writeable(tensor.data, who)
            _expect_dtype(who, self.state.get(tensor, {}), tensor.data.dtype)
        run_updates(
            [
                self._update(
                    tensor.data,
                    tensor.cotangent,
                    self.state.setdefault(tensor, {}),
                    options,
                )
                for tensor, options in live
            ]
        )

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters; False fills those there are with 0."""
        for tensor in self._tensors():
            if set_to_none or not tensor.has_grad:
                tensor.grad = None
            else:
                tensor.grad.copy_(0)

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
        who = f"{self.who}.load_state_dict"
        states, groups = _parts(who, state_dict)
        have = [len(group["params"]) for group in groups]
        want = [len(group["params"]) for group in self.param_groups]
        if have != want:
            raise ArgumentError(got(who, "parameters per group", have, want))
        for group in groups:
            if set(group) != set(self.param_groups[0]):
                options = sorted(set(group) - {"params"})
                rule = ", ".join(self.defaults)
                raise ArgumentError(got(who, "options", ", ".join(options), rule))
        options = [{name: _plain(g[name]) for name in self.defaults} for g in groups]
        for group in options:
            self._check(group)
        # JSON makes strings of the numbers.
        tensors = {str(index): p for index, p in enumerate(self._tensors())}
        loaded: dict[Tensor, dict[str, Any]] = {}
        for index, values in states.items():
            if str(index) not in tensors:
                rule = f"one of 0 to {len(tensors) - 1}"
                raise ArgumentError(got(who, "state of parameter", repr(index), rule))
            p = tensors[str(index)]
            loaded[p] = {name: _loaded(who, name, values[name], p) for name in values}
        self.state = loaded
        for group, saved in zip(self.param_groups, options, strict=True):
            group.update(saved)

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


def state_array(state: dict[str, Any], name: str, p: Array) -> Array:
    """Return the state array called name, made of zeros like p if it is not there."""
    if name not in state:
        state[name] = array_module(p).zeros_like(p)
    return state[name]


def _expect_dtype(who: str, state: dict[str, Any], dtype: Any) -> None:
    """Raise DTypeError if a state array has not the dtype of its parameter."""
    for name, value in state.items():
        # Python's numbers have none, and is_array takes its time.
        found = getattr(value, "dtype", dtype)
        if found != dtype and is_array(value):
            rule = f"{dtype}, as its parameter"
            remedy = "after a cast call load_state_dict(state_dict()) to cast it"
            raise DTypeError(
                got(who, f"the state `{name}` has dtype", found, rule, remedy)
            )


def _plain(option: Any) -> Any:
    """Make Python numbers of NumPy's, which would turn float32 into float64.

    Several become a tuple: JSON, for one, knows only lists.
    """
    if isinstance(option, numpy.generic | numpy.ndarray):
        option = option.tolist()
    return tuple(map(_plain, option)) if isinstance(option, list | tuple) else option


def _parts(who: str, state_dict: object) -> tuple[Mapping[Any, Any], list[Group]]:
    """Take apart what state_dict returned, or raise ArgumentError."""
    match state_dict:
        case {"state": Mapping() as states, "param_groups": [*groups]}:
            dicts = [*states.values(), *groups]
            if all(isinstance(part, Mapping) for part in dicts) and all(
                isinstance(group.get("params"), list) for group in groups
            ):
                return states, groups
        case _:
            pass
    rule = "the dict of 'state' and 'param_groups' that state_dict returned"
    raise ArgumentError(got(who, "got", reprlib.repr(state_dict), rule))


def _saved(value: Any) -> Any:
    return numpy.array(to_host(value), order="C") if is_array(value) else value


def _loaded(who: str, name: str, value: Any, tensor: Tensor) -> Any:
    """Copy value to where the parameter is, in its memory order; numbers stay."""
    if not is_array(value):
        if not isinstance(value, Real):
            rule = "an array or a number"
            raise ArgumentError(got(who, f"the state `{name}`", repr(value), rule))
        return value
    if value.shape != tensor.shape:
        raise ShapeError(got(who, f"{name} has shape", value.shape, tensor.shape))
    copy = array_module(tensor.data).empty_like(tensor.data)
    copy[...] = to_backend(value, tensor.backend)
    return copy
