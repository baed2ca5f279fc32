"""What a state must be to go into a module."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy

from minigrad.backend import is_array, to_host
from minigrad.errors import ArgumentError, DTypeError, ShapeError, got
from minigrad.tape import Tensor


def expect_state(who: str, state: object) -> None:
    """Raise ArgumentError unless state is a mapping."""
    if not isinstance(state, Mapping):
        found, rule = f"a {type(state).__name__}", "a mapping of names to arrays"
        raise ArgumentError(got(who, "got", found, rule, "pass model.state_dict()"))


def expect_names(who: str, missing: list[str], unexpected: list[str]) -> None:
    """Raise ArgumentError if there are any."""
    if missing or unexpected:
        raise ArgumentError(
            f"{who}: the state lacks {_listed(missing)} and has the unknown "
            f"{_listed(unexpected)}, expected the names of this model; "
            "pass strict=False to load what is in both"
        )


def expect_fit(
    who: str, own: Mapping[str, Tensor], loaded: Mapping[str, numpy.ndarray]
) -> None:
    """Raise one error that names every array of a wrong shape, or else dtype."""
    shapes = [
        f"`{name}` {array.shape}, expected {own[name].shape}"
        for name, array in loaded.items()
        if array.shape != own[name].shape
    ]
    if shapes:
        raise ShapeError(f"{who}: the state has the shapes {'; '.join(shapes)}")
    dtypes = [
        f"`{name}` {array.dtype}, expected {own[name].dtype}"
        for name, array in loaded.items()
        if array.dtype != own[name].dtype
    ]
    if dtypes:
        raise DTypeError(
            f"{who}: the state has the dtypes {'; '.join(dtypes)}; "
            "cast the arrays with .astype, or the model with .to(dtype)"
        )


def on_host(value: Any) -> numpy.ndarray:
    """Take a tensor, an array of any backend or what NumPy can read."""
    if isinstance(value, Tensor):
        value = value.data
    return to_host(value) if is_array(value) else numpy.asarray(value)


def _listed(names: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) or "nothing"
