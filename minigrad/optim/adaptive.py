"""Optimizers that scale each element's step by the size of its past gradients."""

from __future__ import annotations

from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.optim import rules
from minigrad.optim._blocks import Update
from minigrad.optim._checks import expect_at_least, expect_fraction
from minigrad.optim.optimizer import (
    Optimizer,
    Options,
    Parameters,
    state_array,
)
from minigrad.typing import Array


class Adam(Optimizer):
    """Adam: steps of about lr, whatever the gradient's scale.

    p -= lr * m_hat / (sqrt(v_hat) + eps), where m and v average d and d * d with the
    weights betas for the past, hats divide by 1 - beta ** step, which corrects the bias
    towards 0, and d = g + weight_decay * p. Kingma & Ba 2015, arXiv:1412.6980,
    algorithm 1.

    >>> from minigrad import optim, tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> adam = optim.Adam([w], lr=0.25)
    >>> (w * w).sum().backward(); adam.step(); w.tolist()
    [0.75]
    """

    decoupled = False

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0,
    ) -> None:
        defaults = {
            "lr": lr,
            "betas": betas,
            "eps": eps,
            "weight_decay": weight_decay,
        }
        super().__init__(params, defaults)

    def _check(self, options: Options) -> None:
        names = ("lr", "eps", "weight_decay")
        expect_at_least(self.who, 0, **{name: options[name] for name in names})
        betas = options["betas"]
        if not isinstance(betas, tuple) or len(betas) != 2:
            raise ArgumentError(got(self.who, "betas", repr(betas), "two numbers"))
        beta1, beta2 = betas
        expect_fraction(self.who, beta1=beta1, beta2=beta2)

    def _update(
        self, p: Array, g: Array, state: dict[str, Any], options: Options
    ) -> Update:
        state["step"] = state.get("step", 0) + 1
        mean = state_array(state, "exp_avg", p)
        square = state_array(state, "exp_avg_sq", p)
        taken = {**options, "decoupled": self.decoupled, "step": state["step"]}
        return Update(rules.adam, (p, g, mean, square), taken)


class AdamW(Adam):
    """Adam with weight decay apart from the gradient: first p *= 1 - lr * weight_decay.

    Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2.

    >>> from minigrad import optim, tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> adam = optim.AdamW([w], lr=0.25, weight_decay=1.0)
    >>> (w * w).sum().backward(); adam.step(); w.tolist()
    [0.5]
    """

    decoupled = True

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)


class RMSprop(Optimizer):
    """RMSprop: p -= lr * d / (sqrt(v) + eps), v the average of d * d.

    alpha is the weight of v's past, momentum sums steps, centered subtracts the squared
    average of d from v. Tieleman & Hinton 2012, Neural Networks for Machine Learning,
    lecture 6.5; centered: Graves 2013, arXiv:1308.0850.

    >>> from minigrad import optim, tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> rmsprop = optim.RMSprop([w], lr=0.05)
    >>> (w * w).sum().backward(); rmsprop.step(); w.tolist()
    [0.5]
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-2,
        alpha: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0,
        momentum: float = 0,
        centered: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "alpha": alpha,
            "eps": eps,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "centered": centered,
        }
        super().__init__(params, defaults)

    def _check(self, options: Options) -> None:
        names = ("lr", "alpha", "eps", "weight_decay", "momentum")
        expect_at_least(self.who, 0, **{name: options[name] for name in names})

    def _update(
        self, p: Array, g: Array, state: dict[str, Any], options: Options
    ) -> Update:
        arrays = [p, g, state_array(state, "square_avg", p)]
        if options["momentum"]:
            arrays.append(state_array(state, "momentum_buffer", p))
        if options["centered"]:
            arrays.append(state_array(state, "grad_avg", p))
        return Update(rules.rmsprop, tuple(arrays), dict(options))


class Adadelta(Optimizer):
    """Adadelta: p -= lr * d * sqrt(u + eps) / sqrt(v + eps).

    v averages d * d and u the squares of the steps (before lr), both with the weight
    rho for the past. Zeiler 2012, arXiv:1212.5701, algorithm 1, has lr = 1.

    >>> from minigrad import optim, tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> adadelta = optim.Adadelta([w])
    >>> (w * w).sum().backward(); adadelta.step(); round(w.item(), 5)
    0.99684
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1.0,
        rho: float = 0.9,
        eps: float = 1e-6,
        weight_decay: float = 0,
    ) -> None:
        defaults = {"lr": lr, "rho": rho, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults)

    def _check(self, options: Options) -> None:
        names = ("lr", "rho", "eps", "weight_decay")
        expect_at_least(self.who, 0, **{name: options[name] for name in names})
        if options["rho"] > 1:
            raise ArgumentError(got(self.who, "rho", options["rho"], "0 <= rho <= 1"))

    def _update(
        self, p: Array, g: Array, state: dict[str, Any], options: Options
    ) -> Update:
        square = state_array(state, "square_avg", p)
        delta_square = state_array(state, "acc_delta", p)
        return Update(rules.adadelta, (p, g, square, delta_square), dict(options))
