import sys
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError
from datasets.audio import read_flac

SOUND = np.arange(-600, 600, dtype=np.int16)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A FLAC file of two channels, SOUND and SOUND + 2, at 48,000 samples a second."""
    soundfile = pytest.importorskip(
        "soundfile", reason="of the extra speech, is absent"
    )
    path = tmp_path / "a.flac"
    soundfile.write(path, np.stack([SOUND, SOUND + 2], axis=1), 48_000)
    return path


def test_channels_are_averaged(path: Path) -> None:
    samples, rate = read_flac(path)
    np.testing.assert_array_equal(samples, SOUND + 1)
    assert (samples.dtype, rate) == (np.int16, 48_000)


@pytest.mark.parametrize("end", [0, 4, 60, -40])
def test_a_truncated_file_is_named(path: Path, end: int) -> None:
    path.write_bytes(path.read_bytes()[:end])
    with pytest.raises(DataError, match=r"^flac: \S+a\.flac .*; get it again$"):
        read_flac(path)


def test_another_kind_of_sound_is_named(path: Path) -> None:
    sys.modules["soundfile"].write(path, SOUND, 48_000, format="WAV")
    with pytest.raises(
        DataError, match=r"a\.flac is WAV of 1200 values, expected FLAC"
    ):
        read_flac(path)


def test_no_memory_is_asked_for_what_a_header_claims(path: Path) -> None:
    content = bytearray(path.read_bytes())
    # The number of samples is the lower 36 bits of bytes 18 to 25.
    content[21] |= 0x0F
    content[22:26] = b"\xff" * 4
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"is FLAC of 137438953470 values, expected"):
        read_flac(path)


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(DataError, match=r"b\.flac cannot be read \(No such file"):
        read_flac(path.with_name("b.flac"))


def test_absent_soundfile_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "soundfile", None)
    expected = r'needs soundfile, .*; run `pip install -e "\.\[speech\]"`$'
    with pytest.raises(DataError, match=expected):
        read_flac(tmp_path / "a.flac")
