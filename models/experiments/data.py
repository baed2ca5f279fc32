"""The examples of a classification run: training, validation and test part."""

import functools
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

import datasets
from datasets import DataError, Dataset, cifar, cifar100, svhn
from models.experiments.claims import Record

_READERS = {"cifar10": cifar, "cifar100": cifar100, "svhn": svhn}
"""Sets whose copies are often of another encoding, and what reads them anyway."""


class Part(NamedTuple):
    """Images (N, C, H, W) uint8 in [0, 255] and labels (N,) int64."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


class Examples(NamedTuple):
    """What is trained on, what decides when to stop, what is reported.

    Attributes:
        num_classes: labels lie in [0, num_classes).
        official: whether the files are the published ones, by their checksums.
    """

    train: Part
    validation: Part
    test: Part
    num_classes: int
    official: bool


@functools.cache
def load_examples(
    dataset: str,
    image_size: int,
    validation_share: float,
    max_examples: int | None = None,
    *,
    max_test: int | None = None,
    any_files: bool = False,
) -> Examples:
    """Load a data set once per process and split its training part.

    Args:
        dataset: name in `datasets.DATASETS`.
        image_size: images are resampled to this height and width.
        validation_share: this share of the training part, its end, is for validation.
        max_examples: use only so many training images, the first; None for all.
        max_test: likewise of the test images.
        any_files: whether files of cifar10, cifar100 and svhn will do that are not the
            published ones, copies that went through JPEG, say; `Examples.official`
            tells. Numbers from such files are not to be compared with others'.

    Raises datasets.DataError if files are missing or damaged.
    """
    loaded, official = _load(dataset, any_files)
    images = datasets.resize(loaded.train.images[:max_examples], image_size)
    labels = loaded.train.labels[:max_examples]
    split = len(labels) - round(validation_share * len(labels))
    test = datasets.resize(loaded.test.images[:max_test], image_size)
    return Examples(
        Part(images[:split], labels[:split]),
        Part(images[split:], labels[split:]),
        Part(test, loaded.test.labels[:max_test]),
        loaded.num_classes,
        official,
    )


def examples_of(config: Any, *, any_files: bool = False) -> Examples:
    """Load what a configuration says: its data set, size of images, shares and limits.

    See load_examples; a configuration may have no max_test.
    """
    return load_examples(
        config.dataset,
        config.image_size,
        config.validation_share,
        config.max_examples,
        max_test=getattr(config, "max_test", None),
        any_files=any_files,
    )


def warn_of_copies(dataset: str, examples: Examples) -> None:
    """Say on stderr if the files of a data set are not the published ones."""
    if not examples.official:
        print(
            f"{dataset}: the files are not the published ones (`python -m datasets "
            f"check {dataset}` names one), so accuracies are not to be compared with "
            "published ones to the tenth of a point",
            file=sys.stderr,
        )


def of_copies(records: Sequence[Record]) -> str:
    """Word for a title that a network saw other files than the published ones.

    records: of arms with "official_files". Empty if all of them saw the published ones.
    """
    arms = [arm for record in records for arm in record["arms"].values()]
    official = all(arm["official_files"] for arm in arms)
    return "" if official else "; not from the published files, but from a copy"


def _load(dataset: str, any_files: bool) -> tuple[Dataset, bool]:
    """Load a data set, and tell whether its files are the published ones."""
    try:
        return datasets.load(dataset), True
    except DataError:
        if not any_files or dataset not in _READERS:
            raise
    # Raises what is wrong with the files if it is more than that they are others.
    return _READERS[dataset].load(checksums=None), False
