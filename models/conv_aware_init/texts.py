"""Texts for the networks of Table 5, and how these are trained.

| paper | here |
| --- | --- |
| IMDB, 25,000 + 25,000 reviews, 20,000 words, length 80 | the last 80, 0 in front |
| binary cross-entropy, Adam | the same |
| validation on the official test part | the end of the training part; test beside it |
| all settings by random search, none printed | models.conv_aware_init.search |

The vocabulary is that of the texts that are trained on. Of "digits", which come with
the repository, the 64 brightnesses of an image are its words, and the label tells
whether the digit is 5 or more.
"""

import functools
from dataclasses import dataclass
from typing import Any

import datasets
from datasets import TextSplit, imdb
from datasets.text import Vocabulary
from minigrad import functional as F
from minigrad import tensor
from models.conv_aware_init.training import LossTraining
from models.experiments.data import Examples, Part

HALF = 5
"""The label of a digit is 1 from this one on."""


@functools.cache
def load_texts(
    dataset: str,
    vocabulary: int,
    length: int,
    validation_share: float,
    max_examples: int | None = None,
    max_test: int | None = None,
) -> Examples:
    """Load "imdb" or "digits" once per process, as rows (N, length) of word numbers.

    Args:
        dataset: its name.
        vocabulary: numbers lie in [0, vocabulary).
        length: words that are kept of a text, the last.
        validation_share: this share of the training part, its end, is for validation.
        max_examples: take only so many training texts, the first; None for all.
        max_test: likewise of the test texts.

    Labels are 0 or 1. Raises datasets.DataError if files are missing or damaged.
    """
    train, test = _digits() if dataset == "digits" else _imdb()
    labels = train.labels[:max_examples]
    split = len(labels) - round(validation_share * len(labels))
    words = Vocabulary.of(train.texts[:split], vocabulary)

    def part(texts: tuple[str, ...], labels: Any) -> Part:
        rows: Any = words.encode(texts, length)  # Not bytes, as images are.
        return Part(rows, labels)

    return Examples(
        part(train.texts[:split], labels[:split]),
        part(train.texts[split : len(labels)], labels[split:]),
        part(test.texts[:max_test], test.labels[:max_test]),
        num_classes=2,
        official=True,  # Counts are checked; checksums of the files are not published.
    )


@functools.cache
def _imdb() -> tuple[TextSplit, TextSplit]:
    loaded = imdb.load()
    return loaded.train, loaded.test


def _digits() -> tuple[TextSplit, TextSplit]:
    loaded = datasets.load("digits")

    def as_text(part: Any) -> TextSplit:
        rows = part.images.reshape(len(part.labels), -1)
        texts = tuple(" ".join(map(str, row)) for row in rows)
        return TextSplit(texts, (part.labels >= HALF).astype("int64"))

    return as_text(loaded.train), as_text(loaded.test)


@dataclass
class TextTraining(LossTraining):
    """A training whose network gives one logit for a text, that of the label 1.

    Attributes:
        measured: the parts that an epoch's record tells of.
    """

    measured: tuple[str, ...] = ("validation", "test")

    def outputs(self, images: Any) -> Any:
        """Logits (N,) of rows (N, L) of word numbers."""
        return self.model(tensor(images))[:, 0]

    def criterion(self, outputs: Any, labels: Any, reduction: str = "mean") -> Any:
        """Binary cross-entropy of logits (N,) against labels (N,) of 0 and 1, nats."""
        targets = tensor(labels.astype("float32"))
        loss = F.binary_cross_entropy_with_logits
        return loss(outputs, targets, reduction=reduction)

    def predictions(self, outputs: Any) -> Any:
        """The likelier label of each text, 0 or 1."""
        return (outputs > 0).astype("int64")

    def measure(self, name: str, part: Part) -> dict[str, Any]:
        """Loss in nats and accuracy in percent, of the parts that are measured."""
        return super().measure(name, part) if name in self.measured else {}
