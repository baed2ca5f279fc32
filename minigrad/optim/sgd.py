"""Stochastic gradient descent."""

from __future__ import annotations

from typing import Any

from minigrad.errors import ArgumentError
from minigrad.optim import rules
from minigrad.optim._blocks import Update
from minigrad.optim._checks import expect_at_least, expect_number
from minigrad.optim.optimizer import (
    Optimizer,
    Options,
    Parameters,
    state_array,
)
from minigrad.typing import Array


class SGD(Optimizer):
    """Gradient descent with momentum, Nesterov's or not, and weight decay.

    b = momentum * b + (1 - dampening) * d, p -= lr * b, with d = g + weight_decay * p.
    In its first step b is d. Nesterov: p -= lr * (d + momentum * b).

    >>> from minigrad import optim, tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> sgd = optim.SGD([w], lr=0.1)
    >>> (w * w).sum().backward(); sgd.step(); w.tolist()
    [0.800000011920929]
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0,
        dampening: float = 0,
        weight_decay: float = 0,
        nesterov: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, defaults)

    def _check(self, options: Options) -> None:
        names = ("lr", "momentum", "weight_decay")
        expect_at_least(self.who, 0, **{name: options[name] for name in names})
        expect_number(self.who, dampening=options["dampening"])
        momentum, dampening = options["momentum"], options["dampening"]
        if options["nesterov"] and (momentum <= 0 or dampening != 0):
            raise ArgumentError(
                f"{self.who}: nesterov with momentum {momentum} and dampening "
                f"{dampening}, expected momentum > 0 and dampening 0"
            )

    def _update(
        self, p: Array, g: Array, state: dict[str, Any], options: Options
    ) -> Update:
        if not options["momentum"]:
            lr, weight_decay = options["lr"], options["weight_decay"]
            return Update(rules.sgd, (p, g), {"lr": lr, "weight_decay": weight_decay})
        first = "momentum_buffer" not in state
        buffer = state_array(state, "momentum_buffer", p)
        return Update(rules.sgd_momentum, (p, g, buffer), {**options, "first": first})
