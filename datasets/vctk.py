"""VCTK: 44 hours of English sentences read by some 110 speakers, in the official files.

Source: J. Yamagishi, C. Veaux, K. MacDonald, "CSTR VCTK Corpus", University of
Edinburgh, version 0.80, 2012, and version 0.92, 2019, https://doi.org/10.7488/ds/2645;
CC BY 4.0. Read is, of these, the first that is there:

    ROOT/VCTK-Corpus/wav48/p225/p225_001.wav                              0.80
    ROOT/VCTK-Corpus-0.92/wav48_silence_trimmed/p225/p225_001_mic1.flac   0.92

0.92 is FLAC, which takes soundfile (`pip install -e ".[speech]"`), and of its two
microphones the first is read. Both have 48,000 samples per second.

There is no official split: in the order of their names, the last tenth of the speakers,
rounded up, test, so nobody is heard in both parts. Clips are in the order of sentence
and speaker, so the first clips of a part are of unlike speakers. No checksums are
published: what is checked is names and format.
"""

import math
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from datasets import _fetch
from datasets._errors import DataError
from datasets._files import names_in
from datasets._sequences import SpeechDataset
from datasets._speech import Key, read_speech

NAME = "vctk"
URL = "https://datashare.ed.ac.uk/handle/10283/3443"


class _Version(NamedTuple):
    """Where a version has its folders of speakers, and how it names their clips."""

    folder: str
    clips: str
    file_name: re.Pattern[str]


_SPEAKER = re.compile(r"[ps][0-9]{1,3}")
_VERSIONS = (
    _Version("VCTK-Corpus", "wav48", re.compile(r"([ps][0-9]{1,3})_([0-9]{3})\.wav")),
    _Version(
        "VCTK-Corpus-0.92",
        "wav48_silence_trimmed",
        re.compile(r"([ps][0-9]{1,3})_([0-9]{3})_mic1\.flac"),
    ),
)


def load(
    root: str | os.PathLike[str] | None = None,
    *,
    download: bool = False,
    rate: int = 4000,
    limit: int | None = None,
) -> SpeechDataset:
    """Load VCTK, clips (L,) int16 at `rate` samples per second: 1.3 GB for 4,000.

    `limit` reads the first clips of each part only. `download` is there because every
    loader has it: 11 GB are fetched by hand, as the message of what is missing says.
    Raises DataError if files are missing or damaged, if there are less than two
    speakers, if FLAC cannot be read, or if an argument is out of range.
    """
    if missing(root):
        raise DataError(_missing_message(root))
    version = _version(root)
    place = folder(root) / version.clips
    speakers = sorted(filter(_SPEAKER.fullmatch, names_in(NAME, place)))
    if len(speakers) < 2:
        raise DataError(
            f"{NAME}: {place} has {len(speakers)} folders of speakers, expected two or "
            "more, one of them for the test part; get the others"
        )
    split = len(speakers) - math.ceil(len(speakers) / 10)
    return read_speech(
        NAME,
        train=_clips(place, speakers[:split], version),
        test=_clips(place, speakers[split:], version),
        rate=rate,
        limit=limit,
    )


def folder(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of the version that is there, else where version 0.92 is expected."""
    return _fetch.data_root(root) / _version(root).folder


def missing(root: str | os.PathLike[str] | None = None) -> tuple[str, ...]:
    """The folder of clips, if no version is there."""
    clips = _version(root).clips
    return () if (folder(root) / clips).is_dir() else (clips,)


def _version(root: str | os.PathLike[str] | None) -> _Version:
    base = _fetch.data_root(root)
    there = (v for v in _VERSIONS if (base / v.folder / v.clips).is_dir())
    return next(there, _VERSIONS[-1])


def _clips(
    place: Path, speakers: list[str], version: _Version
) -> Iterator[tuple[Key, Path]]:
    """Sentence and speaker, as a key, and path of all clips of some speakers.

    Other files are passed over: 0.92 has a second microphone, and notes.
    """
    for speaker in speakers:
        for name in names_in(NAME, place / speaker):
            match = version.file_name.fullmatch(name)
            if match and match[1] == speaker:
                yield (int(match[2]), speaker), place / speaker / name


def _missing_message(root: str | os.PathLike[str] | None) -> str:
    place = "set MINIGRAD_DATA to" if root is None else "give as root"
    old, new = (f"{version.folder}/{version.clips}" for version in _VERSIONS)
    return (
        f"{NAME}: {_fetch.data_root(root)} has neither {old} nor {new}; get the corpus "
        f"(11 GB) from {URL}, unpack it to a folder {_VERSIONS[-1].folder}, and "
        f"{place} the folder that holds that"
    )
