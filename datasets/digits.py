"""UCI optical digits: 1,797 real 8x8 scans, bundled, so nothing is downloaded.

Each pixel counts the black dots, 0 to 16, in a 4x4 block of a 32x32 bitmap.
Source: E. Alpaydin, C. Kaynak, "Optical Recognition of Handwritten Digits", UCI
Machine Learning Repository, 1998, the file optdigits.tes; CC BY 4.0.

The split is fixed and in the order of the source: the first 1,415 scans train, the
last 382 test. The labels repeat one printed sequence of 130 digits, a form that
people filled in; 1,415 is where the twelfth of fourteen forms starts, so no form is
in both parts. The source does not say who wrote which form.
"""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datasets._idx import read_idx
from datasets._records import Dataset, Images, image_split, resize

NAME = "digits"
CLASS_NAMES = tuple("0123456789")
NUM_TRAIN = 1415
FOLDER = Path(__file__).parent / "bundled"

# sha256 of the decompressed files: gzip's own bytes differ between zlib versions.
_IMAGES = (
    "digits-images-idx3-ubyte.gz",
    "359cd13f0f514122884198b78a131df597421cbf5e93a76678fa96fc548f0d96",
)
_LABELS = (
    "digits-labels-idx1-ubyte.gz",
    "ce71631c1f31ce56fa54f31d1d498fafacff59b001e6c30c4a5e29508aa277ad",
)


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    size: int | Sequence[int] = 8,
) -> Dataset:
    """Load the digits, images (N, 1, H, W) with (H, W) given by `size`.

    Counts 0 to 16 are scaled to 0 to 255 and rounded; then resize() makes (H, W).
    `root` and `download` are there because every loader has them, and do nothing.
    Raises DataError if a bundled file is damaged or a side of `size` is below 1.
    """
    counts = read_idx(FOLDER / _IMAGES[0], 3, sha256=_IMAGES[1])
    labels = read_idx(FOLDER / _LABELS[0], 1, sha256=_LABELS[1])
    images = resize(_scale(counts)[:, np.newaxis], size)  # (N, H, W) -> (N, 1, H, W)
    return Dataset(
        name=NAME,
        train=image_split(NAME, images[:NUM_TRAIN], labels[:NUM_TRAIN], 10),
        test=image_split(NAME, images[NUM_TRAIN:], labels[NUM_TRAIN:], 10),
        class_names=CLASS_NAMES,
    )


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the bundled files, whatever `root` is."""
    return FOLDER


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Names of the bundled files that are not there: none, in a whole checkout."""
    names = (_IMAGES[0], _LABELS[0])
    return tuple(name for name in names if not (FOLDER / name).is_file())


def _scale(counts: Images) -> Images:
    return np.rint(counts * (255 / 16)).astype(np.uint8)
