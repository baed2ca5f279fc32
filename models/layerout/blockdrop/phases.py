"""Optimizers of which one is in use at a time, saved and resumed as one."""

from collections.abc import Mapping
from typing import Any

from minigrad import optim
from minigrad.errors import ArgumentError, got


class PhasedOptimizer(optim.Optimizer):
    """Several optimizers; `use` says which steps next.

    They may share parameters. Each keeps its state while others are in use. A state
    dict has the parameters and groups of all, one optimizer after the other.

    Args:
        optimizers: by name; the first is in use at first.

    >>> from minigrad import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> slow, fast = optim.SGD([w], lr=0.125), optim.SGD([w], lr=0.5)
    >>> optimizer = PhasedOptimizer({"slow": slow, "fast": fast})
    >>> optimizer.use("fast")
    >>> (2 * w).sum().backward(); optimizer.step(); w.tolist()
    [0.0]
    """

    def __init__(self, optimizers: Mapping[str, optim.Optimizer]) -> None:
        self.optimizers = dict(optimizers)
        self.who = type(self).__name__
        self.use(next(iter(self.optimizers)))

    def use(self, name: str) -> None:
        """Let the optimizer of this name step from now on.

        Raises ArgumentError if there is none.
        """
        if name not in self.optimizers:
            rule = f"one of {', '.join(map(repr, self.optimizers))}"
            raise ArgumentError(got(self.who, "phase", repr(name), rule))
        current = self.optimizers[name]
        self.current, self.defaults = current, current.defaults
        self.param_groups, self.state = current.param_groups, current.state

    def step(self) -> None:
        """Update every parameter of the optimizer in use that has a gradient."""
        self.current.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients of all parameters, also of optimizers not in use."""
        for optimizer in self.optimizers.values():
            optimizer.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of all optimizers as that of one."""
        states: dict[int, Any] = {}
        groups: list[dict[str, Any]] = []
        for start, optimizer in self._starts():
            own = optimizer.state_dict()
            states |= {start + index: part for index, part in own["state"].items()}
            for group in own["param_groups"]:
                shifted = [start + index for index in group["params"]]
                groups.append({**group, "params": shifted})
        return {"state": states, "param_groups": groups}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what state_dict returned; raises as each optimizer does."""
        # JSON makes strings of the numbers.
        states = {int(index): part for index, part in state_dict["state"].items()}
        groups = list(state_dict["param_groups"])
        for start, optimizer in self._starts():
            stop = start + _size(optimizer)
            own = {i - start: states[i] for i in states if start <= i < stop}
            count = len(optimizer.param_groups)
            optimizer.load_state_dict({"state": own, "param_groups": groups[:count]})
            groups = groups[count:]
        self.state = self.current.state

    def _starts(self) -> list[tuple[int, optim.Optimizer]]:
        """List the optimizers, each with the number of its first parameter."""
        start, found = 0, list[tuple[int, optim.Optimizer]]()
        for optimizer in self.optimizers.values():
            found.append((start, optimizer))
            start += _size(optimizer)
        return found


def _size(optimizer: optim.Optimizer) -> int:
    return sum(len(group["params"]) for group in optimizer.param_groups)
