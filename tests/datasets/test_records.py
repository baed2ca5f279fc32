import numpy as np
import pytest

from datasets import DataError, Split, as_float, flat, resize
from datasets._records import image_split

IMAGES = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
LABELS = np.array([1, 0])


def test_float_images_are_bytes_over_255() -> None:
    pixels = np.arange(256, dtype=np.uint8)
    x = as_float(pixels)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, (pixels / 255.0).astype(np.float32))


def test_float_images_are_not_scaled_twice() -> None:
    with pytest.raises(DataError, match="images are float32, expected uint8"):
        as_float(as_float(IMAGES))


def test_flat_keeps_examples_apart() -> None:
    np.testing.assert_array_equal(flat(IMAGES), np.arange(120).reshape(2, 60))


def test_flat_of_no_examples_keeps_the_row_length() -> None:
    assert flat(IMAGES[:0]).shape == (0, 60)


def test_resize_agrees_with_interpolation_by_numpy() -> None:
    x = np.array([[[[0, 80, 40, 255]]]], np.uint8)
    places = np.clip((np.arange(9) + 0.5) * 4 / 9 - 0.5, 0, 3)
    expected = np.rint(np.interp(places, np.arange(4), x[0, 0, 0]))
    np.testing.assert_array_equal(resize(x, (1, 9))[0, 0, 0], expected)


def test_resize_treats_rows_as_it_treats_columns() -> None:
    x = np.random.default_rng(0).integers(0, 256, (2, 1, 8, 5), np.uint8)
    turned = resize(x.swapaxes(2, 3), (7, 28)).swapaxes(2, 3)
    np.testing.assert_array_equal(resize(x, (28, 7)), turned)


@pytest.mark.parametrize("size", [1, 3, 28, (28, 3)])
def test_resize_keeps_a_constant_image(size: int | tuple[int, int]) -> None:
    y = resize(np.full((2, 3, 4, 5), 200, np.uint8), size)
    assert y.dtype == np.uint8
    assert (y == 200).all()


def test_resize_to_the_same_size_changes_nothing() -> None:
    np.testing.assert_array_equal(resize(IMAGES, (4, 5)), IMAGES)


@pytest.mark.parametrize("size", [0, (28, -1), (1, 2, 3)])
def test_resize_wants_one_or_two_positive_sides(size: int | tuple[int, ...]) -> None:
    with pytest.raises(DataError, match=r"size is .*, expected a positive integer or"):
        resize(IMAGES, size)


def test_split_counts_its_examples() -> None:
    assert len(Split(IMAGES, LABELS)) == 2


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES[0], LABELS, r"images are uint8 of shape \(3, 4, 5\), expected uint8"),
        (IMAGES / 255, LABELS, "images are float64 of shape .*, expected uint8"),
        (IMAGES, LABELS[:1], r"labels are int64 of shape \(1,\), .* shape \(2,\)"),
        (IMAGES, LABELS.astype(np.uint8), r"labels are uint8 .*, expected int64"),
    ],
)
def test_split_refuses_arrays_that_disagree(
    images: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        Split(images, labels)


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (IMAGES, LABELS[:1], "^toy: 2 images but 1 labels, expected as many"),
        (IMAGES[:0], LABELS[:0], "^toy: holds 0 examples, expected at least 1"),
        (IMAGES, LABELS + 1, r"^toy: labels lie in \[1, 2\], expected \[0, 1\]"),
        (IMAGES, LABELS - 1, r"^toy: labels lie in \[-1, 0\], expected \[0, 1\]"),
    ],
)
def test_loader_refuses_contents_that_disagree(
    images: np.ndarray, labels: np.ndarray, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        image_split("toy", images, labels, 2)


def test_loaded_arrays_cannot_be_written_to() -> None:
    split = image_split("toy", IMAGES, LABELS, 2)
    assert not split.images.flags.writeable
    assert not split.labels.flags.writeable
    assert IMAGES.flags.writeable


@pytest.mark.parametrize("images", [IMAGES / 255, IMAGES[0]])
def test_resize_refuses_what_are_no_raw_images(images: np.ndarray) -> None:
    with pytest.raises(
        DataError, match=r"expected uint8 \(N, C, H, W\); resize before"
    ):
        resize(images, 4)
