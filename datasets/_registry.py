"""The tables of data sets: a new one is a module shaped like `Loader`, and a line.

Those of images have one form, and load() reads any of them by its name. Texts and clips
are asked for in other forms, so each module has a load() of its own.
"""

import difflib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from datasets import (
    cifar,
    cifar100,
    digits,
    fsdd,
    imdb,
    mnist,
    spoken_digits,
    svhn,
    vctk,
)
from datasets._errors import DataError
from datasets._records import Dataset
from datasets._sequences import SpeechDataset, TextDataset

Root = str | os.PathLike[str] | None
AnyDataset = Dataset | TextDataset | SpeechDataset
Data = TypeVar("Data", bound=AnyDataset, covariant=True)


class Loader(Protocol[Data]):
    """What the module of a data set offers; root is None for the default folder."""

    def load(self, root: Root = None, *, download: bool = False) -> Data:
        """Read the data set, after fetching what is missing if `download`."""
        ...

    def folder(self, root: Root = None) -> Path:
        """Folder where its files are expected."""
        ...

    def missing(self, root: Root = None) -> tuple[str, ...]:
        """Names of the files that are not there."""
        ...


_IMAGES: dict[str, Loader[Dataset]] = {
    "digits": digits,
    "mnist": mnist,
    "cifar10": cifar,
    "cifar100": cifar100,
    "svhn": svhn,
}
_SEQUENCES: dict[str, Loader[TextDataset | SpeechDataset]] = {
    "spoken_digits": spoken_digits,
    "imdb": imdb,
    "fsdd": fsdd,
    "vctk": vctk,
}
DATASETS: tuple[str, ...] = tuple(_IMAGES)
ALL: tuple[str, ...] = (*_IMAGES, *_SEQUENCES)


def loader(name: str) -> Loader[AnyDataset]:
    """The loader called `name`; raises DataError, with a suggestion, if none is."""
    if isinstance(name, str) and name in ALL:
        return _IMAGES[name] if name in _IMAGES else _SEQUENCES[name]
    raise _unknown(name, ALL)


def load(name: str, root: Root = None, *, download: bool = False) -> Dataset:
    """Load a data set: images (N, C, H, W) uint8 in [0, 255], labels (N,) int64.

    Files are looked for in `root`, else $MINIGRAD_DATA, else ~/.cache/minigrad; only
    `download` uses the network. Raises DataError if the name is unknown, files are
    missing, or their checksums do not hold.

    >>> load("digits").train.images.shape
    (1415, 1, 8, 8)
    """
    if isinstance(name, str) and name in _IMAGES:
        return _IMAGES[name].load(root, download=download)
    if isinstance(name, str) and name in _SEQUENCES:
        raise DataError(
            f"datasets: {name!r} has no images, expected one of {', '.join(DATASETS)}; "
            f"call datasets.{name}.load()"
        )
    raise _unknown(name, DATASETS)


def _unknown(name: object, names: Iterable[str]) -> DataError:
    close = difflib.get_close_matches(str(name), names, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    return DataError(
        f"datasets: unknown data set {name!r}, expected one of {', '.join(names)}{hint}"
    )
