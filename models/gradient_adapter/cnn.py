"""What Table 2 of the gradient-adapter paper trains: a convnet whose units are signs.

| paper | here |
| --- | --- |
| Fig. 11, the network of FTP | models.networks.threshold_cnn |
| STE, SSTE, BPGA with tanh | nn.Sign with "identity", "hardtanh", "tanh" |
| FTP-SH | nn.FeasibleTargetSign, soft hinge, scaled by the gradient |

The paper gives Adam's rate, the weight decay, 300 epochs, and normalised images, at
random cropped and mirrored. It leaves open the size of batches and the pad of crops (64
and 4, as in FTP's code), the first weights, and what decays (see common for both).

The arm FTP-SH is trained as FTP's published code does: PyTorch's first weights, sign(0)
= -1, weight decay of biases, too, and the rate divided by 10 when epochs 200 and 250 of
300 begin. FTP-SH "as BPGA" differs from BPGA in nothing but the layer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy

from datasets import augment
from minigrad import nn, optim
from minigrad.random import Streams
from models.experiments import checkpoint, data
from models.experiments.data import warn_of_copies
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.trained import Measure, train_and_measure
from models.gradient_adapter.common import optimizer_of
from models.networks.threshold_cnn import threshold_cnn

RECIPE = "bpga.cnn"


@dataclass(frozen=True)
class CnnConfig:
    """One scale of Table 2.

    Attributes:
        dataset: "digits" or "cifar10".
        epochs: so many.
        filters, hidden: of the convolutions, and widths of the hidden dense layers.
        patience: stop when the best validation epoch is so long ago; None: never.
        max_examples, max_test: take only so many images, the first; None for all.
        validation_share: of the training images, their end; the paper names none.
        image_size: height and width that images are resampled to.
        batch_size: examples per step.
        learning_rate: of Adam.
        weight_decay: in the gradient.
        augment: whether CIFAR is mirrored at random, and shifted by up to 4 pixels.
    """

    dataset: str
    epochs: int
    filters: tuple[int, ...] = (32, 64)
    hidden: tuple[int, ...] = (1024,)
    patience: int | None = None
    max_examples: int | None = None
    max_test: int | None = None
    validation_share: float = 0.02
    image_size: int = 32
    batch_size: int = 64
    learning_rate: float = 2.5e-4
    weight_decay: float = 5e-4
    augment: bool = True


@dataclass(frozen=True)
class Arm:
    """One way to train the network.

    Attributes:
        label: how tables call it.
        sign: makes what stands behind the hidden layers.
        as_ftp: whether all else is as in FTP's code, too.
    """

    label: str
    sign: Callable[[], nn.Module]
    as_ftp: bool = False


def _adapted(adapter: str) -> Callable[[], nn.Module]:
    return lambda: nn.Sign(adapter)


def _soft_hinge(zero: int) -> Callable[[], nn.Module]:
    return lambda: nn.FeasibleTargetSign(loss="soft_hinge", scale=True, zero=zero)


ARMS: Mapping[str, Arm] = {
    "ste": Arm("STE", _adapted("identity")),
    "sste": Arm("SSTE", _adapted("hardtanh")),
    "ftp_sh": Arm("FTP-SH", _soft_hinge(-1), as_ftp=True),
    "bpga": Arm("BPGA tanh", _adapted("tanh")),
    # Control: the same rule under its other name.
    "ftp_sh_same": Arm("FTP-SH, as BPGA", _soft_hinge(0)),
}


examples_of = partial(data.examples_of, any_files=True)
"""Of a configuration, from files of any encoding."""


def prepare(config: CnnConfig) -> None:
    """Raise DataError if the data set is not there; say on stderr if it is a copy."""
    warn_of_copies(config.dataset, examples_of(config))


def build(config: CnnConfig, arm: str, seed: int) -> Training:
    """Build the network of an arm and its optimiser, untrained.

    All arms but "ftp_sh" start from the same weights.
    """
    examples, made = examples_of(config), ARMS[arm]
    model = threshold_cnn(
        config.filters,
        in_channels=examples.train.images.shape[1],
        image_size=config.image_size,
        hidden=config.hidden,
        classes=examples.num_classes,
        activation=made.sign,
        start="pytorch" if made.as_ftp else "glorot",
        seed=seed,
    )
    stats = augment.channel_stats(examples.train.images)
    is_cifar = config.dataset.startswith("cifar")
    return Training(
        model=model,
        optimizer=_optimizer(model, config, made),
        streams=Streams(seed),
        examples=examples,
        batch_size=config.batch_size,
        seed=seed,
        as_input=lambda images: augment.normalise(images, *stats),
        augment=_moved if config.augment and is_cifar else None,
        rate=(lambda epoch: rate_of_ftp(config, epoch)) if made.as_ftp else None,
    )


def _optimizer(model: nn.Module, config: CnnConfig, made: Arm) -> optim.Adam:
    rate, decay = config.learning_rate, config.weight_decay
    if made.as_ftp:
        # One group: Training.rate sets the rate of the first alone.
        return optim.Adam(model.parameters(), lr=rate, weight_decay=decay)
    return optimizer_of(model, rate, decay)


def rate_of_ftp(config: CnnConfig, epoch: int) -> float:
    """Learning rate in an epoch, counted from 0: a tenth from 2/3 on, again from 5/6.

    FTP's code counts epochs from 1, and divides at 200 and at 250 of 300.
    """
    steps = sum(6 * (epoch + 1) >= sixths * config.epochs for sixths in (4, 5))
    return config.learning_rate * 0.1**steps


def _moved(images: Any, rng: numpy.random.Generator) -> Any:
    return augment.random_flip(augment.random_crop(images, rng, pad=4), rng)


def train(job: Job, hooks: Hooks, measure: Measure) -> dict[str, Any]:
    """Train the network of a job and return its metrics and its history."""

    def also(training: Training, job: Job) -> dict[str, Any]:
        return {
            "dataset": job.config.dataset,
            "official_files": training.examples.official,
            **measure(training, job),
        }

    return train_and_measure(job, hooks, build, also)


def restore(config: CnnConfig, arm: str, path: Path) -> Training:
    """Return the trained network of seed 0 whose checkpoint lies at path."""
    training = build(config, arm, 0)
    checkpoint.restore(training, path)
    return training
