import io
import os
import re
import struct
import tracemalloc
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from datasets import DataError, spoken_digits
from datasets.audio import read_wav, write_wav


def wav(frames: bytes, *, channels: int = 1, width: int = 2, rate: int = 8000) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((channels, width, rate, 0, "NONE", ""))
        file.writeframes(frames)
    return content.getvalue()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a.wav"


@given(values=st.lists(st.integers(-32768, 32767), min_size=1, max_size=50))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_written_is_read(path: Path, values: list[int]) -> None:
    write_wav(path, np.array(values, np.int16), 44_100)
    samples, rate = read_wav(path)
    assert (samples.tolist(), samples.dtype, rate) == (values, np.int16, 44_100)


@pytest.mark.parametrize(
    ("width", "frames"),
    [
        (1, bytes([0, 128, 255])),
        (2, struct.pack("<3h", -32768, 0, 32512)),
        (3, b"\x00\x00\x80" + b"\xff\x00\x00" + b"\xff\x00\x7f"),
        (4, struct.pack("<3i", -(2**31), 2**16 - 1, 32512 * 2**16 + 2**16 - 1)),
    ],
)
def test_of_wider_samples_the_upper_16_bits_are_taken(
    path: Path, width: int, frames: bytes
) -> None:
    path.write_bytes(wav(frames, width=width))
    assert read_wav(path)[0].tolist() == [-32768, 0, 32512]


def test_channels_are_averaged(path: Path) -> None:
    frames = struct.pack("<6h", 10, 20, 32767, 32767, -5, -8)
    path.write_bytes(wav(frames, channels=2))
    assert read_wav(path)[0].tolist() == [15, 32767, -6]


def test_other_chunks_are_passed_over(path: Path) -> None:
    content = wav(struct.pack("<2h", 1, 2))
    note = b"LIST" + struct.pack("<I", 3) + b"abc\0"
    content = content[:12] + note + content[12:] + note
    path.write_bytes(content[:4] + struct.pack("<I", len(content) - 8) + content[8:])
    assert read_wav(path)[0].tolist() == [1, 2]


GOOD = wav(struct.pack("<4h", 1, 2, 3, 4))


def changed(offset: int, packing: str, value: int) -> bytes:
    content = bytearray(GOOD)
    struct.pack_into(packing, content, offset, value)
    return bytes(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"no intact WAV file of PCM \(it ends too early\)"),
        (b"not a sound at all, but some text", "no intact WAV file of PCM"),
        (GOOD[:30], "no intact WAV file of PCM"),
        (GOOD[:-1], "has 7 bytes of samples, expected 8 as its header says"),
        (changed(40, "<I", 2**32 - 2), "8 bytes of samples, expected 42949672"),
        (changed(20, "<H", 3), "no intact WAV file of PCM .unknown format: 3"),
        (changed(22, "<H", 0), "no intact WAV file of PCM .bad # of channels"),
        (changed(34, "<H", 0), "no intact WAV file of PCM .bad sample width"),
        (changed(24, "<I", 0), r"has a rate of 0, expected an integer in \[1000, 76"),
        (changed(24, "<I", 2**31), "has a rate of 2147483648, expected"),
        (wav(b""), "has 0 bytes of samples, expected any"),
    ],
)
def test_damaged_files_are_named(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"^wav: \S+a\.wav .*{message}"):
        read_wav(path)


def test_memory_is_bounded_by_the_file_not_by_its_header(path: Path) -> None:
    path.write_bytes(changed(40, "<I", 2**32 - 2))
    tracemalloc.start()
    try:
        with pytest.raises(DataError):
            read_wav(path)
        assert tracemalloc.get_traced_memory()[1] < 1e6
    finally:
        tracemalloc.stop()


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_damage_to_the_header_is_a_sentence_or_does_no_harm(
    path: Path, data: st.DataObject
) -> None:
    content = bytearray(GOOD)
    for offset in data.draw(st.lists(st.integers(0, len(GOOD) - 1), max_size=3)):
        content[offset] = data.draw(st.integers(0, 255))
    path.write_bytes(content[: data.draw(st.integers(0, len(GOOD)))])
    try:
        samples, rate = read_wav(path)
    except DataError:
        return
    assert 1 <= len(samples) <= 8
    assert 1000 <= rate <= 768_000


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(DataError, match=r"a\.wav cannot be read \(No such file"):
        read_wav(path)


@pytest.mark.parametrize(
    ("samples", "rate", "message"),
    [
        (np.zeros(4), 8000, r"are float64 of shape \(4,\), expected int16"),
        (np.zeros((4, 1), np.int16), 8000, r"are int16 of shape \(4, 1\), expected"),
        (np.zeros(0, np.int16), 8000, "at least one"),
        (np.zeros(4, np.int16), 999, "has a rate of 999, expected an integer in"),
        (np.zeros(4, np.int16), 8000.0, "has a rate of 8000.0, expected an integer"),
    ],
)
def test_what_is_no_sound_is_not_written(
    path: Path, samples: np.ndarray, rate: int, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        write_wav(path, samples, rate)
    assert not path.exists()


def test_a_write_that_fails_leaves_the_old_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(source: object, target: object) -> None:
        raise OSError("no space left")

    write_wav(path, np.array([1, 2], np.int16), 8000)
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(DataError, match=r"^wav: \S+a\.wav cannot be written \(no spa"):
        write_wav(path, np.array([3], np.int16), 8000)
    assert read_wav(path)[0].tolist() == [1, 2]
    assert [file.name for file in path.parent.iterdir()] == ["a.wav"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "none" / "a.wav"
    message = rf"^wav: {re.escape(str(path))} cannot be written \(No such file or"
    with pytest.raises(DataError, match=f"{message}.*expected a folder that exists"):
        write_wav(path, np.array([1], np.int16), 8000)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"file/a\.wav cannot be written \(Not a dir"):
        write_wav(tmp_path / "file" / "a.wav", np.array([1], np.int16), 8000)


def test_threads_that_write_the_same_file_leave_one_of_theirs(path: Path) -> None:
    sounds = [np.full(20_000, value, np.int16) for value in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda sound: write_wav(path, sound, 8000), sounds * 4):
            pass
    (value,) = set(read_wav(path)[0].tolist())
    assert value in range(8)
    assert [file.name for file in path.parent.iterdir()] == ["a.wav"]


def test_a_list_is_no_sound(path: Path) -> None:
    with pytest.raises(DataError, match="are a list, expected an array of int16"):
        write_wav(path, [1, 2], 8000)  # type: ignore[arg-type]


def test_soundfile_reads_the_same_samples() -> None:
    soundfile = pytest.importorskip(
        "soundfile", reason="of the extra speech, is absent"
    )
    for file in sorted(spoken_digits.FOLDER.iterdir())[:3]:
        expected, rate = soundfile.read(file, dtype="int16")
        np.testing.assert_array_equal(read_wav(file)[0], expected)
        assert read_wav(file)[1] == rate
