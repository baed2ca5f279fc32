"""What thousands of numbers were like, in constant memory.

A `Sketch` counts numbers in buckets whose borders are a fixed ratio apart, so that any
quantile is known to a fixed relative error. A `Series` keeps points at even distances,
of which every other one goes when there are too many.

Source of the sketch: Masson, Rim & Lee 2019, "DDSketch", VLDB 12 (12), section 2.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import Final

ERROR: Final = 0.01
"""Greatest relative error of a quantile."""

RATIO: Final = (1 + ERROR) / (1 - ERROR)
SMALLEST: Final = 1e-45
"""Of float32; what is nearer to zero counts as zero, so that there are at most 9,700
buckets up to 1e39, beyond which everything falls into the last one."""
LARGEST: Final = 1e39


class Sketch:
    """Counts numbers that are not negative.

    Attributes:
        count: how many numbers were finite.
        faults: how many were not.
        total, minimum, maximum, first, last: of those that were; None without any.

    >>> sketch = Sketch()
    >>> for number in range(1, 1001):
    ...     sketch.add(number)
    >>> abs(sketch.quantile(0.5) / 500 - 1) < 0.011, sketch.maximum
    (True, 1000)
    """

    def __init__(self) -> None:
        """Begin without numbers."""
        self.count = self.faults = 0
        self.total = 0.0
        self.minimum: float | None = None
        self.maximum: float | None = None
        self.first: float | None = None
        self.last: float | None = None
        self._buckets: Counter[int | None] = Counter()

    def add(self, value: float) -> None:
        """Count value."""
        if not math.isfinite(value):
            self.faults += 1
            return
        if not self.count:
            self.first = self.minimum = self.maximum = value
        self.count += 1
        self.total += value
        self.last = value
        self.minimum = min(value, self.minimum)  # type: ignore[type-var]
        self.maximum = max(value, self.maximum)  # type: ignore[type-var]
        self._buckets[_bucket(value)] += 1

    @property
    def mean(self) -> float | None:
        """Mean of the numbers."""
        return self.total / self.count if self.count else None

    def quantile(self, share: float) -> float | None:
        """Return the number that this share, in [0, 1], of all lie at or below."""
        left = math.ceil(share * self.count)
        order = sorted(self._buckets, key=lambda b: -math.inf if b is None else b)
        for bucket in order:
            left -= self._buckets[bucket]
            if left <= 0:
                return self._within(bucket)
        return None

    def _within(self, bucket: int | None) -> float:
        """Return the middle of a bucket, no farther out than the numbers were."""
        low, high = self.minimum or 0.0, self.maximum or 0.0
        middle = 0.0 if bucket is None else 2 * RATIO**bucket / (RATIO + 1)
        return min(max(middle, low), high)

    def __repr__(self) -> str:
        return f"<Sketch: {self.count} numbers from {self.minimum} to {self.maximum}>"

    def __len__(self) -> int:
        """How many buckets are in use."""
        return len(self._buckets)


def _bucket(value: float) -> int | None:
    """Return the i with RATIO**(i - 1) < value <= RATIO**i, None for zero."""
    if value < SMALLEST:
        return None
    return math.ceil(math.log(min(value, LARGEST), RATIO))


class Series:
    """Points (x, y) of growing x, at most `most` of them, at even distances.

    >>> series = Series(4)
    >>> for step in range(1, 10):
    ...     series.add(step, step * step)
    >>> series.points
    [(1, 1), (5, 25), (9, 81)]
    """

    def __init__(self, most: int = 256) -> None:
        """Keep at most `most` points, an even number."""
        self.points: list[tuple[int, float]] = []
        self._most = most
        self._stride = 1
        self._seen = 0

    def add(self, x: int, y: float) -> None:
        """Keep the point if it is its turn."""
        if self._seen % self._stride == 0:
            if len(self.points) == self._most:
                self.points = self.points[::2]
                self._stride *= 2
            # After halving, the turn is that of every other stride.
            if self._seen % self._stride == 0:
                self.points.append((x, y))
        self._seen += 1
