from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import DataError, augment

Array = np.ndarray[Any, Any]
SHAPE = (40, 3, 10, 12)


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def batch(shape: tuple[int, ...] = SHAPE, dtype: Any = np.uint8) -> Array:
    values = generator(9).integers(0, 256, shape)
    return values.astype(dtype)


def spatial_first(images: Array) -> Array:
    """The same batch, (H, W, N, C) in memory."""
    memory = np.ascontiguousarray(images.transpose(2, 3, 0, 1))
    return memory.transpose(2, 3, 0, 1)


def below(rng: np.random.Generator, limit: Any, shape: Any) -> Array:
    return np.floor(rng.random(shape) * limit).astype(int)


# The same augmentations image by image, from the same draws.


def slow_crop(images: Array, rng: np.random.Generator, pad: int, mode: Any) -> Array:
    _, _, height, width = images.shape
    tops, lefts = below(rng, 2 * pad + 1, (2, len(images)))
    out = []
    for image, top, left in zip(images, tops, lefts, strict=True):
        padded = np.pad(image, ((0, 0), (pad, pad), (pad, pad)), mode=mode)
        out.append(padded[:, top : top + height, left : left + width])
    return np.array(out)


def slow_flip(images: Array, rng: np.random.Generator, prob: float) -> Array:
    chances = rng.random(len(images))
    pairs = zip(images, chances, strict=True)
    return np.array([x[:, :, ::-1] if chance < prob else x for x, chance in pairs])


def slow_cutout(images: Array, rng: np.random.Generator, size: int) -> Array:
    _, _, height, width = images.shape
    rows, columns = rng.random((2, len(images)))
    out = images.copy()
    for image, row, column in zip(out, rows, columns, strict=True):
        top, left = int(row * height) - size // 2, int(column * width) - size // 2
        image[:, max(top, 0) : top + size, max(left, 0) : left + size] = 0
    return out


def slow_erase(images: Array, rng: np.random.Generator, prob: float) -> Array:
    num_images, _, height, width = images.shape
    pending = [k for k, chance in enumerate(rng.random(num_images)) if chance < prob]
    sizes: dict[int, tuple[int, int]] = {}
    while pending:
        again = []
        for k, u, v in zip(pending, *rng.random((2, len(pending))), strict=True):
            area, ratio = height * width * (0.02 + 0.38 * u), 0.3 + (1 / 0.3 - 0.3) * v
            h, w = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
            if h <= height and w <= width:
                sizes[k] = h, w
            else:
                again.append(k)
        pending = again
    tops, lefts = rng.random((2, num_images))
    out = images.copy()
    for k, (h, w) in sizes.items():
        top, left = int(tops[k] * (height - h + 1)), int(lefts[k] * (width - w + 1))
        out[k, :, top : top + h, left : left + w] = 0
    return out


@pytest.mark.parametrize("mode", ["constant", "reflect", "edge"])
@given(pad=st.integers(0, 9), seed=st.integers(0, 99))
def test_crop_equals_a_loop_over_images(mode: Any, pad: int, seed: int) -> None:
    images = batch()
    cropped = augment.random_crop(images, generator(seed), pad=pad, mode=mode)
    expected = slow_crop(images, generator(seed), pad, mode)
    np.testing.assert_array_equal(cropped, expected)


@given(prob=st.floats(0, 1), seed=st.integers(0, 99))
def test_flip_equals_a_loop_over_images(prob: float, seed: int) -> None:
    images = batch()
    flipped = augment.random_flip(images, generator(seed), prob=prob)
    np.testing.assert_array_equal(flipped, slow_flip(images, generator(seed), prob))


@given(size=st.integers(1, 30), seed=st.integers(0, 99))
def test_cutout_equals_a_loop_over_images(size: int, seed: int) -> None:
    images = batch(dtype=np.float32)
    cut = augment.cutout(images, generator(seed), size=size)
    np.testing.assert_array_equal(cut, slow_cutout(images, generator(seed), size))


@given(prob=st.floats(0, 1), seed=st.integers(0, 99))
def test_erasing_equals_a_loop_over_images(prob: float, seed: int) -> None:
    images = batch()
    erased = augment.random_erase(images, generator(seed), prob=prob, fill=0)
    np.testing.assert_array_equal(erased, slow_erase(images, generator(seed), prob))


def test_all_offsets_of_a_crop_are_equally_likely() -> None:
    images = np.zeros((9000, 1, 3, 3), np.uint8)
    images[:, 0, 1, 1] = 1
    cropped = augment.random_crop(images, generator(), pad=1)
    counts = cropped.sum(0).ravel()
    assert counts.sum() == 9000
    assert ((counts - 1000.0) ** 2 / 1000).sum() < 26.1  # 99.9 % point of chi^2, 8


def test_half_of_the_images_are_flipped() -> None:
    images = np.zeros((10000, 1, 1, 2), np.uint8)
    images[..., 0] = 1
    flipped = augment.random_flip(images, generator())
    assert abs(int(flipped[..., 1].sum()) - 5000) < 165  # 3.3 standard deviations


def erased_boxes(**options: Any) -> Array:
    """(N, 4): top, left, height, width of what was erased; all 0 for nothing."""
    images = np.zeros((4000, 1, 32, 24), np.uint8)
    erased = augment.random_erase(images, generator(), fill=1, **options)[:, 0]
    rows, columns = erased.any(2), erased.any(1)
    height, width = rows.sum(1), columns.sum(1)
    top = np.where(height, rows.argmax(1), 0)
    left = np.where(width, columns.argmax(1), 0)
    boxes = np.stack([top, left, height, width], 1)
    np.testing.assert_array_equal(erased.sum((1, 2)), height * width)
    for image, (y, x, h, w) in zip(erased, boxes, strict=True):
        assert image[y : y + h, x : x + w].all()  # so it is one full rectangle
    return boxes


def test_erased_rectangles_have_the_sizes_of_algorithm_1() -> None:
    boxes = erased_boxes(prob=1)
    height, width = boxes[:, 2], boxes[:, 3]
    assert (height > 0).all()
    assert (height <= 32).all()
    assert (width <= 24).all()
    # Sides are rounded: each by half a pixel at most.
    assert ((height + 0.5) * (width + 0.5) >= 0.02 * 768).all()
    assert ((height - 0.5) * (width - 0.5) <= 0.4 * 768).all()
    assert ((height + 0.5) / (width - 0.5) >= 0.3).all()
    assert ((height - 0.5) / (width + 0.5) <= 1 / 0.3).all()


def test_erased_rectangles_lie_anywhere_inside() -> None:
    top, left, height, width = erased_boxes(prob=1).T
    small = (height <= 16) & (width <= 12)
    # Uniform in [0, 1) but for the grid: mean 1/2 within 4 standard errors.
    for place, room in ((top, 33 - height), (left, 25 - width)):
        mean = ((place[small] + 0.5) / room[small]).mean()
        assert abs(mean - 0.5) < 4 * np.sqrt(1 / 12 / small.sum())


@pytest.mark.parametrize("prob", [0, 0.3])
def test_erasing_happens_with_its_probability(prob: float) -> None:
    share = (erased_boxes(prob=prob)[:, 2] > 0).mean()
    assert abs(share - prob) <= 3.3 * np.sqrt(prob * (1 - prob) / 4000)


def test_nothing_is_erased_where_no_rectangle_fits() -> None:
    images = batch((5, 1, 2, 100))
    erased = augment.random_erase(
        images, generator(), prob=1, area=(0.9, 0.9), aspect=1, fill=0
    )
    np.testing.assert_array_equal(erased, images)


def test_random_fill_is_uniform_over_bytes_and_channels() -> None:
    images = np.zeros((50, 3, 32, 32), np.uint8)
    erased = augment.random_erase(
        images, generator(), prob=1, area=(1, 1), aspect=1, fill=None
    )
    counts = np.bincount(erased.ravel(), minlength=256)
    assert ((counts - 600.0) ** 2 / 600).sum() < 331  # 99.9 % point of chi^2, 255
    assert (erased[:, 0] != erased[:, 1]).mean() > 0.99


def test_fill_may_differ_by_channel() -> None:
    images = batch((4, 3, 8, 8), np.float32)
    cut = augment.cutout(images, generator(), size=3, fill=(-1, -2, -3))
    for channel, value in enumerate((-1, -2, -3)):
        assert set(cut[:, channel][images[:, channel] != cut[:, channel]]) == {value}


AUGMENTATIONS: list[Callable[..., Array]] = [
    augment.random_crop,
    augment.random_flip,
    augment.random_erase,
    augment.cutout,
]


@pytest.mark.parametrize("function", AUGMENTATIONS)
def test_a_seed_fixes_the_batch_in_any_layout(function: Callable[..., Array]) -> None:
    images = batch()
    images.flags.writeable = False
    first = function(images, generator(4))
    assert first.dtype == np.uint8
    assert first.shape == images.shape
    assert not np.shares_memory(first, images)
    assert not np.array_equal(first, images)
    np.testing.assert_array_equal(function(images, generator(4)), first)
    np.testing.assert_array_equal(function(spatial_first(images), generator(4)), first)
    assert not np.array_equal(function(images, generator(5)), first)


@pytest.mark.parametrize("function", AUGMENTATIONS)
def test_batches_may_be_empty(function: Callable[..., Array]) -> None:
    assert function(batch((0, 3, 8, 8)), generator()).shape == (0, 3, 8, 8)


def test_stats_are_those_of_the_pixels() -> None:
    images = batch((1500, 3, 4, 5)) // np.array([1, 2, 3], np.uint8)[:, None, None]
    mean, std = augment.channel_stats(images)
    pixels = images.transpose(1, 0, 2, 3).reshape(3, -1) / 255
    assert mean.dtype == std.dtype == np.float32
    np.testing.assert_allclose(mean, pixels.mean(1), rtol=1e-6)
    np.testing.assert_allclose(std, pixels.std(1), rtol=1e-6)


def test_normalised_images_have_mean_0_and_std_1() -> None:
    images = batch((50, 3, 8, 8))
    x = augment.normalise(images, *augment.channel_stats(images))
    assert x.dtype == np.float32
    np.testing.assert_allclose(x.mean((0, 2, 3)), 0, atol=1e-6)
    np.testing.assert_allclose(x.std((0, 2, 3)), 1, rtol=1e-6)


@pytest.mark.parametrize("images", [batch(), spatial_first(batch()), batch()[::-2]])
def test_normalised_images_lie_as_convolutions_want_them(images: Array) -> None:
    mean, std = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
    x = augment.normalise(images, mean, std)
    assert x.transpose(2, 3, 0, 1).flags.c_contiguous
    columns = (np.reshape(value, (3, 1, 1)) for value in (mean, std))
    expected = (images / 255 - next(columns)) / next(columns)
    np.testing.assert_allclose(x, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x, g: augment.random_crop(x[0], g), r"shape \(3, 10, 12\), expected"),
        (lambda x, g: augment.random_crop(x, g, pad=-1), "pad is -1 with mode"),
        (
            lambda x, g: augment.random_crop(x, g, pad=10, mode="reflect"),
            "pad is 10 with mode 'reflect', expected 0 to 9, inside the image",
        ),
        (lambda x, g: augment.random_flip(x, g, prob=1.5), "prob is 1.5, expected 0"),
        (
            lambda x, g: augment.random_erase(x, g, area=(0.5, 0.4)),
            r"area is \(0.5, 0.4\) and aspect 0.3, expected 0 < area\[0\]",
        ),
        (lambda x, g: augment.random_erase(x, g, aspect=0), "and aspect 0, expected"),
        (
            lambda x, g: augment.random_erase(x / 255, g),
            "images are float64, expected uint8 for a random fill; erase before",
        ),
        (lambda x, g: augment.cutout(x, g, size=0), "size is 0, expected at least 1"),
        (lambda x, g: augment.normalise(x / 255, 0, 1), "images are float64, expected"),
        (lambda x, g: augment.normalise(x, 0, (1, 0, 1)), r"std is \(1, 0, 1\), exp"),
        (lambda x, g: augment.normalise(x, (0, 0), 1), "one for each of 3 channels"),
        (lambda x, g: augment.normalise(x, None, 1), "mean is None, expected one f"),
        (lambda x, g: augment.random_flip(x.tolist(), g), "images are a list of shape"),
        (lambda x, g: augment.random_flip(x, 0), "rng is 0, expected a Generator, as"),
        (
            lambda x, g: augment.random_flip(x, g, prob="a"),
            "prob is 'a', expected 0 <=",
        ),
        (
            lambda x, g: augment.random_crop(x, g, pad=1.5),
            "pad is 1.5, expected an int",
        ),
        (lambda x, g: augment.random_crop(x, g, mode="zero"), "mode is 'zero', expect"),
        (lambda x, g: augment.random_erase(x, g, area=0.3), "area is 0.3 and aspect"),
        (lambda x, g: augment.cutout(x, g, size=1.5), "size is 1.5, expected an integ"),
        (
            lambda x, g: augment.cutout(x, g, fill=300),
            "fill is 300, expected one value",
        ),
        (
            lambda x, g: augment.cutout(x, g, fill=0.5),
            "fill is 0.5, expected one value",
        ),
        (lambda x, g: augment.cutout(x, g, fill=(1, 2)), "one for each of 3 channels"),
        (lambda x, g: augment.channel_stats(x / 255), "images are float64 of shape"),
        (lambda x, g: augment.channel_stats(x[:0]), "uint8 with at least one pixel"),
    ],
)
def test_wrong_arguments_are_named(call: Callable[..., Array], message: str) -> None:
    with pytest.raises(DataError, match=message):
        call(batch(), generator())
