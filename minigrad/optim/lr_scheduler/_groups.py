"""What schedules share: a rate or a bound for each group, and the check of a state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.optim.optimizer import Group, Optimizer


def groups_of(who: str, optimizer: object) -> list[Group]:
    """Return the groups of optimizer, or raise ArgumentError if it is none."""
    if not isinstance(optimizer, Optimizer):
        found = f"a {type(optimizer).__name__}"
        raise ArgumentError(got(who, "optimizer is", found, "an Optimizer"))
    return optimizer.param_groups


def per_group(who: str, name: str, given: Any, groups: list[Group]) -> list[Any]:
    """Repeat what is given for all groups, or take a sequence of one for each."""
    count = len(groups)
    values = [*given] if isinstance(given, Sequence) else [given] * count
    if len(values) != count:
        rule = f"one value, or one for each of the {count} groups"
        raise ArgumentError(got(who, f"{name} has length", len(values), rule))
    return values


def expect_keys(who: str, own: Mapping[str, Any], given: object) -> None:
    """Raise ArgumentError unless given is a state with the keys of own."""
    if not isinstance(given, Mapping):
        rule = "what state_dict returned"
        raise ArgumentError(got(f"{who}.load_state_dict", "got", repr(given), rule))
    if set(own) != set(given):
        found, rule = ", ".join(sorted(given)), ", ".join(sorted(own))
        raise ArgumentError(got(f"{who}.load_state_dict", "keys", found, rule))
