"""Variational LSTM: dropout masks that stay the same for a whole sequence.

    gates see  m_x * x_t / (1 - p_x)  and  m_h * h_{t-1} / (1 - p_h)  in training

The masks m_x (N, inputs) and m_h (N, hidden_size) are drawn for each sequence, layer
and direction; all gates share them, and so do all time steps. Keras calls p_x `dropout`
and p_h `recurrent_dropout`. The state that leaves a step, y_t, is not masked.

Source: Gal & Ghahramani 2016, "A theoretically grounded application of dropout in
recurrent neural networks", arXiv:1512.05287, eq. 7 (tied weights). Deviation: masks
are scaled by 1 / (1 - p), so that evaluation is plain LSTM.
"""

from __future__ import annotations

from typing import Any

from minigrad import functional as F
from minigrad.backend import array_module
from minigrad.functional._draws import (
    Source,
    expect_probability,
    next_draw,
    source_of,
)
from minigrad.nn._recurrent import Weights, state_pair
from minigrad.nn.recurrent import _Layers
from minigrad.tape import Tensor
from minigrad.typing import DType


class VariationalLSTM(_Layers):
    """LSTM with one dropout mask per sequence on its inputs and one on its states.

    Weights, shapes and `lengths` are those of LSTM, and one kernel runs all time steps.
    With p = 0, and in evaluation, the results are LSTM's to the bit.

    Args:
        input_size: length of x's last axis.
        hidden_size: units of each layer and direction.
        num_layers: layers above each other.
        bias: whether there are biases.
        batch_first: whether x and y are (N, T, ...); states are not concerned.
        p: probability of dropping an input of a layer, in [0, 1].
        recurrent_p: probability of dropping a unit of the state before each step.
        bidirectional: whether a second direction runs from the end.
        dtype: of the parameters, drawn from the stream "init" of the default streams.
        rng: the streams to draw masks from; default: the default streams.
        name: of the stream.

    Raises ArgumentError for sizes and probabilities out of range.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(0)
    >>> layer = nn.VariationalLSTM(2, 4, p=0.5, recurrent_p=0.5)
    >>> y, (h, c) = layer(tensor([[[1.0, 2.0]], [[3.0, 4.0]]]))
    >>> y.shape, h.shape, c.shape
    ((2, 1, 4), (1, 1, 4), (1, 1, 4))
    """

    _gates = 4
    _states = 2

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        p: float = 0.0,
        recurrent_p: float = 0.0,
        bidirectional: bool = False,
        *,
        dtype: DType = "float32",
        rng: Source = None,
        name: str = "dropout",
    ) -> None:
        expect_probability("VariationalLSTM", p)
        expect_probability("VariationalLSTM", recurrent_p, what="recurrent_p")
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first,
            bidirectional=bidirectional, dtype=dtype,
        )  # fmt: skip
        self.p, self.recurrent_p = p, recurrent_p
        self.rng, self.name = source_of("VariationalLSTM", rng), name

    def forward(
        self, x: Any, state: Any = None, lengths: Any = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return y and the last (h, c); state is the first (h, c), zeros if None."""
        y, (h, c) = self._forward(x, state_pair("VariationalLSTM", state), lengths)
        return y, (h, c)

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        """Run one direction of one layer over x (T, N, I)."""
        h, c = states
        if self.training and self.p > 0:
            x = x * self._factor(x, x.shape[2], self.p)
        if self.training and self.recurrent_p > 0:
            factor = self._factor(x, self.hidden_size, self.recurrent_p)
            options["state_factor"] = factor
        return F.lstm(x, h, c, *weights, **options)

    def _factor(self, x: Tensor, width: int, p: float) -> Tensor:
        """Draw what multiplies (N, width) of every step: 0 or 1 / (1 - p)."""
        ones = Tensor(array_module(x.data).ones((x.shape[1], width), x.dtype))
        return F.dropout(ones, p, rng=next_draw(self.rng, self.name))

    def extra_repr(self) -> str:
        """Describe the sizes, both probabilities, and what is not as by default."""
        stream = "" if self.name == "dropout" else f", name={self.name!r}"
        drops = f"p={self.p}, recurrent_p={self.recurrent_p}"
        return f"{super().extra_repr()}, {drops}{stream}"
