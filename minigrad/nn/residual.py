"""Residual blocks, and stochastic depth: branches that are left out at random.

Source of the second: Huang, Sun, Liu, Sedra & Weinberger 2016, "Deep Networks with
Stochastic Depth", arXiv:1603.09382.
"""

from __future__ import annotations

from minigrad.errors import ArgumentError, got
from minigrad.functional._draws import Source, next_draw, source_of
from minigrad.kernels._arguments import is_real, per_axis
from minigrad.nn.module import Module
from minigrad.tape import Tensor


class Residual(Module):
    """Add what a branch computes to x: y = activation(branch(x) + shortcut(x)).

    With survival below 1 the branch has stochastic depth. In training each call draws b
    ~ Bernoulli(survival) for the whole batch: with b = 0 the branch is not run, neither
    forward nor backward, and its batch norms' statistics stay; the paper's eq. 2. In
    evaluation what it gives counts survival times, eq. 5. With survival 1 nothing is
    drawn, and y is bit for bit that of the plain sum.

    Args:
        branch: x (N, ...) -> what is added to the shortcut.
        shortcut: x -> the shape of what the branch gives; None for x itself.
        activation: of the sum; None for none.
        survival: probability that the branch runs, in [0, 1].
        rng: the streams to draw from; default: the default streams.
        name: of the stream.

    Raises ArgumentError for parts that are no modules, and for other survivals.

    >>> from minigrad import nn, tensor
    >>> block = nn.Residual(nn.ReLU(), survival=0.5)
    >>> block.eval()(tensor([-1.0, 2.0])).tolist()
    [-1.0, 3.0]
    """

    def __init__(
        self,
        branch: Module,
        shortcut: Module | None = None,
        activation: Module | None = None,
        survival: float = 1.0,
        *,
        rng: Source = None,
        name: str = "stochastic_depth",
    ) -> None:
        parts = {"branch": branch, "shortcut": shortcut, "activation": activation}
        for what, part in parts.items():
            optional = part is None and what != "branch"
            if not optional and not isinstance(part, Module):
                rule = "a Module" if what == "branch" else "a Module or None"
                raise ArgumentError(got("Residual", f"{what} is", repr(part), rule))
        _expect_probability("Residual", "survival", survival)
        self.branch, self.shortcut, self.activation = branch, shortcut, activation
        self.survival, self.rng = survival, source_of("Residual", rng)
        self.name = name

    def forward(self, x: Tensor) -> Tensor:
        """Map x to y; whether the branch runs is drawn, in training."""
        y = x if self.shortcut is None else self.shortcut(x)
        if self._survives():
            added = self.branch(x)
            y = added + y if self._weight() == 1 else added * self._weight() + y
        return y if self.activation is None else self.activation(y)

    def _survives(self) -> bool:
        """Draw whether the branch runs; it always does in evaluation."""
        if not self.training or self.survival == 1:
            return True
        return next_draw(self.rng, self.name).random() < self.survival

    def _weight(self) -> float:
        return 1.0 if self.training else self.survival

    def extra_repr(self) -> str:
        """Describe survival, and the stream if it has a name of its own."""
        stream = "" if self.name == "stochastic_depth" else f", name={self.name!r}"
        return f"survival={self.survival}{stream}"


def linear_decay(count: int, last: float = 0.5) -> tuple[float, ...]:
    """Survivals of L = count blocks that fall with depth: p_l = 1 - l / L (1 - last).

    Source: Huang et al. 2016, eq. 4. Raises ArgumentError for a last outside [0, 1],
    and for a count that is no integer >= 0.

    >>> linear_decay(4)
    (0.875, 0.75, 0.625, 0.5)
    """
    (count,) = per_axis("linear_decay", "count", count, 1, 0)
    _expect_probability("linear_decay", "last", last)
    return tuple(1 - place / count * (1 - last) for place in range(1, count + 1))


def _expect_probability(who: str, what: str, value: object) -> None:
    if not is_real(value) or not 0 <= value <= 1:  # type: ignore[operator]
        rule = "a probability in [0, 1]"
        raise ArgumentError(got(who, what, repr(value), rule))
