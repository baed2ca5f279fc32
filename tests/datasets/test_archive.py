import io
import re
import tarfile
from pathlib import Path

import pytest

from datasets import DataError
from datasets._archive import unpack

NAMES = re.compile(r"(?:a|b)/[0-9]\.txt")


def pack(path: Path, *members: tuple[str, bytes] | tarfile.TarInfo) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                tar.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                tar.addfile(info, io.BytesIO(member[1]))
    return path


def files_in(folder: Path) -> list[str]:
    """All but the archive, relative to the folder."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(str(p.relative_to(folder)) for p in paths if p.suffix != ".gz")


def test_only_files_of_the_names_asked_for_are_written(tmp_path: Path) -> None:
    archive = pack(
        tmp_path / "x.tar.gz",
        ("set/a/1.txt", b"one"),
        ("set/README", b"no"),
        ("set/a/../../../evil/a/2.txt", b"no"),
        ("/set/a/3.txt", b"no"),
        ("other/a/4.txt", b"no"),
        ("a/5.txt", b"no"),
        ("set/b/6.txt", b"six"),
    )
    unpack(archive, tmp_path / "set", NAMES, count=2, max_bytes=3)
    assert files_in(tmp_path) == ["set/a/1.txt", "set/b/6.txt"]
    assert (tmp_path / "set" / "b" / "6.txt").read_bytes() == b"six"


def link(kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo("set/a/1.txt")
    info.type, info.linkname = kind, "/etc/passwd"
    return info


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([link(tarfile.SYMTYPE)], r"set/a/1\.txt is no regular file"),
        ([link(tarfile.LNKTYPE)], r"set/a/1\.txt is no regular file"),
        ([link(tarfile.FIFOTYPE)], r"set/a/1\.txt is no regular file"),
        ([("set/a/1.txt", b"1" * 11)], r"set/a/1\.txt is of 11 bytes"),
        ([("set/a/1.txt", b"1")] * 2, r"a/1\.txt is there twice"),
        ([("set/a/1.txt", b"1")], "it holds 1 of 2 files"),
        ([], "it holds 0 of 2 files"),
        ([(f"set/a/{k}.txt", b"1") for k in range(5)], "it holds more than 2 files"),
    ],
)
def test_other_content_is_refused_and_nothing_is_left(
    tmp_path: Path, members: list[tuple[str, bytes]], message: str
) -> None:
    archive = pack(tmp_path / "x.tar.gz", *members)
    expected = rf"x\.tar\.gz is no intact copy of the published archive \({message}"
    with pytest.raises(DataError, match=expected):
        unpack(archive, tmp_path / "set", NAMES, count=2, max_bytes=10)
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]


@pytest.mark.parametrize("end", [20, 60, -8])
def test_a_truncated_archive_is_refused_and_nothing_is_left(
    tmp_path: Path, end: int
) -> None:
    archive = pack(tmp_path / "x.tar.gz", ("set/a/1.txt", bytes(range(256))))
    archive.write_bytes(archive.read_bytes()[:end])
    with pytest.raises(DataError, match=r"x\.tar\.gz is no intact copy"):
        unpack(archive, tmp_path / "set", NAMES, count=1, max_bytes=256)
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]


def test_nothing_is_unpacked_over_what_is_there(tmp_path: Path) -> None:
    archive = pack(tmp_path / "x.tar.gz", ("set/a/1.txt", b"1"))
    (tmp_path / "set").mkdir()
    with pytest.raises(
        DataError, match=r"set is there, but not whole, .* move it away"
    ):
        unpack(archive, tmp_path / "set", NAMES, count=1, max_bytes=10)


def test_an_archive_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"x\.tar\.gz cannot be unpacked to .*/set"):
        unpack(tmp_path / "x.tar.gz", tmp_path / "set", NAMES, count=1, max_bytes=10)
