"""What rules share is formed once for a pass."""

from typing import NamedTuple

import numpy as np

from minigrad.kernels._once import Once


class Saved(NamedTuple):
    x: np.ndarray
    power: int
    once: Once


def setup():
    """Return a saved tuple, and a function that counts its calls."""
    calls = []

    def gradients(dy, saved):
        calls.append(dy)
        return {"x": dy * saved.x, "b": dy + 0}

    return Saved(np.ones(2), 1, Once()), gradients, calls


def test_the_same_arrays_are_the_same_pass():
    saved, gradients, calls = setup()
    dy = np.ones(2)
    first = saved.once(gradients, dy, saved)
    assert saved.once(gradients, dy, saved) is first
    assert saved.once.find(dy, saved) is first
    assert len(calls) == 1


def test_other_arrays_are_another_pass():
    saved, gradients, calls = setup()
    dy = np.ones(2)
    saved.once(gradients, dy, saved)
    # Equal numbers do not count, only the same object.
    assert saved.once.find(dy.copy(), saved) is None
    assert saved.once.find(dy, saved._replace(x=saved.x.copy())) is None
    assert saved.once.find(dy, saved._replace(power=2)) is None
    saved.once(gradients, dy.copy(), saved)
    assert saved.once.find(dy, saved) is None
    assert len(calls) == 2


def test_what_is_taken_belongs_to_the_taker():
    saved, gradients, calls = setup()
    dy = np.ones(2)
    dx = saved.once.take("x", gradients, dy, saved)
    dx += 5
    saved.once.take("b", gradients, dy, saved)
    assert len(calls) == 1
    again = saved.once.take("x", gradients, dy, saved)
    assert again.tolist() == [1, 1]
    assert len(calls) == 2
