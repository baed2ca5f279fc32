"""Texts as arrays of word numbers.

A text is in lower case, HTML's line breaks are blanks, and a word is a run of letters
a to z, digits and apostrophes; whatever else is between two words. So "café" is "caf".
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from numbers import Integral
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from datasets._errors import DataError

PAD, START, UNKNOWN, FIRST_WORD = range(4)
"""The numbers that stand for no word, and the number of the most frequent word."""

_BREAK = re.compile(r"<br\s*/?>")
_WORD = re.compile(r"[a-z0-9']+")


def tokens(text: str) -> list[str]:
    """Words of a text, in order; see the module for what a word is.

    >>> tokens("It's GREAT!<br /><br />10/10")
    ["it's", 'great', '10', '10']
    """
    return _WORD.findall(_BREAK.sub(" ", text.lower()))


@dataclass(frozen=True)
class Vocabulary:
    """Numbers of words: words[k] has the number k + 3.

    0 pads, 1 starts a text if that is asked for, 2 is every other word. Raises
    DataError if words is no tuple of strings, or one occurs twice.

    >>> vocabulary = Vocabulary.of(["a film a film a dog", "the film"], size=5)
    >>> vocabulary.words
    ('a', 'film')
    >>> vocabulary.encode(["a fine film", "a film of a dog"], length=4)
    array([[0, 3, 2, 4],
           [4, 2, 3, 2]], dtype=int32)
    """

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.words, tuple):
            raise DataError(
                f"text: words is a {type(self.words).__name__}, expected a tuple of "
                "strings"
            )
        _expect_strings("words", self.words)
        if len(self._numbers) != len(self.words):
            [(word, _)] = Counter(self.words).most_common(1)
            raise DataError(f"text: {word!r} is twice in words, expected unlike ones")

    @classmethod
    def of(cls, texts: Sequence[str], size: int = 20_000) -> "Vocabulary":
        """Number the most frequent words of some texts, the training part's.

        Args:
            texts: what is counted.
            size: how many numbers there are at most, the three that stand for no word
                among them.

        The most frequent word has number 3; of equally frequent ones the first in the
        alphabet comes first. Raises DataError if texts are no strings, or are one, or
        size is below 4 or no integer.
        """
        texts = _texts(texts)
        _expect_integer("size", size, FIRST_WORD + 1)
        counts = Counter(chain.from_iterable(map(tokens, texts)))
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return cls(tuple(ranked[: size - FIRST_WORD]))

    def __len__(self) -> int:
        """How many numbers there are: the words and three more."""
        return FIRST_WORD + len(self.words)

    def encode(
        self,
        texts: Sequence[str],
        length: int = 80,
        keep: Literal["last", "first"] = "last",
        *,
        start: bool = False,
    ) -> npt.NDArray[np.int32]:
        """Texts as rows of numbers (N, length) int32, all in [0, len(self)).

        Args:
            texts: N of them.
            length: numbers in a row; a shorter text has zeros in front.
            keep: which end of a longer text is kept.
            start: whether 1 precedes each text. It is cut off with the words after it
                if a longer text keeps its last ones.

        Raises DataError if texts are no strings, or are one, length is below 1 or no
        integer, or keep is neither word.
        """
        texts = _texts(texts)
        _expect_integer("length", length, 1)
        if keep not in ("last", "first"):
            raise DataError(f"text: keep is {keep!r}, expected 'last' or 'first'")
        rows = np.full((len(texts), length), PAD, np.int32)
        begin = [START] if start else []
        kept = slice(-length, None) if keep == "last" else slice(length)
        for row, text in zip(rows, texts, strict=True):
            words = tokens(text)[kept]  # before the look-up, which costs more
            numbers = [self._numbers.get(word, UNKNOWN) for word in words]
            numbers = (begin + numbers)[kept]
            row[length - len(numbers) :] = numbers
        return rows

    def decode(self, row: Sequence[int] | npt.NDArray[Any]) -> str:
        """Words of one row of numbers (length,), without padding and start.

        A word that the vocabulary does not know is "?". Raises DataError for what is no
        row of integers, and if one lies outside [0, len(self)).

        >>> Vocabulary(("a", "film")).decode([0, 1, 3, 2, 4])
        'a ? film'
        """
        numbers = _row(row)
        if numbers.size and not 0 <= numbers.min() <= numbers.max() < len(self):
            raise DataError(
                f"text: numbers lie in [{numbers.min()}, {numbers.max()}], expected "
                f"[0, {len(self) - 1}], those of the vocabulary"
            )
        shown = ("?", *self.words)
        return " ".join(shown[k - UNKNOWN] for k in numbers if k >= UNKNOWN)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {word: number for number, word in enumerate(self.words, FIRST_WORD)}


def _texts(texts: Any) -> list[str]:
    if isinstance(texts, str):  # whose letters would pass for texts
        raise DataError(
            f"text: texts is the string {texts[:20]!r}, expected a sequence of strings"
        )
    if not isinstance(texts, Iterable):
        raise DataError(
            f"text: texts is a {type(texts).__name__}, expected a sequence of strings"
        )
    found = list(texts)
    _expect_strings("texts", found)
    return found


def _expect_strings(name: str, values: Sequence[Any]) -> None:
    for at, value in enumerate(values):
        if not isinstance(value, str):
            raise DataError(
                f"text: {name}[{at}] is a {type(value).__name__}, expected a string"
            )


def _row(row: Any) -> npt.NDArray[Any]:
    """Take numbers (length,) of integers; an empty row has no dtype to speak of."""
    try:
        numbers = np.asarray(row)
    except ValueError as error:
        raise DataError(
            "text: the row has parts of unlike lengths, expected integers of shape "
            "(length,)"
        ) from error
    if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
        raise DataError(
            f"text: the row is {numbers.dtype} of shape {numbers.shape}, expected "
            "integers of shape (length,); decode rows one by one"
        )
    return numbers


def _expect_integer(name: str, value: int, least: int) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < least:
        raise DataError(
            f"text: {name} is {value!r}, expected an integer of {least} or more"
        )
