"""Sound: files of samples, other rates, and mu-law, which makes classes of samples.

mu-law: f(x) = sign(x) ln(1 + mu |x|) / ln(1 + mu), mu = bins - 1, for x in [-1, 1];
then f is rounded to one of `bins` levels, evenly spaced from -1 to 1.
Source: A. van den Oord et al., "WaveNet: A Generative Model for Raw Audio", 2016,
section 2.2, after ITU-T G.711, which has the same curve in straight pieces.
"""

import functools
import math
from numbers import Integral
from typing import Any

import numpy as np
import numpy.typing as npt

from datasets._errors import DataError
from datasets._flac import read_flac
from datasets._wav import RATES, Samples, expect_rate, read_wav, write_wav

__all__ = [
    "RATES",
    "Samples",
    "mu_law_decode",
    "mu_law_encode",
    "read_flac",
    "read_wav",
    "resample",
    "write_wav",
]

_INT16 = np.iinfo(np.int16)


def resample(samples: Samples, rate: int, to: int) -> Samples:
    """Samples (L,) int16 at `rate` a second as ceil(L to / rate) ones at `to` a second.

    A low-pass filter (a windowed sinc, scipy.signal.resample_poly) removes what the
    lower of the two rates cannot hold; sums beyond int16 are cut off. Raises DataError
    if samples are no int16 of shape (L,), L > 0, or if a rate is out of RATES.

    >>> resample(np.full(2000, 1000, np.int16), 8000, 4000)[500]
    np.int16(1000)
    """
    samples = _array("samples", samples)
    if samples.dtype != np.int16 or samples.ndim != 1 or not len(samples):
        raise DataError(
            f"audio: samples are {samples.dtype} of shape {samples.shape}, expected "
            "int16 of shape (L,), at least one"
        )
    expect_rate("audio: the sound", rate)
    expect_rate("audio: what is asked for", to)
    if rate == to:
        return samples
    # Here, because it takes longer to import than all other modules together.
    from scipy.signal import resample_poly

    common = math.gcd(rate, to)
    up, down = to // common, rate // common
    x = samples.astype(np.float32)
    y = np.asarray(resample_poly(x, up, down, window=_low_pass(max(up, down))))
    return np.rint(y).clip(_INT16.min, _INT16.max).astype(np.int16)


@functools.lru_cache(maxsize=4)
def _low_pass(factor: int) -> npt.NDArray[np.float32]:
    """What resample_poly makes by default, once and not for each of many short clips.

    A Kaiser window of shape 5 with ten zero crossings of the sinc on either side.
    """
    from scipy.signal import firwin

    window: Any = ("kaiser", 5.0)  # SciPy's annotation forgets windows with a shape
    taps = firwin(20 * factor + 1, 1 / factor, window=window)
    return np.asarray(taps, np.float32)


def mu_law_encode(samples: npt.ArrayLike, bins: int = 256) -> npt.NDArray[np.uint8]:
    """Mu-law codes, uint8 in [0, bins), of samples of any shape.

    Samples are floats in [-1, 1], or int16, of which 32768 would be 1. Codes rise with
    samples; 0 has the code bins // 2, and the code of -x is bins - 1 minus that of x
    but where x lies at the border of two codes, as 0 does if bins are even. Raises
    DataError if bins is no integer in [2, 256], or samples are of another type, outside
    [-1, 1] or not finite.

    >>> mu_law_encode(np.array([-1, -0.5, 0, 0.5, 1]))
    array([  0,  16, 128, 239, 255], dtype=uint8)
    """
    mu = _mu(bins)
    samples = _array("samples", samples)
    if samples.dtype == np.int16:
        x = samples / -float(_INT16.min)
    elif np.issubdtype(samples.dtype, np.floating):
        x = samples.astype(np.float64)
    else:
        raise DataError(
            f"audio: samples are {samples.dtype}, expected floats in [-1, 1] or int16"
        )
    if not np.all(np.abs(x) <= 1):  # also for NaN
        raise DataError(
            f"audio: samples lie in [{x.min():.4g}, {x.max():.4g}], expected [-1, 1]; "
            "divide by the largest one"
        )
    level = np.copysign(np.log1p(mu * np.abs(x)) / math.log1p(mu), x)
    return np.floor((level + 1) / 2 * mu + 0.5).astype(np.uint8)


def mu_law_decode(codes: npt.ArrayLike, bins: int = 256) -> npt.NDArray[np.float32]:
    """Samples, float32 in [-1, 1], in the middle of the levels of mu-law codes.

    Decoding what mu_law_encode made of x errs by (|x| + 1/mu) ((1 + mu)^(1/mu) - 1) at
    most, mu = bins - 1: by 2.2 % of x and 1/11,600 for 256 bins. Raises DataError if
    bins is no integer in [2, 256], or codes are no integers in [0, bins).

    >>> mu_law_decode(np.array([0, 16, 128, 239, 255])).round(3)
    array([-1.   , -0.497,  0.   ,  0.497,  1.   ], dtype=float32)
    """
    mu = _mu(bins)
    codes = _array("codes", codes)
    if not np.issubdtype(codes.dtype, np.integer):
        raise DataError(f"audio: codes are {codes.dtype}, expected integers")
    if codes.size and not 0 <= codes.min() <= codes.max() < bins:
        raise DataError(
            f"audio: codes lie in [{codes.min()}, {codes.max()}], expected [0, {mu}]"
        )
    level = 2 * codes.astype(np.float64) / mu - 1
    x = np.copysign(np.expm1(np.abs(level) * math.log1p(mu)) / mu, level)
    return x.astype(np.float32)


def _array(name: str, values: npt.ArrayLike) -> npt.NDArray[Any]:
    try:
        return np.asarray(values)
    except ValueError as error:
        raise DataError(
            f"audio: {name} have parts of unlike lengths, expected an array"
        ) from error


def _mu(bins: int) -> int:
    if not isinstance(bins, Integral) or not 2 <= bins <= 256:
        raise DataError(f"audio: bins is {bins!r}, expected an integer in [2, 256]")
    return int(bins) - 1
