"""SVHN: 73,257 + 26,032 colour images of digits from house numbers, cropped to 32x32.

Source: Y. Netzer, T. Wang, A. Coates, A. Bissacco, B. Wu, A. Y. Ng, "Reading Digits in
Natural Images with Unsupervised Feature Learning", NIPS workshop, 2011,
http://ufldl.stanford.edu/housenumbers/, Format 2; for non-commercial use only. Files
lie in ROOT/svhn or in ROOT itself. 531,131 more images, which are easier, are in a file
of their own, extra_32x32.mat, which is optional.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from datasets import _fetch
from datasets._errors import DataError
from datasets._mat import read_mat
from datasets._records import Dataset, Split, image_split

NAME = "svhn"
CLASS_NAMES = tuple("0123456789")
MIRRORS = ("http://ufldl.stanford.edu/housenumbers/",)
TRAIN, TEST, EXTRA = "train_32x32.mat", "test_32x32.mat", "extra_32x32.mat"

# sha256 of the published files, as torchvision's prototype of 2022 checks them
# (torchvision/prototype/datasets/_builtin/svhn.py); test_svhn ties them to the md5 that
# torchvision.datasets.SVHN checks.
CHECKSUMS: Mapping[str, str] = MappingProxyType(
    {
        TRAIN: "435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8",
        TEST: "cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b",
        EXTRA: "a133a4beb38a00fcdda90c9489e0c04f900b660ce8a316a5e854838379a71eb3",
    }
)


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    checksums: Mapping[str, str] | None = CHECKSUMS,
    extra: bool = False,
) -> Dataset:
    """Load SVHN, images (N, 3, 32, 32), channels red, green, blue; label k is digit k.

    `extra` appends the extra images to the training part, which takes 5 GB of memory.
    `download` fetches the files that are missing into ROOT/svhn first, 246 MB, and 1.3
    GB more with `extra`. `checksums` maps file names to sha256; None reads any files of
    the format, of any N. Raises DataError if a file is missing, damaged or not the
    official one, or if images and labels disagree.
    """
    if download:
        _download_missing(root, extra)
    if missing(root, extra=extra):
        raise DataError(_missing_message(root, extra))
    paths = _find(root)
    train = _split(paths[TRAIN], checksums, "train")
    if extra:
        train = _joined(train, _split(paths[EXTRA], checksums, "extra"))
    test = _split(paths[TEST], checksums, "test")
    return Dataset(name=NAME, train=train, test=test, class_names=CLASS_NAMES)


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder where downloads go, ROOT/svhn; see data_root for ROOT."""
    return _fetch.data_root(root) / NAME


def missing(
    root: str | os.PathLike[str] | None = None, *, extra: bool = False
) -> tuple[str, ...]:
    """Names of the files, with or without the extra one, that lie nowhere."""
    found = _find(root)
    return tuple(name for name in _names(extra) if name not in found)


def _names(extra: bool) -> tuple[str, ...]:
    return (TRAIN, TEST, EXTRA) if extra else (TRAIN, TEST)


def _find(root: str | os.PathLike[str] | None) -> dict[str, Path]:
    """Where each file lies; files that are nowhere have no entry."""
    found: dict[str, Path] = {}
    for name in CHECKSUMS:
        for place in (folder(root), _fetch.data_root(root)):
            if (place / name).is_file():
                found.setdefault(name, place / name)
    return found


def _split(path: Path, checksums: Mapping[str, str] | None, part: str) -> Split:
    digest = None if checksums is None else checksums[path.name]
    shapes = {"X": (32, 32, 3, None), "y": (None, 1)}
    arrays = read_mat(path, shapes, sha256=digest)
    labels = arrays["y"][:, 0]
    if labels.size and not (labels.min() >= 1 and labels.max() <= 10):
        raise DataError(
            f"{NAME} {part}: {path} has labels in [{labels.min()}, {labels.max()}], "
            "expected [1, 10], where 10 is the digit 0; delete it and get it again"
        )
    # (H, W, C, N) -> (N, C, H, W)
    images = np.ascontiguousarray(arrays["X"].transpose(3, 2, 0, 1))
    return image_split(f"{NAME} {part}", images, labels % 10, len(CLASS_NAMES))


def _joined(first: Split, second: Split) -> Split:
    images = np.concatenate([first.images, second.images])
    labels = np.concatenate([first.labels, second.labels])
    return image_split(NAME, images, labels, len(CLASS_NAMES))


def _missing_message(root: str | os.PathLike[str] | None, extra: bool) -> str:
    names = missing(root, extra=extra)
    place = "set MINIGRAD_DATA to" if root is None else "give as root"
    return (
        f"{NAME}: {folder(root)} lacks {len(names)} of {len(_names(extra))} files "
        f"({', '.join(names)}); {place} the folder that holds {NAME}/{names[0]}, or "
        f"{_remedy(root, extra)}, which gets {', '.join(names)} from {MIRRORS[0]}"
    )


def _remedy(root: str | os.PathLike[str] | None, extra: bool) -> str:
    if extra:  # which the command does not ask for
        start = "" if root is None else f"{str(root)!r}, "
        return f"call datasets.svhn.load({start}extra=True, download=True)"
    end = "" if root is None else f" --root {shlex.quote(str(root))}"
    return f"run `python -m datasets download {NAME}{end}`"


def _download_missing(root: str | os.PathLike[str] | None, extra: bool) -> None:
    files = [
        _fetch.RemoteFile(name, f"sha256:{CHECKSUMS[name]}")
        for name in missing(root, extra=extra)
    ]
    if files:
        _fetch.download(files, folder(root), MIRRORS)
