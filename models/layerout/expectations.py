"""What freezing saves on average, by formula, of a chain of layers.

In a chain of layers 1..K let F_i be the multiply-adds of layer i's forward pass. Its
weight gradient costs F_i, and is saved while it is frozen; the gradient of its input
costs F_i, too, and is saved while all layers before it are frozen, for then nothing
needs it. The first layer's input never needs one. So, of sum F_i + sum_(i>1) F_i,

    saved = sum_i P(i frozen) F_i + sum_(i>1) P(1, ..., i - 1 frozen) F_i

on average. Where batch norms train on, the second sum is lost: the first of them needs
the gradient. A whole step has the forward pass beside, of sum F_i, which is never less.
"""

import functools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy

from minigrad import nn
from minigrad.inspect import summary
from minigrad.nn.freezing import LayerOut, frozen_probability
from models.layerout.arms import dfreeze, efreeze
from models.networks.strided_cnn import strided_cnn
from models.networks.vgg import VGG16, vgg

TERMS = 10_000
"""Of the series of Chances.redrawn; the rest is below 1e-8 for two layers or more."""


class Chain(NamedTuple):
    """Layers one behind the other.

    Attributes:
        sizes: parameters of each unit (K,), without normalisations.
        multiply_adds: of each unit's forward pass (K,), for one example.
        parameters: of the whole model, normalisations among them.
    """

    sizes: tuple[int, ...]
    multiply_adds: tuple[int, ...]
    parameters: int

    @property
    def backward(self) -> int:
        """Multiply-adds of backward with nothing frozen, for one example."""
        return 2 * sum(self.multiply_adds) - self.multiply_adds[0]

    @property
    def backward_part(self) -> float:
        """Backward's part of the multiply-adds of a training step, from 0 to 1."""
        return self.backward / (sum(self.multiply_adds) + self.backward)


def chain_of(model: nn.Module, shape: tuple[int, ...]) -> Chain:
    """Count the units of a chain whose input is one example of a shape (C, H, W)."""
    found = summary(model, (1, *shape))
    rows = [found.row(unit.name) for unit in LayerOut(model).units]
    return Chain(
        tuple(row.parameters for row in rows),
        tuple(row.cost.multiply_adds for row in rows),
        found.total_parameters,
    )


class Chances(NamedTuple):
    """How probable it is that layers are frozen, given that not all of them are.

    Attributes:
        alone: that each is (K,).
        before: that all layers before each but the first are (K - 1,).
    """

    alone: tuple[float, ...]
    before: tuple[float, ...]

    @classmethod
    def given(cls, v: Sequence[float]) -> "Chances":
        """For freeze probabilities v (K,)."""
        whole = math.prod(v)
        heads = (math.prod(v[:count]) for count in range(1, len(v)))
        before = tuple((head - whole) / (1 - whole) for head in heads)
        return cls(frozen_probability(v), before)

    @classmethod
    def redrawn(cls, count: int) -> "Chances":
        """For v_1, ..., v_K from U(0, 1), anew in every epoch, count = K.

        With P the product of all v, and A that of n of them, the probability is
        E[(A - P) / (1 - P)] = sum_m E[A P^m - P^(m+1)], where E[v^m] = 1 / (m + 1).
        """
        m = numpy.arange(TERMS, dtype="float64")

        def all_of(n: int) -> float:
            rest = (m + 1) ** (n - count) - (m + 2) ** (n - count)
            return float(((m + 2) ** -n * rest).sum())

        return cls((all_of(1),) * count, tuple(map(all_of, range(1, count))))


def expected(chain: Chain, chances: Chances) -> dict[str, float]:
    """Shares that freezing has on average, in percent.

    Returns:
        "frozen": of the parameters.
        "saved", "saved_live": of backward's multiply-adds, if batch norms are frozen
            with the layer before them, or there are none, and if they train on.
        "step", "step_live": of those of a whole training step, likewise.
    """
    sizes, costs = chain.sizes, chain.multiply_adds
    weights = _weighted(chances.alone, costs)
    inputs = _weighted(chances.before, costs[1:])
    saved = 100 * (weights + inputs) / chain.backward
    live = 100 * weights / chain.backward
    return {
        "frozen": 100 * _weighted(chances.alone, sizes) / chain.parameters,
        "saved": saved,
        "saved_live": live,
        "step": saved * chain.backward_part,
        "step_live": live * chain.backward_part,
    }


def _weighted(weights: Sequence[float], values: Sequence[int]) -> float:
    return sum(w * value for w, value in zip(weights, values, strict=True))


def expectations(chain: Chain) -> dict[str, dict[str, float]]:
    """Shares that each of the strategies has on average; see expected."""
    count = len(chain.sizes)
    chances = {
        "random": Chances.redrawn(count),
        "dfreeze": Chances.given(dfreeze(count)),
        "efreeze": Chances.given(efreeze(count)),
    }
    return {name: expected(chain, one) for name, one in chances.items()}


@functools.cache
def published_chains() -> dict[str, Chain]:
    """Count the paper's networks; takes a second for the weights of VGG-16."""
    vgg16 = vgg(
        VGG16,
        hidden=(4096, 4096),
        dense_activation=nn.Identity,
        batch_norm=True,
        dense_batch_norm=False,
        norm_bias=True,
        seed=0,
    )
    return {
        "mnist": chain_of(strided_cnn(seed=0), (1, 32, 32)),
        "vgg16": chain_of(vgg16, (3, 32, 32)),
    }
