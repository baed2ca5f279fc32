"""What every image loader returns, and the conversions networks ask for.

Images stay raw: (N, C, H, W) uint8 in [0, 255], exactly the bytes of the source.
Normalisation belongs to an experiment, so none is done here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from datasets._errors import DataError

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Split:
    """One part of a data set: images (N, C, H, W) uint8 in [0, 255], labels (N,) int64.

    Loaders return read-only arrays. Raises DataError if dtypes, axes or N disagree.
    """

    images: Images
    labels: Labels

    def __post_init__(self) -> None:
        if self.images.ndim != 4 or self.images.dtype != np.uint8:
            raise DataError(
                f"datasets: images are {self.images.dtype} of shape "
                f"{self.images.shape}, expected uint8 of shape (N, C, H, W)"
            )
        if self.labels.shape != self.images.shape[:1] or self.labels.dtype != np.int64:
            raise DataError(
                f"datasets: labels are {self.labels.dtype} of shape "
                f"{self.labels.shape}, expected int64 of shape "
                f"{self.images.shape[:1]}, one for each image"
            )

    def __len__(self) -> int:
        """Number of examples, N."""
        return len(self.labels)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A named pair of splits; label k means class_names[k]."""

    name: str
    train: Split
    test: Split
    class_names: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """Number of classes, K; labels lie in [0, K)."""
        return len(self.class_names)


def image_split(
    what: str, images: Images, labels: npt.NDArray[Any], num_classes: int
) -> Split:
    """Freeze images (N, C, H, W) and labels (N,) into a Split.

    `what` opens the message of the DataError that counts which differ, no examples
    at all, or a label outside [0, num_classes) raise.
    """
    if len(images) != len(labels):
        raise DataError(
            f"{what}: {len(images)} images but {len(labels)} labels, "
            "expected as many labels as images"
        )
    if len(labels) == 0:
        raise DataError(f"{what}: holds 0 examples, expected at least 1")
    if labels.max() >= num_classes or labels.min() < 0:
        raise DataError(
            f"{what}: labels lie in [{labels.min()}, {labels.max()}], "
            f"expected [0, {num_classes - 1}]"
        )
    images, labels = images.view(), labels.astype(np.int64)
    images.flags.writeable = labels.flags.writeable = False
    return Split(images, labels)


def as_float(images: Images) -> npt.NDArray[np.float32]:
    """Images of any shape, uint8 in [0, 255], as a new float32 array in [0, 1].

    Divides by 255 and normalises no further. Raises DataError if images are not
    uint8: scaling twice is the usual mistake, and it does not show.

    >>> as_float(np.array([0, 51, 255], np.uint8))
    array([0. , 0.2, 1. ], dtype=float32)
    """
    if images.dtype != np.uint8:
        raise DataError(
            f"datasets: images are {images.dtype}, expected uint8 in [0, 255]"
        )
    return np.divide(images, 255, dtype=np.float32)


def flat(images: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Images (N, C, H, W) as rows (N, C*H*W); a view where memory order allows.

    >>> flat(np.zeros((5, 1, 28, 28), np.uint8)).shape
    (5, 784)
    """
    return images.reshape(len(images), int(np.prod(images.shape[1:])))


def resize(images: Images, size: int | Sequence[int]) -> Images:
    """Resample images (N, C, H, W) uint8 to `size`: (H, W), or one int for a square.

    Bilinear between pixel centres, the border repeated, rounded to the nearest
    integer. No low-pass filter: below half the size, detail aliases. Raises
    DataError if a side of `size` is no integer or below 1, or images are not uint8.

    >>> resize(np.array([[[[0, 100]]]], np.uint8), (1, 4)).tolist()
    [[[[0, 25, 75, 100]]]]
    """
    if images.dtype != np.uint8 or images.ndim != 4:
        raise DataError(
            f"datasets: images are {images.dtype} of shape {images.shape}, expected "
            "uint8 (N, C, H, W); resize before they become floats"
        )
    sides = tuple(size) if isinstance(size, Sequence) else (size, size)
    whole = all(isinstance(side, Integral) for side in sides)
    if len(sides) != 2 or not whole or min(sides) < 1:
        raise DataError(
            f"datasets: size is {size!r}, expected a positive integer "
            "or a pair (H, W) of them"
        )
    if images.shape[-2:] == sides:
        return images
    x = _blend(images, sides[0], axis=2)  # (N, C, h, w) -> (N, C, H, w)
    x = _blend(x, sides[1], axis=3)  # (N, C, H, w) -> (N, C, H, W)
    return np.rint(x).astype(np.uint8)


def _blend(x: npt.NDArray[Any], length: int, *, axis: int) -> npt.NDArray[np.float32]:
    """Linear interpolation of x along one axis to `length` points."""
    old = x.shape[axis]
    # Pixel i covers [i, i + 1), so centres are at i + 0.5 on both grids.
    place = (np.arange(length) + 0.5) * (old / length) - 0.5
    place = np.clip(place, 0, old - 1)
    low = place.astype(np.intp)
    high = np.minimum(low + 1, old - 1)
    weight = (place - low).astype(np.float32)
    weight = weight.reshape(-1, *(1,) * (x.ndim - 1 - axis))
    x_low = x.take(low, axis=axis).astype(np.float32)
    return x_low + weight * (x.take(high, axis=axis) - x_low)
