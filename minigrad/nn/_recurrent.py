"""What recurrent layers and cells share: gates' weights by PyTorch's names, checks."""

from __future__ import annotations

import math
from typing import Any

import numpy
from numpy.random import Generator

from minigrad.errors import ArgumentError, got
from minigrad.nn import init
from minigrad.nn.module import Module, new_parameter
from minigrad.tape import Parameter, Tensor
from minigrad.typing import DType

Weights = tuple[Parameter, Parameter, Parameter | None, Parameter | None]
"""weight_ih, weight_hh, bias_ih, bias_hh."""


def expect_size(who: str, **sizes: object) -> None:
    for name, size in sizes.items():
        if not isinstance(size, int | numpy.integer) or size < 1:
            raise ArgumentError(got(who, name, repr(size), "an integer >= 1"))


def expect_nonlinearity(who: str, nonlinearity: str) -> None:
    if nonlinearity not in ("tanh", "relu"):
        rule = "'tanh' or 'relu'"
        raise ArgumentError(got(who, "nonlinearity", repr(nonlinearity), rule))


def state_pair(who: str, state: Any) -> tuple[Any, Any] | None:
    """Return the two states of an LSTM."""
    if state is None:
        return None
    if not isinstance(state, tuple | list) or len(state) != 2:
        kind = f"a {type(state).__name__}"
        raise ArgumentError(got(who, "state is", kind, "a pair (h, c)"))
    return state[0], state[1]


class Gated(Module):
    """What layers and cells share: how many gates there are, and their weights."""

    _gates: int
    _states = 1
    """How many states a layer has: h, or h and c."""

    hidden_size: int

    def _make(
        self, suffix: str, inputs: int, bias: bool, dtype: DType, rng: Generator | None
    ) -> None:
        """Make the weights of one layer and direction, called by PyTorch's names."""
        rows, size = self._gates * self.hidden_size, self.hidden_size
        shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, size)}
        if bias:
            shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
        bound = 1 / math.sqrt(size)
        for stem, shape in shapes.items():
            parameter = new_parameter(shape, dtype, stem + suffix)
            init.uniform_(parameter, -bound, bound, rng=rng)
            setattr(self, stem + suffix, parameter)

    def _weights(self, suffix: str) -> Weights:
        held = vars(self)
        w_ih, w_hh = held["weight_ih" + suffix], held["weight_hh" + suffix]
        return w_ih, w_hh, held.get("bias_ih" + suffix), held.get("bias_hh" + suffix)

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        """Run one direction of one layer; each kind has its own."""
        raise NotImplementedError
