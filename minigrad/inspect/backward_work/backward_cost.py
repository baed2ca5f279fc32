"""What a backward pass costs with the layers that are frozen, and without."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import Any

from minigrad.backend import array_module, to_host
from minigrad.errors import ArgumentError, got
from minigrad.inspect.backward_work.recorded import (
    Calls,
    Found,
    found,
    reached,
    tensors,
)
from minigrad.inspect.backward_work.rows import BackwardCost, Layer, Seconds, Work
from minigrad.inspect.model_summary._meter import STRANGERS, alone, untouched
from minigrad.inspect.model_summary.summary import as_input
from minigrad.random import generator
from minigrad.tape import Tensor, enable_grad
from minigrad.tape import backward as _backward


def backward_cost(
    model: Any, *inputs: Any, repeats: int = 0, **options: Any
) -> BackwardCost:
    """Count what backward computes, with the present parameters frozen and with none.

    Runs the forward pass twice, once as it is and once with every parameter thawed, on
    the same random draws, and reads both graphs; with repeats it runs backward, too.
    The model stays as it is, as under `inspect.summary`; so do its gradients.

    A gradient is computed where something needs it: that of a weight unless it is
    frozen, that of a layer's input only if a parameter that is not frozen, or an input
    of the model that needs a gradient, lies before it. A layer before which all is
    frozen hands nothing on; frozen, it is not recorded at all.

    Args:
        model: a Module, run in its present mode.
        inputs: what it is called with: tensors, arrays, or a shape as a tuple of
            integers, for which zeros of the parameters' dtype are made. They need no
            gradient, unless they are tensors that do.
        repeats: how often to time backward each way, in turn, after one pass to warm
            up; 0: not at all.
        options: keywords it is called with.

    Raises ArgumentError for what is no Module and for other repeats, and what the model
    raises. Freezing layers at random: Goutam et al., LayerOut, 2020.

    >>> from minigrad import inspect, nn
    >>> model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> _ = model[0].requires_grad_(False)
    >>> cost = inspect.backward_cost(model, (5, 3))
    >>> cost.multiply_adds, cost.thawed_multiply_adds, cost.layer("0").gradient
    (40, 140, 'none')
    """
    _expect(model, repeats)
    like = next((p for p in model.parameters() if p.dtype.kind in "fc"), None)
    who = "backward_cost"
    given = [_cut(as_input(who, at, one, like)) for at, one in enumerate(inputs, 1)]
    named = {name: _cut(value) for name, value in options.items()}

    def run() -> Any:
        return model(*given, **named)

    done = _read(model, run)
    with _thawed(model):
        thawed = _read(model, run)
    seconds = _measured(model, run, repeats) if repeats else None
    layers = _layers(model, done, thawed)
    return BackwardCost(type(model).__name__, layers, seconds)


def _expect(model: Any, repeats: object) -> None:
    if not hasattr(model, "named_modules"):
        kind = f"a {type(model).__name__}"
        raise ArgumentError(got("backward_cost", "model is", kind, "a Module"))
    if isinstance(repeats, bool) or not isinstance(repeats, int) or repeats < 0:
        rule = "an integer >= 0"
        raise ArgumentError(got("backward_cost", "repeats", repr(repeats), rule))


def _cut(value: Any) -> Any:
    """Put a leaf in the place of a tensor that needs a gradient, which it keeps."""
    if isinstance(value, dict):
        return {key: _cut(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        # A named tuple is made of an iterable by a method of its own.
        make = getattr(value, "_make", type(value))
        return make(map(_cut, value))
    if isinstance(value, Tensor) and value.requires_grad:
        return value.detach().requires_grad_()
    return value


@contextmanager
def _thawed(model: Any) -> Generator[None]:
    """Let gradients reach every parameter inside the block."""
    with ExitStack() as stack:
        for one in model.parameters():
            if not one.requires_grad and one.dtype.kind in "fc":
                stack.callback(setattr, one, "requires_grad", False)
                one.requires_grad = True
        yield


def _read(model: Any, run: Callable[[], Any]) -> dict[str, Found]:
    """Run forward, and sum what backward would do by the paths of modules."""
    calls = Calls()
    with untouched(model), enable_grad(), alone(calls):
        y = run()
    return found(model, calls, reached(y))


def _layers(
    model: Any, done: dict[str, Found], thawed: dict[str, Found]
) -> list[Layer]:
    """Make the rows of modules that own parameters or multiply."""
    seen: set[int] = set()
    layers: list[Layer] = []
    nothing = Found(Work(0, 0), False)
    for path, module in [*model.named_modules(), (STRANGERS, None)]:
        held = [] if module is None else list(module.parameters(recurse=False))
        own = [one for one in held if id(one) not in seen]
        seen.update(map(id, own))
        whole = thawed.get(path, nothing).work
        if not held and not whole.total:
            continue
        now = done.get(path)
        gradient = "none" if now is None else "passes" if now.passes else "ends"
        trainable = sum(one.size for one in own if one.requires_grad)
        frozen = sum(one.size for one in own) - trainable
        kind = "" if module is None else type(module).__name__
        work = (now or nothing).work
        layers.append(Layer(path, kind, trainable, frozen, gradient, work, whole))
    return layers


# -- timing ----------------------------------------------------------------------------


def _measured(model: Any, run: Callable[[], Any], repeats: int) -> Seconds:
    """Time backward as it is and thawed, in turn, after a first pass of each."""
    done: list[float] = []
    thawed: list[float] = []
    for _ in range(1 + repeats):
        done.append(_timed(model, run))
        with _thawed(model):
            thawed.append(_timed(model, run))
    return Seconds(statistics.median(done[1:]), statistics.median(thawed[1:]), repeats)


def _timed(model: Any, run: Callable[[], Any]) -> float:
    """Run forward, then backward, and return the seconds of backward alone."""
    with untouched(model), enable_grad(), alone():
        root = _root(run())
        if root is None:
            return 0.0
        targets = [target for node in reached(root) for target in node.targets]
        leaves = {one for one in targets if isinstance(one, Tensor)}
        with lent(leaves):
            # Reading a number waits until a device has done what it was told.
            to_host(root.data)
            start = time.perf_counter()
            root.backward()
            to_host(next(iter(leaves)).grad.data.reshape(-1)[:1])
            return time.perf_counter() - start


def _root(y: Any) -> Tensor | None:
    """Make a scalar of what was returned: its sum, weighted by normal numbers."""
    draw = generator(0, "backward_cost")
    root = None
    for one in tensors(y):
        if one.requires_grad:
            numbers = draw.standard_normal(one.shape)
            weights = array_module(one.data).asarray(numbers, one.dtype)
            part = (one * Tensor(weights)).sum()
            root = part if root is None else root + part
    return root


@contextmanager
def lent(leaves: Iterable[Tensor]) -> Generator[None]:
    """Take the gradients away that leaves hold, and give them back.

    The pass between does not count: what has no gradient says that none has run.
    """
    held = [(leaf, leaf.cotangent, leaf.owned) for leaf in leaves]
    passes = _backward.passes
    try:
        for leaf in leaves:
            leaf.cotangent = None
        yield
    finally:
        _backward.passes = passes
        for leaf, cotangent, owned in held:
            leaf.cotangent, leaf.owned = cotangent, owned
