"""Recurrent layers, with PyTorch's names, layouts and order of gates.

Sequences x are (T, N, input_size), or (N, T, input_size) if batch_first, or one
sequence (T, input_size). y has D * hidden_size in the place of input_size, where D is 2
if bidirectional, else 1: the directions side by side. States are
(num_layers * D, N, hidden_size), without N for one sequence, and zero if not given.

Unlike PyTorch's the layers take `lengths` themselves: (N,) integers in any order, or a
mask of booleans shaped as x without its last axis. Beyond its length a sequence's state
stays as it is and its outputs are 0, and the reverse direction starts at each
sequence's own end: what packing and padding gives in PyTorch.

All weights start uniform in +-1 / sqrt(hidden_size).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy.random import Generator

from minigrad import functional as F
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.functional import recurrent
from minigrad.functional._inputs import as_tensor
from minigrad.nn._recurrent import (
    Gated,
    Weights,
    expect_nonlinearity,
    expect_size,
    state_pair,
)
from minigrad.nn.dropout import Dropout
from minigrad.tape import Tensor
from minigrad.typing import DType


class _Layers(Gated):
    """What RNN, GRU and LSTM share: stacked layers, in one or two directions."""

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DType = "float32",
        rng: Generator | None = None,
    ) -> None:
        who = type(self).__name__
        expect_size(
            who, input_size=input_size, hidden_size=hidden_size, num_layers=num_layers
        )
        self.input_size, self.hidden_size = input_size, hidden_size
        self.num_layers, self.bias, self.batch_first = num_layers, bias, batch_first
        self.dropout, self.bidirectional = dropout, bidirectional
        for layer in range(num_layers):
            inputs = input_size if layer == 0 else len(self._ways()) * hidden_size
            for way in self._ways():
                self._make(f"_l{layer}{way}", inputs, bias, dtype, rng)
        self.between = Dropout(dropout) if dropout else None

    def _ways(self) -> tuple[str, ...]:
        return ("", "_reverse") if self.bidirectional else ("",)

    def _forward(
        self, x: Any, given: Sequence[Any] | None, lengths: Any
    ) -> tuple[Tensor, list[Tensor]]:
        """Run all layers; given has a tensor for each kind of state."""
        who = type(self).__name__
        x = as_tensor(x)
        self._expect_x(who, x)
        single, last = x.ndim == 2, self.num_layers - 1
        x = _with_batch(x, single, self.batch_first)
        states = self._spread(who, given, x.shape[1], single)
        if lengths is not None and single:
            rule = "none for one sequence (T, input_size)"
            raise ArgumentError(
                f"{who}: lengths are given, expected {rule}; cut x to its length"
            )
        mask = None
        if lengths is not None:
            mask = recurrent.step_mask(who, lengths, x, self.batch_first)
        ends: list[Any] = []
        for layer in range(self.num_layers):
            outs: list[Any] = []
            for way in self._ways():
                weights, at = self._weights(f"_l{layer}{way}"), states[len(ends)]
                out = self._run(x, at, weights, mask=mask, reverse=way != "")
                outs.append(out.y)
                ends.append(out[1:])
            x = outs[0] if len(outs) == 1 else F.concat(outs, axis=2)
            if self.between is not None and layer < last:
                x = self.between(x)
        finals = [F.stack(parts) for parts in zip(*ends, strict=True)]
        if single:
            return x[:, 0], [final[:, 0] for final in finals]
        return x.transpose(1, 0, 2) if self.batch_first else x, finals

    def _expect_x(self, who: str, x: Tensor) -> None:
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_size:
            order = "N, T" if self.batch_first else "T, N"
            rule = f"({order}, {self.input_size}) or (T, {self.input_size})"
            raise ShapeError(got(who, "x has shape", x.shape, rule))

    def _spread(
        self, who: str, given: Sequence[Any] | None, count: int, single: bool
    ) -> list[tuple[Any, ...]]:
        """Return the first states of each layer and direction, None for zeros."""
        total = self.num_layers * len(self._ways())
        if given is None:
            return [(None,) * self._states] * total
        batch = () if single else (count,)
        shape = (total, *batch, self.hidden_size)
        tensors = [as_tensor(state) for state in given]
        for state in tensors:
            if state.shape != shape:
                raise ShapeError(got(who, "a state has shape", state.shape, shape))
        if single:
            tensors = [state[:, None] for state in tensors]
        return [tuple(state[at] for state in tensors) for at in range(total)]

    def extra_repr(self) -> str:
        """Describe the sizes, and what is not as by default."""
        parts = [f"{self.input_size}, {self.hidden_size}"]
        defaults = (
            ("num_layers", 1),
            ("nonlinearity", "tanh"),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0.0),
            ("bidirectional", False),
        )
        for name, default in defaults:
            value = getattr(self, name, default)
            if value != default:
                parts.append(f"{name}={value}")
        return ", ".join(parts)


def _with_batch(x: Tensor, single: bool, batch_first: bool) -> Tensor:
    """Return x as (T, N, I)."""
    if single:
        return x.reshape(x.shape[0], 1, x.shape[1])
    return x.transpose(1, 0, 2) if batch_first else x


class RNN(_Layers):
    """Elman's recurrent network: h = tanh(W_ih x + b_ih + W_hh h + b_hh), or relu.

    See minigrad.nn.recurrent for shapes and for `lengths`.

    Args:
        input_size: length of x's last axis.
        hidden_size: units of each layer and direction.
        num_layers: layers above each other.
        nonlinearity: "tanh" or "relu".
        bias: whether there are biases.
        batch_first: whether x and y are (N, T, ...); states are not concerned.
        dropout: probability of dropping outputs between layers in training; their
            masks come from the default stream "dropout".
        bidirectional: whether a second direction runs from the end.
        dtype: of the parameters.
        rng: draws the weights; default: the stream "init" of the default streams.

    >>> from minigrad import nn, tensor
    >>> y, h = nn.RNN(2, 3)(tensor([[[1.0, 2.0]], [[3.0, 4.0]]]))
    >>> y.shape, h.shape
    ((2, 1, 3), (1, 1, 3))
    """

    _gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DType = "float32",
        rng: Generator | None = None,
    ) -> None:
        expect_nonlinearity("RNN", nonlinearity)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first, dropout,
            bidirectional, dtype=dtype, rng=rng,
        )  # fmt: skip
        self.nonlinearity = nonlinearity

    def forward(
        self, x: Any, state: Any = None, lengths: Any = None
    ) -> tuple[Tensor, Tensor]:
        """Return y and the last states h; state is the first h, zeros if None."""
        y, (h,) = self._forward(x, None if state is None else (state,), lengths)
        return y, h

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        nonlinearity = self.nonlinearity
        return F.rnn(x, states[0], *weights, nonlinearity=nonlinearity, **options)


class GRU(_Layers):
    """Gated recurrent units; blocks of the weights: reset, update, new gate.

    Arguments, shapes and `lengths` as for RNN, without nonlinearity. The gradients'
    terms are named by gate: see minigrad.kernels.gru.

    >>> from minigrad import nn, tensor
    >>> layer = nn.GRU(2, 3, bidirectional=True)
    >>> y, h = layer(tensor([[[1.0, 2.0]], [[3.0, 4.0]]]))
    >>> y.shape, h.shape
    ((2, 1, 6), (2, 1, 3))
    """

    _gates = 3

    def forward(
        self, x: Any, state: Any = None, lengths: Any = None
    ) -> tuple[Tensor, Tensor]:
        """Return y and the last states h; state is the first h, zeros if None."""
        y, (h,) = self._forward(x, None if state is None else (state,), lengths)
        return y, h

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        return F.gru(x, states[0], *weights, **options)


class LSTM(_Layers):
    """Long short-term memory; blocks of the weights: input, forget, cell, output.

    Arguments, shapes and `lengths` as for RNN, without nonlinearity. The gradients'
    terms are named by gate, and `carry` along the cells: see minigrad.kernels.lstm.

    >>> from minigrad import nn, tensor
    >>> y, (h, c) = nn.LSTM(2, 3)(tensor([[[1.0, 2.0]], [[3.0, 4.0]]]))
    >>> y.shape, h.shape, c.shape
    ((2, 1, 3), (1, 1, 3), (1, 1, 3))
    """

    _gates = 4
    _states = 2

    def forward(
        self, x: Any, state: Any = None, lengths: Any = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return y and the last (h, c); state is the first (h, c), zeros if None."""
        y, (h, c) = self._forward(x, state_pair("LSTM", state), lengths)
        return y, (h, c)

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        return F.lstm(x, states[0], states[1], *weights, **options)
