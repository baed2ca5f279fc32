import numpy as np
import pytest

from datasets import DataError, batches, epoch_order

X = np.arange(10 * 3, dtype=np.float32).reshape(10, 3)
T = np.arange(10)


def labels(batch_size: int = 4, **options: object) -> list[list[int]]:
    settings = {"seed": 0, "epoch": 0, **options}
    return [t.tolist() for (t,) in batches((T,), batch_size, **settings)]


def test_order_is_the_same_in_every_version() -> None:
    assert epoch_order(10, seed=7, epoch=3).tolist() == [3, 8, 1, 5, 9, 0, 2, 6, 7, 4]


def test_order_is_a_permutation() -> None:
    order = epoch_order(1000, seed=0, epoch=0)
    assert order.dtype == np.int64
    np.testing.assert_array_equal(np.sort(order), np.arange(1000))


def test_order_needs_no_earlier_epoch() -> None:
    replayed = [labels(epoch=epoch) for epoch in range(6)]
    assert labels(epoch=5) == replayed[5]


@pytest.mark.parametrize("other", [{"seed": 1}, {"epoch": 1}, {"seed": -1}])
def test_order_changes_with_seed_and_epoch(other: dict[str, int]) -> None:
    assert labels(**other) != labels()


def test_seed_and_epoch_do_not_run_together() -> None:
    order = epoch_order(100, seed=1, epoch=11).tolist()
    assert order != epoch_order(100, seed=11, epoch=1).tolist()


def test_numpy_integers_count_as_integers() -> None:
    assert labels(seed=np.int64(3), epoch=np.uint8(2)) == labels(seed=3, epoch=2)


def test_each_place_is_equally_likely_to_come_first() -> None:
    first = [epoch_order(10, seed=0, epoch=epoch)[0] for epoch in range(2000)]
    counts = np.bincount(first, minlength=10)
    chi_square = ((counts - 200) ** 2 / 200).sum()
    assert chi_square < 27.9  # 99.9 % point at 9 degrees of freedom


def test_global_random_state_is_neither_read_nor_changed() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002 - it is what is guarded
    labels()
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


@pytest.mark.parametrize("batch_size", [1, 3, 5, 10, 99])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_example_comes_once_an_epoch(batch_size: int, shuffle: bool) -> None:
    seen = np.concatenate(labels(batch_size, shuffle=shuffle))
    np.testing.assert_array_equal(np.sort(seen), T)


def test_order_does_not_depend_on_the_batch_size() -> None:
    assert np.concatenate(labels(3)).tolist() == np.concatenate(labels(7)).tolist()


def test_last_batch_is_short() -> None:
    assert [len(t) for t in labels(4)] == [4, 4, 2]


def test_last_batch_can_be_left_out() -> None:
    assert labels(4, drop_last=True) == labels(4)[:2]


def test_nothing_is_left_out_where_the_size_divides() -> None:
    assert labels(5, drop_last=True) == labels(5)


def test_rows_of_all_arrays_stay_together() -> None:
    x, t = next(batches((X, T), 4, seed=0, epoch=0))
    np.testing.assert_array_equal(x, X[t])
    assert x.dtype == np.float32


def test_images_keep_their_axes() -> None:
    (x,) = next(batches((np.zeros((6, 1, 4, 5)),), 4, seed=0, epoch=0))
    assert x.shape == (4, 1, 4, 5)


def test_order_of_the_data_is_kept_without_shuffle() -> None:
    assert labels(6, shuffle=False) == [[0, 1, 2, 3, 4, 5], [6, 7, 8, 9]]


def test_shuffled_batches_are_copies() -> None:
    (x,) = next(batches((X,), 4, seed=0, epoch=0))
    assert not np.shares_memory(x, X)


def test_unshuffled_batches_are_views() -> None:
    (x,) = next(batches((X,), 4, seed=0, epoch=0, shuffle=False))
    assert np.shares_memory(x, X)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ((X, T[:9]), r"shapes \[\(10, 3\), \(9,\)\], expected the same first axis"),
        ((X[:0], T[:0]), r"shapes \[\(0, 3\), \(0,\)\], expected at least 1 example"),
        ((), r"shapes \[\], expected one or more arrays"),
        ((np.array(1.0),), r"shapes \[\(\)\], expected one or more arrays"),
        ((X, T.tolist()), "arrays holds a list, expected NumPy arrays alone; make"),
        (None, "arrays holds a NoneType, expected NumPy arrays alone"),
        (X, r"one array of shape \(10, 3\), expected a tuple of arrays; write \(x,\)"),
    ],
)
def test_arrays_without_a_common_length_are_refused(
    arrays: tuple[np.ndarray, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        batches(arrays, 4, seed=0, epoch=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0, expected at least 1"),
        ({"batch_size": 2.5}, "batch_size is 2.5, expected an integer"),
        ({"batch_size": 11, "drop_last": True}, "11 with drop_last, expected at most"),
        ({"seed": 0.5}, "seed is 0.5, expected an integer"),
        ({"epoch": None}, "epoch is None, expected an integer"),
    ],
)
def test_numbers_out_of_range_are_refused_at_the_call(
    options: dict[str, object], message: str
) -> None:
    settings = {"batch_size": 4, "seed": 0, "epoch": 0, **options}
    with pytest.raises(DataError, match=message):
        batches((X, T), **settings)
