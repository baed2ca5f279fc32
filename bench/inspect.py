"""What looking costs: training steps with and without somebody who looks.

Our side of each case runs the step of the suite `step` inside one block of
`minigrad.inspect`, which stays open for all steps; beside it runs the very same step
with nobody looking.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from typing import Any, Final

from bench.engines import UNOBSERVED
from bench.harness import Case, Step
from bench.networks import NETWORKS
from bench.step import prepare


def _every_gradient(model: Any) -> Any:
    from minigrad import inspect

    return inspect.gradient_flow(model)


def _one_weight(model: Any) -> Any:
    from minigrad import inspect

    first = next(name for name, p in model.named_parameters() if p.ndim > 1)
    return inspect.gradient_flow(model, name=first)


def _first_nan(model: Any) -> Any:
    from minigrad import inspect

    return inspect.detect_nonfinite(model)


BLOCKS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "every gradient": _every_gradient,
    "one weight": _one_weight,
    "first NaN": _first_nan,
}


def observed(name: str, what: str) -> Step:
    """Set up the training step of a network inside a block that stays open."""
    model, step = prepare(name, "minigrad")
    opened = ExitStack()
    opened.enter_context(BLOCKS[what](model))

    def inside() -> object:
        # The stack is held by this closure: dropped, it would close the block.
        return step() if opened else None

    return inside


def _case(name: str, what: str) -> Case:
    alone = partial(_alone, name)
    engines = {"minigrad": partial(observed, name, what), UNOBSERVED: alone}
    return Case(f"{name}, {what}", engines, NETWORKS[name].steps)


def _alone(name: str) -> Step:
    return prepare(name, "minigrad")[1]


CASES = tuple(_case(name, what) for name in NETWORKS for what in BLOCKS)
