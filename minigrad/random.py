"""Counter-based random numbers: a seed names a run on any machine.

Every draw comes from NumPy's Philox, keyed by (seed, stream name, step), on the host.
Two streams never share numbers, a step can be drawn without drawing those before it,
and adding a layer does not shift the numbers of the others. NumPy's global generator is
neither read nor written.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

import numpy
from numpy.random import MT19937, Generator, Philox

from minigrad.errors import ArgumentError


def generator(seed: int, name: str, step: int = 0) -> Generator:
    """Return the generator of draw number step of stream name under seed.

    seed and step are integers >= 0; raises ArgumentError otherwise.

    >>> generator(0, "weights").integers(100, size=3)
    array([94, 24, 83])
    """
    key = _key(_index("seed", seed), name)
    # The step fills the counter's highest word: 2**192 numbers lie between two steps.
    return Generator(Philox(key=key, counter=[0, 0, 0, _index("step", step)]))


def _index(what: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | numpy.integer):
        raise ArgumentError(f"random: {what} {value!r}, expected an integer >= 0")
    if not 0 <= value < 2**64:
        raise ArgumentError(f"random: {what} {value}, expected 0 <= {what} < 2**64")
    return int(value)


def _key(seed: int, name: str) -> int:
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:16], "little")


class Streams:
    """Named streams under one seed; each remembers how many draws it has made.

    The state is small and explicit, so that a run can be stopped and resumed.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = _index("seed", seed)
        self.steps: dict[str, int] = {}

    def next(self, name: str) -> Generator:
        """Return the generator of the next draw of stream name."""
        step = self.steps.get(name, 0)
        self.steps[name] = step + 1
        return generator(self.seed, name, step)

    def state_dict(self) -> dict[str, object]:
        """Return {"seed": int, "steps": {name: draws made}}; JSON can hold it."""
        return {"seed": self.seed, "steps": dict(self.steps)}

    def load_state_dict(self, state: dict[str, object]) -> None:
        """Continue from what state_dict returned."""
        known = state if isinstance(state, dict) else {}
        seed, steps = known.get("seed"), known.get("steps")
        if not isinstance(seed, int) or not isinstance(steps, dict):
            raise ArgumentError(
                "random: state has no integer seed and dict of steps, "
                "expected what Streams.state_dict returned"
            )
        self.seed = _index("seed", seed)
        self.steps = {str(name): int(step) for name, step in steps.items()}


_default: ContextVar[Streams] = ContextVar("minigrad_streams")


def manual_seed(seed: int) -> Streams:
    """Start the default streams of this context anew from seed, and return them."""
    streams = Streams(seed)
    _default.set(streams)
    return streams


def default_streams() -> Streams:
    """Return the streams used where none are passed in; seed 0 until manual_seed.

    Threads start without: raises ArgumentError in one that has not called manual_seed,
    because all of them would draw the same numbers.
    """
    try:
        return _default.get()
    except LookupError:
        if threading.current_thread() is not threading.main_thread():
            raise ArgumentError(
                "random: this thread has no streams, expected a seed of its own; "
                "call manual_seed(seed) in it, or pass rng"
            ) from None
        return manual_seed(0)


Loop = Callable[[int, Callable[[int], None]], object]
"""Calls body(0) ... body(count - 1), in any order: minigrad.backend.parallel_for."""

WORDS: Final = 1 << 16
"""Words of 64 bits to a block of a mask: 0.2 ms of work, and 0.5 MB in cache."""

NORMALS: Final = 1 << 16
"""Numbers to a block of noise: 0.9 ms of work."""


def _one_by_one(count: int, body: Callable[[int], None]) -> None:
    for index in range(count):
        body(index)


def _ahead(state: Any, steps: int) -> Philox:
    """Return a Philox that stands steps counts (of 4 words) behind state."""
    bits = Philox(0)
    bits.state = state
    return bits.advance(steps) if steps else bits


def keep_mask(
    generator: Generator,
    shape: tuple[int, ...],
    drop_prob: float,
    *,
    loop: Loop = _one_by_one,
) -> tuple[numpy.ndarray, float]:
    """Draw a boolean mask, True with probability keep_prob, and return both.

    drop_prob in [0, 1] is rounded to a multiple of 1 / 65536, because 16 random bits
    decide each element (5 times faster than a float32 each); keep_prob is what the
    rounding left, so that scaling by 1 / keep_prob is exact in the mean. loop runs the
    blocks of a large mask; which one it is does not change the mask.
    """
    if not 0 <= drop_prob <= 1:
        raise ArgumentError(
            f"dropout: drop_prob {drop_prob}, expected 0 <= drop_prob <= 1"
        )
    if isinstance(generator.bit_generator, MT19937):
        raise ArgumentError(
            "dropout: the generator is an MT19937, whose words have 32 bits, expected "
            "64; use numpy.random.default_rng(seed) or minigrad.random.generator"
        )
    threshold = round(drop_prob * 65536)
    size = math.prod(shape)
    mask = numpy.empty(size, bool)

    def compare(words: numpy.ndarray, start: int) -> None:
        place = mask[4 * start : 4 * (start + len(words))]
        halves = words.view(numpy.uint16)[: len(place)]
        numpy.greater_equal(halves, threshold, out=place)

    _raw_words(generator, -(-size // 4), compare, loop)
    return mask.reshape(shape), 1 - threshold / 65536


def _raw_words(
    generator: Generator,
    count: int,
    use: Callable[[numpy.ndarray, int], None],
    loop: Loop,
) -> None:
    """Draw count words of 64 bits and call use(words, start) on consecutive parts.

    What is drawn, and where it leaves the generator, is that of random_raw(count).
    """
    bits = generator.bit_generator
    state: Any = bits.state
    # A counter has a place to go on from only where no word is left over.
    whole = isinstance(bits, Philox) and state["buffer_pos"] == 4
    if count <= WORDS or not whole or state["has_uint32"]:
        use(bits.random_raw(count), 0)
        return

    def body(index: int) -> None:
        start = index * WORDS
        words = min(WORDS, count - start)
        use(_ahead(state, start // 4).random_raw(words), start)

    loop(-(-count // WORDS), body)
    bits.advance(count // 4)  # type: ignore[attr-defined]
    bits.random_raw(count % 4)


def normal_noise(
    generator: Generator, shape: tuple[int, ...], *, loop: Loop = _one_by_one
) -> numpy.ndarray:
    """Draw float32 numbers from the standard normal distribution.

    From minigrad's generators they come in blocks, each with 2**128 counts of its own,
    so that loop may run the blocks on threads; which one it is does not change them.

    >>> normal_noise(generator(0, "noise"), (2,)).round(3)
    array([1.042, 1.148], dtype=float32)
    """
    noise = numpy.empty(math.prod(shape), numpy.float32)
    bits = generator.bit_generator
    if not isinstance(bits, Philox):
        generator.standard_normal(out=noise, dtype=numpy.float32)
        return noise.reshape(shape)
    state = bits.state
    count = -(-noise.size // NORMALS)

    def body(index: int) -> None:
        block = Generator(_ahead(state, index << 128))
        place = noise[index * NORMALS : (index + 1) * NORMALS]
        block.standard_normal(out=place, dtype=numpy.float32)

    loop(count, body)
    bits.advance(count << 128)
    return noise.reshape(shape)
