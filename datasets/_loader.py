"""Batches prepared in a background thread while the caller trains on the last one."""

import hashlib
import itertools
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from datasets._batches import batches, whole
from datasets._errors import DataError

Arrays = tuple[npt.NDArray[Any], ...]
Transform = Callable[[npt.NDArray[Any], np.random.Generator], npt.NDArray[Any]]


class Loader:
    """Seeded shuffled batches of `arrays`, each (N, ...), with the first transformed.

    What a batch holds depends on (seed, epoch, index) alone, not on timing or `ahead`:
    its rows are those of `batches`, and `transform` gets a generator of its own, Philox
    keyed by the first 128 bits of sha256("minigrad.datasets transform SEED EPOCH"), its
    counter's highest word the index of the batch.

    Args:
        arrays: as in `batches`; images first, say, and labels.
        batch_size: rows of a batch.
        seed: of order and transform.
        transform: (rows of the first array, generator) -> what is yielded for them. It
            runs in the thread, one call at a time, and must not write its input.
        shuffle: whether the order differs by epoch; see `batches`.
        drop_last: whether a short last batch is left out.
        ahead: batches that are prepared before they are asked for; 0 for no thread.

    Raises DataError as `batches` does, and for another `ahead` or `transform`.

    >>> x, t = np.arange(10).reshape(5, 2), np.arange(5)
    >>> loader = Loader((x, t), 2, seed=0, transform=lambda x, rng: 10 * x)
    >>> [(x[0, 0].item(), t.tolist()) for x, t in loader.epoch(0)]
    [(20, [1, 3]), (0, [0, 4]), (40, [2])]
    """

    def __init__(
        self,
        arrays: Sequence[npt.NDArray[Any]],
        batch_size: int,
        *,
        seed: int,
        transform: Transform | None = None,
        shuffle: bool = True,
        drop_last: bool = False,
        ahead: int = 2,
    ) -> None:
        self.arrays, self.batch_size, self.seed = arrays, batch_size, seed
        self.transform, self.shuffle, self.drop_last = transform, shuffle, drop_last
        self.ahead = ahead
        self._batches(0)  # raises what is wrong with the arguments, now
        if whole("ahead", ahead) < 0:
            raise DataError(f"datasets: ahead is {ahead}, expected at least 0")
        if transform is not None and not callable(transform):
            raise DataError(
                f"datasets: transform is {transform!r}, expected a function or None"
            )

    def __len__(self) -> int:
        """Number of batches of an epoch."""
        full, rest = divmod(len(self.arrays[0]), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def epoch(self, epoch: int, start: int = 0) -> Generator[Arrays]:
        """Iterate over the batches of an epoch, from the batch of index `start` on.

        An error in `transform` is raised where its batch is asked for. The thread ends
        with the iterator: after the last batch, an error, a `break` out of the `for`
        that alone holds it, or its close().
        """
        if not 0 <= whole("start", start) <= len(self):
            raise DataError(
                f"datasets: start is {start}, expected 0 to {len(self)}, the number of "
                "batches"
            )
        rows = itertools.islice(self._batches(epoch), start, None)
        prepare = self._prepare(epoch, start, rows)
        count = len(self) - start
        return _threaded(prepare, count, self.ahead) if self.ahead else prepare

    def _batches(self, epoch: int) -> Any:
        return batches(
            self.arrays,
            self.batch_size,
            seed=self.seed,
            epoch=epoch,
            shuffle=self.shuffle,
            drop_last=self.drop_last,
        )

    def _prepare(self, epoch: int, start: int, rows: Any) -> Generator[Arrays]:
        for index, (first, *others) in enumerate(rows, start):
            if self.transform is not None:
                first = self.transform(first, _generator(self.seed, epoch, index))
            yield first, *others


def _threaded(prepare: Generator[Arrays], count: int, ahead: int) -> Generator[Arrays]:
    """Yield `count` batches, each prepared up to `ahead` batches before."""
    # One worker: it alone advances `prepare`, in order. Tasks are short and end by
    # themselves, so nothing can hang: there is no queue that a thread waits to fill.
    pool = ThreadPoolExecutor(1, thread_name_prefix="minigrad-loader")
    try:
        waiting: deque[Future[Arrays]] = deque()
        for index in range(count + ahead):
            if index < count:
                waiting.append(pool.submit(next, prepare))
            if index >= ahead:
                yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _generator(seed: int, epoch: int, index: int) -> np.random.Generator:
    text = f"minigrad.datasets transform {seed} {epoch}"
    key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
    return np.random.Generator(np.random.Philox(key=key, counter=[0, 0, 0, index]))
