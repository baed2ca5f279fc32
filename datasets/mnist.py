"""MNIST: 60,000 + 10,000 handwritten digits, 28x28, in the official IDX files.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits",
1998; CC BY-SA 3.0. Files lie in ROOT/mnist or in ROOT itself, gzipped or plain.
"""

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np

from datasets import _fetch
from datasets._errors import DataError
from datasets._idx import read_idx
from datasets._records import Dataset, Split, image_split

NAME = "mnist"
CLASS_NAMES = tuple("0123456789")
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# sha256 of the decompressed files; test_mnist ties them to the published md5.
CHECKSUMS: Mapping[str, str] = MappingProxyType(
    {
        "train-images-idx3-ubyte": (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
        ),
        "train-labels-idx1-ubyte": (
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
        ),
        "t10k-images-idx3-ubyte": (
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
        ),
        "t10k-labels-idx1-ubyte": (
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
        ),
    }
)

# md5 of the gzipped files as both mirrors publish them. It guards the transfer; what
# is trusted is the sha256 above, of what is inside.
_ARCHIVES = {
    "train-images-idx3-ubyte": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte": "ec29112dd5afa0611ce80d1b7f02629c",
}


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    checksums: Mapping[str, str] | None = CHECKSUMS,
) -> Dataset:
    """Load MNIST, images (N, 1, 28, 28), white on black.

    `download` fetches the files that are missing into ROOT/mnist first. `checksums`
    maps file names to sha256 of decompressed bytes; None reads any files of the
    format, of any N, H and W. Raises DataError if a file is missing, damaged or not
    the official one, or if images and labels disagree.
    """
    _expect_no_folders(root)
    if download:
        _download_missing(root)
    paths = _find(root)
    if len(paths) < len(CHECKSUMS):
        raise DataError(_missing_message(root))
    return Dataset(
        name=NAME,
        train=_split(paths, "train", checksums),
        test=_split(paths, "t10k", checksums),
        class_names=CLASS_NAMES,
    )


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder where downloads go, ROOT/mnist; see data_root for ROOT."""
    return _fetch.data_root(root) / NAME


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Names, without .gz, of the files that are neither in ROOT/mnist nor in ROOT."""
    found = _find(root)
    return tuple(name for name in CHECKSUMS if name not in found)


def _places(root: str | os.PathLike[str] | None, name: str) -> list[Path]:
    """Where a file may lie, the first choice first."""
    folders = (folder(root), _fetch.data_root(root))
    return [place / f"{name}{end}" for place in folders for end in (".gz", "")]


def _find(root: str | os.PathLike[str] | None) -> dict[str, Path]:
    """Where each file lies; files that are nowhere have no entry."""
    found: dict[str, Path] = {}
    for name in CHECKSUMS:
        for path in _places(root, name):
            if path.is_file():
                found.setdefault(name, path)
    return found


def _expect_no_folders(root: str | os.PathLike[str] | None) -> None:
    """Raise DataError if a folder has the name of a file that is nowhere."""
    for name in missing(root):
        for path in _places(root, name):
            if path.is_dir():
                raise DataError(
                    f"mnist: {path} is a folder, expected a file; move it away, and "
                    f"put the file {name} there, gzipped or plain"
                )


def _split(
    paths: Mapping[str, Path], prefix: str, checksums: Mapping[str, str] | None
) -> Split:
    arrays = []
    for kind, num_axes in (("images-idx3", 3), ("labels-idx1", 1)):
        name = f"{prefix}-{kind}-ubyte"
        digest = None if checksums is None else checksums[name]
        arrays.append(read_idx(paths[name], num_axes, sha256=digest))
    images, labels = arrays
    images = images[:, np.newaxis]  # (N, H, W) -> (N, 1, H, W)
    return image_split(f"{NAME} {prefix}", images, labels, len(CLASS_NAMES))


def _missing_message(root: str | os.PathLike[str] | None) -> str:
    names = missing(root)
    place = "set MINIGRAD_DATA to" if root is None else "give as root"
    end = "" if root is None else f" --root {shlex.quote(str(root))}"
    return (
        f"mnist: {folder(root)} lacks {len(names)} of {len(CHECKSUMS)} files; {place} "
        f"the folder that holds {NAME}/{names[0]}.gz{_companions(len(names) - 1)}, or "
        f"run `python -m datasets download {NAME}{end}`, which gets "
        f"{', '.join(f'{name}.gz' for name in names)} from {MIRRORS[0]}"
    )


def _companions(count: int) -> str:
    return f" and its {count} companion{'s' if count > 1 else ''}" if count else ""


def _download_missing(root: str | os.PathLike[str] | None) -> None:
    files = [
        _fetch.RemoteFile(f"{name}.gz", f"md5:{_ARCHIVES[name]}")
        for name in missing(root)
    ]
    if files:
        _fetch.download(files, folder(root), MIRRORS)
