"""The examples of a classification run: training, validation and test part."""

import functools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

import datasets


class Part(NamedTuple):
    """Images (N, C, H, W) uint8 in [0, 255] and labels (N,) int64."""

    images: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]


class Examples(NamedTuple):
    """What is trained on, what decides when to stop, what is reported."""

    train: Part
    validation: Part
    test: Part


@functools.cache
def load_examples(
    dataset: str,
    image_size: int,
    validation_share: float,
    max_examples: int | None = None,
) -> Examples:
    """Load a data set once per process and split its training part.

    Args:
        dataset: name in `datasets.DATASETS`.
        image_size: images are resampled to this height and width.
        validation_share: this share of the training part, its end, is for validation.
        max_examples: use only so many training images, the first; None for all.

    Raises datasets.DataError if files are missing or damaged.
    """
    loaded = datasets.load(dataset)
    images = datasets.resize(loaded.train.images[:max_examples], image_size)
    labels = loaded.train.labels[:max_examples]
    split = len(labels) - round(validation_share * len(labels))
    return Examples(
        Part(images[:split], labels[:split]),
        Part(images[split:], labels[split:]),
        Part(datasets.resize(loaded.test.images, image_size), loaded.test.labels),
    )
