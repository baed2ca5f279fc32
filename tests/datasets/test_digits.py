import shutil
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, digits, load, resize
from datasets._idx import write_idx


def test_there_are_1797_scans_of_8_by_8() -> None:
    data = load("digits")
    assert data.train.images.shape == (1415, 1, 8, 8)
    assert data.test.images.shape == (382, 1, 8, 8)
    assert data.class_names == tuple("0123456789")


def test_class_counts_are_those_of_the_source() -> None:
    data = load("digits")
    labels = np.concatenate([data.train.labels, data.test.labels])
    expected = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert np.bincount(labels).tolist() == expected


def test_every_class_is_in_the_test_part() -> None:
    counts = np.bincount(load("digits").test.labels)
    assert counts.tolist() == [38, 39, 37, 39, 39, 39, 39, 38, 35, 39]


def test_first_row_of_the_first_scan_is_that_of_the_source() -> None:
    row = load("digits").train.images[0, 0, 0]
    counts = np.array([0, 0, 5, 13, 9, 1, 0, 0])
    assert row.tolist() == np.rint(counts * 255 / 16).tolist()


def test_test_part_starts_with_a_new_form() -> None:
    assert load("digits").test.labels[:20].tolist() == [*range(10), *range(10)]


def test_seventeen_counts_fill_the_range_of_a_byte() -> None:
    levels = np.unique(load("digits").train.images)
    assert (len(levels), levels[0], levels[-1]) == (17, 0, 255)


@pytest.mark.parametrize(
    ("size", "shape"), [(28, (382, 1, 28, 28)), ((16, 32), (382, 1, 16, 32))]
)
def test_size_resamples_the_images(
    size: int | tuple[int, int], shape: tuple[int, ...]
) -> None:
    images = digits.load(size=size).test.images
    assert images.shape == shape
    np.testing.assert_array_equal(images, resize(load("digits").test.images, size))


def test_centre_of_each_pixel_survives_scaling_up_by_three() -> None:
    images = digits.load(size=24).test.images
    np.testing.assert_array_equal(images[:, :, 1::3, 1::3], load("digits").test.images)


def test_nearest_neighbour_tells_unseen_digits_apart() -> None:
    data = load("digits")
    x = data.train.images.reshape(-1, 64).astype(np.float64)
    y = data.test.images.reshape(-1, 64).astype(np.float64)
    distance = (x**2).sum(1) - 2 * y @ x.T
    guess = data.train.labels[distance.argmin(1)]
    assert np.mean(guess == data.test.labels) > 0.95


def test_changed_bundled_file_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "bundled"
    shutil.copytree(digits.FOLDER, folder)
    write_idx(folder / "digits-labels-idx1-ubyte.gz", np.zeros(1797, np.uint8))
    monkeypatch.setattr(digits, "FOLDER", folder)
    with pytest.raises(DataError, match=r"digits-labels-idx1-ubyte\.gz has sha256"):
        load("digits")


def test_bundled_folder_states_source_and_licence() -> None:
    text = (digits.FOLDER / "README.md").read_text()
    assert "Alpaydin" in text
    assert "CC BY 4.0" in text
