"""CIFAR's binary files: records of one or two label bytes and then 3x32x32 pixels.

The pixels are planes red, green, blue, each row by row from the top; no header.
Source: https://www.cs.toronto.edu/~kriz/cifar.html, section Binary version.
"""

import gzip
import hashlib
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np

from datasets._errors import DataError
from datasets._records import Images

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32

_AGAIN = "delete it and get it again"
_FEW = 10  # names that a sentence can list


class File(NamedTuple):
    """Content of a file, and where it lies: ARCHIVE/NAME for a file in an archive."""

    path: Path
    content: bytes

    @property
    def sha256(self) -> str:
        """Hex digest of the content."""
        return hashlib.sha256(self.content).hexdigest()


def records(file: File, num_labels: int) -> tuple[Images, Images]:
    """Split a file into images (N, 3, 32, 32) and labels (N, num_labels), both uint8.

    Raises DataError if its bytes are not one or more whole records.
    """
    record = num_labels + PIXELS
    size = len(file.content)
    if size % record or not size:
        labels = "a label" if num_labels == 1 else f"{num_labels} labels"
        raise DataError(
            f"cifar: {file.path} has {size} bytes, expected a multiple of {record} "
            f"({labels} and 3x32x32 pixels); {_AGAIN}"
        )
    table = np.frombuffer(file.content, np.uint8).reshape(-1, record)
    return table[:, num_labels:].reshape(-1, *SHAPE), table[:, :num_labels]


def read_file(path: Path) -> File:
    """Read a file; raises DataError if that cannot be done."""
    try:
        return File(path, path.read_bytes())
    except OSError as error:
        raise DataError(
            f"cifar: {path} cannot be read ({error.strerror}), expected a file of "
            "records; see to its permissions"
        ) from error


def read_archive(
    path: Path, folder: str, names: Sequence[str], *, optional: Sequence[str] = ()
) -> dict[str, File]:
    """Read folder/NAME of a tar.gz for all names; nothing is written to disk.

    Raises DataError if the archive is damaged or lacks a name that is not optional.
    """
    wanted = {f"{folder}/{name}": name for name in (*names, *optional)}
    try:
        found = _unpacked(path, wanted)
    except (tarfile.TarError, EOFError, zlib.error, OSError) as error:
        raise DataError(
            f"cifar: {path} is no intact tar.gz archive ({error}), expected the "
            f"published one; {_AGAIN}"
        ) from error
    absent = [name for name in names if name not in found]
    if absent:
        raise DataError(
            f"cifar: {path} lacks {', '.join(absent)}, expected all of "
            f"{', '.join(names)} in its folder {folder}; {_AGAIN}"
        )
    return found


def _unpacked(path: Path, wanted: Mapping[str, str]) -> dict[str, File]:
    """Regular files of a tar.gz whose names are wanted, by what those stand for."""
    found: dict[str, File] = {}
    with gzip.open(path) as tar, tarfile.open(fileobj=tar, mode="r|") as archive:
        for member in archive:
            name = wanted.get(member.name)
            stream = archive.extractfile(member) if member.isfile() else None
            if name and stream:
                found[name] = File(path / name, stream.read())
        # To the end, where gzip compares its checksum: tarfile stops before.
        while tar.read(1 << 20):
            pass
    return found


def expect_class_names(file: File, names: Sequence[str]) -> None:
    """Raise DataError unless the lines of file are these names, in this order."""
    found = file.content.decode(errors="replace").split()
    if found == list(names):
        return
    if len(names) > _FEW:
        raise DataError(_first_difference(file, found, names))
    raise DataError(
        f"cifar: {file.path} names the classes {', '.join(found) or 'not at all'}, "
        f"expected {', '.join(names)}; {_AGAIN}"
    )


def _first_difference(file: File, found: Sequence[str], names: Sequence[str]) -> str:
    pairs = enumerate(zip_longest(found, names))
    label, (got, expected) = next(pair for pair in pairs if pair[1][0] != pair[1][1])
    return (
        f"cifar: {file.path} names class {label} {got or 'not at all'}, expected "
        f"{expected or f'{len(names)} classes'}; {_AGAIN}"
    )
