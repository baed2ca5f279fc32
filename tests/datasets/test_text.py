from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datasets import DataError
from datasets.text import Vocabulary, tokens

WORDS = ("the", "a", "film", "it's", "10")
lists_of_words = st.lists(st.sampled_from((*WORDS, "unseen", "'")), max_size=12)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't STOP", ["don't", "stop"]),
        ("so-so, 8/10 (really).", ["so", "so", "8", "10", "really"]),
        ("end.<br /><br />Next<BR>line<br/>br", ["end", "next", "line", "br"]),
        ("café œuvre", ["caf", "uvre"]),
        ("", []),
        ("?! ...", []),
    ],
)
def test_words_are_runs_of_letters_digits_and_apostrophes(
    text: str, words: list[str]
) -> None:
    assert tokens(text) == words


def test_words_are_numbered_by_falling_frequency_then_alphabet() -> None:
    vocabulary = Vocabulary.of(["c b c", "a b c d", "a"])
    assert vocabulary.words == ("c", "a", "b", "d")
    assert vocabulary.encode(["c a b d"], 4).tolist() == [[3, 4, 5, 6]]


@pytest.mark.parametrize(("size", "words"), [(4, "c"), (5, "ca"), (7, "cabd")])
def test_size_counts_every_number(size: int, words: str) -> None:
    vocabulary = Vocabulary.of(["c b c", "a b c d", "a"], size)
    assert vocabulary.words == tuple(words)
    assert len(vocabulary) == size


@pytest.mark.parametrize(
    ("keep", "start", "row"),
    [
        ("last", False, [4, 5, 6]),
        ("first", False, [3, 4, 5]),
        ("last", True, [4, 5, 6]),
        ("first", True, [1, 3, 4]),
    ],
)
def test_a_longer_text_keeps_the_end_that_is_asked_for(
    keep: Any, start: bool, row: list[int]
) -> None:
    vocabulary = Vocabulary(WORDS)
    text = ["the a film it's"]
    assert vocabulary.encode(text, 3, keep, start=start).tolist() == [row]


def test_start_stands_between_padding_and_words() -> None:
    rows = Vocabulary(WORDS).encode(["a film", ""], 5, start=True)
    assert rows.tolist() == [[0, 0, 1, 4, 5], [0, 0, 0, 0, 1]]


@given(
    texts=st.lists(lists_of_words, max_size=4),
    length=st.integers(1, 14),
    keep=st.sampled_from(["last", "first"]),
    start=st.booleans(),
)
def test_a_row_is_the_kept_end_of_its_text_behind_zeros(
    texts: list[list[str]], length: int, keep: Any, start: bool
) -> None:
    vocabulary = Vocabulary(WORDS)
    rows = vocabulary.encode(
        [" ".join(text) for text in texts], length, keep, start=start
    )
    assert rows.shape == (len(texts), length)
    assert rows.dtype == np.int32
    for row, text in zip(rows.tolist(), texts, strict=True):
        numbers = [WORDS.index(word) + 3 if word in WORDS else 2 for word in text]
        whole = [1, *numbers] if start else numbers
        kept = whole[-length:] if keep == "last" else whole[:length]
        assert row == [0] * (length - len(kept)) + kept


@given(text=lists_of_words, start=st.booleans())
def test_decoding_gives_the_known_words_back(text: list[str], start: bool) -> None:
    vocabulary = Vocabulary(WORDS)
    (row,) = vocabulary.encode([" ".join(text)], 20, start=start)
    shown = [word if word in WORDS else "?" for word in text]
    assert vocabulary.decode(row) == " ".join(shown)


@given(texts=st.lists(st.text(max_size=30), max_size=5))
def test_any_text_has_numbers_of_the_vocabulary_it_made(texts: list[str]) -> None:
    vocabulary = Vocabulary.of(texts, size=6)
    rows = vocabulary.encode(texts, 8)
    assert ((rows >= 0) & (rows < len(vocabulary))).all()


def test_texts_may_come_from_an_array_and_an_empty_row_says_nothing() -> None:
    assert VOCABULARY.encode(untyped(np.array(["a film"])), 2).tolist() == [[4, 5]]
    assert VOCABULARY.decode([]) == ""


VOCABULARY = Vocabulary(WORDS)


def untyped(value: Any) -> Any:
    """Hide from the type checker what is wrong on purpose."""
    return value


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Vocabulary.of("text"), "texts is the string 'text', expected a seq"),
        (lambda: VOCABULARY.encode("text"), "texts is the string 'text', expected a"),
        (lambda: Vocabulary.of([], 3), "size is 3, expected an integer of 4 or more"),
        (lambda: Vocabulary.of([], 9.0), "size is 9.0, expected an integer of 4"),
        (lambda: VOCABULARY.encode([], 0), "length is 0, expected an integer of 1"),
        (lambda: VOCABULARY.encode([], True), "length is True, expected an integer"),
        (
            lambda: VOCABULARY.encode([], 4, "middle"),
            "keep is 'middle', expected 'last' or 'first'",
        ),
        (lambda: VOCABULARY.decode([8]), r"lie in \[8, 8\], expected \[0, 7\]"),
        (lambda: VOCABULARY.decode([-1, 3]), r"lie in \[-1, 3\], expected \[0, 7\]"),
        (lambda: Vocabulary(("a", "b", "b")), "'b' is twice in words"),
        (
            lambda: Vocabulary(untyped("ab")),
            "words is a str, expected a tuple of strings",
        ),
        (
            lambda: Vocabulary(untyped(["a"])),
            "words is a list, expected a tuple of str",
        ),
        (
            lambda: Vocabulary(untyped(("a", 1))),
            r"words\[1\] is a int, expected a string",
        ),
        (
            lambda: Vocabulary(untyped((["a"],))),
            r"words\[0\] is a list, expected a string",
        ),
        (
            lambda: Vocabulary.of(untyped([1, 2])),
            r"texts\[0\] is a int, expected a string",
        ),
        (
            lambda: Vocabulary.of(untyped(5)),
            "texts is a int, expected a sequence of str",
        ),
        (
            lambda: Vocabulary.of(untyped(b"ab")),
            r"texts\[0\] is a int, expected a string",
        ),
        (
            lambda: VOCABULARY.encode(untyped(["a", None])),
            r"texts\[1\] is a NoneType, exp",
        ),
        (
            lambda: VOCABULARY.encode(untyped([b"ab"])),
            r"texts\[0\] is a bytes, expected",
        ),
        (
            lambda: VOCABULARY.encode(untyped(None)),
            "texts is a NoneType, expected a seq",
        ),
        (
            lambda: VOCABULARY.decode(untyped([3.5])),
            r"is float64 of shape \(1,\), expected",
        ),
        (
            lambda: VOCABULARY.decode(untyped([[3]])),
            r"is int64 of shape \(1, 1\), expected",
        ),
        (
            lambda: VOCABULARY.decode(untyped([[]])),
            r"of shape \(1, 0\), expected integers",
        ),
        (
            lambda: VOCABULARY.decode(untyped(3)),
            r"is int64 of shape \(\), expected integ",
        ),
        (
            lambda: VOCABULARY.decode(untyped(["a"])),
            r"is <U1 of shape \(1,\), expected",
        ),
        (
            lambda: VOCABULARY.decode(untyped([True])),
            r"is bool of shape \(1,\), expected",
        ),
        (
            lambda: VOCABULARY.decode(untyped([[3], [3, 4]])),
            "parts of unlike lengths, exp",
        ),
    ],
)
def test_bad_arguments_are_named(call: Callable[[], Any], message: str) -> None:
    with pytest.raises(DataError, match=f"^text: .*{message}"):
        call()
