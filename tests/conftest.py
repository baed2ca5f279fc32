"""What every test gets: hypothesis profiles, the `backend` fixture, leak guards."""

import contextlib
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


def _legacy_state():
    # Reading the state draws nothing from it.
    name, keys, *rest = np.random.get_state()  # noqa: NPY002
    return name, keys.tobytes(), *rest


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
