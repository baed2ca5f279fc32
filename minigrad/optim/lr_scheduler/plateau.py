"""The schedule that lowers the rate when a measure stops improving."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.optim._checks import expect_at_least, expect_number
from minigrad.optim.lr_scheduler._groups import expect_keys, groups_of, per_group
from minigrad.optim.optimizer import Optimizer


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

    Without a cooldown and with eps=0, Keras' patience p is p - 1 here, with
    threshold_mode="abs"; p = 0 is as p = 1.

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
        for low in per_group(who, "min_lr", min_lr, groups_of(who, optimizer)):
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
        lows = per_group("ReduceLROnPlateau", "min_lr", self.min_lr, groups)
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
        expect_keys("ReduceLROnPlateau", self.state_dict(), state_dict)
        self.best = state_dict["best"]
        self.num_bad_epochs = state_dict["num_bad_epochs"]
        self.cooldown_counter = state_dict["cooldown_counter"]
        self.last_epoch = state_dict["last_epoch"]
