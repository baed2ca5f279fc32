"""What the loaders of text and of speech return: sequences of many lengths, in tuples.

Texts stay strings and clips stay samples; words become numbers in `datasets.text`,
samples classes in `datasets.audio`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from datasets._errors import DataError
from datasets._records import Labels

Clip = npt.NDArray[np.int16]


@dataclass(frozen=True, eq=False)
class TextSplit:
    """One part of a data set of text: N texts, labels (N,) int64.

    Loaders return read-only labels. Raises DataError if dtype, axes or N disagree.
    """

    texts: tuple[str, ...]
    labels: Labels

    def __post_init__(self) -> None:
        if self.labels.shape != (len(self.texts),) or self.labels.dtype != np.int64:
            raise DataError(
                f"datasets: labels are {self.labels.dtype} of shape "
                f"{self.labels.shape}, expected int64 of shape ({len(self.texts)},), "
                "one for each text"
            )

    def __len__(self) -> int:
        """Number of texts, N."""
        return len(self.texts)


@dataclass(frozen=True, eq=False)
class TextDataset:
    """A named pair of splits of text; label k means class_names[k]."""

    name: str
    train: TextSplit
    test: TextSplit
    class_names: tuple[str, ...]

    @property
    def num_classes(self) -> int:
        """Number of classes, K; labels lie in [0, K)."""
        return len(self.class_names)


@dataclass(frozen=True, eq=False)
class SpeechSplit:
    """One part of a data set of speech: N clips (L,) int16, each of its own L, named.

    Loaders return read-only clips. Raises DataError if a clip is of another kind or
    there are not as many names as clips.
    """

    clips: tuple[Clip, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.names) != len(self.clips):
            raise DataError(
                f"datasets: there are {len(self.names)} names, expected "
                f"{len(self.clips)}, one for each clip"
            )
        for name, clip in zip(self.names, self.clips, strict=True):
            if clip.ndim != 1 or clip.dtype != np.int16:
                raise DataError(
                    f"datasets: clip {name} is {clip.dtype} of shape {clip.shape}, "
                    "expected int16 of shape (L,)"
                )

    def __len__(self) -> int:
        """Number of clips, N."""
        return len(self.clips)


@dataclass(frozen=True, eq=False)
class SpeechDataset:
    """A named pair of splits of speech; rate is in samples per second."""

    name: str
    rate: int
    train: SpeechSplit
    test: SpeechSplit
