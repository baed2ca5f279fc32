"""What the loaders of speech share: from paths of clips to a part of a data set."""

from collections.abc import Iterable, Sequence
from numbers import Integral
from pathlib import Path

from datasets._errors import DataError
from datasets._flac import read_flac
from datasets._sequences import Clip, SpeechDataset, SpeechSplit
from datasets.audio import read_wav, resample

Key = tuple[int | str, ...]


def read_speech(
    name: str,
    train: Iterable[tuple[Key, Path]],
    test: Iterable[tuple[Key, Path]],
    *,
    rate: int,
    limit: int | None,
) -> SpeechDataset:
    """Read the clips of both parts in the order of their keys, the first `limit`.

    Each is resampled to `rate` samples a second as it is read. Raises DataError if a
    part is empty, limit is below 1 or no integer, rate is not one that datasets.audio
    takes, or a file cannot be read.
    """
    if limit is not None and (not isinstance(limit, Integral) or limit < 1):
        raise DataError(
            f"{name}: limit is {limit!r}, expected a positive integer, or None for all"
        )
    parts = {"train": sorted(train)[:limit], "test": sorted(test)[:limit]}
    for part, files in parts.items():
        if not files:
            raise DataError(f"{name} {part}: holds 0 clips, expected at least 1")
    splits = [_split([path for _, path in files], rate) for files in parts.values()]
    return SpeechDataset(name, rate, *splits)


def _split(paths: Sequence[Path], rate: int) -> SpeechSplit:
    clips = tuple(_read(path, rate) for path in paths)
    return SpeechSplit(clips, tuple(path.stem for path in paths))


def _read(path: Path, rate: int) -> Clip:
    read = read_flac if path.suffix == ".flac" else read_wav
    samples, old = read(path)
    clip = resample(samples, old, rate)
    clip.flags.writeable = False
    return clip
