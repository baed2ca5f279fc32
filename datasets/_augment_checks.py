"""What augmentation is given: a batch, a generator, numbers for its channels.

Each function raises DataError for what is not fit.
"""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from datasets._errors import DataError

Array = npt.NDArray[Any]
Fill = float | Sequence[float] | Array
"""One number, or one for each channel."""


def per_channel(what: str, given: Fill, num_channels: int) -> npt.NDArray[np.float64]:
    """One number for each channel (C,), of one or as many."""
    try:
        numbers = np.broadcast_to(np.asarray(given, np.float64), num_channels)
    except (TypeError, ValueError):
        numbers = np.array(np.nan)
    if not np.isfinite(numbers).all():
        raise DataError(
            f"augment: {what} is {given!r}, expected one finite number, or one for "
            f"each of {num_channels} channels"
        )
    return numbers


def batch_shape(images: Array, *rng: np.random.Generator) -> tuple[int, int, int, int]:
    """Lengths (N, C, H, W) of images, once these and what draws are seen to be fit."""
    found: Any = images
    if not isinstance(found, np.ndarray) or found.ndim != 4:
        shape = getattr(found, "shape", None)
        raise DataError(
            f"augment: images are a {type(found).__name__} of shape {shape}, expected "
            "an array (N, C, H, W)"
        )
    for drawn in rng:
        if not isinstance(drawn, np.random.Generator):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DataError(
                f"augment: rng is {drawn!r}, expected a Generator, as "
                "numpy.random.default_rng(seed) makes"
            )
    num_images, num_channels, height, width = images.shape
    return num_images, num_channels, height, width


def probability(prob: float) -> float:
    """Return prob, a number in [0, 1]."""
    if not (isinstance(prob, Real) and 0 <= prob <= 1):
        raise DataError(f"augment: prob is {prob!r}, expected 0 <= prob <= 1")
    return prob


def fill_values(images: Array, fill: Fill) -> Array:
    """Turn `fill`, one value or one for each channel, into (1 or C, 1, 1)."""
    num_channels = images.shape[1]
    try:
        values = np.asarray(fill, images.dtype)
    except (TypeError, ValueError, OverflowError):
        values = np.empty((0, 0))
    fits = values.shape in ((), (num_channels,))
    if images.dtype.kind != "f":
        # An integer would cut off what lies between, or wrap around.
        fits = fits and bool((values == np.asarray(fill)).all())
    if not fits:
        raise DataError(
            f"augment: fill is {fill!r}, expected one value of {images.dtype}, or one "
            f"for each of {num_channels} channels"
        )
    return values.reshape(-1, 1, 1)
