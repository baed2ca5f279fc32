"""Thirty clips of digits spoken by six speakers, bundled, so nothing is downloaded.

An excerpt of FSDD, see datasets.fsdd: of each digit two clips train and one tests, in
the parts and the order that they have there. CC BY-SA 4.0, see bundled/README.md.
"""

import hashlib
import os
from pathlib import Path

from datasets import fsdd
from datasets._errors import DataError
from datasets._files import names_in
from datasets._sequences import SpeechDataset

NAME = "spoken_digits"
FOLDER = Path(__file__).parent / "bundled" / NAME
NUM_CLIPS = 30

# Of each file in the order of names, the name and the content.
_SHA256 = "d9a3557e3a8f834f388cf30e787234a836e96a6af91f08753106e9f77ae2907b"


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    rate: int = 4000,
    limit: int | None = None,
) -> SpeechDataset:
    """Load the clips, (L,) int16 at `rate` samples per second; recorded at 8,000.

    `limit` reads the first clips of each part only. `root` and `download` are there
    because every loader has them, and do nothing. Raises DataError if a bundled file is
    damaged or absent, or if an argument is out of range.

    >>> data = load(rate=8000)
    >>> len(data.train), len(data.test), data.train.names[0]
    (20, 10, '0_george_5')
    """
    digest = hashlib.sha256()
    for name in sorted(names_in(NAME, FOLDER)):
        digest.update(name.encode() + (FOLDER / name).read_bytes())
    if digest.hexdigest() != _SHA256:
        raise DataError(
            f"{NAME}: the files in {FOLDER} have sha256 {digest.hexdigest()}, expected "
            f"{_SHA256}; get them again from the repository"
        )
    return fsdd.read_recordings(NAME, FOLDER, rate=rate, limit=limit)


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the bundled files, whatever `root` is."""
    return FOLDER


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The folder's own name if it is not there: nothing, in a whole checkout."""
    return () if FOLDER.is_dir() else (NAME,)
