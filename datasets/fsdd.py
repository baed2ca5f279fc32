"""FSDD: 3,000 clips of digits spoken by six speakers, in the official files.

Source: Z. Jackson and others, "Free Spoken Digit Dataset", v1.0.10, 2020,
https://github.com/Jakobovits/free-spoken-digit-dataset; CC BY-SA 4.0. Files lie in
ROOT/free-spoken-digit-dataset/recordings, named DIGIT_SPEAKER_INDEX.wav: 8,000 samples
per second, one channel, 16 bits, half a second each.

The split is the official one: of each digit and speaker, the recordings of index 0 to 4
test, 5 to 49 train. Clips are in the order of index, speaker and digit, so the first 60
of a part are each digit of each speaker once. No checksums are published: what is
checked is number, names and format.
"""

import os
import re
import shlex
from pathlib import Path

from datasets import _fetch
from datasets._errors import DataError
from datasets._files import names_in
from datasets._sequences import SpeechDataset
from datasets._speech import read_speech

NAME = "fsdd"
FOLDER = "free-spoken-digit-dataset"
URL = "https://github.com/Jakobovits/free-spoken-digit-dataset"
NUM_CLIPS = 3_000
NUM_TEST = 5  # of each digit and speaker

_RECORDINGS = "recordings"
_FILE_NAME = re.compile(r"([0-9])_([a-z]{1,40})_([0-9]{1,4})\.wav")


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    rate: int = 4000,
    limit: int | None = None,
    num_clips: int | None = NUM_CLIPS,
) -> SpeechDataset:
    """Load FSDD, clips (L,) int16 at `rate` samples per second.

    `limit` reads the first clips of each part only. `num_clips` is how many files there
    must be; None reads any number. `download` is there because every loader has it: git
    gets the files, as the message of what is missing says. Raises DataError if files
    are missing, of another name or number, or damaged, or if an argument is out of
    range.
    """
    if missing(root):
        raise DataError(_missing_message(root))
    place = folder(root) / _RECORDINGS
    found = len(names_in(NAME, place))
    if num_clips is not None and found != num_clips:
        raise DataError(
            f"{NAME}: {place} has {found} clips, expected {num_clips}; get them again, "
            f"or read any number with {__name__}.load(num_clips=None)"
        )
    return read_recordings(NAME, place, rate=rate, limit=limit)


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the set, ROOT/free-spoken-digit-dataset; see data_root for ROOT."""
    return _fetch.data_root(root) / FOLDER


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The folder "recordings", if it is not there."""
    return () if (folder(root) / _RECORDINGS).is_dir() else (_RECORDINGS,)


def read_recordings(
    name: str, place: Path, *, rate: int, limit: int | None
) -> SpeechDataset:
    """Read the clips of a folder as the set called `name`, split as FSDD is.

    Raises DataError as load does.
    """
    keys = {file: _key(name, place / file) for file in names_in(name, place)}
    files = [(key, place / file) for file, key in keys.items()]
    return read_speech(
        name,
        train=[(key, path) for key, path in files if key[0] >= NUM_TEST],
        test=[(key, path) for key, path in files if key[0] < NUM_TEST],
        rate=rate,
        limit=limit,
    )


def _key(name: str, path: Path) -> tuple[int, str, int]:
    """Index, speaker and digit of a clip, from the name of its file."""
    match = _FILE_NAME.fullmatch(path.name)
    if not match:
        raise DataError(
            f"{name}: {path} is in the way, expected files DIGIT_SPEAKER_INDEX.wav "
            "only; move it away"
        )
    return int(match[3]), match[2], int(match[1])


def _missing_message(root: str | os.PathLike[str] | None) -> str:
    place = "set MINIGRAD_DATA to" if root is None else "give as root"
    return (
        f"{NAME}: {folder(root)} lacks the folder {_RECORDINGS}; {place} the folder "
        f"that holds {FOLDER}/{_RECORDINGS}, or run `git clone {URL} "
        f"{shlex.quote(str(folder(root)))}`"
    )
