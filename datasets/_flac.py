"""FLAC files, read as one channel of 16 bits with the optional package soundfile."""

import importlib
from pathlib import Path
from typing import Any

from datasets._errors import DataError
from datasets._wav import Samples, expect_rate, mono

_MAX_VALUES = 1 << 27  # 256 MB; a header can claim 2**36, whatever the file's size
_AGAIN = "get it again"


def read_flac(path: Path) -> tuple[Samples, int]:
    """Read a FLAC file: samples (L,) int16, and how many of them make a second.

    Channels are averaged. Raises DataError if soundfile is not installed, if the file
    cannot be read, is no FLAC, or is truncated, empty or of more than 2**27 values, or
    if its rate is not one that datasets.audio takes.
    """
    soundfile = _soundfile()
    try:
        with path.open("rb") as stream, soundfile.SoundFile(stream) as file:
            expected = _expected(path, file)
            samples = file.read(dtype="int16", always_2d=True)  # (L, C)
            rate = file.samplerate
    except soundfile.SoundFileError as error:
        raise DataError(
            f"flac: {path} is no intact FLAC file ({error}), expected a whole one; "
            f"{_AGAIN}"
        ) from error
    except OSError as error:
        raise DataError(
            f"flac: {path} cannot be read ({error.strerror}), expected a FLAC file; "
            "see to its name and permissions"
        ) from error
    if len(samples) != expected:
        raise DataError(
            f"flac: {path} has {len(samples)} samples, expected {expected} as its "
            f"header says; {_AGAIN}"
        )
    expect_rate(f"flac: {path}", rate)
    return mono(samples), rate


def _soundfile() -> Any:
    try:
        return importlib.import_module("soundfile")
    except (ImportError, OSError) as error:  # OSError: its library is not to be found
        raise DataError(
            f"flac: reading FLAC needs soundfile, which cannot be imported ({error}); "
            'run `pip install -e ".[speech]"`'
        ) from error


def _expected(path: Path, file: Any) -> int:
    """Samples per channel that the header claims, if it claims what can be read."""
    values = file.frames * file.channels
    if file.format != "FLAC" or not 0 < values <= _MAX_VALUES:
        raise DataError(
            f"flac: {path} is {file.format} of {values} values, expected FLAC of 1 to "
            f"{_MAX_VALUES}; {_AGAIN}"
        )
    return int(file.frames)
