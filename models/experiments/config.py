"""Configurations: frozen dataclasses, and the fingerprint that results carry."""

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Preset:
    """A scale to run at: a configuration and how many seeds.

    Attributes:
        config: frozen dataclass with a field `dataset`, its default data set.
        seeds: runs are seeded 0 to seeds - 1.
        purpose: one clause for the reader.
    """

    config: Any
    seeds: int
    purpose: str


def with_dataset(config: Any, dataset: str | None) -> Any:
    """Return config on another data set; None keeps its own."""
    return config if dataset is None else dataclasses.replace(config, dataset=dataset)


def rate_at(rates: Sequence[tuple[int, float]], epoch: int) -> float:
    """Learning rate in an epoch, of (first epoch, rate) pairs; both count from 0.

    >>> [rate_at([(0, 0.1), (2, 0.01)], epoch) for epoch in range(3)]
    [0.1, 0.1, 0.01]
    """
    return [rate for first, rate in rates if first <= epoch][-1]


def as_json(config: Any) -> dict[str, Any]:
    """Return the fields of config as JSON holds them: tuples become lists."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def digest(name: str, config: Any, backend: str) -> str:
    """Twelve hex digits that name a configuration of an experiment or of a recipe.

    Two runs with the same digest and seed give the same numbers.
    """
    content = {"experiment": name, "config": as_json(config), "backend": backend}
    text = json.dumps(content, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """List the fields that differ, as `field old -> new`.

    >>> differences({"epochs": 3, "seed": 0}, {"epochs": 4, "seed": 0})
    ['epochs 3 -> 4']
    """
    names = [*old, *(name for name in new if name not in old)]
    return [
        f"{name} {old.get(name)} -> {new.get(name)}"
        for name in names
        if old.get(name) != new.get(name)
    ]
