import gzip
import hashlib
import os
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, load, mnist
from datasets._idx import read_idx, write_idx

PUBLISHED_MD5 = [
    ("train-images-idx3-ubyte", "6bbc9ace898e44ae57da46a324031adb"),
    ("train-labels-idx1-ubyte", "a25bea736e30d166cdddb491f175f624"),
    ("t10k-images-idx3-ubyte", "2646ac647ad5339dbf082846283269ea"),
    ("t10k-labels-idx1-ubyte", "27ae3e4e09519cfbb04c329615203637"),
]
WriteMnist = Callable[..., None]

needs_mnist = pytest.mark.skipif(
    not os.environ.get("MINIGRAD_DATA"),
    reason="reads the real MNIST, which lies in $MINIGRAD_DATA: the variable is unset",
)


@pytest.mark.parametrize("end", ["", ".gz"])
@pytest.mark.parametrize("place", ["mnist", "."])
def test_files_are_read_plain_or_gzipped_from_either_folder(
    tmp_path: Path, write_mnist: WriteMnist, place: str, end: str
) -> None:
    write_mnist(tmp_path / place, end=end)
    data = mnist.load(tmp_path, checksums=None)
    assert data.train.images.shape == (20, 1, 4, 4)
    assert data.test.labels.tolist() == list(range(10))


def test_images_are_the_bytes_of_the_file(
    tmp_path: Path, write_mnist: WriteMnist
) -> None:
    write_mnist(tmp_path)
    images = read_idx(tmp_path / "t10k-images-idx3-ubyte.gz", 3)
    data = mnist.load(tmp_path, checksums=None)
    np.testing.assert_array_equal(data.test.images[:, 0], images)


def test_own_folder_wins_over_the_root(tmp_path: Path, write_mnist: WriteMnist) -> None:
    write_mnist(tmp_path)
    write_mnist(tmp_path / "mnist")
    name = "t10k-images-idx3-ubyte.gz"
    write_idx(tmp_path / "mnist" / name, np.zeros((10, 5, 5), np.uint8))
    assert mnist.load(tmp_path, checksums=None).test.images.shape == (10, 1, 5, 5)


def test_root_comes_from_the_environment(
    tmp_path: Path, write_mnist: WriteMnist, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_mnist(tmp_path / "mnist")
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    assert len(mnist.load(checksums=None).train) == 20


def test_files_that_are_not_the_official_ones_are_refused(
    tmp_path: Path, write_mnist: WriteMnist
) -> None:
    write_mnist(tmp_path / "mnist")
    expected = "train-images-idx3-ubyte.gz has sha256 .* expected ba891046"
    with pytest.raises(DataError, match=expected):
        load("mnist", tmp_path)


def test_other_checksums_can_be_asked_for(
    tmp_path: Path, write_mnist: WriteMnist
) -> None:
    write_mnist(tmp_path)
    checksums = {
        name: hashlib.sha256(
            gzip.decompress((tmp_path / f"{name}.gz").read_bytes())
        ).hexdigest()
        for name in mnist.CHECKSUMS
    }
    assert len(mnist.load(tmp_path, checksums=checksums).test) == 10


NAMES = (
    "train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, "
    "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz"
)


@pytest.mark.parametrize("explicit", [True, False])
def test_one_sentence_names_folder_remedy_files_and_url(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explicit: bool
) -> None:
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    with pytest.raises(DataError) as caught:
        load("mnist", tmp_path if explicit else None)
    place = "give as root" if explicit else "set MINIGRAD_DATA to"
    end = f" --root {tmp_path}" if explicit else ""
    assert str(caught.value) == (
        f"mnist: {tmp_path}/mnist lacks 4 of 4 files; {place} the folder that holds "
        "mnist/train-images-idx3-ubyte.gz and its 3 companions, or run "
        f"`python -m datasets download mnist{end}`, which gets {NAMES} "
        "from https://ossci-datasets.s3.amazonaws.com/mnist/"
    )


def test_a_folder_in_place_of_a_file_is_named(
    tmp_path: Path, write_mnist: WriteMnist
) -> None:
    write_mnist(tmp_path)
    path = tmp_path / "t10k-labels-idx1-ubyte.gz"
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match=r"t10k\S+\.gz is a folder, expected a file"):
        mnist.load(tmp_path)


def test_only_missing_files_are_named(tmp_path: Path, write_mnist: WriteMnist) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    expected = (
        r"lacks 1 of 4 files; .* holds mnist/t10k-labels-idx1-ubyte\.gz, or run "
        r".*, which gets t10k-labels-idx1-ubyte\.gz from https://"
    )
    with pytest.raises(DataError, match=expected):
        mnist.load(tmp_path)


def test_labels_in_place_of_images_are_refused(
    tmp_path: Path, write_mnist: WriteMnist
) -> None:
    write_mnist(tmp_path)
    write_idx(tmp_path / "train-images-idx3-ubyte.gz", np.zeros(20, np.uint8))
    expected = r"train-images-idx3-ubyte\.gz starts with 00000801, expected 00000803"
    with pytest.raises(DataError, match=expected):
        mnist.load(tmp_path, checksums=None)


def test_counts_of_images_and_labels_must_agree(
    tmp_path: Path, write_mnist: WriteMnist
) -> None:
    write_mnist(tmp_path)
    write_idx(tmp_path / "t10k-labels-idx1-ubyte.gz", np.zeros(9, np.uint8))
    with pytest.raises(DataError, match=r"^mnist t10k: 10 images but 9 labels"):
        mnist.load(tmp_path, checksums=None)


def test_only_missing_files_are_downloaded(
    tmp_path: Path, write_mnist: WriteMnist, fake_pooch: types.ModuleType
) -> None:
    write_mnist(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DataError, match=r"download t10k-labels-idx1-ubyte\.gz"):
        mnist.load(tmp_path, download=True)
    name = "t10k-labels-idx1-ubyte.gz"
    assert fake_pooch.urls == [mirror + name for mirror in mnist.MIRRORS]


def test_nothing_is_downloaded_when_all_files_are_there(
    tmp_path: Path, write_mnist: WriteMnist, fake_pooch: types.ModuleType
) -> None:
    write_mnist(tmp_path)
    mnist.load(tmp_path, download=True, checksums=None)
    assert fake_pooch.urls == []


def test_nothing_is_downloaded_unless_asked(
    tmp_path: Path, fake_pooch: types.ModuleType
) -> None:
    with pytest.raises(DataError, match="lacks 4 of 4 files"):
        load("mnist", tmp_path)
    assert fake_pooch.urls == []
    assert list(tmp_path.iterdir()) == []


@needs_mnist
def test_real_files_have_the_official_counts() -> None:
    data = load("mnist")
    assert data.train.images.shape == (60000, 1, 28, 28)
    assert data.test.images.shape == (10000, 1, 28, 28)
    counts = [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert np.bincount(data.test.labels).tolist() == counts


@needs_mnist
@pytest.mark.parametrize(("name", "md5"), PUBLISHED_MD5)
def test_bytes_behind_our_sha256_have_the_published_md5(name: str, md5: str) -> None:
    content = mnist._find(None)[name].read_bytes()
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    assert hashlib.sha256(content).hexdigest() == mnist.CHECKSUMS[name]
    assert hashlib.md5(content).hexdigest() == md5
