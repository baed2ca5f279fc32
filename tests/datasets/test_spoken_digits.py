import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, fsdd, spoken_digits
from datasets.audio import mu_law_encode


def test_every_digit_is_spoken_in_both_parts_by_all_speakers() -> None:
    data = spoken_digits.load()
    assert (data.name, data.rate) == ("spoken_digits", 4000)
    for split, count in ((data.train, 20), (data.test, 10)):
        digits = [int(name[0]) for name in split.names]
        assert sorted(set(digits)) == list(range(10))
        assert len(split) == len(split.clips) == count
        assert len({name.split("_")[1] for name in split.names}) == 6


def test_no_clip_is_silent_or_shorter_than_a_tenth_of_a_second() -> None:
    for clip in spoken_digits.load(rate=8000).train.clips:
        assert len(clip) > 800
        assert clip.max() > 500


def test_speech_is_not_uniform_in_its_codes() -> None:
    codes = mu_law_encode(np.concatenate(spoken_digits.load().train.clips))
    share = np.bincount(codes, minlength=256) / len(codes)
    entropy = -np.sum(share * np.log(np.maximum(share, 1e-12)))
    assert 4 < entropy < np.log(256) - 0.1


def test_it_is_there_whatever_the_root(tmp_path: Path) -> None:
    data = spoken_digits.load(tmp_path / "absent", download=True, limit=2)
    assert (len(data.train), len(data.test)) == (2, 2)
    assert spoken_digits.missing(tmp_path) == ()


@pytest.mark.parametrize("damage", ["changed", "absent", "more", "renamed"])
def test_changed_bundled_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    folder = tmp_path / "spoken_digits"
    shutil.copytree(spoken_digits.FOLDER, folder)
    first, second, *_ = sorted(folder.iterdir())
    if damage == "changed":
        first.write_bytes(second.read_bytes())
    elif damage == "absent":
        first.unlink()
    elif damage == "more":
        shutil.copy(first, folder / "9_zoe_9.wav")
    else:
        first.rename(folder / "9_zoe_9.wav")
    monkeypatch.setattr(spoken_digits, "FOLDER", folder)
    with pytest.raises(DataError, match=r"spoken_digits have sha256 .* get them again"):
        spoken_digits.load()


def test_the_files_are_small() -> None:
    assert sum(path.stat().st_size for path in spoken_digits.FOLDER.iterdir()) < 250_000


def test_bundled_folder_states_source_and_licence() -> None:
    text = (spoken_digits.FOLDER.parent / "README.md").read_text()
    assert "Free Spoken Digit Dataset" in text
    assert "CC BY-SA 4.0" in text


@pytest.mark.skipif(
    not os.environ.get("MINIGRAD_DATA") or bool(fsdd.missing()),
    reason="compares with the real FSDD, which is not in $MINIGRAD_DATA",
)
def test_every_file_is_one_of_the_real_ones() -> None:
    for path in spoken_digits.FOLDER.iterdir():
        original = fsdd.folder() / "recordings" / path.name
        assert path.read_bytes() == original.read_bytes()
