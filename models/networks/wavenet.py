"""WaveNet: the next sample of a sound, predicted from those before by dilated filters.

    x = conv2(one_hot(codes))
    each block:  z = tanh(conv2(x, dilation)) * sigmoid(conv2(x, dilation))
                 x = x + conv1(z),  skip = conv1(z)
    logits = conv1(relu(conv1(relu(sum of skips))))

conv2 has two taps and sees no later sample, conv1 one tap; no layer has a bias. Source:
van den Oord et al. 2016, arXiv:1609.03499, without conditioning; without biases as in
Aghajanyan 2017, arXiv:1702.06295, section 4.4. Deviation: the last block has no conv1
for an x that nothing would read. With it the published size, 256 filters everywhere and
dilations 1 to 512, would have 2**22 weights.
"""

from collections.abc import Sequence
from typing import Any, Literal, get_args

from minigrad import functional as F
from minigrad import nn
from minigrad.errors import ArgumentError, ShapeError, got
from minigrad.random import generator
from minigrad.tape import Tensor

Padding = Literal["causal", "valid"]
"""What comes before the first sample: zeros, so that every position has an output; or
nothing, so that those alone have one that see a whole receptive field."""

TAPS = 2
BINS = 256
DILATIONS = tuple(2**depth for depth in range(10))


class WaveNet(nn.Module):
    """Codes (N, T), integers in [0, bins) -> logits of the codes that follow.

    Weights are He normal; they depend on seed and on the layer's name alone.

    Args:
        filters: channels of x and z.
        skip_filters: channels of the skips and between the last two layers.
        dilations: places between the two taps of each block; at least one block.
        bins: number of codes.
        seed: weights are drawn from it.

    Attributes:
        first: of the codes, a `OneHotConv`.
        blocks: each a `Block`.
        head: activation1, hidden, activation2, output.
        receptive_field: so many samples an output depends on, the newest among them.

    Raises ArgumentError if there is no dilation, or one or a size below 1.

    >>> import numpy
    >>> model = WaveNet(8, 8, (1, 2, 4), bins=16, seed=0)
    >>> model.receptive_field
    9
    >>> codes = numpy.arange(12)[None]
    >>> model(codes).shape, model(codes, padding="valid").shape
    ((1, 16, 12), (1, 16, 4))
    """

    def __init__(
        self,
        filters: int = 256,
        skip_filters: int = 256,
        dilations: Sequence[int] = DILATIONS,
        *,
        bins: int = BINS,
        seed: int,
    ) -> None:
        if not dilations:
            rule = "at least one block"
            raise ArgumentError(got("WaveNet", "dilations are", tuple(dilations), rule))
        self.first = OneHotConv("first", bins, filters, seed=seed)
        last = len(dilations) - 1
        self.blocks = nn.ModuleList(
            Block(
                f"blocks.{number}",
                filters,
                skip_filters,
                dilation,
                last=number == last,
                seed=seed,
            )
            for number, dilation in enumerate(dilations)
        )
        hidden = _conv("head.hidden", skip_filters, skip_filters, 1, seed=seed)
        self.head = nn.Sequential(
            {
                "activation1": nn.ReLU(),
                "hidden": hidden,
                "activation2": nn.ReLU(),
                "output": _conv("head.output", skip_filters, bins, 1, seed=seed),
            }
        )
        self.receptive_field = TAPS + sum(dilations)

    def forward(self, codes: Any, padding: Padding = "causal") -> Tensor:
        """Compute logits (N, bins, L) of the samples that follow codes (N, T).

        codes: a tensor or an array of integers. Those at position t depend on codes up
        to t. With "causal" L is T, with "valid" T - receptive_field + 1: the logits of
        the last positions, the same numbers for less work. Raises ShapeError for other
        codes or too few, BadIndexError for one that is no bin, ArgumentError for
        another padding.
        """
        length = self._length(codes.shape, padding)
        x, total = self.first(codes, padding), None
        for block in self.blocks:
            x, skip = block(x, length, padding)
            total = skip if total is None else total + skip
        return self.head(total)

    def _length(self, shape: tuple[int, ...], padding: str) -> int:
        """Return the number of positions that get logits."""
        if padding not in get_args(Padding):
            rule = "'causal' or 'valid'"
            raise ArgumentError(got("WaveNet", "padding is", repr(padding), rule))
        least = 1 if padding == "causal" else self.receptive_field
        if len(shape) != 2 or shape[1] < least:
            rule = f"(N, T) with T at least {least} for padding={padding!r}"
            raise ShapeError(got("WaveNet", "codes have shape", shape, rule))
        return shape[1] - least + 1


class OneHotConv(nn.Module):
    """The first convolution: of codes as one-hot columns, which are never made.

    A column of zeros with a single 1 picks a column of the filters, so the sum over
    bins is a look-up: y[t] = w[:, codes[t - 1], 0] + w[:, codes[t], 1].

    Attributes:
        conv: nn.Conv1d(bins, filters, 2) that holds the weight (filters, bins, 2).
    """

    def __init__(self, name: str, bins: int, filters: int, *, seed: int) -> None:
        self.conv = _conv(f"{name}.conv", bins, filters, TAPS, seed=seed)

    def forward(self, codes: Any, padding: Padding) -> Tensor:
        """Convolve codes (N, T) to (N, filters, T), or T - 1 with "valid"."""
        # (O, I, K) -> (K, I, O), as it lies in memory: a table of rows for each tap
        tables = F.transpose(self.conv.weight, (2, 1, 0))
        codes = (codes.data if isinstance(codes, Tensor) else codes).T  # (T, N)
        before = F.embedding(codes[:-1], tables[0])  # (T - 1, N, O)
        if padding == "causal":
            before = F.pad(before, ((1, 0), (0, 0), (0, 0)))
        else:
            codes = codes[1:]
        # (T, N, O) -> (N, O, T)
        return F.transpose(before + F.embedding(codes, tables[1]), (1, 2, 0))


class Block(nn.Module):
    """Gated dilated filters, with a way on to the next block and one to the outputs.

    Attributes:
        filter, gate: convolutions of two taps.
        residual: of one tap, to what is added to x; None in the last block.
        skip: of one tap, to what is added to the other blocks' skips.
        dilation: places between the two taps.
    """

    def __init__(
        self,
        name: str,
        filters: int,
        skip_filters: int,
        dilation: int,
        *,
        last: bool,
        seed: int,
    ) -> None:
        def conv(part: str, out: int, taps: int, dilation: int = 1) -> nn.Conv1d:
            return _conv(f"{name}.{part}", filters, out, taps, dilation, seed=seed)

        self.filter = conv("filter", filters, TAPS, dilation)
        self.gate = conv("gate", filters, TAPS, dilation)
        self.residual = None if last else conv("residual", filters, 1)
        self.skip = conv("skip", skip_filters, 1)
        self.dilation = dilation

    def forward(
        self, x: Tensor, length: int, padding: Padding
    ) -> tuple[Tensor | None, Tensor]:
        """Map x (N, filters, T) to the next x and the skip (N, skip_filters, length).

        With "valid" the next x is shorter by the dilation. skip is of its last places.
        """
        taps = x
        if padding == "causal":
            taps = F.pad(x, ((0, 0), (0, 0), (self.dilation, 0)))
        else:
            x = x[:, :, self.dilation :]
        z = F.tanh(self.filter(taps)) * F.sigmoid(self.gate(taps))
        on = None if self.residual is None else x + self.residual(z)
        if z.shape[2] > length:
            z = z[:, :, -length:]
        return on, self.skip(z)


def _conv(
    name: str, channels: int, filters: int, taps: int, dilation: int = 1, *, seed: int
) -> nn.Conv1d:
    """Convolution (N, channels, T) -> (N, filters, T - dilation * (taps - 1))."""
    layer = nn.Conv1d(channels, filters, taps, dilation=dilation, bias=False)
    rng = generator(seed, f"{name}.weight")
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", rng=rng)
    return layer
