"""Recurrent cells: one step of a layer, for loops of one's own.

Parameters are weight_ih, weight_hh, bias_ih and bias_hh, with PyTorch's layouts and
order of gates; all start uniform in +-1 / sqrt(hidden_size). x is (N, input_size), or
(input_size,) for one sequence; states are shaped like it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.random import Generator

from minigrad import functional as F
from minigrad.errors import ShapeError, got
from minigrad.functional._inputs import as_tensor
from minigrad.nn._recurrent import (
    Gated,
    Weights,
    expect_nonlinearity,
    expect_size,
    state_pair,
)
from minigrad.tape import Tensor
from minigrad.typing import DType


class _Cell(Gated):
    """What the cells share: a layer that is run for one step."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: DType = "float32",
        rng: Generator | None = None,
    ) -> None:
        expect_size(type(self).__name__, input_size=input_size, hidden_size=hidden_size)
        self.input_size, self.hidden_size, self.bias = input_size, hidden_size, bias
        self._make("", input_size, bias, dtype, rng)

    def _step(self, x: Any, given: Sequence[Any] | None) -> list[Tensor]:
        """Return the states after x (N, input_size) or (input_size,)."""
        who, x = type(self).__name__, as_tensor(x)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            rule = f"(N, {self.input_size}) or ({self.input_size},)"
            raise ShapeError(got(who, "x has shape", x.shape, rule))
        shape = (*x.shape[:-1], self.hidden_size)
        states: list[Any] = [None] * self._states
        if given is not None:
            states = [as_tensor(state) for state in given]
            for state in states:
                if state.shape != shape:
                    raise ShapeError(got(who, "a state has shape", state.shape, shape))
            states = [state.reshape(-1, self.hidden_size) for state in states]
        out = self._run(x.reshape(1, -1, self.input_size), states, self._weights(""))
        return [state.reshape(*shape) for state in out[1:]]

    def extra_repr(self) -> str:
        """Describe the sizes, and what is not as by default."""
        parts = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in (("bias", True), ("nonlinearity", "tanh")):
            value = getattr(self, name, default)
            if value != default:
                parts.append(f"{name}={value}")
        return ", ".join(parts)


class RNNCell(_Cell):
    """One step of an RNN: h' = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu.

    Parameters are weight_ih, weight_hh, bias_ih and bias_hh. x is (N, input_size) or
    (input_size,).

    >>> from minigrad import nn, tensor
    >>> nn.RNNCell(2, 3)(tensor([[1.0, 2.0]])).shape
    (1, 3)
    """

    _gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        dtype: DType = "float32",
        rng: Generator | None = None,
    ) -> None:
        expect_nonlinearity("RNNCell", nonlinearity)
        super().__init__(input_size, hidden_size, bias, dtype=dtype, rng=rng)
        self.nonlinearity = nonlinearity

    def forward(self, x: Any, state: Any = None) -> Tensor:
        """Return the state after x; state is the one before, zeros if None."""
        (h,) = self._step(x, None if state is None else (state,))
        return h

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        return F.rnn(x, states[0], *weights, nonlinearity=self.nonlinearity)


class GRUCell(_Cell):
    """One step of a GRU; arguments and parameters as for RNNCell.

    >>> from minigrad import nn, tensor
    >>> nn.GRUCell(2, 3)(tensor([1.0, 2.0])).shape
    (3,)
    """

    _gates = 3

    def forward(self, x: Any, state: Any = None) -> Tensor:
        """Return the state after x; state is the one before, zeros if None."""
        (h,) = self._step(x, None if state is None else (state,))
        return h

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        return F.gru(x, states[0], *weights)


class LSTMCell(_Cell):
    """One step of an LSTM; arguments and parameters as for RNNCell.

    >>> from minigrad import nn, tensor
    >>> h, c = nn.LSTMCell(2, 3)(tensor([[1.0, 2.0]]))
    >>> h.shape, c.shape
    ((1, 3), (1, 3))
    """

    _gates = 4
    _states = 2

    def forward(self, x: Any, state: Any = None) -> tuple[Tensor, Tensor]:
        """Return (h, c) after x; state is (h, c) before, zeros if None."""
        h, c = self._step(x, state_pair("LSTMCell", state))
        return h, c

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        return F.lstm(x, states[0], states[1], *weights)
