import hashlib
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from datasets import DataError, load, svhn
from datasets.__main__ import main

# As torchvision.datasets.SVHN checks the same files.
PUBLISHED_MD5 = [
    ("train_32x32.mat", "e26dedcc434d2e4c54c9b2d4a06d8373"),
    ("test_32x32.mat", "eb5a983be6a315427106f1b164d9cef3"),
    ("extra_32x32.mat", "a93ce644f1a588dc4d68dda5feec44a7"),
]
NUM = {"train": 12, "test": 10, "extra": 3}
WriteSvhn = Callable[..., None]


def real_files() -> str | None:
    """Why tests of the real files skip, or None."""
    if not os.environ.get("MINIGRAD_DATA") or svhn.missing():
        return "reads the real SVHN, which is not in $MINIGRAD_DATA"
    return None


needs_svhn = pytest.mark.skipif(real_files() is not None, reason=str(real_files()))


def variables(part: str) -> dict[str, Any]:
    """Images by part, (H, W, C, N), and the labels 1, 2, ... 10, 1, ..."""
    count = NUM[part]
    rng = np.random.default_rng(count)
    images = rng.integers(0, 256, (32, 32, 3, count), np.uint8)
    return {"X": images, "y": (np.arange(count, dtype=np.uint8) % 10 + 1)[:, None]}


@pytest.fixture
def write_svhn() -> WriteSvhn:
    """Write files of 12 + 10 images, and 3 extra ones, of some variables."""

    def write(
        folder: Path,
        *parts: str,
        deflated: bool = True,
        **changed: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for part in parts or ("train", "test"):
            content = variables(part) | changed
            path = folder / f"{part}_32x32.mat"
            savemat(path, content, do_compression=deflated)

    return write


@pytest.mark.parametrize("deflated", [True, False])
@pytest.mark.parametrize("place", ["svhn", "."])
def test_files_are_read_deflated_or_not_from_either_folder(
    tmp_path: Path, write_svhn: WriteSvhn, place: str, deflated: bool
) -> None:
    write_svhn(tmp_path / place, deflated=deflated)
    data = svhn.load(tmp_path, checksums=None)
    assert data.train.images.shape == (12, 3, 32, 32)
    assert data.test.images.shape == (10, 3, 32, 32)
    assert data.train.images.flags.c_contiguous
    assert data.class_names == tuple("0123456789")


def test_own_folder_wins_over_the_root(tmp_path: Path, write_svhn: WriteSvhn) -> None:
    write_svhn(tmp_path)
    write_svhn(tmp_path / "svhn", "test", **variables("extra"))
    assert len(svhn.load(tmp_path, checksums=None).test) == 3


def test_a_pixel_is_at_its_row_column_and_channel(
    tmp_path: Path, write_svhn: WriteSvhn
) -> None:
    images = np.zeros((32, 32, 3, 12), np.uint8)
    images[5, 9, 2, 7] = 200
    write_svhn(tmp_path, "train", X=images)
    write_svhn(tmp_path, "test")
    train = svhn.load(tmp_path, checksums=None).train
    assert np.argwhere(train.images).tolist() == [[7, 2, 5, 9]]
    assert train.images[7, 2, 5, 9] == 200


def test_label_ten_is_the_digit_zero(tmp_path: Path, write_svhn: WriteSvhn) -> None:
    write_svhn(tmp_path)
    test = svhn.load(tmp_path, checksums=None).test
    assert test.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert test.labels.dtype == np.int64


def test_extra_images_follow_those_of_the_training_part(
    tmp_path: Path, write_svhn: WriteSvhn
) -> None:
    write_svhn(tmp_path)
    with pytest.raises(DataError, match=r"lacks 1 of 3 files \(extra_32x32\.mat\)"):
        svhn.load(tmp_path, checksums=None, extra=True)
    write_svhn(tmp_path, "extra")
    assert len(svhn.load(tmp_path, checksums=None).train) == 12
    data = svhn.load(tmp_path, checksums=None, extra=True)
    assert data.train.labels.tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 1, 2, 3]
    extra = variables("extra")["X"].transpose(3, 2, 0, 1)
    np.testing.assert_array_equal(data.train.images[12:], extra)
    assert not data.train.images.flags.writeable
    assert len(data.test) == 10


@pytest.mark.parametrize(("label", "span"), [(0, r"\[0, 2\]"), (11, r"\[1, 11\]")])
def test_labels_that_are_no_digit_are_refused(
    tmp_path: Path, write_svhn: WriteSvhn, label: int, span: str
) -> None:
    write_svhn(tmp_path, "train")
    labels = np.array([[1], [label], [2]], np.uint8)
    write_svhn(tmp_path, "test", X=variables("extra")["X"], y=labels)
    expected = rf"^svhn test: \S+/test_32x32\.mat has labels in {span}, expected \[1, "
    with pytest.raises(DataError, match=expected):
        svhn.load(tmp_path, checksums=None)


def test_counts_of_images_and_labels_must_agree(
    tmp_path: Path, write_svhn: WriteSvhn
) -> None:
    write_svhn(tmp_path, "test")
    write_svhn(tmp_path, "train", y=np.ones((11, 1), np.uint8))
    with pytest.raises(DataError, match=r"^svhn train: 12 images but 11 labels"):
        svhn.load(tmp_path, checksums=None)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"X": np.zeros((32, 32, 3, 12))}, r"holds X as double of shape \(32, 32, 3"),
        ({"X": np.zeros((12, 3, 32, 32), np.uint8)}, r"X as uint8 of shape \(12, 3, "),
        ({"X": np.zeros((32, 32, 12), np.uint8)}, r"X as uint8 of shape \(32, 32, 12"),
        ({"X": np.array([[1, "a"]], object)}, r"holds X as cell of shape \(1, 2\)"),
        ({"y": np.zeros((1, 12), np.uint8)}, r"holds y as uint8 of shape \(1, 12\)"),
        ({"y": np.zeros((12, 1), np.int32)}, r"holds y as int32 of shape \(12, 1\)"),
        ({"X": np.zeros((32, 32, 3, 0), np.uint8)}, r"^svhn train: 0 images but 12 "),
    ],
)
def test_variables_of_another_kind_are_refused(
    tmp_path: Path, write_svhn: WriteSvhn, changed: dict[str, Any], message: str
) -> None:
    write_svhn(tmp_path, "test")
    write_svhn(tmp_path, "train", **changed)
    with pytest.raises(DataError, match=message):
        svhn.load(tmp_path, checksums=None)


def test_files_without_examples_are_refused(
    tmp_path: Path, write_svhn: WriteSvhn
) -> None:
    empty = {"X": np.zeros((32, 32, 3, 0), np.uint8), "y": np.zeros((0, 1), np.uint8)}
    write_svhn(tmp_path, **empty)
    with pytest.raises(DataError, match=r"^svhn train: holds 0 examples"):
        svhn.load(tmp_path, checksums=None)


def test_the_files_of_full_numbers_are_refused(
    tmp_path: Path, write_svhn: WriteSvhn
) -> None:
    # digitStruct.mat, of Format 1, is a MAT file of version 7.3.
    write_svhn(tmp_path)
    (tmp_path / "train_32x32.mat").write_bytes(b"MATLAB 7.3".ljust(124) + b"\0\2IM")
    with pytest.raises(DataError, match=r"is a MAT file of version 7\.3 \(HDF5\), exp"):
        svhn.load(tmp_path, checksums=None)


@pytest.mark.parametrize("deflated", [True, False])
@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: content[:140] + b"\xff" * 8 + content[148:],
        lambda content: b"no MAT file at all" * 100,
        lambda content: b"\x80\x04}q\x01." * 100,  # a pickle, which nobody loads
    ],
)
def test_damaged_files_are_refused(
    tmp_path: Path,
    write_svhn: WriteSvhn,
    damage: Callable[[bytes], bytes],
    deflated: bool,
) -> None:
    write_svhn(tmp_path, deflated=deflated)
    path = tmp_path / "test_32x32.mat"
    path.write_bytes(damage(path.read_bytes()))
    expected = r"^mat: \S+/test_32x32\.mat (is no intact|starts with).*get it again$"
    with pytest.raises(DataError, match=expected):
        svhn.load(tmp_path, checksums=None)


def test_files_that_are_not_the_official_ones_are_refused_unless_asked_for(
    tmp_path: Path, write_svhn: WriteSvhn
) -> None:
    write_svhn(tmp_path)
    with pytest.raises(DataError) as caught:
        load("svhn", tmp_path)
    path = tmp_path / "train_32x32.mat"
    assert str(caught.value) == (
        f"mat: {path} has sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}, "
        f"expected {svhn.CHECKSUMS[path.name]}, the published file; delete it and get "
        "it again"
    )


def test_other_checksums_can_be_asked_for(
    tmp_path: Path, write_svhn: WriteSvhn
) -> None:
    write_svhn(tmp_path, "train", "test", "extra")
    checksums = {
        name: hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        for name in svhn.CHECKSUMS
    }
    assert len(svhn.load(tmp_path, checksums=checksums, extra=True).train) == 15
    write_svhn(tmp_path, "extra", y=np.ones((3, 1), np.uint8))
    assert len(svhn.load(tmp_path, checksums=checksums).train) == 12
    with pytest.raises(DataError, match=r"extra_32x32\.mat has sha256"):
        svhn.load(tmp_path, checksums=checksums, extra=True)


@pytest.mark.parametrize("explicit", [True, False])
def test_one_sentence_names_folder_remedy_files_and_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explicit: bool
) -> None:
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load("svhn", tmp_path if explicit else None)
    place = "give as root" if explicit else "set MINIGRAD_DATA to"
    end = f" --root {tmp_path}" if explicit else ""
    assert str(caught.value) == (
        f"svhn: {tmp_path}/svhn lacks 2 of 2 files (train_32x32.mat, test_32x32.mat); "
        f"{place} the folder that holds svhn/train_32x32.mat, or run "
        f"`python -m datasets download svhn{end}`, which gets train_32x32.mat, "
        "test_32x32.mat from http://ufldl.stanford.edu/housenumbers/"
    )


@pytest.mark.parametrize("explicit", [True, False])
def test_the_remedy_for_missing_extra_images_is_the_call_that_gets_them(
    tmp_path: Path,
    write_svhn: WriteSvhn,
    monkeypatch: pytest.MonkeyPatch,
    explicit: bool,
) -> None:
    write_svhn(tmp_path)
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    assert svhn.missing() == ()
    assert svhn.missing(extra=True) == ("extra_32x32.mat",)
    with pytest.raises(DataError) as caught:
        svhn.load(tmp_path if explicit else None, extra=True, checksums=None)
    place = f"{str(tmp_path)!r}, " if explicit else ""
    assert str(caught.value).endswith(
        f"or call datasets.svhn.load({place}extra=True, download=True), which gets "
        "extra_32x32.mat from http://ufldl.stanford.edu/housenumbers/"
    )


@pytest.mark.parametrize("extra", [False, True])
def test_only_missing_files_are_downloaded(
    tmp_path: Path, write_svhn: WriteSvhn, fake_pooch: types.ModuleType, extra: bool
) -> None:
    write_svhn(tmp_path, "train", *(["test"] if extra else []))
    name = "extra_32x32.mat" if extra else "test_32x32.mat"
    with pytest.raises(DataError, match=f"could not download {name} to"):
        svhn.load(tmp_path, download=True, extra=extra)
    assert fake_pooch.urls == [f"http://ufldl.stanford.edu/housenumbers/{name}"]


def test_nothing_is_downloaded_when_all_files_are_there_or_nobody_asked(
    tmp_path: Path, write_svhn: WriteSvhn, fake_pooch: types.ModuleType
) -> None:
    with pytest.raises(DataError, match="lacks 2 of 2 files"):
        svhn.load(tmp_path)
    write_svhn(tmp_path)
    svhn.load(tmp_path, download=True, checksums=None)
    assert fake_pooch.urls == []


def test_the_command_says_what_is_wrong(
    tmp_path: Path, write_svhn: WriteSvhn, capsys: pytest.CaptureFixture[str]
) -> None:
    write_svhn(tmp_path)
    assert main(["check", "svhn", "--root", str(tmp_path)]) == 1
    assert "has sha256" in capsys.readouterr().err


@needs_svhn
def test_real_files_have_the_official_counts() -> None:
    data = load("svhn")
    assert data.train.images.shape == (73257, 3, 32, 32)
    assert data.test.images.shape == (26032, 3, 32, 32)
    counts = [4948, 13861, 10585, 8497, 7458, 6882, 5727, 5595, 5045, 4659]
    assert np.bincount(data.train.labels).tolist() == counts
    counts = [1744, 5099, 4149, 2882, 2523, 2384, 1977, 2019, 1660, 1595]
    assert np.bincount(data.test.labels).tolist() == counts


@needs_svhn
@pytest.mark.parametrize(("name", "md5"), PUBLISHED_MD5)
def test_bytes_behind_our_sha256_have_the_published_md5(name: str, md5: str) -> None:
    if name not in (found := svhn._find(None)):
        pytest.skip(f"reads the real {name}, which is not in $MINIGRAD_DATA")
    with found[name].open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        file.seek(0)
        official = sha256 == svhn.CHECKSUMS[name]
        assert (hashlib.file_digest(file, "md5").hexdigest() == md5) == official
