import gc
import threading
import time
from typing import Any

import numpy as np
import pytest

from datasets import DataError, Loader, batches

X = np.arange(22 * 3, dtype=np.float32).reshape(22, 3)
T = np.arange(22)


def noisy(x: Any, rng: np.random.Generator) -> Any:
    return x + rng.random(x.shape)


def loader(**options: Any) -> Loader:
    return Loader((X, T), **{"batch_size": 4, "seed": 0, "transform": noisy} | options)


def rows(batches: Any) -> list[tuple[Any, Any]]:
    return [(x.tolist(), t.tolist()) for x, t in batches]


def workers() -> list[threading.Thread]:
    return [t for t in threading.enumerate() if t.name.startswith("minigrad-loader")]


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Any:
    yield
    gc.collect()
    assert workers() == []


@pytest.mark.parametrize("options", [{}, {"shuffle": False}, {"drop_last": True}])
def test_rows_are_those_of_batches(options: dict[str, Any]) -> None:
    expected = batches((X, T), 4, seed=0, epoch=2, **options)
    assert rows(loader(transform=None, **options).epoch(2)) == rows(expected)


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("batch_size", [1, 4, 11, 22])
def test_length_is_the_number_of_batches(batch_size: int, drop_last: bool) -> None:
    made = loader(batch_size=batch_size, drop_last=drop_last)
    assert len(made) == len(list(made.epoch(0)))


@pytest.mark.parametrize("ahead", [1, 2, 50])
def test_content_does_not_depend_on_how_far_ahead_it_is_made(ahead: int) -> None:
    assert rows(loader(ahead=ahead).epoch(1)) == rows(loader(ahead=0).epoch(1))


def test_content_does_not_depend_on_timing() -> None:
    def slow(x: Any, rng: np.random.Generator) -> Any:
        time.sleep(0.001 * float(x[0, 0] % 3))
        return noisy(x, rng)

    assert rows(loader(transform=slow).epoch(0)) == rows(loader().epoch(0))


@pytest.mark.parametrize("start", [0, 1, 5, 6])
def test_an_epoch_goes_on_from_any_batch(start: int) -> None:
    assert rows(loader().epoch(3, start)) == rows(loader().epoch(3))[start:]


def test_draws_are_the_same_in_every_version() -> None:
    draws, t = next(loader(transform=lambda x, rng: rng.random(2)).epoch(0))
    assert t.tolist() == [14, 9, 8, 1]
    assert draws.tolist() == [0.055382208789016785, 0.9383623166488992]


def test_draws_differ_by_seed_epoch_and_index() -> None:
    still = {"transform": lambda x, rng: rng.random(2), "shuffle": False}
    draws = [
        tuple(x.tolist())
        for seed in (0, 1)
        for epoch in (0, 1)
        for x, _ in loader(seed=seed, **still).epoch(epoch)
    ]
    assert len(set(draws)) == len(draws) == 24


def test_batches_are_made_while_the_caller_works() -> None:
    made: list[int] = []

    def count(x: Any, rng: np.random.Generator) -> Any:
        made.append(threading.get_ident())
        return x

    epoch = loader(transform=count, ahead=2).epoch(0)
    next(epoch)
    deadline = time.monotonic() + 10
    while len(made) < 3 and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    assert len(made) == 3  # the one that was asked for, two ahead, and no more
    assert threading.get_ident() not in made
    epoch.close()


def test_without_a_thread_the_caller_does_the_work() -> None:
    names: list[str] = []

    def name(x: Any, rng: np.random.Generator) -> Any:
        names.append(threading.current_thread().name)
        return x

    list(loader(transform=name, ahead=0).epoch(0))
    assert set(names) == {threading.current_thread().name}


@pytest.mark.parametrize("ahead", [0, 2])
def test_an_error_is_raised_where_its_batch_is_asked_for(ahead: int) -> None:
    def fails(x: Any, rng: np.random.Generator) -> Any:
        if 16 in x[:, 0] // 3:
            raise ZeroDivisionError("in the transform")
        return x

    plain = rows(loader(transform=None).epoch(0))
    bad = next(index for index, (_, t) in enumerate(plain) if 16 in t)
    assert bad > 0
    epoch = loader(transform=fails, ahead=ahead).epoch(0)
    assert [next(epoch)[1].tolist() for _ in range(bad)] == [t for _, t in plain[:bad]]
    with pytest.raises(ZeroDivisionError, match="in the transform"):
        next(epoch)


def test_leaving_early_leaves_no_thread() -> None:
    for _ in loader().epoch(0):
        assert len(workers()) == 1
        break
    assert workers() == []


def test_an_interrupt_leaves_no_thread() -> None:
    def interrupted() -> None:
        for _ in loader().epoch(0):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert workers() == []


def test_an_epoch_that_nobody_starts_makes_no_thread() -> None:
    epoch = loader().epoch(0)
    assert workers() == []
    epoch.close()


def test_images_alone_are_yielded_as_tuples_of_one() -> None:
    made = Loader((X,), 22, seed=0, shuffle=False)
    ((x,),) = made.epoch(0)
    np.testing.assert_array_equal(x, X)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size is 0"),
        ({"seed": 0.5}, "seed is 0.5, expected an integer"),
        ({"ahead": 1.5}, "ahead is 1.5, expected an integer"),
        ({"transform": 3}, "transform is 3, expected a function or None"),
        ({"ahead": -1}, "ahead is -1, expected at least 0"),
        ({"batch_size": 23, "drop_last": True}, "23 with drop_last"),
    ],
)
def test_wrong_arguments_are_named_at_once(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        loader(**options)


@pytest.mark.parametrize("start", [-1, 7])
def test_a_start_outside_the_epoch_is_refused(start: int) -> None:
    with pytest.raises(DataError, match=f"start is {start}, expected 0 to 6, the num"):
        loader().epoch(0, start)
