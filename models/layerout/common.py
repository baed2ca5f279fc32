"""What the experiments of the LayerOut paper share: configuration, data, training.

| paper | here |
| --- | --- |
| SGD, momentum 0.9, weight decay 5e-4 | optim.SGD; weight decay on all parameters |
| learning rate by epoch | rates: (first epoch, rate) pairs |
| pad 4, random crop, flip, normalise | shift, flip; statistics of the training images |
| random erasing | Arm.erase, probability 1/2, filled with the code's constants |
| % of parameters frozen | measures.savings |

The paper names no validation part. Here the end of the training images is one, so that
the best epoch can be chosen without the test set. Claims are decided by the last epoch;
the paper's number, the highest test accuracy over all epochs, stands beside it. In the
published scripts random erasing never fires, for want of an option that is passed on;
the probability is that of Zhong et al. 2017.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from datasets import Transform, augment
from models.experiments import data
from models.experiments.config import rate_at
from models.experiments.data import Examples, Part, warn_of_copies
from models.layerout.arms import Arm

PAPER = (
    "Goutam, Balasubramanian, Gera & Raghunatha Sarma, LayerOut: Freezing Layers in "
    "Deep Neural Networks, 2020"
)

Checkpoints = Mapping[str, Path]
"""Arm -> checkpoint of seed 0."""


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """One scale of an experiment, but for its network.

    Attributes:
        dataset: a name in datasets.DATASETS.
        epochs: so many.
        warm_up: so many of them, at first, without freezing, where an arm has that.
        rates: learning rates, as (first epoch, counted from 0; rate).
        batch_size, momentum, weight_decay: of SGD.
        max_examples, max_test: take only so many images, the first; None for all.
        validation_share: of the training images, their end.
        image_size: height and width that images are resampled to.
        padding: pixels of 0 that are then put around them.
        shift: pixels that a training image is shifted by at most, at random.
        flip: whether it is mirrored at random.
        patience: None, as the paper never stops early.
    """

    dataset: str
    epochs: int
    warm_up: int
    rates: tuple[tuple[int, float], ...]
    batch_size: int = 128
    momentum: float = 0.9
    weight_decay: float = 5e-4
    max_examples: int | None = None
    max_test: int | None = None
    validation_share: float = 1 / 10
    image_size: int = 32
    padding: int = 0
    shift: int = 4
    flip: bool = True
    patience: None = None

    @property
    def learning_rate(self) -> float:
        """The highest of the rates."""
        return max(rate for _, rate in self.rates)

    def rate(self, epoch: int) -> float:
        """Learning rate in an epoch, counted from 0."""
        return rate_at(self.rates, epoch)


# -- data ------------------------------------------------------------------------------


@functools.cache
def examples_of(config: TrainingConfig) -> Examples:
    """Load the images of a configuration, padded, from files of any encoding."""
    examples = data.examples_of(config, any_files=True)
    sides = (config.padding, config.padding)

    def padded(part: Part) -> Part:
        return Part(numpy.pad(part.images, ((0, 0), (0, 0), sides, sides)), part.labels)

    if not config.padding:
        return examples
    train, validation, test = map(padded, examples[:3])
    return examples._replace(train=train, validation=validation, test=test)


def statistics_of(config: TrainingConfig) -> tuple[Any, Any]:
    """Mean and standard deviation (C,) of the training images, without the padding."""
    return augment.channel_stats(data.examples_of(config, any_files=True).train.images)


def prepare(config: Any) -> None:
    """Raise DataError if the data set is not there; say on stderr if it is a copy."""
    warn_of_copies(config.dataset, examples_of(config))


def augmentation(config: TrainingConfig, arm: Arm, stats: Any) -> Transform:
    """Make the transform of training images (N, C, H, W) uint8."""
    # The published code erases last, and fills in the means, in normalised units.
    fill = [round(255 * (mean + std * mean)) for mean, std in zip(*stats, strict=True)]

    def transform(images: Any, rng: numpy.random.Generator) -> Any:
        if config.shift:
            images = augment.random_crop(images, rng, pad=config.shift)
        if config.flip:
            images = augment.random_flip(images, rng)
        if arm.erase:
            images = augment.random_erase(images, rng, prob=0.5, fill=fill)
        return images

    return transform
