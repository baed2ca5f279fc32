"""The optimiser with which the authors of DTP train: RMSprop, centred, with momentum.

    m = keep m + (1 - keep) g        v = keep v + (1 - keep) g^2
    u = momentum u - lr g / sqrt(v - m^2 + eps)              p = p + u

m, v and u are the states grad_avg, square_avg and momentum_buffer; all start at 0.

Source: Graves 2013, arXiv:1308.0850, eqs. 38-41, with the numbers of the code of Lee et
al. 2015. minigrad.optim.RMSprop, as PyTorch's, adds eps to the root, not inside it, and
keeps lr out of u.
"""

from typing import Any

from minigrad.backend import add_scaled
from minigrad.optim._blocks import Update
from minigrad.optim._checks import expect_at_least, expect_fraction
from minigrad.optim.optimizer import Optimizer, Options, Parameters, state_array
from minigrad.typing import Array


class CentredRMSprop(Optimizer):
    """RMSprop that divides by the gradient's standard deviation, with momentum.

    >>> from minigrad import tensor
    >>> w = tensor([1.0], requires_grad=True)
    >>> rmsprop = CentredRMSprop([w], lr=0.5, keep=0.5, eps=1.25)
    >>> (w * w / 2).sum().backward(); rmsprop.step(); round(w.item(), 4)
    0.5918
    """

    def __init__(
        self,
        params: Parameters,
        lr: float,
        keep: float = 0.95,
        momentum: float = 0.9,
        eps: float = 1e-3,
    ) -> None:
        defaults = {"lr": lr, "keep": keep, "momentum": momentum, "eps": eps}
        super().__init__(params, defaults)

    def _check(self, options: Options) -> None:
        expect_at_least(self.who, 0, lr=options["lr"], eps=options["eps"])
        expect_fraction(self.who, keep=options["keep"], momentum=options["momentum"])

    def _update(
        self, p: Array, g: Array, state: dict[str, Any], options: Options
    ) -> Update:
        names = ("grad_avg", "square_avg", "momentum_buffer")
        states = (state_array(state, name, p) for name in names)
        return Update(centred_rmsprop, (p, g, *states), dict(options))


def centred_rmsprop(
    xp: Any,
    scratch: tuple[Array, Array],
    p: Array,
    g: Array,
    mean: Array,
    square: Array,
    buffer: Array,
    *,
    lr: float,
    keep: float,
    momentum: float,
    eps: float,
) -> None:
    """Apply one step in place; scratch is two working arrays like p."""
    s, t = scratch
    add_scaled(mean, g, 1 - keep, keep, scratch=t)
    add_scaled(square, xp.multiply(g, g, out=t), 1 - keep, keep, scratch=t)
    xp.subtract(square, xp.multiply(mean, mean, out=t), out=t)
    # A variance; below 0 by rounding alone, which with a large g may exceed eps.
    xp.add(xp.maximum(t, 0, out=t), eps, out=t)
    xp.divide(g, xp.sqrt(t, out=t), out=t)
    add_scaled(buffer, t, -lr, momentum, scratch=s)
    xp.add(p, buffer, out=p)
