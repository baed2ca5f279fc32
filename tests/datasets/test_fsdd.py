import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, fsdd
from datasets.audio import read_wav, resample

WriteSpeech = Callable[..., None]
NAMES = [
    f"{digit}_{speaker}_{index}.wav"
    for index in (0, 4, 5, 12)
    for speaker in ("anna", "bert")
    for digit in (3, 7)
]


def why_not_real() -> str | None:
    """Why tests of the real files skip, or None."""
    if not os.environ.get("MINIGRAD_DATA") or fsdd.missing():
        return "reads the real FSDD, which is not in $MINIGRAD_DATA"
    return None


needs_fsdd = pytest.mark.skipif(why_not_real() is not None, reason=str(why_not_real()))


@pytest.fixture
def root(tmp_path: Path, write_speech: WriteSpeech) -> Path:
    """A root with two digits of two speakers, of index 0, 4, 5 and 12."""
    place = tmp_path / "free-spoken-digit-dataset" / "recordings"
    write_speech(*(place / name for name in NAMES))
    return tmp_path


def test_index_0_to_4_tests_and_the_rest_trains_in_the_stated_order(root: Path) -> None:
    data = fsdd.load(root, num_clips=None)
    assert (data.name, data.rate) == ("fsdd", 4000)
    assert data.test.names == tuple(Path(name).stem for name in NAMES[:8])
    assert data.train.names == tuple(Path(name).stem for name in NAMES[8:])


def test_clips_are_resampled_and_read_only(root: Path) -> None:
    clip = fsdd.load(root, num_clips=None).test.clips[0]
    samples, rate = read_wav(fsdd.folder(root) / "recordings" / NAMES[0])
    np.testing.assert_array_equal(clip, resample(samples, rate, 4000))
    assert len(clip) == 500
    for rate in (4000, 8000):
        clip = fsdd.load(root, num_clips=None, rate=rate).test.clips[0]
        with pytest.raises(ValueError, match="read-only"):
            clip[0] = 1


def test_limit_reads_the_first_clips_of_each_part(root: Path) -> None:
    data = fsdd.load(root, num_clips=None, limit=3)
    assert data.train.names == ("3_anna_5", "7_anna_5", "3_bert_5")
    assert data.test.names == ("3_anna_0", "7_anna_0", "3_bert_0")


@pytest.mark.parametrize("limit", [0, -1, 2.0])
def test_a_bad_limit_is_named(root: Path, limit: int) -> None:
    with pytest.raises(
        DataError, match=f"^fsdd: limit is {limit}, expected a positive"
    ):
        fsdd.load(root, num_clips=None, limit=limit)


def test_a_bad_rate_is_named(root: Path) -> None:
    with pytest.raises(DataError, match="asked for has a rate of 4, expected"):
        fsdd.load(root, num_clips=None, rate=4)


def test_another_number_of_clips_is_refused(root: Path) -> None:
    with pytest.raises(DataError) as caught:
        fsdd.load(root)
    assert str(caught.value) == (
        f"fsdd: {root}/free-spoken-digit-dataset/recordings has 16 clips, expected "
        "3000; get them again, or read any number with "
        "datasets.fsdd.load(num_clips=None)"
    )


@pytest.mark.parametrize("name", ["10_anna_1.wav", "1_anna.wav", "1_anna_1.mp3"])
def test_a_file_of_another_name_is_named(root: Path, name: str) -> None:
    (fsdd.folder(root) / "recordings" / name).touch()
    with pytest.raises(DataError, match=rf"recordings/{name} is in the way, expected"):
        fsdd.load(root, num_clips=None)


def test_a_damaged_clip_is_named(root: Path) -> None:
    (fsdd.folder(root) / "recordings" / NAMES[3]).write_bytes(b"")
    with pytest.raises(DataError, match=rf"{NAMES[3]} is no intact WAV file"):
        fsdd.load(root, num_clips=None)


def test_a_part_without_clips_is_refused(
    tmp_path: Path, write_speech: WriteSpeech
) -> None:
    write_speech(fsdd.folder(tmp_path) / "recordings" / "1_anna_7.wav")
    with pytest.raises(DataError, match=r"^fsdd test: holds 0 clips"):
        fsdd.load(tmp_path, num_clips=None)


@pytest.mark.parametrize("explicit", [True, False])
def test_one_sentence_names_folder_and_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explicit: bool
) -> None:
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        fsdd.load(tmp_path if explicit else None, download=True)
    place = "give as root" if explicit else "set MINIGRAD_DATA to"
    name = "free-spoken-digit-dataset"
    assert str(caught.value) == (
        f"fsdd: {tmp_path}/{name} lacks the folder recordings; {place} the folder that "
        f"holds {name}/recordings, or run `git clone "
        f"https://github.com/Jakobovits/{name} {tmp_path}/{name}`"
    )


@needs_fsdd
def test_real_files_are_of_the_official_number_and_format() -> None:
    assert len(list((fsdd.folder() / "recordings").iterdir())) == 3000
    data = fsdd.load(limit=60)
    for split in (data.train, data.test):
        assert len({name.split("_")[1] for name in split.names}) == 6
        assert len({name.split("_")[0] for name in split.names}) == 10
    _, rate = read_wav(fsdd.folder() / "recordings" / "7_theo_31.wav")
    assert rate == 8000
