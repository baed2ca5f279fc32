"""Schedules that depend on the epoch alone."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.optim._checks import expect_at_least, expect_integer, expect_number
from minigrad.optim.lr_scheduler._groups import expect_keys, groups_of, per_group
from minigrad.optim.optimizer import Optimizer


class LRScheduler:
    """Base of the schedules that depend on the epoch alone: `_lr` gives the rate.

    Attributes:
        last_epoch: how often step() was called.
        base_lrs: the rate of each group at the start, or when the group was added.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        groups_of(type(self).__name__, optimizer)
        self.optimizer = optimizer
        self.last_epoch = 0
        self.base_lrs: list[float] = []
        self._set()

    def _lr(self, index: int, current: float) -> float:
        """Return the rate of group number index for last_epoch."""
        raise NotImplementedError

    def _set(self) -> None:
        groups = self.optimizer.param_groups
        self.base_lrs += [group["lr"] for group in groups[len(self.base_lrs) :]]
        for index, group in enumerate(groups):
            group["lr"] = self._lr(index, group["lr"])

    def step(self) -> None:
        """Go to the next epoch and set its learning rates."""
        self.last_epoch += 1
        self._set()

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers to resume from; JSON can hold them."""
        return {"last_epoch": self.last_epoch, "base_lrs": list(self.base_lrs)}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what state_dict returned; the optimizer's state has the rates."""
        expect_keys(type(self).__name__, self.state_dict(), state_dict)
        self.last_epoch = state_dict["last_epoch"]
        self.base_lrs = list(state_dict["base_lrs"])


class StepLR(LRScheduler):
    """Multiply the rate by gamma every step_size epochs.

    >>> from minigrad import optim, tensor
    >>> sgd = optim.SGD([tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.StepLR(sgd, step_size=2, gamma=0.5)
    >>> [(schedule.step(), sgd.param_groups[0]["lr"])[1] for _ in range(5)]
    [1.0, 0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, step_size: int, gamma: float = 0.1
    ) -> None:
        expect_integer("StepLR", 1, step_size=step_size)
        expect_number("StepLR", gamma=gamma)
        self.step_size, self.gamma = step_size, gamma
        super().__init__(optimizer)

    def _lr(self, index: int, current: float) -> float:
        if self.last_epoch == 0 or self.last_epoch % self.step_size:
            return current
        return current * self.gamma


class MultiStepLR(LRScheduler):
    """Multiply the rate by gamma when an epoch of milestones is reached.

    >>> from minigrad import optim, tensor
    >>> sgd = optim.SGD([tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.MultiStepLR(sgd, [1, 3], gamma=0.5)
    >>> [(schedule.step(), sgd.param_groups[0]["lr"])[1] for _ in range(4)]
    [0.5, 0.5, 0.25, 0.25]
    """

    def __init__(
        self, optimizer: Optimizer, milestones: Iterable[int], gamma: float = 0.1
    ) -> None:
        given: object = milestones
        if not isinstance(given, Iterable):
            rule = "a list of epochs"
            raise ArgumentError(got("MultiStepLR", "milestones", repr(given), rule))
        self.milestones, self.gamma = Counter(milestones), gamma
        for epoch in self.milestones:
            expect_integer("MultiStepLR", 0, milestone=epoch)
        expect_number("MultiStepLR", gamma=gamma)
        super().__init__(optimizer)

    def _lr(self, index: int, current: float) -> float:
        return current * self.gamma ** self.milestones[self.last_epoch]


class CosineAnnealingLR(LRScheduler):
    """Lower the rate along half a cosine, from the start to eta_min after T_max epochs.

    lr = eta_min + (base - eta_min) * (1 + cos(pi * epoch / T_max)) / 2; it rises again
    after T_max. Loshchilov & Hutter 2017, arXiv:1608.03983, eq. 5.

    >>> from minigrad import optim, tensor
    >>> sgd = optim.SGD([tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.CosineAnnealingLR(sgd, T_max=2)
    >>> [(schedule.step(), round(sgd.param_groups[0]["lr"], 6))[1] for _ in range(2)]
    [0.5, 0.0]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_max: int,  # noqa: N803 (PyTorch's name)
        eta_min: float = 0.0,
    ) -> None:
        expect_at_least("CosineAnnealingLR", 1, T_max=T_max)
        expect_number("CosineAnnealingLR", eta_min=eta_min)
        self.T_max, self.eta_min = T_max, eta_min
        super().__init__(optimizer)

    def _lr(self, index: int, current: float) -> float:
        height = (1 + math.cos(math.pi * self.last_epoch / self.T_max)) / 2
        return self.eta_min + (self.base_lrs[index] - self.eta_min) * height


class LambdaLR(LRScheduler):
    """Multiply the rate at the start by lr_lambda(epoch); one function, or one a group.

    >>> from minigrad import optim, tensor
    >>> sgd = optim.SGD([tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.LambdaLR(sgd, lambda epoch: 1 / (1 + epoch))
    >>> [(schedule.step(), sgd.param_groups[0]["lr"])[1] for _ in range(3)]
    [0.5, 0.3333333333333333, 0.25]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        lr_lambda: Callable[[int], float] | Sequence[Callable[[int], float]],
    ) -> None:
        groups = groups_of("LambdaLR", optimizer)
        for function in per_group("LambdaLR", "lr_lambda", lr_lambda, groups):
            if not callable(function):
                rule = "a function of the epoch"
                raise ArgumentError(got("LambdaLR", "lr_lambda", repr(function), rule))
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def _lr(self, index: int, current: float) -> float:
        groups = self.optimizer.param_groups
        functions = per_group("LambdaLR", "lr_lambda", self.lr_lambda, groups)
        return self.base_lrs[index] * functions[index](self.last_epoch)
