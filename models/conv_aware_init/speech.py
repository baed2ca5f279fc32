"""Speech as codes: fragments that a WaveNet learns from, and what simpler models know.

| paper | here |
| --- | --- |
| speech at 4,000 Hz, mu-law, 256 bins | datasets.audio, of int16 samples as they are |
| clips in a row, cut into fragments | validation: the last of the training clips |
| fragments of 1,024 + 128 samples every 128 | receptive_field - 1 + predicted samples |
| loss of positions with a whole receptive field | so each sample is predicted once |

The public code that the paper refers to counts 1,024 samples to the receptive field,
and 129 positions to a fragment; with the first convolution, of two taps, it is 1,025,
and 128 positions see all of it. A fragment may reach over the border of two clips.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import numpy.typing as npt

from datasets import DataError, SpeechDataset, audio, fsdd, spoken_digits, vctk
from minigrad import optim, tensor
from minigrad.random import Streams, generator
from models.conv_aware_init.initializers import INITIALIZERS, start
from models.conv_aware_init.training import LossTraining
from models.experiments import checkpoint
from models.experiments.data import Examples, Part
from models.networks.wavenet import BINS, DILATIONS, TAPS, WaveNet
from models.networks.wavenet_sampling import generate

Codes = npt.NDArray[numpy.uint8]
LOADERS: Mapping[str, Callable[..., SpeechDataset]] = {
    "spoken_digits": spoken_digits.load,
    "fsdd": fsdd.load,
    "vctk": vctk.load,
}
EVALUATION_BATCH = 32
"""Fragments: at the published size each of them takes 1.2 MB a layer."""
PSEUDO_COUNTS = 64
"""Weight of the unigram in each row of the bigram; the best of 4, 16, 64 and 256 for
100,000 to 3,000,000 samples of FSDD, by test cross-entropy."""


@dataclass(frozen=True, kw_only=True)
class SpeechConfig:
    """One scale of Table 6.

    Attributes:
        dataset: a name in LOADERS.
        filters, skip_filters, dilations: of the WaveNet.
        predicted: samples of a fragment that are predicted, and that lie between the
            beginnings of two.
        sample_rate: samples per second.
        epochs: so many.
        batch_size: fragments of a step.
        learning_rate, momentum: of SGD, with Nesterov's momentum.
        max_examples, max_test: take only so many fragments, the first: to train on; of
            the validation and of the test part each. None for all.
        validation_share: of the training clips, their end.
        seconds: length of the sound that a trained network makes.
        patience: None, as the paper never stops early.
    """

    dataset: str
    filters: int = 256
    skip_filters: int = 256
    dilations: tuple[int, ...] = DILATIONS
    predicted: int = 128
    sample_rate: int = 4000
    epochs: int = 50
    batch_size: int = 16
    learning_rate: float = 0.1
    momentum: float = 0.9
    max_examples: int | None = None
    max_test: int | None = None
    validation_share: float = 1 / 10
    seconds: float = 1.0
    patience: None = None

    @property
    def receptive_field(self) -> int:
        """Samples that a prediction depends on; see WaveNet."""
        return TAPS + sum(self.dilations)


@dataclass(frozen=True)
class Speech:
    """A data set as codes, and its fragments.

    Attributes:
        codes: (L,) of training, validation and test part, one behind the other.
        examples: of each part the places (N,) in codes where fragments begin, and the
            codes (N, P) to be predicted.
        receptive_field: codes before the first that is predicted.
    """

    codes: Codes
    examples: Examples
    receptive_field: int

    def inputs(self, places: Any) -> Codes:
        """Codes (N, receptive_field - 1 + P) from which those at places follow."""
        length = self.receptive_field - 1 + self.examples.train.labels.shape[1]
        return self.codes[places[:, None] + numpy.arange(length)]

    def before(self, part: Part) -> Codes:
        """Codes (N * P,) just before those that a part predicts."""
        first = part.images[0] + self.receptive_field - 1
        return self.codes[first : first + part.labels.size]


# -- data ------------------------------------------------------------------------------


@functools.cache
def speech_of(config: SpeechConfig) -> Speech:
    """Load the speech of a configuration, once per process.

    Raises DataError if files are missing or damaged, or if there is too little of it.
    """
    data = LOADERS[config.dataset](rate=config.sample_rate)
    clips = [audio.mu_law_encode(clip) for clip in data.train.clips]
    split = len(clips) - math.ceil(config.validation_share * len(clips))
    tests = [audio.mu_law_encode(clip) for clip in data.test.clips]
    limits = (config.max_examples, config.max_test, config.max_test)
    rows: list[Codes] = []
    parts: list[Part] = []
    for group, limit in zip((clips[:split], clips[split:], tests), limits, strict=True):
        codes = numpy.concatenate([*group, numpy.empty(0, "uint8")])
        parts.append(_part(config, codes, sum(map(len, rows)), limit))
        rows.append(codes)
    # No checksums are published of speech.
    examples = Examples(*parts, num_classes=BINS, official=True)
    return Speech(numpy.concatenate(rows), examples, config.receptive_field)


def _part(config: SpeechConfig, codes: Codes, start: int, limit: int | None) -> Part:
    """Cut fragments out of codes (L,), which begin at place start of all."""
    field, step = config.receptive_field, config.predicted
    count = (len(codes) - field) // step
    if count < 1:
        raise DataError(
            f"{config.dataset}: a part has {len(codes)} samples, expected at least "
            f"{field + step}, for one fragment"
        )
    count = min(count, limit or count)
    labels = codes[field : field + count * step].reshape(count, step)
    places: Any = start + step * numpy.arange(count)
    return Part(places, labels)  # type: ignore[arg-type]


def prepare(config: SpeechConfig) -> None:
    """Raise DataError if the data set is not there."""
    speech_of(config)


def uninformed_losses(speech: Speech) -> dict[str, float]:
    """Cross-entropy in nats, on the test part, of models that need no network.

    "unigram": the entropy of the test part's own marginal, which no prediction without
    a memory can beat; "bigram": of counts of pairs in the training part, so what the
    one sample before tells.
    """
    train, test = speech.examples.train, speech.examples.test
    shares = numpy.bincount(test.labels.reshape(-1)) / test.labels.size
    shares = shares[shares > 0]
    pairs = BINS * speech.before(train).astype(int) + train.labels.reshape(-1)
    counts = numpy.bincount(pairs, minlength=BINS**2).reshape(BINS, BINS)
    prior = (counts.sum(0) + 1) / (counts.sum() + BINS)
    rows = counts.sum(1, keepdims=True) + PSEUDO_COUNTS
    bigram = (counts + PSEUDO_COUNTS * prior) / rows
    told = bigram[speech.before(test), test.labels.reshape(-1)]
    return {
        "unigram": float(-(shares * numpy.log(shares)).sum()),
        "bigram": float(-numpy.log(told).mean()),
    }


# -- training --------------------------------------------------------------------------


def build(config: SpeechConfig, arm: str, seed: int) -> LossTraining:
    """Build the WaveNet of an arm and what trains it, untrained.

    Arms of one seed differ in their first weights alone.
    """
    speech = speech_of(config)
    sizes = (config.filters, config.skip_filters, config.dilations)
    model = WaveNet(*sizes, seed=seed)
    start(model, INITIALIZERS[arm], seed)
    optimizer = optim.SGD(
        model.parameters(),
        lr=config.learning_rate,
        momentum=config.momentum,
        nesterov=True,
    )
    return SpeechTraining(
        model=model,
        optimizer=optimizer,
        streams=Streams(seed),
        examples=speech.examples,
        batch_size=config.batch_size,
        seed=seed,
        as_input=speech.inputs,
        evaluation_batch=EVALUATION_BATCH,
    )


class SpeechTraining(LossTraining):
    """A training on fragments: the loss is the mean over all predicted samples."""

    def outputs(self, images: Any) -> Any:
        """Logits (N, 256, P) of the codes behind fragments at places (N,)."""
        return self.model(tensor(self.as_input(images)), "valid")

    def criterion(self, outputs: Any, labels: Any, reduction: str = "mean") -> Any:
        """Cross-entropy of logits (N, 256, P) against codes (N, P), in nats."""
        # Only batches are made int64: all of the speech would take eight times as much.
        return super().criterion(outputs, labels.astype("int64"), reduction)


def write_sound(
    config: SpeechConfig, checkpoints: Mapping[str, Path], path: Path, arm: str
) -> None:
    """Let the trained network of an arm speak, after silence, into a WAV file."""
    training = build(config, arm, 0)
    checkpoint.restore(training, checkpoints[arm])
    model = training.model
    assert isinstance(model, WaveNet)
    length = round(config.seconds * config.sample_rate)
    codes = generate(model, length, generator(0, "sound"))
    samples = numpy.rint(32767 * audio.mu_law_decode(codes)).astype(numpy.int16)
    audio.write_wav(path, samples, config.sample_rate)
