"""Three networks that judge a text by its words: a recurrent layer, filters, or both.

    embed_lstm       embedding - LSTM with dropout - output
    embed_conv       embedding - dropout - convolution - maximum over time - output
    embed_conv_lstm  embedding - dropout - convolution - pooling - LSTM - output

Source: Aghajanyan 2017, Convolution Aware Initialization, arXiv:1702.06295, names them
and gives no sizes; defaults are those of the examples of Keras that they come from.

Embeddings start uniform in +-0.05, all other weights He normal (He et al. 2015, eq. 10:
std sqrt(2 / fan_in)), biases 0. They depend on seed and on the parameter's name alone.
Letters: N texts, L words, V numbers of words, D embedding, F filters.
"""

from typing import Any

from minigrad import nn
from minigrad.random import Streams, generator
from minigrad.tape import Tensor

EMBEDDING_BOUND = 0.05


class SwapTimeAndChannels(nn.Module):
    """Turn (N, L, D) into (N, D, L), or back: what convolutions and LSTMs ask for."""

    def forward(self, x: Tensor) -> Tensor:
        """Swap the last two axes of x."""
        return x.transpose(0, 2, 1)


class LastState(nn.Module):
    """Run a recurrent layer, batch first: x (N, L, D) -> its last state (N, H)."""

    def __init__(self, layer: nn.VariationalLSTM) -> None:
        self.layer = layer

    def forward(self, x: Tensor) -> Tensor:
        """Return the state behind the last step."""
        _, (h, _) = self.layer(x)
        return h[-1]


def embed_lstm(
    vocabulary: int = 20_000,
    *,
    width: int = 128,
    units: int = 128,
    drop_prob: float = 0.2,
    recurrent_drop_prob: float = 0.2,
    streams: Streams,
    seed: int,
) -> nn.Sequential:
    """Build x (N, L), integers in [0, V) -> logits (N, 1) of the label 1.

    Modules: embedding, lstm, output.

    Args:
        vocabulary: V.
        width: D.
        units: of the LSTM.
        drop_prob: of the LSTM's inputs, one mask for a whole text.
        recurrent_drop_prob: of the state before each step, likewise.
        streams: masks are drawn from them.
        seed: weights are drawn from it.

    >>> from minigrad import tensor
    >>> model = embed_lstm(streams=Streams(0), seed=0)
    >>> model(tensor([[0, 5, 19_999]])).shape
    (1, 1)
    >>> sum(parameter.size for parameter in model.parameters())
    2692225
    """
    lstm = _lstm(width, units, drop_prob, recurrent_drop_prob, streams)
    parts: dict[str, nn.Module] = {"embedding": nn.Embedding(vocabulary, width)}
    parts |= {"lstm": lstm, "output": nn.Linear(units, 1)}
    return _started(parts, seed)


def embed_conv(
    vocabulary: int = 20_000,
    *,
    width: int = 128,
    filters: int = 250,
    kernel_size: int = 3,
    dense: int | None = None,
    drop_prob: float = 0.2,
    streams: Streams,
    seed: int,
) -> nn.Sequential:
    """Build x (N, L), integers in [0, V) -> logits (N, 1) of the label 1.

    Modules: embedding, dropout, swap, conv, activation, pool, flatten, (dense,
    dense_dropout, dense_activation,) output. L is at least kernel_size.

    Args:
        vocabulary: V.
        width: D.
        filters: F, each over kernel_size words.
        kernel_size: of the convolution, which is not padded.
        dense: width of a hidden layer, which the example of Keras has; None for none,
            as in the paper.
        drop_prob: of the embedding's elements, and of the hidden layer's.
        streams: masks are drawn from them.
        seed: weights are drawn from it.
    """
    parts = _filtered(vocabulary, width, filters, kernel_size, drop_prob, streams)
    parts |= {"pool": nn.AdaptiveMaxPool1d(1), "flatten": nn.Flatten()}
    if dense is not None:
        parts["dense"] = nn.Linear(filters, dense)
        parts["dense_dropout"] = nn.Dropout(drop_prob, rng=streams)
        parts["dense_activation"] = nn.ReLU()
    parts["output"] = nn.Linear(filters if dense is None else dense, 1)
    return _started(parts, seed)


def embed_conv_lstm(
    vocabulary: int = 20_000,
    *,
    width: int = 128,
    filters: int = 64,
    kernel_size: int = 5,
    pool_size: int = 4,
    units: int = 70,
    drop_prob: float = 0.25,
    recurrent_drop_prob: float = 0.0,
    streams: Streams,
    seed: int,
) -> nn.Sequential:
    """Build x (N, L), integers in [0, V) -> logits (N, 1) of the label 1.

    Modules: embedding, dropout, swap, conv, activation, pool, swap_back, lstm, output.
    L is at least kernel_size + pool_size - 1.

    Args:
        vocabulary: V.
        width: D.
        filters: F, each over kernel_size words.
        kernel_size: of the convolution, which is not padded.
        pool_size: steps that a step of the LSTM is the maximum of.
        units: of the LSTM.
        drop_prob: of the embedding's elements.
        recurrent_drop_prob: of the LSTM's state before each step, one mask for a text.
        streams: masks are drawn from them.
        seed: weights are drawn from it.
    """
    parts = _filtered(vocabulary, width, filters, kernel_size, drop_prob, streams)
    parts |= {"pool": nn.MaxPool1d(pool_size), "swap_back": SwapTimeAndChannels()}
    parts["lstm"] = _lstm(filters, units, 0.0, recurrent_drop_prob, streams)
    parts["output"] = nn.Linear(units, 1)
    return _started(parts, seed)


def _filtered(
    vocabulary: int,
    width: int,
    filters: int,
    kernel_size: int,
    drop_prob: float,
    streams: Streams,
) -> dict[str, nn.Module]:
    """Make the parts from words (N, L) to what filters see of them."""
    return {
        "embedding": nn.Embedding(vocabulary, width),
        "dropout": nn.Dropout(drop_prob, rng=streams),
        "swap": SwapTimeAndChannels(),
        "conv": nn.Conv1d(width, filters, kernel_size),
        "activation": nn.ReLU(),
    }


def _lstm(
    width: int, units: int, p: float, recurrent_p: float, streams: Streams
) -> LastState:
    drops: Any = {"p": p, "recurrent_p": recurrent_p, "rng": streams}
    return LastState(nn.VariationalLSTM(width, units, batch_first=True, **drops))


def _started(parts: dict[str, nn.Module], seed: int) -> nn.Sequential:
    model = nn.Sequential(parts)
    for name, parameter in model.named_parameters():
        rng = generator(seed, name)
        if name.startswith("embedding"):
            nn.init.uniform_(parameter, -EMBEDDING_BOUND, EMBEDDING_BOUND, rng=rng)
        elif parameter.ndim > 1:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", rng=rng)
        else:
            nn.init.zeros_(parameter)
    return model
