import hashlib
import io
import os
import tarfile
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, cifar, cifar100, load
from datasets.__main__ import main

# As MXNet's gluon.data.vision.CIFAR100 checks the same files.
PUBLISHED_SHA1 = [
    ("train.bin", "e207cd2e05b73b1393c74c7f5e7bea451d63e08e"),
    ("test.bin", "8fb6623e830365ff53cf14adec797474f5478006"),
]
COARSE_FILE, FINE_FILE = "coarse_label_names.txt", "fine_label_names.txt"
WriteCifar = Callable[..., None]


def real_files() -> str | None:
    """Why tests of the real files skip, or None."""
    if not os.environ.get("MINIGRAD_DATA") or cifar100.missing():
        return "reads the real CIFAR-100, which is not in $MINIGRAD_DATA"
    return None


needs_cifar = pytest.mark.skipif(real_files() is not None, reason=str(real_files()))


def row(coarse: int, fine: int, image: np.ndarray) -> bytes:
    return bytes([coarse, fine]) + image.tobytes()


def contents() -> dict[str, bytes]:
    """Six records to train, four to test; fine labels count down from 99."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (10, 3, 32, 32), np.uint8)
    rows = [row(k % 20, 99 - k, image) for k, image in enumerate(images)]
    return {
        "train.bin": b"".join(rows[:6]),
        "test.bin": b"".join(rows[6:]),
        COARSE_FILE: "\n".join([*cifar100.COARSE_NAMES, ""]).encode(),
        FINE_FILE: "\n".join([*cifar100.CLASS_NAMES, ""]).encode(),
    }


@pytest.fixture
def write_cifar() -> WriteCifar:
    """Write the four files into a folder."""

    def write(folder: Path, changed: dict[str, bytes | None] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in (contents() | (changed or {})).items():
            if content is not None:
                (folder / name).write_bytes(content)

    return write


@pytest.fixture
def pack_cifar() -> WriteCifar:
    """Pack the four files into a folder as the official archive is."""

    def pack(folder: Path, changed: dict[str, bytes | None] | None = None) -> None:
        with tarfile.open(folder / "cifar-100-binary.tar.gz", "w:gz") as archive:
            for name, content in (contents() | (changed or {})).items():
                if content is not None:
                    member = tarfile.TarInfo(f"cifar-100-binary/{name}")
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))

    return pack


@pytest.mark.parametrize("place", ["cifar-100-binary", "."])
def test_files_are_read_from_either_folder(
    tmp_path: Path, write_cifar: WriteCifar, place: str
) -> None:
    write_cifar(tmp_path / place)
    data = cifar100.load(tmp_path, checksums=None)
    assert data.name == "cifar100"
    assert data.train.images.shape == (6, 3, 32, 32)
    assert data.train.labels.tolist() == [99, 98, 97, 96, 95, 94]
    assert data.test.labels.tolist() == [93, 92, 91, 90]
    assert data.class_names[:2] == ("apple", "aquarium_fish")
    assert data.num_classes == 100


def test_coarse_labels_can_be_asked_for(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    write_cifar(tmp_path)
    coarse = cifar100.load(tmp_path, checksums=None, labels="coarse")
    assert coarse.train.labels.tolist() == [0, 1, 2, 3, 4, 5]
    assert coarse.test.labels.tolist() == [6, 7, 8, 9]
    assert coarse.num_classes == 20
    assert coarse.class_names[-1] == "vehicles_2"
    fine = cifar100.load(tmp_path, checksums=None, labels="fine")
    np.testing.assert_array_equal(coarse.train.images, fine.train.images)


@pytest.mark.parametrize("labels", ["both", "", None, 1])
def test_other_kinds_of_labels_are_refused(tmp_path: Path, labels: object) -> None:
    expected = rf"^cifar100: labels is {labels!r}, expected 'fine' \(100 classes\) or"
    with pytest.raises(DataError, match=expected):
        cifar100.load(tmp_path, labels=labels)  # type: ignore[arg-type]


def test_pixels_are_planes_red_green_blue_row_by_row(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    content = bytearray(row(3, 42, np.zeros((3, 32, 32), np.uint8)))
    content[2 + 2 * 1024 + 5 * 32 + 9] = 200
    write_cifar(tmp_path, {"test.bin": bytes(content)})
    test = cifar100.load(tmp_path, checksums=None).test
    assert test.labels.tolist() == [42]
    assert np.argwhere(test.images).tolist() == [[0, 2, 5, 9]]


def test_archive_is_read_as_it_was_published(
    tmp_path: Path, write_cifar: WriteCifar, pack_cifar: WriteCifar
) -> None:
    pack_cifar(tmp_path)
    write_cifar(tmp_path / "loose")
    packed = cifar100.load(tmp_path, checksums=None)
    loose = cifar100.load(tmp_path / "loose", checksums=None)
    np.testing.assert_array_equal(packed.train.images, loose.train.images)
    np.testing.assert_array_equal(packed.test.labels, loose.test.labels)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [
        "cifar-100-binary.tar.gz"
    ]


def test_archive_stands_in_for_a_folder_that_is_not_complete(
    tmp_path: Path, write_cifar: WriteCifar, pack_cifar: WriteCifar
) -> None:
    write_cifar(tmp_path / "cifar-100-binary", {"train.bin": None})
    assert cifar100.missing(tmp_path) == ("train.bin",)
    pack_cifar(tmp_path)
    assert cifar100.missing(tmp_path) == ()
    assert len(cifar100.load(tmp_path, checksums=None).train) == 6


def test_neither_cifar_takes_the_other_for_itself(
    tmp_path: Path, write_cifar: WriteCifar, pack_cifar: WriteCifar
) -> None:
    write_cifar(tmp_path / "cifar-100-binary")
    pack_cifar(tmp_path)
    assert len(cifar.missing(tmp_path)) == 6


def test_lists_of_names_may_be_absent(tmp_path: Path, write_cifar: WriteCifar) -> None:
    write_cifar(tmp_path, {COARSE_FILE: None, FINE_FILE: None})
    assert cifar100.load(tmp_path, checksums=None).num_classes == 100


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        (FINE_FILE, b"baby", b"cat", "names class 2 cat, expected baby; delete"),
        (FINE_FILE, b"worm\n", b"", "names class 99 not at all, expected worm; delete"),
        (FINE_FILE, b"worm", b"worm\nyak", "names class 100 yak, expected 100 classes"),
        (COARSE_FILE, b"fish", b"fowl", "names class 1 fowl, expected fish; delete"),
    ],
)
@pytest.mark.parametrize("labels", ["fine", "coarse"])
def test_classes_of_another_order_are_refused_whichever_are_used(
    tmp_path: Path,
    write_cifar: WriteCifar,
    name: str,
    old: bytes,
    new: bytes,
    message: str,
    labels: str,
) -> None:
    write_cifar(tmp_path, {name: contents()[name].replace(old, new, 1)})
    with pytest.raises(DataError, match=rf"/{name} {message}"):
        cifar100.load(tmp_path, checksums=None, labels=labels)


def test_files_that_are_not_the_official_ones_are_refused_unless_asked_for(
    tmp_path: Path, write_cifar: WriteCifar
) -> None:
    write_cifar(tmp_path)
    with pytest.raises(DataError) as caught:
        load("cifar100", tmp_path)
    digest = hashlib.sha256(contents()["train.bin"]).hexdigest()
    assert str(caught.value) == (
        f"cifar100: {tmp_path}/train.bin has sha256 {digest}, expected "
        f"{cifar100.CHECKSUMS['train.bin']}, the published file; delete it and get "
        "it again, or read files of your own making with "
        "datasets.cifar100.load(checksums=None)"
    )


def test_files_in_an_archive_are_held_to_the_same_checksums(
    tmp_path: Path, pack_cifar: WriteCifar
) -> None:
    pack_cifar(tmp_path)
    with pytest.raises(DataError, match=r"tar\.gz/train\.bin has sha256 \w+, expected"):
        cifar100.load(tmp_path)
    checksums = {
        name: hashlib.sha256(contents()[name]).hexdigest()
        for name in cifar100.CHECKSUMS
    }
    assert len(cifar100.load(tmp_path, checksums=checksums).test) == 4
    pack_cifar(tmp_path, {"test.bin": bytes(3074)})
    with pytest.raises(DataError, match=r"test\.bin has sha256"):
        cifar100.load(tmp_path, checksums=checksums)


@pytest.mark.parametrize("content", [b"", bytes(3074 * 4 - 1), bytes(3073)])
def test_files_of_broken_records_are_refused(
    tmp_path: Path, write_cifar: WriteCifar, content: bytes
) -> None:
    write_cifar(tmp_path, {"test.bin": content})
    expected = (
        rf"test\.bin has {len(content)} bytes, expected a multiple of 3074 "
        r"\(2 labels and 3x32x32 pixels\); delete it"
    )
    with pytest.raises(DataError, match=expected):
        cifar100.load(tmp_path, checksums=None)


@pytest.mark.parametrize(
    ("coarse", "fine", "message"),
    [
        (0, 100, r"^cifar100 test fine: labels lie in \[100, 100\], expected \[0, 9"),
        (20, 0, r"^cifar100 test coarse: labels lie in \[20, 20\], expected \[0, 19\]"),
    ],
)
@pytest.mark.parametrize("labels", ["fine", "coarse"])
def test_labels_out_of_range_are_refused_whichever_are_used(
    tmp_path: Path,
    write_cifar: WriteCifar,
    coarse: int,
    fine: int,
    message: str,
    labels: str,
) -> None:
    content = row(coarse, fine, np.zeros((3, 32, 32), np.uint8))
    write_cifar(tmp_path, {"test.bin": content})
    with pytest.raises(DataError, match=message):
        cifar100.load(tmp_path, checksums=None, labels=labels)


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
    tmp_path: Path, pack_cifar: WriteCifar, damage: Callable[[bytes], bytes]
) -> None:
    pack_cifar(tmp_path)
    path = tmp_path / "cifar-100-binary.tar.gz"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"tar\.gz is no intact tar\.gz archive \("):
        cifar100.load(tmp_path, checksums=None)


def test_archive_of_something_else_is_refused(
    tmp_path: Path, pack_cifar: WriteCifar
) -> None:
    pack_cifar(tmp_path, {"test.bin": None})
    with pytest.raises(DataError, match=r"tar\.gz lacks test\.bin, expected all of tr"):
        cifar100.load(tmp_path, checksums=None)


@pytest.mark.parametrize("explicit", [True, False])
def test_one_sentence_names_folder_remedy_files_and_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explicit: bool
) -> None:
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load("cifar100", tmp_path if explicit else None)
    place = "give as root" if explicit else "set MINIGRAD_DATA to"
    end = f" --root {tmp_path}" if explicit else ""
    assert str(caught.value) == (
        f"cifar100: {tmp_path}/cifar-100-binary lacks 2 of 2 files (train.bin, "
        f"test.bin); {place} the folder that holds cifar-100-binary or "
        "cifar-100-binary.tar.gz, or run "
        f"`python -m datasets download cifar100{end}`, which gets "
        "cifar-100-binary.tar.gz from https://www.cs.toronto.edu/~kriz/"
    )


def test_the_archive_is_downloaded_from_each_mirror_in_turn(
    tmp_path: Path, fake_pooch: types.ModuleType
) -> None:
    with pytest.raises(DataError, match=r"download cifar-100-binary\.tar\.gz"):
        load("cifar100", tmp_path, download=True)
    assert fake_pooch.urls == [
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        "https://cave.cs.toronto.edu/kriz/cifar-100-binary.tar.gz",
    ]


def test_the_archive_is_held_to_the_md5_of_its_page(
    tmp_path: Path, fake_pooch: types.ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashes: list[object] = []
    monkeypatch.setattr(
        fake_pooch, "retrieve", lambda url, **options: hashes.append(options)
    )
    with pytest.raises(DataError, match="lacks 2 of 2 files"):
        cifar100.load(tmp_path, download=True)
    (options,) = hashes
    assert options["known_hash"] == "md5:03b5dce01913d631647c71ecec9e9cb8"
    assert options["path"] == tmp_path


def test_nothing_is_downloaded_when_all_files_are_there_or_nobody_asked(
    tmp_path: Path, write_cifar: WriteCifar, fake_pooch: types.ModuleType
) -> None:
    with pytest.raises(DataError, match="lacks 2 of 2 files"):
        cifar100.load(tmp_path)
    write_cifar(tmp_path)
    cifar100.load(tmp_path, download=True, checksums=None)
    assert fake_pooch.urls == []


def test_the_command_says_what_is_wrong(
    tmp_path: Path, write_cifar: WriteCifar, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cifar(tmp_path)
    assert main(["check", "cifar100", "--root", str(tmp_path)]) == 1
    assert "has sha256" in capsys.readouterr().err


@needs_cifar
def test_real_files_have_the_official_counts_and_classes() -> None:
    fine = load("cifar100")
    coarse = cifar100.load(labels="coarse")
    assert fine.train.images.shape == (50000, 3, 32, 32)
    assert fine.test.images.shape == (10000, 3, 32, 32)
    assert np.bincount(fine.train.labels).tolist() == [500] * 100
    assert np.bincount(coarse.test.labels).tolist() == [500] * 20
    pairs = set(zip(fine.train.labels, coarse.train.labels, strict=True))
    assert len(pairs) == 100  # each class lies in one superclass


@needs_cifar
@pytest.mark.parametrize(("name", "sha1"), PUBLISHED_SHA1)
def test_bytes_behind_our_sha256_have_the_published_sha1(name: str, sha1: str) -> None:
    file = cifar100._SET.read(None)[name]
    official = file.sha256 == cifar100.CHECKSUMS[name]
    assert (hashlib.sha1(file.content).hexdigest() == sha1) == official
