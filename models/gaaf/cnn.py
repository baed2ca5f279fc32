"""What Table 5 of the GAAF paper trains: convolutional networks, ReLU against GAAF.

| paper | here |
| --- | --- |
| VGG16 without its last three CNN layers | plan "vgg10", on CIFAR |
| four CNN layers, a pooling after every second | plan "four_conv", on SVHN |
| +BN | a norm before every activation, of hidden dense layers, too |
| K | frequency |
| shape for ReLU, a shifted sigmoid | s(x) = sigmoid(x + a), a = shape_shift |

The paper names no widths of dense layers, optimiser, rates, epochs or augmentation. The
optimiser is AdamW because GAAF needs one that divides the size of gradients out: each
GAAF layer about doubles them on their way down, and "vgg10" has twelve. With SGD,
momentum 0.9, and the rate of 0.01 that suits the base it overflows in a dozen steps.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from datasets import augment
from minigrad import nn, optim
from minigrad.kernels.gaaf import shifted_sigmoid
from minigrad.random import Streams
from models.experiments import checkpoint, data
from models.experiments.data import Examples, Part, warn_of_copies
from models.experiments.loop import Training
from models.experiments.metrics import averages
from models.experiments.pool import Hooks, Job
from models.experiments.trained import Measure, train_and_measure
from models.gaaf.measures.probe import GradientProbe
from models.networks.vgg import FOUR_CONV, SMALL, TINY, VGG10, Plan, vgg

RECIPE = "gaaf.cnn"
PLANS: Mapping[str, Plan] = {
    "tiny": TINY,
    "small": SMALL,
    "vgg10": VGG10,
    "four_conv": FOUR_CONV,
}
SEEN = 10_000
"""Training images, at most, that the training accuracy is measured on."""


@dataclass(frozen=True)
class CnnConfig:
    """One scale of Table 5; what the paper leaves open is a default.

    Attributes:
        dataset: "digits", "cifar10", "cifar100" or "svhn".
        epochs: so many, of which the best on the validation part is reported.
        plan, hidden: in PLANS, and widths of the hidden dense layers.
        svhn_plan, svhn_hidden: those on SVHN.
        patience: stop when the best validation epoch is so long ago; None: never.
        max_examples, max_test: take only so many images, the first; None for all.
        validation_share: of the training images, their end; the paper names none.
        image_size: height and width that images are resampled to.
        batch_size: examples per step.
        learning_rate, learning_rate_bn: of AdamW, without and with batch norm.
        halve_every: epochs after which the rate is halved, again and again.
        weight_decay: of AdamW: not in the gradient, where it would count less the more
            GAAF enlarges that.
        augment: whether CIFAR is mirrored at random, and shifted by up to 4 pixels.
        drop_prob: probability to drop, in the arms with dropout.
        frequency, shape_shift: K and a of GAAF. a is read off Fig. 5.
        sample_every: measure gradient_sample at every so many iterations; 0: never.
    """

    dataset: str
    epochs: int
    plan: str = "vgg10"
    hidden: tuple[int, ...] = (512, 512)
    svhn_plan: str = "four_conv"
    svhn_hidden: tuple[int, ...] = (512, 256)
    patience: int | None = None
    max_examples: int | None = None
    max_test: int | None = None
    validation_share: float = 0.1
    image_size: int = 32
    batch_size: int = 128
    learning_rate: float = 3e-4
    learning_rate_bn: float = 1e-3
    halve_every: int = 25
    weight_decay: float = 0.01
    augment: bool = True
    drop_prob: float = 0.5
    frequency: float = 10_000.0
    shape_shift: float = 4.0
    sample_every: int = 0


@dataclass(frozen=True)
class Arm:
    """One way to build and train the network.

    Attributes:
        label: how tables call it.
        gaaf: whether activations are GAAF, not ReLU.
        batch_norm: whether there are norms.
        shift: a of GAAF's shape; None for that of the configuration.
        rate: factor on the learning rate.
        dropout: whether there is dropout behind the hidden dense layers.
    """

    label: str
    gaaf: bool = False
    batch_norm: bool = False
    dropout: bool = False
    shift: float | None = None
    rate: float = 1.0


ARMS: Mapping[str, Arm] = {
    "base": Arm("base"),
    "bn": Arm("+BN", batch_norm=True),
    "gaaf": Arm("+GAAF", gaaf=True),
    "bn_gaaf": Arm("+BN +GAAF", gaaf=True, batch_norm=True),
    "dropout": Arm("+dropout", dropout=True),
    "bn_dropout": Arm("+BN +dropout", batch_norm=True, dropout=True),
    # Controls: another shape; smaller steps.
    "gaaf_a-1": Arm("+GAAF, a = -1", gaaf=True, shift=-1.0),
    "gaaf_half": Arm("+GAAF, rate / 2", gaaf=True, rate=0.5),
}


examples_of = partial(data.examples_of, any_files=True)
"""Of a configuration, from files of any encoding."""


def prepare(config: CnnConfig) -> None:
    """Raise DataError if the data set is not there; say on stderr if it is a copy."""
    warn_of_copies(config.dataset, examples_of(config))


def network(
    config: CnnConfig, arm: str, examples: Examples, streams: Streams, seed: int
) -> nn.Module:
    """Build the network of an arm, untrained; all arms start from the same weights."""
    made, on_svhn = ARMS[arm], config.dataset == "svhn"
    return vgg(
        PLANS[config.svhn_plan if on_svhn else config.plan],
        in_channels=examples.train.images.shape[1],
        image_size=config.image_size,
        hidden=config.svhn_hidden if on_svhn else config.hidden,
        classes=examples.num_classes,
        activation=_activation(config, made) if made.gaaf else nn.ReLU,
        batch_norm=made.batch_norm,
        drop_prob=config.drop_prob if made.dropout else 0.0,
        streams=streams,
        seed=seed,
    )


def _activation(config: CnnConfig, made: Arm) -> Callable[[], nn.Module]:
    shift = config.shape_shift if made.shift is None else made.shift
    return lambda: nn.GAAF("relu", shifted_sigmoid(shift), config.frequency)


def build(config: CnnConfig, arm: str, seed: int) -> Training:
    """Build the network of an arm, its optimiser and its probe, all untrained."""
    examples, made = examples_of(config), ARMS[arm]
    streams = Streams(seed)
    model = network(config, arm, examples, streams, seed)
    rate = config.learning_rate_bn if made.batch_norm else config.learning_rate
    rate *= made.rate
    stats = augment.channel_stats(examples.train.images)
    is_cifar = config.dataset.startswith("cifar")
    return Training(
        model=model,
        optimizer=optim.AdamW(
            model.parameters(), lr=rate, weight_decay=config.weight_decay
        ),
        streams=streams,
        examples=examples,
        batch_size=config.batch_size,
        seed=seed,
        probe=GradientProbe(model, weights_of(model), config.sample_every),
        as_input=lambda images: augment.normalise(images, *stats),
        augment=_moved if config.augment and is_cifar else None,
        rate=lambda epoch: rate * 0.5 ** (epoch // config.halve_every),
    )


def weights_of(model: nn.Module) -> dict[str, tuple[str, Any]]:
    """Layer -> name and weight, of all convolutions and dense layers, in order."""
    return {
        name.partition(".")[0]: (name, weight)
        for name, weight in model.named_parameters()
        if weight.ndim > 1
    }


def _moved(images: Any, rng: numpy.random.Generator) -> Any:
    return augment.random_flip(augment.random_crop(images, rng, pad=4), rng)


def train(job: Job, hooks: Hooks, measure: Measure | None = None) -> dict[str, Any]:
    """Train the network of a job and return its metrics and its history."""

    def also(training: Training, job: Job) -> dict[str, Any]:
        images, labels = training.examples.train
        seen = Part(images[:SEEN], labels[:SEEN])
        return {
            "dataset": job.config.dataset,
            "official_files": training.examples.official,
            "train_accuracy": training.accuracy(seen),
            **(measure(training, job) if measure else {}),
        }

    result = train_and_measure(job, hooks, build, also)
    return {**result, "gradient_batch": averages(result["history"], "gradient_batch")}


def restore(config: CnnConfig, arm: str, path: Path) -> Training:
    """Return the trained network of seed 0 whose checkpoint lies at path."""
    training = build(config, arm, 0)
    checkpoint.restore(training, path)
    return training
