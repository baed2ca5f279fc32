"""What every test gets: hypothesis profiles, the `backend` fixture, leak guards."""

import contextlib
import ctypes
import os

import numpy as np
import pytest
from hypothesis import settings

from minigrad.backend import _registry, current_backend, use_backend
from minigrad.errors import BackendError
from minigrad.tape import is_grad_enabled
from minigrad.testing import fake_device

# No deadlines: a loaded machine is no bug.
settings.register_profile("dev", max_examples=20, deadline=None)
settings.register_profile(
    "ci", max_examples=100, derandomize=True, deadline=None, print_blob=True
)
settings.register_profile("nightly", max_examples=2000, deadline=None, print_blob=True)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "dev")
)


def pytest_configure(config):
    """Set the environment of the processes that run tests, and that tests start.

    Several test processes share the cores, so each has one BLAS thread: more than there
    are cores wait for one another by spinning. Our own threads sleep, and stay.

    Bytecode is kept in __pycache__, even where the environment says otherwise: half of
    the time that a `python -m models` takes to start would go into compiling it anew.
    """
    if config.getoption("numprocesses", None):
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def _backends():
    names = [pytest.param("numpy"), pytest.param("fake")]
    with contextlib.suppress(BackendError), use_backend("cupy"):
        names.append(pytest.param("cupy", marks=pytest.mark.gpu))
    return names


@pytest.fixture(params=_backends())
def backend(request):
    """Run the test on NumPy, on the fake device, and on CuPy where there is a GPU."""
    device = fake_device() if request.param == "fake" else contextlib.nullcontext()
    with device, use_backend(request.param):
        yield request.param


# Where NumPy's legacy generator, an MT19937, keeps 624 words and the place of the next
# draw. Read there it takes a microsecond; get_state() takes 200, twice a test.
_LEGACY_STATE = np.random.get_bit_generator().ctypes.state_address


def _legacy_state():
    return ctypes.string_at(_LEGACY_STATE, 625 * 4)


GLOBAL_STATE = {
    "the current backend": lambda: current_backend().name,
    "the known backends": lambda: sorted(set(_registry._backends) - {"cupy"}),
    "grad mode": is_grad_enabled,
    "NumPy's legacy random state": _legacy_state,
    "NumPy's error state": np.geterr,
}


@contextlib.contextmanager
def _leak_guard():
    before = {what: read() for what, read in GLOBAL_STATE.items()}
    yield
    leaked = [what for what, read in GLOBAL_STATE.items() if read() != before[what]]
    assert not leaked, f"changed and not restored: {', '.join(leaked)}"


@pytest.fixture
def leak_guard():
    """The guard itself, for the test that it bites."""
    return _leak_guard


@pytest.fixture(autouse=True)
def _no_leaks():
    with _leak_guard():
        yield
