"""Sounds from a WaveNet, sample by sample, without computing anything twice.

A dilated convolution needs, of all that came before, the one column that its far tap
reads. So each block keeps its last `dilation` columns, and a new sample costs one
column a layer, however long the receptive field is. Source: Le Paine et al. 2016,
arXiv:1611.09482 (fast WaveNet generation). Everything is on the host, in NumPy:
columns are too short for a device.
"""

from typing import Any

import numpy
import numpy.typing as npt
from numpy.random import Generator
from scipy.special import expit

from minigrad import nn
from minigrad.errors import ArgumentError, got
from models.networks.wavenet import Block, WaveNet

Column = npt.NDArray[numpy.floating[Any]]
Codes = npt.NDArray[numpy.integer[Any]]


class Sampler:
    """A WaveNet that is told one code at a time, and remembers what it needs.

    The model's weights are copied: a later change does not show.

    >>> model = WaveNet(8, 8, (1, 2), bins=16, seed=0)
    >>> codes = numpy.array([3, 7, 1])
    >>> sampler = Sampler(model)
    >>> columns = [sampler.step(code) for code in codes]
    >>> numpy.allclose(columns[-1], model(codes[None]).numpy()[0, :, -1], atol=1e-6)
    True
    """

    def __init__(self, model: WaveNet) -> None:
        # (O, I, K) -> (K, I, O): a row for each tap and code
        self._rows = _weight(model.first.conv).transpose(2, 1, 0)
        self._blocks = [_CachedBlock(block) for block in model.blocks]
        self._hidden, self._output = _one_tap(model.head[1]), _one_tap(model.head[3])
        self._before = numpy.zeros(self._rows.shape[2], self._rows.dtype)

    def step(self, code: int) -> Column:
        """Return the logits (bins,) of the code that follows this and all before."""
        before, now = self._rows
        x, self._before = self._before + now[code], before[code]
        total: Any = 0
        for block in self._blocks:
            x, skip = block.step(x)
            total = total + skip
        hidden = self._hidden @ numpy.maximum(total, 0)
        return self._output @ numpy.maximum(hidden, 0)


class _CachedBlock:
    """A block with the columns that its far taps will read: a ring of `dilation`."""

    def __init__(self, block: Block) -> None:
        # Filter and gate read the same columns, the ways on the same z: two products.
        nets = numpy.concatenate([_weight(block.filter), _weight(block.gate)])
        self._far, self._near = map(numpy.ascontiguousarray, numpy.moveaxis(nets, 2, 0))
        self._skip = _one_tap(block.skip)
        self._on = None if block.residual is None else _one_tap(block.residual)
        self._ring = numpy.zeros((block.dilation, nets.shape[1]), nets.dtype)
        self._place = 0

    def step(self, x: Column) -> tuple[Column, Column]:
        """Map the column x (filters,) to the next block's and the skip's."""
        nets = self._far @ self._ring[self._place] + self._near @ x
        self._ring[self._place] = x
        self._place = (self._place + 1) % len(self._ring)
        net, gate = numpy.split(nets, 2)
        z = numpy.tanh(net) * expit(gate)
        return x if self._on is None else x + self._on @ z, self._skip @ z


def generate(
    model: WaveNet,
    length: int,
    rng: Generator,
    start: Codes | None = None,
    temperature: float = 1.0,
) -> npt.NDArray[numpy.int64]:
    """Draw length codes (length,), each from the softmax of the logits before it.

    Args:
        model: predicts.
        length: number of codes, at least 0.
        rng: draws one number a code, so equal generators give equal sounds.
        start: codes (T,) that come before, and are not returned; by default one, of
            silence: the middle bin.
        temperature: logits are divided by it; 0 takes the likeliest code.

    Raises ArgumentError for a negative length or temperature, for a start that has no
    codes or other than the bins, and if the logits are not finite.

    >>> model = WaveNet(8, 8, (1, 2), bins=16, seed=0)
    >>> generate(model, 5, numpy.random.default_rng(0)).shape
    (5,)
    """
    bins = model.first.conv.in_channels
    heard = _start(start, bins)
    if length < 0:
        raise ArgumentError(got("generate", "length is", length, "at least 0"))
    if not 0 <= temperature < numpy.inf:
        rule = "a finite number of at least 0"
        raise ArgumentError(got("generate", "temperature is", temperature, rule))
    sampler, codes = Sampler(model), numpy.empty(length, "int64")
    for code in heard[:-1]:
        sampler.step(code)
    code = heard[-1]
    for place, number in enumerate(rng.random(length)):
        codes[place] = code = _draw(sampler.step(code), number, temperature)
    return codes


def _start(start: Codes | None, bins: int) -> Codes:
    """Return the codes that come first; raise ArgumentError if they are none."""
    heard = numpy.array([bins // 2]) if start is None else numpy.asarray(start)
    if heard.ndim != 1 or not heard.size or heard.dtype.kind not in "iu":
        found = f"{heard.dtype} of shape {heard.shape}"
        rule = "integers (T,), at least one"
        raise ArgumentError(got("generate", "start is", found, rule))
    if heard.min() < 0 or heard.max() >= bins:
        found = f"from {heard.min()} to {heard.max()}"
        rule = f"0 to {bins - 1}, the bins of the model"
        raise ArgumentError(got("generate", "start has codes", found, rule))
    return heard


def _draw(logits: Column, number: float, temperature: float) -> int:
    """Return the code at which the distribution function passes number, in [0, 1)."""
    if not numpy.isfinite(logits).all():
        rule = "finite ones"
        remedy = "train with a smaller learning rate"
        raise ArgumentError(
            got("generate", "the logits of the model are", "not finite", rule, remedy)
        )
    if not temperature:
        return int(logits.argmax())
    # Not divided first: a small temperature would overflow.
    shifted = (logits.astype("float64") - logits.max()) / temperature
    sums = numpy.exp(shifted).cumsum()
    # Without the last: rounding may make a number just below 1 the whole sum.
    return int(sums[:-1].searchsorted(number * sums[-1], side="right"))


def _weight(layer: nn.Conv1d) -> Any:
    """The weight (O, I, K) on the host, a copy."""
    return layer.weight.numpy().copy()


def _one_tap(layer: nn.Conv1d) -> Any:
    """The weight (O, I, 1) on the host as a contiguous matrix (O, I)."""
    return numpy.ascontiguousarray(_weight(layer)[:, :, 0])
