import hashlib
import io
import os
import tarfile
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, cifar, load
from datasets.__main__ import main

# As MXNet's gluon.data.vision.CIFAR10 checks the same files.
PUBLISHED_SHA1 = [
    ("data_batch_1.bin", "aadd24acce27caa71bf4b10992e9e7b2d74c2540"),
    ("data_batch_2.bin", "c0ba65cce70568cd57b4e03e9ac8d2a5367c1795"),
    ("data_batch_3.bin", "1dd00a74ab1d17a6e7d73e185b69dbf31242f295"),
    ("data_batch_4.bin", "aab85764eb3584312d3c7f65fd2fd016e36a258e"),
    ("data_batch_5.bin", "26e2849e66a845b7f1e4614ae70f4889ae604628"),
    ("test_batch.bin", "67eb016db431130d61cd03c7ad570b013799c88c"),
]
TRAIN = [f"data_batch_{number}.bin" for number in range(1, 6)]
WriteCifar = Callable[..., None]


def real_files() -> str | None:
    """Why tests of the real files skip, or None."""
    if not os.environ.get("MINIGRAD_DATA") or cifar.missing():
        return "reads the real CIFAR-10, which is not in $MINIGRAD_DATA"
    return None


needs_cifar = pytest.mark.skipif(real_files() is not None, reason=str(real_files()))


def row(label: int, image: np.ndarray) -> bytes:
    return bytes([label]) + image.tobytes()


def contents() -> dict[str, bytes]:
    """Four records in each of the six files; labels count up through all of them."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (24, 3, 32, 32), np.uint8)
    rows = [row(number % 10, image) for number, image in enumerate(images)]
    names = [*TRAIN, "test_batch.bin"]
    files = {name: b"".join(rows[4 * k : 4 * k + 4]) for k, name in enumerate(names)}
    return files | {"batches.meta.txt": "\n".join([*cifar.CLASS_NAMES, ""]).encode()}


@pytest.fixture
def write_cifar() -> WriteCifar:
    """Write six files of 4 images, loose or packed as the official archive is."""

    def write(folder: Path, **changed: bytes | None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (contents() | changed).items():
            if content is not None:
                (folder / name).write_bytes(content)

    return write


def pack(path: Path, **changed: bytes | None) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in (contents() | changed).items():
            if content is not None:
                member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("place", ["cifar-10-batches-bin", "."])
def test_files_are_read_from_either_folder(
    tmp_path: Path, write_cifar: WriteCifar, place: str
) -> None:
    write_cifar(tmp_path / place)
    data = cifar.load(tmp_path, checksums=None)
    assert data.train.images.shape == (20, 3, 32, 32)
    assert data.train.labels.tolist() == [k % 10 for k in range(20)]
    assert data.test.labels.tolist() == [0, 1, 2, 3]
    assert data.class_names[:2] == ("airplane", "automobile")


def test_pixels_are_planes_red_green_blue_row_by_row(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    image = np.zeros((3, 32, 32), np.uint8)
    content = bytearray(row(7, image))
    content[1 + 2 * 1024 + 5 * 32 + 9] = 200
    write_cifar(tmp_path, **{"test_batch.bin": bytes(content)})
    test = cifar.load(tmp_path, checksums=None).test
    assert test.labels.tolist() == [7]
    assert np.argwhere(test.images).tolist() == [[0, 2, 5, 9]]


def test_archive_is_read_as_it_was_published(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    pack(tmp_path / "cifar-10-binary.tar.gz")
    write_cifar(tmp_path / "loose")
    packed = cifar.load(tmp_path, checksums=None)
    loose = cifar.load(tmp_path / "loose", checksums=None)
    np.testing.assert_array_equal(packed.train.images, loose.train.images)
    np.testing.assert_array_equal(packed.test.labels, loose.test.labels)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [
        "cifar-10-binary.tar.gz"
    ]


def test_archive_stands_in_for_a_folder_that_is_not_complete(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    write_cifar(tmp_path / "cifar-10-batches-bin", **{"data_batch_3.bin": None})
    assert cifar.missing(tmp_path) == ("data_batch_3.bin",)
    pack(tmp_path / "cifar-10-binary.tar.gz")
    assert cifar.missing(tmp_path) == ()
    assert len(cifar.load(tmp_path, checksums=None).train) == 20


def test_class_names_may_be_absent_but_not_in_another_order(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    write_cifar(tmp_path, **{"batches.meta.txt": None})
    assert cifar.load(tmp_path, checksums=None).num_classes == 10
    write_cifar(tmp_path, **{"batches.meta.txt": b"cat\ndog\n\n"})
    with pytest.raises(DataError, match=r"meta\.txt names the classes cat, dog, expec"):
        cifar.load(tmp_path, checksums=None)


def test_files_that_are_not_the_official_ones_are_refused_unless_asked_for(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    write_cifar(tmp_path)
    with pytest.raises(DataError) as caught:
        load("cifar10", tmp_path)
    digest = hashlib.sha256(contents()["data_batch_1.bin"]).hexdigest()
    assert str(caught.value) == (
        f"cifar10: {tmp_path}/data_batch_1.bin has sha256 {digest}, expected "
        f"{cifar.CHECKSUMS['data_batch_1.bin']}, the published file; delete it and get "
        "it again, or read files of your own making with "
        "datasets.cifar.load(checksums=None)"
    )
    assert not cifar.is_official(tmp_path)


def test_other_checksums_can_be_asked_for(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    write_cifar(tmp_path)
    checksums = {
        name: hashlib.sha256(contents()[name]).hexdigest() for name in cifar.CHECKSUMS
    }
    assert len(cifar.load(tmp_path, checksums=checksums).test) == 4
    write_cifar(tmp_path, **{"test_batch.bin": bytes(3073)})
    with pytest.raises(DataError, match=r"test_batch\.bin has sha256"):
        cifar.load(tmp_path, checksums=checksums)


@pytest.mark.parametrize("content", [b"", bytes(3073 * 4 - 1), bytes(3074)])
def test_files_of_broken_records_are_refused(
    tmp_path: Path, write_cifar: WriteCifar, content: bytes
) -> None:
    write_cifar(tmp_path, **{"data_batch_2.bin": content})
    expected = (
        rf"data_batch_2\.bin has {len(content)} bytes, expected a multiple of 3073 "
    )
    with pytest.raises(DataError, match=expected):
        cifar.load(tmp_path)


def test_labels_above_nine_are_refused(tmp_path: Path, write_cifar: WriteCifar) -> None:
    write_cifar(tmp_path, **{"test_batch.bin": b"\x0a" + bytes(3072)})
    with pytest.raises(DataError, match=r"^cifar10 test: labels lie in \[10, 10\]"):
        cifar.load(tmp_path, checksums=None)


def test_pickles_are_not_loaded(tmp_path: Path, write_cifar: WriteCifar) -> None:
    # The Python version of the set: never unpickled, whatever its name.
    write_cifar(tmp_path, **{"data_batch_1.bin": b"\x80\x02}q\x01." * 5})
    with pytest.raises(DataError, match="expected a multiple of 3073"):
        cifar.load(tmp_path, checksums=None)


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:1000] + b"\0" * 100 + content[1100:],
        lambda content: b"no archive at all",
        lambda content: b"",
    ],
)
def test_damaged_archives_are_refused(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "cifar-10-binary.tar.gz"
    pack(path)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"tar\.gz is no intact tar\.gz archive \("):
        cifar.load(tmp_path, checksums=None)


def test_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    pack(tmp_path / "cifar-10-binary.tar.gz", **{"data_batch_4.bin": None})
    with pytest.raises(DataError, match=r"tar\.gz lacks data_batch_4\.bin, expected"):
        cifar.load(tmp_path, checksums=None)


def test_links_in_an_archive_are_not_followed(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cifar-10-binary.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("cifar-10-batches-bin/test_batch.bin")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(DataError, match=r"lacks data_batch_1.*, test_batch\.bin, exp"):
        cifar.load(tmp_path, checksums=None)


@pytest.mark.parametrize("explicit", [True, False])
def test_one_sentence_names_folder_remedy_files_and_url(
    tmp_path: Path,
    write_cifar: WriteCifar,
    monkeypatch: pytest.MonkeyPatch,
    explicit: bool,
) -> None:
    write_cifar(tmp_path, **{"data_batch_1.bin": None, "test_batch.bin": None})
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load("cifar10", tmp_path if explicit else None)
    place = "give as root" if explicit else "set MINIGRAD_DATA to"
    end = f" --root {tmp_path}" if explicit else ""
    assert str(caught.value) == (
        f"cifar10: {tmp_path}/cifar-10-batches-bin lacks 2 of 6 files "
        f"(data_batch_1.bin, test_batch.bin); {place} the folder that holds "
        "cifar-10-batches-bin or cifar-10-binary.tar.gz, or run "
        f"`python -m datasets download cifar10{end}`, which gets "
        "cifar-10-binary.tar.gz from https://www.cs.toronto.edu/~kriz/"
    )


def test_the_archive_is_downloaded_from_each_mirror_in_turn(
    tmp_path: Path, fake_pooch: types.ModuleType
) -> None:
    with pytest.raises(DataError, match=r"download cifar-10-binary\.tar\.gz"):
        load("cifar10", tmp_path, download=True)
    assert fake_pooch.urls == [
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
    ]


def test_nothing_is_downloaded_when_all_files_are_there_or_nobody_asked(
    tmp_path: Path, write_cifar: WriteCifar, fake_pooch: types.ModuleType
) -> None:
    with pytest.raises(DataError, match="lacks 6 of 6 files"):
        cifar.load(tmp_path)
    write_cifar(tmp_path)
    cifar.load(tmp_path, download=True, checksums=None)
    assert fake_pooch.urls == []


def test_the_command_says_what_is_wrong(
    tmp_path: Path, write_cifar: WriteCifar, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cifar(tmp_path)
    assert main(["check", "cifar10", "--root", str(tmp_path)]) == 1
    assert "has sha256" in capsys.readouterr().err


@needs_cifar
def test_real_files_have_the_official_counts_and_classes() -> None:
    data = cifar.load(checksums=None)
    assert data.train.images.shape == (50000, 3, 32, 32)
    assert data.test.images.shape == (10000, 3, 32, 32)
    assert np.bincount(data.train.labels).tolist() == [5000] * 10
    assert np.bincount(data.test.labels).tolist() == [1000] * 10


@needs_cifar
@pytest.mark.parametrize(("name", "sha1"), PUBLISHED_SHA1)
def test_bytes_behind_our_sha256_have_the_published_sha1(name: str, sha1: str) -> None:
    file = cifar._SET.read(None)[name]
    official = file.sha256 == cifar.CHECKSUMS[name]
    assert (hashlib.sha1(file.content).hexdigest() == sha1) == official
