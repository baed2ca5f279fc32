import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, vctk

WriteSpeech = Callable[..., None]
OLD, NEW = "VCTK-Corpus/wav48", "VCTK-Corpus-0.92/wav48_silence_trimmed"
SPEAKERS = [f"p{number}" for number in range(225, 235)] + ["s5"]


@pytest.fixture
def write_old(write_speech: WriteSpeech) -> Callable[[Path], None]:
    """Write version 0.80: eleven speakers, each with two sentences, and a note."""

    def write(root: Path) -> None:
        write_speech(
            *(root / OLD / s / f"{s}_{k:03}.wav" for s in SPEAKERS for k in (1, 12))
        )
        (root / OLD / "log.txt").write_text("not a speaker")

    return write


@pytest.fixture
def write_new() -> Callable[[Path], None]:
    """Write version 0.92: the same, as FLAC, with the second microphone's."""
    soundfile = pytest.importorskip(
        "soundfile", reason="of the extra speech, is absent"
    )

    def write(root: Path) -> None:
        for speaker in SPEAKERS:
            place = root / NEW / speaker
            place.mkdir(parents=True)
            for sentence in (1, 12):
                for microphone in (1, 2):
                    samples = np.full(1200, 1000 * microphone, np.int16)
                    name = f"{speaker}_{sentence:03}_mic{microphone}.flac"
                    soundfile.write(place / name, samples, 48_000)

    return write


def test_the_last_tenth_of_the_speakers_tests(
    tmp_path: Path, write_old: Callable[[Path], None]
) -> None:
    write_old(tmp_path)
    data = vctk.load(tmp_path)
    assert (data.name, data.rate) == ("vctk", 4000)
    sentences = [f"{s}_{k:03}" for k in (1, 12) for s in SPEAKERS]
    assert data.train.names == tuple(n for n in sentences if n[:4] < "p234")
    assert data.test.names == tuple(n for n in sentences if n[:4] > "p233")
    assert all(len(clip) == 500 for clip in data.train.clips)


def test_limit_reads_first_sentences_of_unlike_speakers(
    tmp_path: Path, write_old: Callable[[Path], None]
) -> None:
    write_old(tmp_path)
    data = vctk.load(tmp_path, limit=3)
    assert data.train.names == ("p225_001", "p226_001", "p227_001")
    assert data.test.names == ("p234_001", "s5_001", "p234_012")


def test_of_the_newer_version_the_first_microphone_is_read(
    tmp_path: Path, write_new: Callable[[Path], None]
) -> None:
    write_new(tmp_path)
    data = vctk.load(tmp_path)
    assert vctk.folder(tmp_path) == tmp_path / "VCTK-Corpus-0.92"
    assert data.test.names[:2] == ("p234_001_mic1", "s5_001_mic1")
    assert len(data.train) == 18
    assert [clip[50] for clip in data.train.clips] == pytest.approx([1000] * 18, abs=1)


def test_the_older_version_comes_first(
    tmp_path: Path,
    write_old: Callable[[Path], None],
    write_new: Callable[[Path], None],
) -> None:
    write_old(tmp_path)
    write_new(tmp_path)
    assert vctk.load(tmp_path, limit=1).train.names == ("p225_001",)


def test_flac_without_soundfile_says_what_to_install(
    tmp_path: Path,
    write_new: Callable[[Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_new(tmp_path)
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(DataError, match=r'run `pip install -e "\.\[speech\]"`$'):
        vctk.load(tmp_path)


def test_one_speaker_cannot_be_split(tmp_path: Path, write_speech: WriteSpeech) -> None:
    write_speech(tmp_path / OLD / "p225" / "p225_001.wav")
    with pytest.raises(
        DataError, match="wav48 has 1 folders of speakers, expected two"
    ):
        vctk.load(tmp_path)


def test_speakers_without_clips_are_refused(tmp_path: Path) -> None:
    for speaker in SPEAKERS:
        (tmp_path / OLD / speaker).mkdir(parents=True)
    with pytest.raises(DataError, match=r"^vctk train: holds 0 clips"):
        vctk.load(tmp_path)


def test_a_truncated_clip_is_named(
    tmp_path: Path, write_old: Callable[[Path], None]
) -> None:
    write_old(tmp_path)
    path = tmp_path / OLD / "p228" / "p228_012.wav"
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(DataError, match=r"p228_012\.wav has 1998 bytes of samples"):
        vctk.load(tmp_path)


@pytest.mark.parametrize("explicit", [True, False])
def test_one_sentence_names_both_versions_and_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explicit: bool
) -> None:
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        vctk.load(tmp_path if explicit else None, download=True)
    place = "give as root" if explicit else "set MINIGRAD_DATA to"
    assert str(caught.value) == (
        f"vctk: {tmp_path} has neither {OLD} nor {NEW}; get the corpus (11 GB) from "
        "https://datashare.ed.ac.uk/handle/10283/3443, unpack it to a folder "
        f"VCTK-Corpus-0.92, and {place} the folder that holds that"
    )
    assert vctk.missing(tmp_path) == ("wav48_silence_trimmed",)
