import gzip
import hashlib
import os
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError
from datasets._idx import read_idx, write_idx

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
IMAGES_FILE = bytes.fromhex("00000803 00000002 00000003 00000004") + bytes(range(24))
# No time stamp: parameters are part of the names of the tests.
PACKED = gzip.compress(IMAGES_FILE, mtime=0)


@pytest.mark.parametrize("name", ["a-idx3-ubyte", "a-idx3-ubyte.gz"])
def test_what_was_written_is_read(tmp_path: Path, name: str) -> None:
    write_idx(tmp_path / name, IMAGES)
    x = read_idx(tmp_path / name, 3)
    np.testing.assert_array_equal(x, IMAGES)
    assert x.dtype == np.uint8


def test_bytes_are_those_of_the_format(tmp_path: Path) -> None:
    write_idx(tmp_path / "a", IMAGES)
    assert (tmp_path / "a").read_bytes() == IMAGES_FILE


def test_labels_have_magic_2049(tmp_path: Path) -> None:
    write_idx(tmp_path / "a", np.array([7], np.uint8))
    assert (tmp_path / "a").read_bytes() == (2049).to_bytes(4, "big") + b"\0\0\0\1\7"


def test_non_contiguous_array_is_written_in_index_order(tmp_path: Path) -> None:
    write_idx(tmp_path / "a", IMAGES[:, ::-1].transpose(0, 2, 1))
    expected = IMAGES[:, ::-1].transpose(0, 2, 1)
    np.testing.assert_array_equal(read_idx(tmp_path / "a", 3), expected)


def test_no_examples_are_a_valid_file(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.gz", np.zeros((0, 3, 4), np.uint8))
    assert read_idx(tmp_path / "a.gz", 3).shape == (0, 3, 4)


def test_what_is_read_cannot_be_written_to(tmp_path: Path) -> None:
    write_idx(tmp_path / "a", IMAGES)
    assert not read_idx(tmp_path / "a", 3).flags.writeable


def test_plain_file_with_gz_in_its_name_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.gz").write_bytes(IMAGES_FILE)
    assert read_idx(tmp_path / "a.gz", 3).shape == (2, 3, 4)


def test_gzip_holds_no_time_of_writing(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.gz", IMAGES)
    assert (tmp_path / "a.gz").read_bytes()[4:8] == b"\0\0\0\0"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a starts with nothing, expected 00000803 \(2051"),
        (b"\0\0", "a starts with 0000, expected 00000803"),
        (b"\0\0\x08\1" + IMAGES_FILE[4:], "a starts with 00000801, expected 00000803"),
        (IMAGES_FILE[:9], "a is truncated to 9 bytes, expected a header of 16 bytes"),
        (IMAGES_FILE[:-1], r"a is truncated to 39 bytes, expected 40 .*\(2, 3, 4\)"),
        (IMAGES_FILE + b"\0", "a runs on to 41 bytes, expected 40"),
        (IMAGES_FILE[:4] + b"\xff" * 12, "a is truncated to 16 bytes, expected 79228"),
        (PACKED[:-9], "a is a truncated gzip file"),
        (PACKED[:-8] + b"\0" * 8, "a is a corrupt gzip file"),
        (PACKED + b"more", "a is a corrupt gzip file"),
        (b"\x1f\x8b\x08" + b"\0" * 7 + b"\xff" * 20, "a is a corrupt gzip file"),
    ],
)
def test_damaged_file_is_named_with_its_damage(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(DataError, match=rf"^idx: {tmp_path}/{message}") as caught:
        read_idx(tmp_path / "a", 3)
    assert str(caught.value).endswith("; delete it and get it again")


def test_folder_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read .*expected an IDX file"):
        read_idx(tmp_path, 3)


def test_digest_is_of_the_decompressed_bytes(tmp_path: Path) -> None:
    write_idx(tmp_path / "a.gz", IMAGES)
    digest = hashlib.sha256(IMAGES_FILE).hexdigest()
    assert read_idx(tmp_path / "a.gz", 3, sha256=digest).shape == (2, 3, 4)


def test_other_digest_is_an_error(tmp_path: Path) -> None:
    write_idx(tmp_path / "a", IMAGES)
    digest = hashlib.sha256(IMAGES_FILE).hexdigest()
    with pytest.raises(DataError, match=f"a has sha256 {digest}.* expected 0000"):
        read_idx(tmp_path / "a", 3, sha256="0" * 64)


def test_only_bytes_are_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is float64, expected uint8"):
        write_idx(tmp_path / "a", np.zeros(3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
def test_failed_write_leaves_the_old_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*args: object) -> None:
        raise OSError("disk full")

    write_idx(tmp_path / "a", IMAGES)
    with monkeypatch.context() as patch:
        patch.setattr(Path if step == "write_bytes" else os, step, fail)
        with pytest.raises(DataError, match=r"cannot be written \(disk full"):
            write_idx(tmp_path / "a", IMAGES[:1])
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    np.testing.assert_array_equal(read_idx(tmp_path / "a", 3), IMAGES)
