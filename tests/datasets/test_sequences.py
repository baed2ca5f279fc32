import numpy as np
import pytest

from datasets import DataError, SpeechSplit, TextDataset, TextSplit


def test_a_split_of_text_has_the_length_of_its_texts() -> None:
    split = TextSplit(("a", "b"), np.array([0, 1]))
    assert len(split) == 2
    assert TextDataset("name", split, split, ("no", "yes")).num_classes == 2


@pytest.mark.parametrize("labels", [np.zeros(3, np.int64), np.zeros(2, np.int32)])
def test_labels_of_another_number_or_type_are_refused(labels: np.ndarray) -> None:
    expected = r"expected int64 of shape \(2,\), one for each text$"
    with pytest.raises(DataError, match=expected):
        TextSplit(("a", "b"), labels)


@pytest.mark.parametrize("clip", [np.zeros(4, np.int32), np.zeros((4, 1), np.int16)])
def test_clips_of_another_type_or_shape_are_refused(clip: np.ndarray) -> None:
    with pytest.raises(
        DataError, match=r"clip b is .*, expected int16 of shape \(L,\)"
    ):
        SpeechSplit((np.zeros(4, np.int16), clip), ("a", "b"))


def test_every_clip_has_a_name() -> None:
    with pytest.raises(DataError, match="there are 0 names, expected 1, one for each"):
        SpeechSplit((np.zeros(4, np.int16),), ())
