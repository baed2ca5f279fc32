import numpy as np
import pytest

from datasets import DataError, cifar
from models.experiments.data import load_examples


@pytest.fixture(autouse=True)
def _fresh():
    """Each folder is read anew."""
    load_examples.cache_clear()
    yield
    load_examples.cache_clear()


@pytest.fixture
def own_cifar(tmp_path, monkeypatch):
    """A folder of files in CIFAR-10's format, ten images each, in MINIGRAD_DATA."""
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    rng = np.random.default_rng(0)
    for name in cifar.CHECKSUMS:
        rows = rng.integers(0, 256, (10, 3073), np.uint8)
        rows[:, 0] = range(10)
        (tmp_path / name).write_bytes(rows.tobytes())
    return tmp_path


def test_files_of_ones_own_do_only_where_asked_for_and_are_told_apart(own_cifar):
    found = load_examples("cifar10", 32, 0.2, any_files=True)
    assert not found.official
    assert [len(part.labels) for part in found[:3]] == [40, 10, 10]
    with pytest.raises(DataError, match=r"expected .*, the published file"):
        load_examples("cifar10", 32, 0.2)


def test_published_files_are_official():
    found = load_examples("digits", 8, 0.2, any_files=True)
    assert found.official
    assert found.num_classes == 10


def test_classes_are_counted_by_the_set_not_by_the_images(own_cifar):
    found = load_examples("cifar10", 32, 0.0, 5, any_files=True)
    assert (found.num_classes, found.train.labels.max()) == (10, 4)


@pytest.mark.parametrize("content", [None, b"short"])
def test_missing_and_damaged_files_are_refused_all_the_same(own_cifar, content):
    path = own_cifar / "data_batch_3.bin"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"data_batch_3\.bin"):
        load_examples("cifar10", 32, 0.2, any_files=True)


def test_parts_are_cut_from_the_front(own_cifar):
    whole = load_examples("cifar10", 32, 0.0, any_files=True)
    part = load_examples("cifar10", 32, 0.25, 8, max_test=3, any_files=True)
    assert [len(one.labels) for one in part[:3]] == [6, 2, 3]
    np.testing.assert_array_equal(part.validation.images, whole.train.images[6:8])
    np.testing.assert_array_equal(part.test.images, whole.test.images[:3])
