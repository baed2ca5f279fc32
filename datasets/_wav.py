"""WAV files of plain PCM, read as one channel of 16 bits and written as such.

Source: IBM and Microsoft, "Multimedia Programming Interface and Data Specifications
1.0", 1991, section WAVE. The reader is Python's `wave`; of files of the extensible
format, it reads those of PCM from Python 3.12 on.
"""

import io
import os
import sys
import wave
from numbers import Integral
from pathlib import Path

import numpy as np
import numpy.typing as npt

from datasets._errors import DataError
from datasets._files import write_whole

Samples = npt.NDArray[np.int16]

RATES = range(1_000, 768_001)
"""Samples per second that are not taken for damage: memory depends on their ratio."""

_AGAIN = "get it again"


def read_wav(path: str | os.PathLike[str]) -> tuple[Samples, int]:
    """Read a WAV file: samples (L,) int16, and how many of them make a second.

    Channels are averaged; of samples of 24 and 32 bits the upper 16 bits are taken, and
    those of 8 bits, which are unsigned, become multiples of 256. Takes a few times the
    memory of the file at most, whatever its header claims. Raises DataError if the file
    cannot be read, is no PCM, is truncated or empty, or if its rate is out of RATES.
    """
    content = _read_bytes(Path(path))
    try:
        with wave.open(io.BytesIO(content)) as file:
            parameters = file.getparams()
            frames = file.readframes(parameters.nframes)
    # Python's reader seeks to where a damaged header points: RuntimeError.
    except (wave.Error, EOFError, RuntimeError) as error:
        reason = str(error) or "it ends too early"
        raise DataError(
            f"wav: {path} is no intact WAV file of PCM ({reason}), expected samples of "
            f"8, 16, 24 or 32 bits; {_AGAIN}"
        ) from error
    size = parameters.nframes * parameters.nchannels * parameters.sampwidth
    if len(frames) != size or not size:
        raise DataError(
            f"wav: {path} has {len(frames)} bytes of samples, expected {size or 'any'} "
            f"as its header says; {_AGAIN}"
        )
    expect_rate(f"wav: {path}", parameters.framerate)
    samples = _as_int16(frames, parameters.sampwidth)
    return mono(samples.reshape(-1, parameters.nchannels)), parameters.framerate


def write_wav(path: str | os.PathLike[str], samples: Samples, rate: int) -> None:
    """Write samples (L,) int16 as a WAV file of one channel: whole or not at all.

    rate is in samples per second. Raises DataError if samples are of another kind or
    none, if rate is out of RATES, or if path cannot be written.
    """
    if not isinstance(samples, np.ndarray):
        raise DataError(
            f"wav: samples for {path} are a {type(samples).__name__}, expected an "
            "array of int16"
        )
    if samples.dtype != np.int16 or samples.ndim != 1 or not len(samples):
        raise DataError(
            f"wav: samples for {path} are {samples.dtype} of shape {samples.shape}, "
            "expected int16 of shape (L,), at least one"
        )
    expect_rate(f"wav: {path}", rate)
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setparams((1, 2, rate, len(samples), "NONE", ""))
        file.writeframes(samples.tobytes())
    write_whole("wav", Path(path), content.getvalue())


def mono(samples: Samples) -> Samples:
    """Average of the channels of samples (L, C), rounded: (L,) int16."""
    if samples.shape[1] == 1:
        return samples[:, 0]
    return np.rint(samples.mean(axis=1)).astype(np.int16)


def expect_rate(who: str, rate: int) -> None:
    """Raise DataError unless rate is an integer within RATES."""
    if not isinstance(rate, Integral) or int(rate) not in RATES:
        raise DataError(
            f"{who} has a rate of {rate!r}, expected an integer in [{RATES[0]}, "
            f"{RATES[-1]}] samples per second"
        )


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"wav: {path} cannot be read ({error.strerror}), expected a WAV file; see "
            "to its name and permissions"
        ) from error


def _as_int16(frames: bytes, width: int) -> Samples:
    """Samples of 1 to 4 bytes; `wave` gives them in the machine's order of bytes."""
    table = np.frombuffer(frames, np.uint8).reshape(-1, width)
    if width == 1:
        return (table[:, 0].astype(np.int16) - 128) * 256
    upper = slice(width - 2, None) if sys.byteorder == "little" else slice(2)
    return table[:, upper].copy().view(np.int16)[:, 0]
