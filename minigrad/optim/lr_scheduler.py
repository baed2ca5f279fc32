"""Learning-rate schedules: call step() once an epoch, after the optimizer's steps.

Names, arguments and values are PyTorch's. StepLR and MultiStepLR multiply the rate that
is there, so they can be combined; CosineAnnealingLR and LambdaLR set it from the rate
at the start. To resume, make the scheduler as at first and load its state_dict.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.optim._checks import expect_at_least, expect_integer, expect_number
from minigrad.optim.optimizer import Group, Optimizer


class LRScheduler:
    """Base of the schedules that depend on the epoch alone: `_lr` gives the rate.

    Attributes:
        last_epoch: how often step() was called.
        base_lrs: the rate of each group at the start, or when the group was added.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        _groups(type(self).__name__, optimizer)
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
        _expect_keys(type(self).__name__, self.state_dict(), state_dict)
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
        groups = _groups("LambdaLR", optimizer)
        for function in _per_group("LambdaLR", "lr_lambda", lr_lambda, groups):
            if not callable(function):
                rule = "a function of the epoch"
                raise ArgumentError(got("LambdaLR", "lr_lambda", repr(function), rule))
        self.lr_lambda = lr_lambda
        super().__init__(optimizer)

    def _lr(self, index: int, current: float) -> float:
        groups = self.optimizer.param_groups
        functions = _per_group("LambdaLR", "lr_lambda", self.lr_lambda, groups)
        return self.base_lrs[index] * functions[index](self.last_epoch)


class ReduceLROnPlateau:
    """Multiply the rate by factor when a measure has stopped improving.

    Args:
        optimizer: whose rates are set.
        mode: "min" if smaller is better, "max" if greater is.
        factor: in (0, 1).
        patience: epochs without improvement that are tolerated.
        threshold: what counts as an improvement over the best: by this fraction of it
            (threshold_mode "rel") or by this much ("abs").
        threshold_mode: "rel" or "abs".
        cooldown: epochs after a reduction in which none counts as bad.
        min_lr: lower bound, one number or one a group.
        eps: smaller reductions are not made.

    >>> from minigrad import optim, tensor
    >>> sgd = optim.SGD([tensor([1.0], requires_grad=True)], lr=1.0)
    >>> schedule = optim.lr_scheduler.ReduceLROnPlateau(sgd, patience=1)
    >>> [(schedule.step(1.0), sgd.param_groups[0]["lr"])[1] for _ in range(4)]
    [1.0, 1.0, 0.1, 0.1]
    """

    def __init__(
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0,
        eps: float = 1e-8,
    ) -> None:
        who = "ReduceLROnPlateau"
        expect_number(who, factor=factor, threshold=threshold, eps=eps)
        expect_at_least(who, 0, patience=patience, cooldown=cooldown)
        if not 0 < factor < 1:
            raise ArgumentError(got(who, "factor", factor, "0 < factor < 1"))
        if mode not in ("min", "max"):
            raise ArgumentError(got(who, "mode", repr(mode), "'min' or 'max'"))
        if threshold_mode not in ("rel", "abs"):
            rule = "'rel' or 'abs'"
            raise ArgumentError(got(who, "threshold_mode", repr(threshold_mode), rule))
        self.optimizer = optimizer
        for low in _per_group(who, "min_lr", min_lr, _groups(who, optimizer)):
            expect_number(who, min_lr=low)
        self.min_lr = min_lr
        self.mode, self.factor, self.patience = mode, factor, patience
        self.threshold, self.threshold_mode = threshold, threshold_mode
        self.cooldown, self.eps = cooldown, eps
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        self.last_epoch = 0

    def step(self, metrics: float) -> None:
        """Judge the measure of this epoch (a number or a tensor of one element)."""
        try:
            value = float(metrics)
        except (TypeError, ValueError):
            who, rule = "ReduceLROnPlateau.step", "a number or a tensor of one element"
            raise ArgumentError(got(who, "metrics", repr(metrics), rule)) from None
        self.last_epoch += 1
        if self._is_better(value):
            self.best = value
            self.num_bad_epochs = 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        if self.num_bad_epochs > self.patience:
            self._reduce()
            self.cooldown_counter = self.cooldown
            self.num_bad_epochs = 0

    def _is_better(self, value: float) -> bool:
        sign = 1 if self.mode == "max" else -1
        if self.threshold_mode == "rel":
            return sign * value > sign * self.best * (1 + sign * self.threshold)
        return sign * value > sign * self.best + self.threshold

    def _reduce(self) -> None:
        groups = self.optimizer.param_groups
        lows = _per_group("ReduceLROnPlateau", "min_lr", self.min_lr, groups)
        for group, low in zip(groups, lows, strict=True):
            reduced = max(group["lr"] * self.factor, low)
            if group["lr"] - reduced > self.eps:
                group["lr"] = reduced

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group."""
        return [group["lr"] for group in self.optimizer.param_groups]

    def state_dict(self) -> dict[str, Any]:
        """Return the numbers to resume from; JSON can hold them."""
        return {
            "best": self.best,
            "num_bad_epochs": self.num_bad_epochs,
            "cooldown_counter": self.cooldown_counter,
            "last_epoch": self.last_epoch,
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Go on from what state_dict returned; the optimizer's state has the rates."""
        _expect_keys("ReduceLROnPlateau", self.state_dict(), state_dict)
        self.best = state_dict["best"]
        self.num_bad_epochs = state_dict["num_bad_epochs"]
        self.cooldown_counter = state_dict["cooldown_counter"]
        self.last_epoch = state_dict["last_epoch"]


def _groups(who: str, optimizer: object) -> list[Group]:
    """Return the groups of optimizer, or raise ArgumentError if it is none."""
    if not isinstance(optimizer, Optimizer):
        found = f"a {type(optimizer).__name__}"
        raise ArgumentError(got(who, "optimizer is", found, "an Optimizer"))
    return optimizer.param_groups


def _per_group(who: str, name: str, given: Any, groups: list[Group]) -> list[Any]:
    """Repeat what is given for all groups, or take a sequence of one for each."""
    count = len(groups)
    values = [*given] if isinstance(given, Sequence) else [given] * count
    if len(values) != count:
        rule = f"one value, or one for each of the {count} groups"
        raise ArgumentError(got(who, f"{name} has length", len(values), rule))
    return values


def _expect_keys(who: str, own: Mapping[str, Any], given: object) -> None:
    """Raise ArgumentError unless given is a state with the keys of own."""
    if not isinstance(given, Mapping):
        rule = "what state_dict returned"
        raise ArgumentError(got(f"{who}.load_state_dict", "got", repr(given), rule))
    if set(own) != set(given):
        found, rule = ", ".join(sorted(given)), ", ".join(sorted(own))
        raise ArgumentError(got(f"{who}.load_state_dict", "keys", found, rule))
