"""The table of data sets: a new one is a module shaped like `Loader`, and a line."""

import difflib
import os
from pathlib import Path
from typing import Protocol

from datasets import cifar, cifar100, digits, mnist, svhn
from datasets._errors import DataError
from datasets._records import Dataset

Root = str | os.PathLike[str] | None


class Loader(Protocol):
    """What the module of a data set offers; root is None for the default folder."""

    def load(self, root: Root = None, *, download: bool = False) -> Dataset:
        """Read the data set, after fetching what is missing if `download`."""
        ...

    def folder(self, root: Root = None) -> Path:
        """Folder where its files are expected."""
        ...

    def missing(self, root: Root = None) -> tuple[str, ...]:
        """Names of the files that are not there."""
        ...


_LOADERS: dict[str, Loader] = {
    "digits": digits,
    "mnist": mnist,
    "cifar10": cifar,
    "cifar100": cifar100,
    "svhn": svhn,
}
DATASETS: tuple[str, ...] = tuple(_LOADERS)


def loader(name: str) -> Loader:
    """The loader called `name`; raises DataError, with a suggestion, if none is."""
    if isinstance(name, str) and name in _LOADERS:  # pyright: ignore[reportUnnecessaryIsInstance]
        return _LOADERS[name]
    close = difflib.get_close_matches(str(name), DATASETS, n=1)
    hint = f" (did you mean {close[0]!r}?)" if close else ""
    raise DataError(
        f"datasets: unknown data set {name!r}, expected one of "
        f"{', '.join(DATASETS)}{hint}"
    )


def load(name: str, root: Root = None, *, download: bool = False) -> Dataset:
    """Load a data set: images (N, C, H, W) uint8 in [0, 255], labels (N,) int64.

    Files are looked for in `root`, else $MINIGRAD_DATA, else ~/.cache/minigrad; only
    `download` uses the network. Raises DataError if the name is unknown, files are
    missing, or their checksums do not hold.

    >>> load("digits").train.images.shape
    (1415, 1, 8, 8)
    """
    return loader(name).load(root, download=download)
