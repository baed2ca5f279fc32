"""The backend switch: whose array it is, where new ones go, what is missing."""

import importlib
import sys

import numpy as np
import pytest

from minigrad import backend
from minigrad.backend import _registry
from minigrad.errors import BackendError
from minigrad.testing import fake_device


def test_numpy_arrays_and_scalars_belong_to_numpy():
    assert backend.array_module(np.ones(2), np.float64(1)) is np


def test_list_is_no_array():
    with pytest.raises(BackendError, match=r"got a list.*minigrad\.tensor"):
        backend.array_module([1.0])


def test_use_backend_decides_where_new_arrays_are_made():
    with fake_device(), backend.use_backend("fake"):
        made = backend.new_array([1.0])
        assert backend.backend_of(made).name == "fake"
    assert backend.current_backend().name == "numpy"


def test_use_backend_is_restored_after_an_error():
    with (
        fake_device(),
        pytest.raises(RuntimeError, match="planted"),
        backend.use_backend("fake"),
    ):
        raise RuntimeError("planted")
    assert backend.current_backend().name == "numpy"


def test_environment_names_the_backend(monkeypatch):
    monkeypatch.setenv("MINIGRAD_BACKEND", "fake")
    with fake_device():
        assert backend.current_backend().name == "fake"


def test_unknown_backend_in_the_environment(monkeypatch):
    monkeypatch.setenv("MINIGRAD_BACKEND", "metal")
    with pytest.raises(BackendError, match="'metal', expected 'numpy' or 'cupy'"):
        backend.current_backend()


def test_missing_cupy_gives_the_pip_command(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delitem(_registry._backends, "cupy", raising=False)
    with (
        pytest.raises(BackendError, match=r"not installed.*pip install \"cupy-cuda12x"),
        backend.use_backend("cupy"),
    ):
        pass


class _NoDriver:
    """Stands for CuPy on a machine without a GPU."""

    class cuda:  # noqa: N801 (CuPy's name)
        class runtime:  # noqa: N801 (CuPy's name)
            class CUDARuntimeError(RuntimeError):
                pass

            @classmethod
            def getDeviceCount(cls):  # noqa: N802 (CuPy's name)
                raise cls.CUDARuntimeError("cudaErrorNoDevice")


def test_cupy_without_a_gpu_is_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", _NoDriver)
    monkeypatch.delitem(_registry._backends, "cupy", raising=False)
    monkeypatch.setattr(importlib.metadata, "distributions", list)
    with (
        pytest.raises(BackendError, match=r"finds no GPU \(cudaErrorNoDevice\)"),
        backend.use_backend("cupy"),
    ):
        pass


class _Wheel:
    def __init__(self, name):
        self.metadata = {"Name": name}


def test_two_cupy_wheels_are_named_with_the_remedy(monkeypatch):
    wheels = [_Wheel("cupy-cuda12x"), _Wheel("cupy-cuda13x")]
    monkeypatch.setitem(sys.modules, "cupy", _NoDriver)
    monkeypatch.delitem(_registry._backends, "cupy", raising=False)
    monkeypatch.setattr(importlib.metadata, "distributions", lambda: wheels)
    with (
        pytest.raises(BackendError, match="pip uninstall cupy-cuda12x cupy-cuda13x"),
        backend.use_backend("cupy"),
    ):
        pass


def test_scatter_add_counts_duplicates():
    target = np.zeros(3)
    backend.scatter_add(target, np.array([1, 1, 2]), np.ones(3))
    assert target.tolist() == [0.0, 2.0, 1.0]
