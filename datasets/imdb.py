"""IMDB: 25,000 + 25,000 reviews of films, half of them positive, in the official files.

Source: A. L. Maas, R. E. Daly, P. T. Pham, D. Huang, A. Y. Ng, C. Potts, "Learning Word
Vectors for Sentiment Analysis", ACL 2011, https://ai.stanford.edu/~amaas/data/sentiment/.
Files lie in ROOT/aclImdb/{train,test}/{neg,pos}, each a review, named ID_RATING.txt.
A negative one rates its film 1 to 4 out of 10, a positive one 7 to 10, and at most 30
reviews are of one film. The unlabelled reviews are not read.

Reviews are in the order of their IDs, and of each ID first the negative one, then the
positive one: the first n examples are balanced. IDs follow the films, so the end of a
part is of other films than its beginning.

No checksums of the single files are published: what is checked of files that are there
is their number, names and encoding, and of the archive, when it is downloaded, its md5.
"""

import os
import re
import shlex
from pathlib import Path

import numpy as np

from datasets import _fetch
from datasets._archive import unpack
from datasets._errors import DataError
from datasets._files import names_in
from datasets._sequences import TextDataset, TextSplit

NAME = "imdb"
CLASS_NAMES = ("neg", "pos")
FOLDER = "aclImdb"
ARCHIVE = _fetch.RemoteFile("aclImdb_v1.tar.gz", "md5:7c2ac02c03563afcf9b574c7e56c153a")
MIRRORS = ("https://ai.stanford.edu/~amaas/data/sentiment/",)
NUM_REVIEWS = 12_500  # of each class, in each part

_PARTS = ("train", "test")
_FOLDERS = tuple(f"{part}/{name}" for part in _PARTS for name in CLASS_NAMES)
_RATINGS = {"neg": range(1, 5), "pos": range(7, 11)}
_FILE_NAME = re.compile(r"([0-9]{1,9})_([0-9]{1,2})\.txt")
_MEMBERS = re.compile(r"(?:train|test)/(?:neg|pos)/[0-9]{1,9}_[0-9]{1,2}\.txt")
_MAX_BYTES = 1 << 20  # of a review; the longest has 14 kB


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    num_reviews: int | None = NUM_REVIEWS,
) -> TextDataset:
    """Load IMDB, label 0 for negative and 1 for positive, in the order of the module.

    `download` fetches ROOT/aclImdb_v1.tar.gz, 84 MB, and unpacks its labelled reviews
    to ROOT/aclImdb if they are not there; the archive stays. `num_reviews` is how many
    files each of the four folders must have; None reads any number. Raises DataError if
    folders are missing, files are of another name, number or encoding, or of a rating
    that is not their folder's.
    """
    if download and missing(root):
        _fetch.download([ARCHIVE], _fetch.data_root(root), MIRRORS)
        _unpack(root)
    if missing(root):
        raise DataError(_missing_message(root))
    parts = [_split(folder(root) / part, num_reviews) for part in _PARTS]
    return TextDataset(NAME, *parts, class_names=CLASS_NAMES)


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the reviews, ROOT/aclImdb; see data_root for ROOT."""
    return _fetch.data_root(root) / FOLDER


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """Names of the folders, of four, that are not there: "train/neg", for example."""
    return tuple(name for name in _FOLDERS if not (folder(root) / name).is_dir())


def _unpack(root: str | os.PathLike[str] | None) -> None:
    archive = _fetch.data_root(root) / ARCHIVE.name
    count = NUM_REVIEWS * len(_FOLDERS)
    unpack(archive, folder(root), _MEMBERS, count=count, max_bytes=_MAX_BYTES)


def _split(part: Path, num_reviews: int | None) -> TextSplit:
    files = [
        (number, label, f"{part}/{name}/{file}")
        for label, name in enumerate(CLASS_NAMES)
        for number, file in _numbered(part / name, num_reviews)
    ]
    files.sort()
    labels = np.array([label for _, label, _ in files], np.int64)
    labels.flags.writeable = False
    return TextSplit(tuple(_read(path) for _, _, path in files), labels)


def _numbered(place: Path, num_reviews: int | None) -> list[tuple[int, str]]:
    """IDs and names of the files of a folder, in no order."""
    names = names_in(NAME, place)
    numbered = [(_number(place, name), name) for name in names]
    if num_reviews is not None and len(names) != num_reviews:
        raise DataError(
            f"{NAME}: {place} has {len(names)} reviews, expected {num_reviews}; get "
            f"them again, or read any number with {__name__}.load(num_reviews=None)"
        )
    num_unlike = len(dict(numbered))
    if num_unlike != len(names) or not names:
        raise DataError(
            f"{NAME}: {place} has {len(names)} reviews of {num_unlike} IDs, expected "
            "one of each, and one at least; get them again"
        )
    return numbered


def _number(place: Path, name: str) -> int:
    """ID of a review, from the name of its file."""
    match = _FILE_NAME.fullmatch(name)
    if match and int(match[2]) in _RATINGS[place.name]:
        return int(match[1])
    ratings = _RATINGS[place.name]
    raise DataError(
        f"{NAME}: {place / name} is in the way, expected files ID_RATING.txt with "
        f"ratings of {ratings[0]} to {ratings[-1]} only; move it away"
    )


def _read(path: str) -> str:
    # No Path and no buffer: they would double the time that 50,000 small files take.
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read().decode()
    except UnicodeDecodeError as error:
        raise DataError(
            f"{NAME}: {path} has byte {error.object[error.start]:#04x} at "
            f"{error.start}, expected UTF-8; get the reviews again"
        ) from error
    except OSError as error:
        raise DataError(
            f"{NAME}: {path} cannot be read ({error.strerror}), expected a review; see "
            "to its permissions"
        ) from error


def _missing_message(root: str | os.PathLike[str] | None) -> str:
    names = missing(root)
    place = "set MINIGRAD_DATA to" if root is None else "give as root"
    end = "" if root is None else f" --root {shlex.quote(str(root))}"
    return (
        f"{NAME}: {folder(root)} lacks {len(names)} of {len(_FOLDERS)} folders "
        f"({', '.join(names)}); {place} the folder that holds {FOLDER}, or run `python "
        f"-m datasets download {NAME}{end}`, which gets and unpacks {ARCHIVE.name} "
        f"from {MIRRORS[0]}"
    )
