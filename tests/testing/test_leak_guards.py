"""The guards around every test bite."""

import numpy as np
import pytest

from minigrad.backend import use_backend
from minigrad.tape import no_grad
from minigrad.testing import fake_device

LEAKS = {
    "grad mode": no_grad,
    "the known backends": fake_device,
    "NumPy's error state": lambda: np.errstate(divide="ignore"),
}


@pytest.mark.parametrize("what", LEAKS)
def test_what_is_left_changed_is_named(leak_guard, what):
    left_open = LEAKS[what]()
    try:
        with (
            pytest.raises(AssertionError, match=f"not restored: {what}"),
            leak_guard(),
        ):
            left_open.__enter__()
    finally:
        left_open.__exit__(None, None, None)


def test_a_backend_that_stays_is_named(leak_guard):
    with fake_device():
        left_open = use_backend("fake")
        with pytest.raises(AssertionError, match="the current backend"), leak_guard():
            left_open.__enter__()
        left_open.__exit__(None, None, None)


def test_a_draw_from_the_legacy_state_is_named(leak_guard):
    before = np.random.get_state()  # noqa: NPY002
    with pytest.raises(AssertionError, match="legacy random state"), leak_guard():
        np.random.random()  # noqa: NPY002
    np.random.set_state(before)  # noqa: NPY002


def test_what_changes_nothing_passes(leak_guard):
    with leak_guard(), no_grad(), np.errstate(all="raise"):
        np.random.default_rng(0).random()
