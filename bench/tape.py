"""What the tape itself costs: graphs of a thousand operations on one element.

Milliseconds per step are therefore microseconds per operation, forward and backward.
"""

from __future__ import annotations

from typing import Any

from bench.harness import Case, Step
from bench.rivals import CHAIN, Setups

OPERATIONS = 1000


def _leaf_minigrad() -> Any:
    import minigrad as mg

    return mg.tensor([0.0], requires_grad=True)


def _leaf_torch() -> Any:
    import torch  # pyright: ignore[reportMissingImports]

    return torch.zeros(1, requires_grad=True)


def _chain(x: Any, bias: Any) -> Step:
    """Y = ((x + b) + b) + ...: one operation after the other."""

    def step() -> None:
        y = x
        for _ in range(OPERATIONS):
            y = y + bias
        y.backward()

    return step


def _products(x: Any, factor: Any) -> Step:
    """The same with products, whose operands are saved (and locked)."""

    def step() -> None:
        y = x
        for _ in range(OPERATIONS):
            y = y * factor
        y.backward()

    return step


def _diamonds(x: Any, _: Any) -> Step:
    """Y = (y + y) again and again: every gradient arrives twice."""

    def step() -> None:
        y = x
        for _ in range(OPERATIONS):
            y = y + y
        # By 0, because 2**1000 is no float32.
        (y * 0).backward()

    return step


def _case(name: str, build: Any, rivals: Setups | None = None) -> Case:
    return Case(
        name,
        engines={
            "minigrad": lambda: build(_leaf_minigrad(), _leaf_minigrad()),
            "torch": lambda: build(_leaf_torch(), _leaf_torch()),
            **(rivals or {}),
        },
        steps=20,
    )


CASES = (
    _case("chain", _chain, CHAIN),
    _case("products", _products),
    _case("diamonds", _diamonds),
)
