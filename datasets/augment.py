"""Augmentation and normalisation of whole batches of images (N, C, H, W).

Every function takes a batch in any memory layout, leaves it unwritten and returns a new
one; arguments that make no sense raise DataError. Random choices are made once for each
image, from the NumPy Generator passed in; they use nothing but its `random` and
`bytes`, so the numbers do not depend on how other methods of Generator change (NEP 19
allows that).

Crop, flip and erase raw uint8 images first, a quarter of the bytes of floats;
`normalise` comes last, but for a fill that is meant in normalised units.
"""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datasets._augment_checks import (
    Array,
    Fill,
    batch_shape,
    fill_values,
    per_channel,
    probability,
)
from datasets._batches import whole
from datasets._errors import DataError
from datasets._records import Images

Floats = npt.NDArray[np.float32]

_MODES = ("constant", "reflect", "edge")
_TRIES = 100  # of Zhong et al.'s loop, which has no bound


def random_crop(
    images: Array,
    rng: np.random.Generator,
    *,
    pad: int = 4,
    mode: Literal["constant", "reflect", "edge"] = "constant",
) -> Array:
    """Pad each side by `pad` pixels and cut out a window of the old size, anywhere.

    Each of the (2 pad + 1)^2 windows is equally likely. `mode` is that of numpy.pad:
    "constant" pads with 0. dtype and shape (N, C, H, W) stay. Raises DataError if pad
    is negative, or not below H and W with "reflect".

    >>> x = np.arange(1, 5).reshape(1, 1, 2, 2)
    >>> random_crop(x, np.random.default_rng(0), pad=1).tolist()
    [[[[0, 1], [0, 3]]]]
    """
    num_images, _, height, width = batch_shape(images, rng)
    if mode not in _MODES:
        rule = " or ".join(map(repr, _MODES))
        raise DataError(f"augment: mode is {mode!r}, expected {rule}")
    limit = min(height, width) - 1 if mode == "reflect" else None
    if whole("pad", pad) < 0 or (limit is not None and pad > limit):
        rule = "at least 0" if limit is None else f"0 to {limit}, inside the image"
        raise DataError(f"augment: pad is {pad} with mode {mode!r}, expected {rule}")
    padded = np.pad(images, ((0, 0), (0, 0), (pad, pad), (pad, pad)), mode=mode)
    top, left = _below(rng, 2 * pad + 1, (2, num_images))
    # (N, C, H + 2 pad, W + 2 pad) -> (N, C, 2 pad + 1, 2 pad + 1, H, W)
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, (height, width), axis=(2, 3)
    )
    return windows[np.arange(num_images), :, top, left]


def random_flip(images: Array, rng: np.random.Generator, *, prob: float = 0.5) -> Array:
    """Mirror each image left to right with probability `prob`.

    >>> x = np.arange(4).reshape(2, 1, 1, 2)
    >>> random_flip(x, np.random.default_rng(0)).tolist()
    [[[[0, 1]]], [[[3, 2]]]]
    """
    num_images = batch_shape(images, rng)[0]
    flipped = rng.random(num_images) < probability(prob)
    out = images.copy(order="K")
    # Not where(flipped, ...): three times slower on uint8.
    out[flipped] = images[flipped][..., ::-1]
    return out


def random_erase(
    images: Array,
    rng: np.random.Generator,
    *,
    prob: float = 0.5,
    area: tuple[float, float] = (0.02, 0.4),
    aspect: float = 0.3,
    fill: Fill | None = None,
) -> Array:
    """Random erasing: fill one rectangle of each image with probability `prob`.

    Source: Zhong, Zheng, Kang, Li & Yang 2017, arXiv:1708.04896, Algorithm 1, with its
    defaults. Deviation: sizes are drawn until one fits, at most 100 times, and then a
    place inside the image; the paper draws both anew when the rectangle sticks out.

    Args:
        images: (N, C, H, W), of any dtype if there is a fill.
        rng: draws sizes, places and random fills.
        prob: of erasing anything in an image.
        area: smallest and greatest share of the image's area, uniform between them.
        aspect: height over width is uniform in [aspect, 1 / aspect]; in (0, 1].
        fill: one value or one for each channel; None for random bytes, of uint8 images.

    >>> x = np.zeros((1, 1, 3, 3), np.uint8)
    >>> random_erase(x, np.random.default_rng(1), prob=1, fill=7).tolist()
    [[[[0, 0, 0], [7, 7, 0], [7, 7, 0]]]]
    """
    num_images, _, height, width = batch_shape(images, rng)
    try:
        low, high = area
        fits = 0 < low <= high <= 1 and 0 < aspect <= 1
    except (TypeError, ValueError):
        fits = False
    if not fits:
        raise DataError(
            f"augment: area is {area!r} and aspect {aspect!r}, expected "
            "0 < area[0] <= area[1] <= 1 and 0 < aspect <= 1"
        )
    erased = np.flatnonzero(rng.random(num_images) < probability(prob))
    sizes = np.zeros((2, num_images), np.int64)
    sizes[:, erased] = _erased_sizes(rng, len(erased), (height, width), area, aspect)
    top, left = _below(rng, np.array([[height], [width]]) - sizes + 1, sizes.shape)
    inside = _rectangles(images, top, left, *sizes)
    values = _noise(images, rng) if fill is None else fill_values(images, fill)
    return _filled(images, inside, values)


def _erased_sizes(
    rng: np.random.Generator,
    count: int,
    image: tuple[int, int],
    area: tuple[float, float],
    aspect: float,
) -> Array:
    """Heights and widths (2, count) of rectangles that fit; 0 where no try did."""
    limit = np.reshape(image, (2, 1))
    sizes = np.zeros((2, count), np.int64)
    pending = np.arange(count)
    for _ in range(_TRIES):
        u, v = rng.random((2, len(pending)))
        size = limit.prod() * (area[0] + (area[1] - area[0]) * u)
        ratio = aspect + (1 / aspect - aspect) * v
        drawn = np.rint(np.sqrt([size * ratio, size / ratio])).astype(np.int64)
        fits = (drawn <= limit).all(0)
        sizes[:, pending[fits]] = drawn[:, fits]
        pending = pending[~fits]
        if not len(pending):
            break
    return sizes


def cutout(
    images: Array, rng: np.random.Generator, *, size: int = 16, fill: Fill = 0
) -> Array:
    """Cutout: fill a square of `size` pixels around a random pixel of each image.

    The centre is any pixel, so the square may stick out and be cut off. `fill` is one
    value or one for each channel; 0 is the mean of normalised images, as in the paper.
    Source: DeVries & Taylor 2017, arXiv:1708.04552, section 3.2. Raises DataError if
    size is below 1.

    >>> x = np.ones((1, 1, 3, 3), int)
    >>> cutout(x, np.random.default_rng(1), size=2).tolist()
    [[[[1, 0, 0], [1, 0, 0], [1, 1, 1]]]]
    """
    num_images, _, height, width = batch_shape(images, rng)
    if whole("size", size) < 1:
        raise DataError(f"augment: size is {size}, expected at least 1 pixel")
    centre = _below(rng, np.array([[height], [width]]), (2, num_images))
    top, left = centre - size // 2
    inside = _rectangles(images, top, left, size, size)
    return _filled(images, inside, fill_values(images, fill))


def channel_stats(images: Images) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each channel, (C,) each, of images in [0, 1].

    From uint8 images (N, C, H, W), by exact integer sums; the deviation divides by the
    number of pixels. Fit them on the training part. Raises DataError if there is no
    pixel.
    """
    num_channels = batch_shape(images)[1]
    count = images.size // max(num_channels, 1)
    if images.dtype != np.uint8 or count == 0:
        raise DataError(
            f"augment: images are {images.dtype} of shape {images.shape}, expected "
            "uint8 with at least one pixel"
        )
    total = np.zeros(num_channels, np.int64)
    squares = np.zeros(num_channels, np.int64)
    for start in range(0, len(images), 1000):  # the whole as int64 is 8 times the data
        block = images[start : start + 1000].astype(np.int64)
        total += block.sum((0, 2, 3))
        squares += (block * block).sum((0, 2, 3))
    mean = total / count
    # E[x^2] - E[x]^2 loses nothing here: both sums are exact.
    std = np.sqrt(np.maximum(squares / count - mean * mean, 0))
    return (mean / 255).astype(np.float32), (std / 255).astype(np.float32)


def normalise(images: Images, mean: Fill, std: Fill) -> Floats:
    """Images as float32 (x / 255 - mean) / std, laid out as the engine wants them.

    images (N, C, H, W) uint8; mean and std one value or (C,), in units of [0, 1], as
    channel_stats gives them. In memory the result is (H, W, N, C), contiguous, under an
    (N, C, H, W) view: what a convolution needs, so it copies nothing. Raises DataError
    if images are not uint8, or mean or std do not fit them or a std is not above 0.

    >>> normalise(np.array([[[[0, 255]]]], np.uint8), 0.5, 0.5).ravel()
    array([-1.,  1.], dtype=float32)
    """
    num_images, num_channels, height, width = batch_shape(images)
    if images.dtype != np.uint8:
        raise DataError(
            f"augment: images are {images.dtype}, expected uint8 in [0, 255]; "
            "normalise them once, and last"
        )
    means = per_channel("mean", mean, num_channels)
    stds = per_channel("std", std, num_channels)
    if not (stds > 0).all():
        raise DataError(f"augment: std is {std!r}, expected one above 0")
    scale, shift = (
        # (C,) -> (N * C,): long rows, which NumPy goes through 10 times as fast.
        np.tile(value, num_images).astype(np.float32)
        for value in (1 / (255 * stds), -means / stds)
    )
    # (N, C, H, W) -> (H, W, N, C); bytes are moved, floats would be 4 times as many
    memory = np.ascontiguousarray(images.transpose(2, 3, 0, 1))
    rows = memory.reshape(height * width, num_images * num_channels).astype(np.float32)
    rows *= scale
    rows += shift
    return rows.reshape(memory.shape).transpose(2, 3, 0, 1)


def _below(rng: np.random.Generator, limit: Any, shape: tuple[int, ...]) -> Array:
    """Integers of `shape`, uniform in [0, limit)."""
    return (rng.random(shape) * limit).astype(np.int64)


def _noise(images: Array, rng: np.random.Generator) -> Array:
    if images.dtype != np.uint8:
        raise DataError(
            f"augment: images are {images.dtype}, expected uint8 for a random fill; "
            "erase before normalise, or pass fill"
        )
    return np.frombuffer(rng.bytes(images.size), np.uint8).reshape(images.shape)


def _rectangles(images: Array, top: Any, left: Any, height: Any, width: Any) -> Array:
    """Mask (N, 1, H, W) of one rectangle an image, in the layout of images."""
    _, _, num_rows, num_columns = images.shape

    def between(length: int, low: Any, size: Any) -> Array:
        place = np.arange(length)
        low = low[:, np.newaxis]
        return (place >= low) & (place < low + np.reshape(size, (-1, 1)))

    rows = between(num_rows, top, height)[:, np.newaxis, :, np.newaxis]
    columns = between(num_columns, left, width)[:, np.newaxis, np.newaxis, :]
    inside = np.empty_like(images[:, :1], dtype=bool)
    return np.logical_and(rows, columns, out=inside)


def _filled(images: Array, inside: Array, values: Array) -> Array:
    """Copy of images with `values`, which broadcast, where `inside` (N, 1, H, W)."""
    out = images.copy(order="K")
    np.copyto(out, values, where=inside)
    return out
