from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.signal import resample_poly

from datasets import DataError, spoken_digits
from datasets.audio import mu_law_decode, mu_law_encode, read_wav, resample

BINS = st.integers(2, 256)
RANGE = st.floats(-1, 1)


def tone(frequency: float, rate: int, count: int) -> np.ndarray:
    return 10_000 * np.sin(np.arange(count) * (2 * np.pi * frequency / rate))


@given(values=st.lists(RANGE, min_size=1), bins=BINS)
def test_the_round_trip_errs_by_half_a_level_at_most(
    values: list[float], bins: int
) -> None:
    x, mu = np.array(values), bins - 1
    bound = (np.abs(x) + 1 / mu) * ((1 + mu) ** (1 / mu) - 1)
    error = np.abs(mu_law_decode(mu_law_encode(x, bins), bins) - x)
    assert (error <= bound + 1e-7).all()  # 1e-7: decoded samples are float32


def test_the_bound_of_256_bins_is_what_the_docstring_says() -> None:
    factor = 256 ** (1 / 255) - 1
    assert factor == pytest.approx(0.022, abs=5e-4)
    assert 255 / factor == pytest.approx(11_600, rel=0.01)


@given(bins=BINS)
def test_every_code_comes_back(bins: int) -> None:
    codes = np.arange(bins)
    back = mu_law_encode(mu_law_decode(codes, bins), bins)
    assert back.dtype == np.uint8
    assert back.tolist() == codes.tolist()


@given(first=RANGE, second=RANGE, bins=BINS)
def test_codes_rise_with_samples(first: float, second: float, bins: int) -> None:
    low, high = mu_law_encode(np.sort([first, second]), bins)
    assert low <= high


@given(x=RANGE, bins=BINS)
def test_codes_are_symmetric_but_at_a_border(x: float, bins: int) -> None:
    below, above = np.sort(mu_law_encode(np.array([x, -x]), bins).astype(int))
    mu = bins - 1
    level = np.log1p(mu * abs(x)) / np.log1p(mu)
    border = abs((level + 1) / 2 * mu % 1 - 0.5) < 1e-9
    assert below + above == mu or (border and below + above == mu + 1)


@given(bins=BINS)
def test_samples_are_symmetric_and_fill_the_range(bins: int) -> None:
    x = mu_law_decode(np.arange(bins), bins)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, -x[::-1])
    assert (x[0], x[-1]) == (-1, 1)
    assert (np.diff(x) > 0).all()


@given(bins=BINS)
def test_silence_is_the_middle(bins: int) -> None:
    assert mu_law_encode(np.zeros((2, 1)), bins).tolist() == [[bins // 2]] * 2


def test_codes_are_those_of_the_paper() -> None:
    x = np.array([-1, -0.1, 0.01, 0.25, 1])
    level = np.sign(x) * np.log(1 + 255 * np.abs(x)) / np.log(256)
    assert mu_law_encode(x).tolist() == np.rint((level + 1) * 127.5).tolist()


def test_int16_is_a_fraction_of_32768() -> None:
    samples = np.array([-32768, -100, 0, 1, 32767], np.int16)
    expected = mu_law_encode(samples / 32768)
    np.testing.assert_array_equal(mu_law_encode(samples), expected)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_shorter_floats_have_the_codes_of_their_values(dtype: Any) -> None:
    x = np.linspace(-1, 1, 101).astype(dtype)
    expected = mu_law_encode(x.astype(np.float64))
    np.testing.assert_array_equal(mu_law_encode(x), expected)


def test_lists_have_the_codes_of_their_arrays() -> None:
    assert mu_law_encode([-1.0, 0.0, 1.0]).tolist() == [0, 128, 255]
    codes = np.array([[0, 255]])
    np.testing.assert_array_equal(mu_law_decode([[0, 255]]), mu_law_decode(codes))


ONES = np.ones(2)
SOUND = np.ones(2, np.int16)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: mu_law_encode(ONES * 2), r"lie in \[2, 2\], expected \[-1, 1\]"),
        (lambda: mu_law_encode(ONES * np.nan), r"lie in \[nan, nan\], expected"),
        (lambda: mu_law_encode(np.array([1])), "samples are int64, expected floats"),
        (lambda: mu_law_encode(ONES, 1), r"bins is 1, expected an integer in \[2, 2"),
        (lambda: mu_law_encode(ONES, 257), "bins is 257, expected"),
        (lambda: mu_law_decode(ONES), "codes are float64, expected integers"),
        (lambda: mu_law_decode(np.array([3, 9]), 8), r"in \[3, 9\], expected \[0, 7\]"),
        (lambda: mu_law_decode(np.array([-1]), 8), r"lie in \[-1, -1\], expected"),
        (lambda: mu_law_encode([1]), "samples are int64, expected floats"),
        (lambda: mu_law_encode(["a"]), "samples are <U1, expected floats"),
        (lambda: mu_law_encode([[0.1], [0.1, 0.2]]), "have parts of unlike lengths"),  # type: ignore[list-item]
        (lambda: mu_law_decode([0.5]), "codes are float64, expected integers"),
        (lambda: mu_law_decode([[1], [1, 2]]), "codes have parts of unlike lengths"),  # type: ignore[list-item]
        (lambda: resample([1, 2], 8000, 4000), r"are int64 of shape \(2,\), expected"),  # type: ignore[arg-type]
        (lambda: resample(ONES, 8000, 4000), r"are float64 of shape \(2,\), expected"),
        (lambda: resample(SOUND[:0], 8000, 4000), r"of shape \(0,\), expected"),
        (lambda: resample(SOUND, 10**9, 4000), "sound has a rate of 1000000000"),
        (lambda: resample(SOUND, 8000, 0), "asked for has a rate of 0, expected"),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^audio: .*{message}"):
        call()


@pytest.mark.parametrize(("rate", "to"), [(8000, 4000), (48000, 4000), (4000, 6000)])
def test_a_tone_that_both_rates_can_hold_stays(rate: int, to: int) -> None:
    x = tone(500, rate, rate // 2).astype(np.int16)
    y = resample(x, rate, to)
    assert (y.dtype, len(y)) == (np.int16, to // 2)
    inside = slice(len(y) // 4, -len(y) // 4)  # the filter sees no end of the sound
    np.testing.assert_allclose(y[inside], tone(500, to, to // 2)[inside], atol=30)


def test_a_tone_that_the_lower_rate_cannot_hold_goes() -> None:
    x = tone(3000, 8000, 4000).astype(np.int16)
    assert np.abs(resample(x, 8000, 4000)[500:-500]).max() < 50


def test_lengths_are_rounded_up() -> None:
    assert len(resample(np.ones(7, np.int16), 8000, 4000)) == 4


def test_the_same_rate_gives_the_same_samples() -> None:
    assert resample(SOUND, 8000, 8000) is SOUND


def test_sums_beyond_int16_are_cut_off() -> None:
    x = np.repeat(np.array([-32768, 32767] * 20, np.int16), 50)
    y = resample(x, 8000, 16_000)
    assert (y.min(), y.max()) == (-32768, 32767)


@pytest.mark.parametrize(("rate", "to"), [(8000, 4000), (8000, 3000), (8000, 11_025)])
def test_the_filter_is_scipys_own(rate: int, to: int) -> None:
    x, _ = read_wav(spoken_digits.FOLDER / "0_george_5.wav")
    expected = resample_poly(x.astype(np.float64), to, rate)
    np.testing.assert_allclose(resample(x, rate, to), expected, atol=0.51)
