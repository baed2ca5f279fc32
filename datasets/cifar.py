"""CIFAR-10: 50,000 + 10,000 colour images, 32x32, in the official binary files.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html. Files lie in ROOT/cifar-10-batches-bin, in
ROOT itself, or packed as published in ROOT/cifar-10-binary.tar.gz, which is read
without unpacking it, in a few seconds.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

import numpy as np

from datasets import _fetch
from datasets._cifar_files import (
    File,
    expect_class_names,
    read_archive,
    read_file,
    records,
)
from datasets._errors import DataError
from datasets._records import Dataset, Split, image_split

NAME = "cifar10"
CLASS_NAMES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
FOLDER = "cifar-10-batches-bin"
ARCHIVE = "cifar-10-binary.tar.gz"
META = "batches.meta.txt"

# sha256 of the published files; test_cifar ties them to the sha1 that MXNet checks.
CHECKSUMS: Mapping[str, str] = MappingProxyType(
    {
        "data_batch_1.bin": (
            "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"
        ),
        "data_batch_2.bin": (
            "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"
        ),
        "data_batch_3.bin": (
            "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"
        ),
        "data_batch_4.bin": (
            "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"
        ),
        "data_batch_5.bin": (
            "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"
        ),
        "test_batch.bin": (
            "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"
        ),
    }
)
_TRAIN = tuple(name for name in CHECKSUMS if name.startswith("data_batch"))
_TEST = ("test_batch.bin",)
_PACKED = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    checksums: Mapping[str, str] | None = CHECKSUMS,
) -> Dataset:
    """Load CIFAR-10, images (N, 3, 32, 32), channels red, green, blue.

    `download` fetches ROOT/cifar-10-binary.tar.gz first if files are missing.
    `checksums` maps file names to sha256; None reads any files of the format, of any N:
    subsets, or images that went through another encoding. Raises DataError if a file is
    missing, damaged or not the official one, or names the classes in another order.
    """
    if download and missing(root):
        file = _fetch.RemoteFile(ARCHIVE, f"sha256:{_PACKED}")
        _fetch.download([file], _fetch.data_root(root), MIRRORS)
    files = _read(root)
    if META in files:
        expect_class_names(files[META], CLASS_NAMES)
    return Dataset(
        name=NAME,
        train=_split(files, _TRAIN, "train", checksums),
        test=_split(files, _TEST, "test", checksums),
        class_names=CLASS_NAMES,
    )


def is_official(root: str | os.PathLike[str] | None = None) -> bool:
    """Whether the files that load(root, checksums=None) reads are the published ones.

    Raises DataError if a file is missing or cannot be read.
    """
    files = _read(root)
    return all(files[name].sha256 == digest for name, digest in CHECKSUMS.items())


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the unpacked files: ROOT/cifar-10-batches-bin; see data_root."""
    return _fetch.data_root(root) / FOLDER


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Names of the files that lie nowhere; none if the published archive is there."""
    if _archive(root).is_file():
        return ()
    found = _find(root)
    return tuple(name for name in CHECKSUMS if name not in found)


def _archive(root: str | os.PathLike[str] | None) -> Path:
    return _fetch.data_root(root) / ARCHIVE


def _find(root: str | os.PathLike[str] | None) -> dict[str, Path]:
    """Where each unpacked file lies; files that are nowhere have no entry."""
    places = (folder(root), _fetch.data_root(root))
    found: dict[str, Path] = {}
    for name in (*CHECKSUMS, META):
        for path in (place / name for place in places):
            if path.is_file():
                found.setdefault(name, path)
    return found


def _read(root: str | os.PathLike[str] | None) -> dict[str, File]:
    """Files by name: the unpacked ones if all are there, else those in the archive."""
    found = _find(root)
    if CHECKSUMS.keys() <= found.keys():
        return {name: read_file(path) for name, path in found.items()}
    if missing(root):
        raise DataError(_missing_message(root))
    return read_archive(_archive(root), FOLDER, [*CHECKSUMS], optional=[META])


def _split(
    files: Mapping[str, File],
    names: Sequence[str],
    part: str,
    checksums: Mapping[str, str] | None,
) -> Split:
    pieces = [records(files[name]) for name in names]
    if checksums is not None:
        for name in names:
            _expect_digest(files[name], checksums[name])
    images = np.concatenate([images for images, _ in pieces])
    labels = np.concatenate([labels for _, labels in pieces])
    return image_split(f"{NAME} {part}", images, labels, len(CLASS_NAMES))


def _expect_digest(file: File, expected: str) -> None:
    if file.sha256 != expected:
        raise DataError(
            f"{NAME}: {file.path} has sha256 {file.sha256}, expected {expected}, the "
            "published file; delete it and get it again, or read files of your own "
            "making with datasets.cifar.load(checksums=None)"
        )


def _missing_message(root: str | os.PathLike[str] | None) -> str:
    names = missing(root)
    place = "set MINIGRAD_DATA to" if root is None else "give as root"
    end = "" if root is None else f" --root {shlex.quote(str(root))}"
    return (
        f"{NAME}: {folder(root)} lacks {len(names)} of {len(CHECKSUMS)} files "
        f"({', '.join(names)}); {place} the folder that holds {FOLDER} or {ARCHIVE}, "
        f"or run `python -m datasets download {NAME}{end}`, which gets {ARCHIVE} "
        f"from {MIRRORS[0]}"
    )
