"""CIFAR-10: 50,000 + 10,000 colour images, 32x32, in the official binary files.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009,
https://www.cs.toronto.edu/~kriz/cifar.html. Files lie in ROOT/cifar-10-batches-bin, in
ROOT itself, or packed as published in ROOT/cifar-10-binary.tar.gz, which is read
without unpacking it, in a few seconds.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from datasets._cifar_sets import CifarSet, Labels
from datasets._fetch import RemoteFile
from datasets._records import Dataset

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
_SET = CifarSet(
    name=NAME,
    module=__name__,
    folder_name=FOLDER,
    archive=RemoteFile(
        ARCHIVE,
        "sha256:c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    train=tuple(name for name in CHECKSUMS if name.startswith("data_batch")),
    test=("test_batch.bin",),
    labels=(Labels(CLASS_NAMES, META),),
)


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
    return _SET.load(root, download=download, checksums=checksums)


def is_official(root: str | os.PathLike[str] | None = None) -> bool:
    """Whether the files that load(root, checksums=None) reads are the published ones.

    Raises DataError if a file is missing or cannot be read.
    """
    files = _SET.read(root)
    return all(files[name].sha256 == digest for name, digest in CHECKSUMS.items())


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the unpacked files: ROOT/cifar-10-batches-bin; see data_root."""
    return _SET.folder(root)


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Names of the files that lie nowhere; none if the published archive is there."""
    return _SET.missing(root)
