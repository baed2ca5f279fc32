"""What the sets in CIFAR's binary format share: places, messages, the way to a Dataset.

Files lie in ROOT/FOLDER, in ROOT itself, or packed as published in ROOT/ARCHIVE, a
tar.gz which is read without unpacking it, in a few seconds.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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

MIRRORS = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")

Root = str | os.PathLike[str] | None


@dataclass(frozen=True)
class Labels:
    """One label byte of every record: what its values mean."""

    class_names: tuple[str, ...]
    names_file: str  # lists class_names; may be absent
    kind: str = ""  # tells it from the other bytes, where there are any


@dataclass(frozen=True)
class CifarSet:
    """A set as it was published; `labels` are the label bytes in a record's order."""

    name: str
    module: str
    folder_name: str
    archive: _fetch.RemoteFile
    train: tuple[str, ...]
    test: tuple[str, ...]
    labels: tuple[Labels, ...]

    def load(
        self,
        root: Root,
        *,
        download: bool,
        checksums: Mapping[str, str] | None,
        label_byte: int = 0,
    ) -> Dataset:
        """Read the set with the labels of one label byte; all label bytes are checked.

        Raises DataError if a file is missing, damaged or, unless checksums is None, not
        the one they are of, or names the classes in another order.
        """
        if download and self.missing(root):
            _fetch.download([self.archive], _fetch.data_root(root), MIRRORS)
        files = self.read(root)
        for labels in self.labels:
            if labels.names_file in files:
                expect_class_names(files[labels.names_file], labels.class_names)
        return Dataset(
            name=self.name,
            train=self._splits(files, self.train, "train", checksums)[label_byte],
            test=self._splits(files, self.test, "test", checksums)[label_byte],
            class_names=self.labels[label_byte].class_names,
        )

    def folder(self, root: Root) -> Path:
        """Folder of the unpacked files."""
        return _fetch.data_root(root) / self.folder_name

    def missing(self, root: Root) -> tuple[str, ...]:
        """Names of the files that lie nowhere; none if the archive is there."""
        if self._archive(root).is_file():
            return ()
        found = self._find(root)
        return tuple(name for name in self._names() if name not in found)

    def read(self, root: Root) -> dict[str, File]:
        """Files by name: the unpacked ones if all are there, else the archive's."""
        names = self._names()
        found = self._find(root)
        if found.keys() >= set(names):
            return {name: read_file(path) for name, path in found.items()}
        if self.missing(root):
            raise DataError(self._missing_message(root))
        path, optional = self._archive(root), self._names_files()
        return read_archive(path, self.folder_name, names, optional=optional)

    def _names(self) -> tuple[str, ...]:
        return (*self.train, *self.test)

    def _names_files(self) -> tuple[str, ...]:
        return tuple(labels.names_file for labels in self.labels)

    def _archive(self, root: Root) -> Path:
        return _fetch.data_root(root) / self.archive.name

    def _find(self, root: Root) -> dict[str, Path]:
        """Where each unpacked file lies; files that are nowhere have no entry."""
        places = (self.folder(root), _fetch.data_root(root))
        found: dict[str, Path] = {}
        for name in (*self._names(), *self._names_files()):
            for path in (place / name for place in places):
                if path.is_file():
                    found.setdefault(name, path)
        return found

    def _splits(
        self,
        files: Mapping[str, File],
        names: Sequence[str],
        part: str,
        checksums: Mapping[str, str] | None,
    ) -> list[Split]:
        """Make a Split for each label byte, all of them with the same images."""
        pieces = [records(files[name], len(self.labels)) for name in names]
        if checksums is not None:
            for name in names:
                self._expect_digest(files[name], checksums[name])
        images = np.concatenate([images for images, _ in pieces])
        columns = np.concatenate([labels for _, labels in pieces]).T  # (N, L) -> (L, N)
        splits: list[Split] = []
        for labels, column in zip(self.labels, columns, strict=True):
            what = " ".join(filter(None, (self.name, part, labels.kind)))
            splits.append(image_split(what, images, column, len(labels.class_names)))
        return splits

    def _expect_digest(self, file: File, expected: str) -> None:
        if file.sha256 != expected:
            raise DataError(
                f"{self.name}: {file.path} has sha256 {file.sha256}, expected "
                f"{expected}, the published file; delete it and get it again, or read "
                f"files of your own making with {self.module}.load(checksums=None)"
            )

    def _missing_message(self, root: Root) -> str:
        names = self.missing(root)
        place = "set MINIGRAD_DATA to" if root is None else "give as root"
        end = "" if root is None else f" --root {shlex.quote(str(root))}"
        return (
            f"{self.name}: {self.folder(root)} lacks {len(names)} of "
            f"{len(self._names())} files ({', '.join(names)}); {place} the folder that "
            f"holds {self.folder_name} or {self.archive.name}, or run `python -m "
            f"datasets download {self.name}{end}`, which gets {self.archive.name} "
            f"from {MIRRORS[0]}"
        )
