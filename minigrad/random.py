"""Counter-based random numbers: a seed names a run on any machine.

Every draw comes from NumPy's Philox, keyed by (seed, stream name, step), on the host.
Two streams never share numbers, a step can be drawn without drawing those before it,
and adding a layer does not shift the numbers of the others. NumPy's global generator is
neither read nor written.
"""

from __future__ import annotations

import hashlib
import threading
from contextvars import ContextVar

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


def keep_mask(
    generator: Generator, shape: tuple[int, ...], drop_prob: float
) -> tuple[numpy.ndarray, float]:
    """Draw a boolean mask, True with probability keep_prob, and return both.

    drop_prob in [0, 1] is rounded to a multiple of 1 / 65536, because 16 random bits
    decide each element (5 times faster than a float32 each); keep_prob is what the
    rounding left, so that scaling by 1 / keep_prob is exact in the mean.
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
    size = int(numpy.prod(shape))
    words = generator.bit_generator.random_raw(-(-size // 4))
    mask = words.view(numpy.uint16)[:size].reshape(shape) >= threshold
    return mask, 1 - threshold / 65536
