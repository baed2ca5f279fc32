"""RnnDrop: long short-term memory that drops cells for whole sequences in training.

    c_t = m * (f_t * c_{t-1} + i_t * g_t)        h_t = o_t * tanh(c_t) / keep_prob

One mask m (N, hidden_size) is drawn for each sequence, layer and direction, and applied
at every time step: a cell that is dropped is out for the whole sequence, and those that
are kept remember as without dropout.

Source: Moon, Choi, Lee & Song 2015, "RnnDrop: a novel dropout for RNNs in ASR", ASRU.
Deviation: 1 / keep_prob scales the output in training, not in the recurrence of c,
where it would compound; evaluation is plain LSTM.
"""

from __future__ import annotations

from typing import Any

from minigrad import functional as F
from minigrad.backend import array_module
from minigrad.functional._draws import (
    Source,
    expect_probability,
    mask_for,
    next_draw,
    source_of,
)
from minigrad.kernels import dropout as dropout_kernel
from minigrad.kernels import lstm as lstm_kernel
from minigrad.nn._recurrent import Weights, state_pair
from minigrad.nn.recurrent import _Layers
from minigrad.tape import Tensor, apply
from minigrad.typing import Array, DType


class RnnDropLSTM(_Layers):
    """LSTM with one dropout mask on its cells for each whole sequence.

    Weights, shapes and `lengths` are those of LSTM. Training runs step by step, some
    twenty small operations each, and so takes several times as long as LSTM, whose
    kernel evaluation runs.

    Args:
        input_size: length of x's last axis.
        hidden_size: units of each layer and direction.
        num_layers: layers above each other.
        bias: whether there are biases.
        batch_first: whether x and y are (N, T, ...); states are not concerned.
        p: probability of dropping a cell, in [0, 1].
        bidirectional: whether a second direction runs from the end.
        dtype: of the parameters, drawn from the stream "init" of the default streams.
        rng: the streams to draw masks from; default: the default streams.
        name: of the stream.

    >>> from minigrad import manual_seed, nn, tensor
    >>> _ = manual_seed(0)
    >>> y, (h, c) = nn.RnnDropLSTM(2, 4)(tensor([[[1.0, 2.0]], [[3.0, 4.0]]]))
    >>> (y.numpy() == 0)[:, 0].tolist()
    [[True, True, False, True], [True, True, False, True]]
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
        p: float = 0.5,
        bidirectional: bool = False,
        *,
        dtype: DType = "float32",
        rng: Source = None,
        name: str = "dropout",
    ) -> None:
        expect_probability("RnnDropLSTM", p)
        super().__init__(
            input_size, hidden_size, num_layers, bias, batch_first,
            bidirectional=bidirectional, dtype=dtype,
        )  # fmt: skip
        self.p, self.rng, self.name = p, source_of("RnnDropLSTM", rng), name

    def forward(
        self, x: Any, state: Any = None, lengths: Any = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Return y and the last (h, c); state is the first (h, c), zeros if None."""
        y, (h, c) = self._forward(x, state_pair("RnnDropLSTM", state), lengths)
        return y, (h, c)

    def _run(self, x: Tensor, states: Any, weights: Weights, **options: Any) -> Any:
        """Run one direction of one layer over x (T, N, I)."""
        h, c = states
        if not self.training or self.p == 0:
            return F.lstm(x, h, c, *weights, **options)
        shape = (x.shape[1], self.hidden_size)
        draw = next_draw(self.rng, self.name)
        kept, keep_prob = mask_for(x, draw, shape, self.p)
        if h is None:
            h = c = Tensor(array_module(x.data).zeros(shape, x.dtype))
        return _steps(x, h, c, weights, kept, keep_prob, **options)

    def extra_repr(self) -> str:
        """Describe the sizes, p, and what is not as by default."""
        stream = "" if self.name == "dropout" else f", name={self.name!r}"
        return f"{super().extra_repr()}, p={self.p}{stream}"


def _steps(
    x: Tensor,
    h: Tensor,
    c: Tensor,
    weights: Weights,
    kept: Array,
    keep_prob: float,
    mask: Array | None = None,
    reverse: bool = False,
) -> lstm_kernel.Output:
    """Run over x (T, N, I) with cells dropped where kept (N, H) is False."""
    w_ih, w_hh, b_ih, b_hh = weights
    scale = 1 / keep_prob if keep_prob else 0.0
    inputs, size = F.linear(x, w_ih, b_ih), w_hh.shape[1]
    ys: list[Tensor] = []
    order = range(x.shape[0])
    for t in reversed(order) if reverse else order:
        z = inputs[t] + F.linear(h, w_hh, b_hh)
        i, f, g, o = (z[:, gate * size : (gate + 1) * size] for gate in range(4))
        remembered = F.sigmoid(f) * c + F.sigmoid(i) * F.tanh(g)
        cell = apply(dropout_kernel.KERNEL, remembered, kept, keep_prob=1.0)
        y = F.sigmoid(o) * F.tanh(cell) * scale
        if mask is not None:
            # A sequence that has ended keeps its state, and gives 0.
            on = mask[t][:, None].astype(x.dtype)
            h, c = h + (y - h) * on, c + (cell - c) * on
            y = y * on
        else:
            h, c = y, cell
        ys.append(y)
    return lstm_kernel.Output(F.stack(ys[::-1] if reverse else ys), h, c)
