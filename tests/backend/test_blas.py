"""y = alpha x + beta y: BLAS, ufuncs and the device agree."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import backend
from minigrad.backend import _blas
from minigrad.testing import fake_device

SIZES = [0, 1, _blas.SMALL, 3 * _blas.SMALL + 1]


def drawn(size, dtype):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(size).astype(dtype) for _ in range(2)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 1.0), (-0.1, 0.9), (2.0, 0.0)])
def test_it_is_the_formula(size, dtype, alpha, beta):
    y, x = drawn(size, dtype)
    expected = alpha * x + beta * y
    backend.add_scaled(y, x, alpha, beta, scratch=np.empty_like(y))
    assert y.dtype == dtype
    assert_allclose(y, expected, rtol=0, atol=4 * np.finfo(dtype).eps * 4)


def test_without_a_known_blas_ufuncs_do_the_same(monkeypatch):
    y, x = drawn(SIZES[-1], "float32")
    plain = y.copy()
    backend.add_scaled(y, x, -0.1, 0.9, scratch=np.empty_like(y))
    monkeypatch.setattr(_blas, "_routines", dict)
    backend.add_scaled(plain, x, -0.1, 0.9, scratch=np.empty_like(y))
    assert_allclose(y, plain, rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES[1:])
@pytest.mark.parametrize(("alpha", "beta"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.5)])
def test_nan_times_0_is_nan_at_every_size(size, alpha, beta):
    y, x = drawn(size, "float32")
    y[0] = x[0] = np.nan
    backend.add_scaled(y, x, alpha, beta, scratch=np.empty_like(y))
    assert np.isnan(y).tolist() == [True] + [False] * (size - 1)


def test_strided_views_are_taken_as_they_are():
    y, x = (array.reshape(-1, 2) for array in drawn(4 * _blas.SMALL, "float64"))
    other = y[:, 1].copy()
    expected = y[:, 0] + 3 * x[:, 0]
    scratch = np.empty(len(y))
    backend.add_scaled(y[:, 0], x[:, 0], 3.0, scratch=scratch)
    assert_allclose(y[:, 0], expected, rtol=1e-14)
    assert (y[:, 1] == other).all()


def test_two_calls_agree_bit_for_bit():
    y, x = drawn(SIZES[-1], "float32")
    again = y.copy()
    for target in (y, again):
        backend.add_scaled(target, x, -0.1, 0.9, scratch=np.empty_like(x))
    assert y.tobytes() == again.tobytes()


def test_device_arrays_take_the_ufuncs():
    y, x = drawn(10, "float64")
    with fake_device() as device:
        there = device.from_host(y.copy())
        scratch = device.from_host(np.empty(10))
        backend.add_scaled(there, device.from_host(x), 2.0, 0.5, scratch=scratch)
        assert_allclose(backend.to_host(there), 2 * x + 0.5 * y, rtol=1e-14)
