"""Multiply-adds of a kernel's backward, by the inputs whose gradients need them.

The gradient of each factor of a product takes as many multiply-adds as the product:
dL/dw = dy' x and dL/dx = dy w where y = x w'. So what backward computes is told by the
inputs that need a gradient, `Node.targets`. Two kinds of kernels share some work
between their inputs: a recurrent layer walks back over time for whatever gradient is
asked of it, and attention forms the gradient of its scores for queries, keys and biases
alike. Other operations of backward, such as sums for biases, are not counted.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple

from minigrad.inspect.model_summary.costs import RULES, cost
from minigrad.kernels._spec import Kernel
from minigrad.typing import Array


class Products(NamedTuple):
    """Multiply-adds of one call's backward.

    Attributes:
        own: input name -> those of its gradient alone.
        shared: those that are done once if the gradient of any of sharers is needed.
        sharers: names of inputs.
    """

    own: Mapping[str, int]
    shared: int = 0
    sharers: Collection[str] = ()

    def needed(self, wanted: Collection[str]) -> int:
        """Return the shared ones if one of the inputs called wanted needs them."""
        return 0 if set(wanted).isdisjoint(self.sharers) else self.shared


Rule = Callable[[Sequence[Array], int], Products]
"""(arrays, multiply-adds of forward) -> products."""

NONE: Final = Products({})


def products(kernel: Kernel, arrays: Sequence[Array], y: Any) -> Products:
    """Count what the gradients of one call of kernel on arrays that gave y take."""
    rule = BACKWARD_RULES.get(kernel.name)
    return NONE if rule is None else rule(arrays, cost(kernel, arrays, y).multiply_adds)


def _factors(*names: str) -> Rule:
    """Each of the factors called names costs what forward does."""
    return lambda arrays, forward: Products(dict.fromkeys(names, forward))


def _recurrent(weights: int) -> Rule:
    """Products with w_ih (G H, I), which is at place weights, and w_hh (G H, H).

    The walk multiplies dz by w_hh at each step, whatever is asked for.
    """

    def count(arrays: Sequence[Array], forward: int) -> Products:
        steps = math.prod(arrays[0].shape[:-1])
        by_x = steps * math.prod(arrays[weights].shape)
        own = {"x": by_x, "w_ih": by_x, "w_hh": forward - by_x}
        sharers = ("h0", "c0", "b_ih", "b_hh", *own)
        return Products(own, forward - by_x, sharers)

    return count


def _attention(arrays: Sequence[Array], forward: int) -> Products:
    """Let dv and the scores' gradient read (E_v) features each, dq and dk (E)."""
    width, read = arrays[0].shape[-1], arrays[2].shape[-1]
    scores = forward // (width + read) if forward else 0
    own = {"q": scores * width, "k": scores * width, "v": scores * read}
    return Products(own, scores * read, ("q", "k", "b"))


BACKWARD_RULES: Final[Mapping[str, Rule]] = {
    **{
        name: _factors("x", "w")
        for name in RULES
        if name.startswith(("linear", "conv", "drop_connect"))
    },
    "matmul": _factors("a", "b"),
    **dict.fromkeys(
        ("lstm", "lstm_masked", "lstm_dropped", "lstm_dropped_masked"), _recurrent(3)
    ),
    **dict.fromkeys(("gru", "gru_masked", "rnn", "rnn_masked"), _recurrent(2)),
    **dict.fromkeys(("attention", "attention_with_bias"), _attention),
}
"""By name of the kernel: those whose forward has multiply-adds."""
