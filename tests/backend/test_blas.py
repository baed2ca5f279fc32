"""What BLAS does beyond NumPy: BLAS, NumPy and the device agree."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad import backend
from minigrad.backend import _blas
from minigrad.errors import ShapeError
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


def operands(dtype):
    """Draw a (5, 4) and b (4, 3), each as it is, transposed in memory, and strided."""
    rng = np.random.default_rng(1)
    a, b = (rng.standard_normal(shape).astype(dtype) for shape in ((5, 4), (4, 3)))
    for left in (a, np.asfortranarray(a), np.repeat(a, 2, 1)[:, ::2]):
        for right in (b, np.asfortranarray(b), np.repeat(b, 2, 0)[::2]):
            yield left, right


@pytest.mark.parametrize("found", [True, False], ids=["blas", "no blas"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("beta", [0.0, 1.0, 0.5])
def test_a_product_is_added_whatever_the_operands_memory(
    dtype, beta, found, monkeypatch
):
    if not found:
        monkeypatch.setattr(_blas, "_routines", dict)
    for a, b in operands(dtype):
        y = np.full((5, 3), 2.0, dtype)
        whole = np.zeros((7, 6), dtype)
        part = whole[1:6, 2:5]
        part[...] = 2
        for target in (y, part):
            backend.add_product(target, a, b, beta)
            assert_allclose(target, a @ b + 2 * beta, rtol=1e-5, atol=1e-6)
        assert np.count_nonzero(whole) == part.size


def test_with_beta_0_what_was_there_does_not_matter():
    y = np.full((5, 3), np.nan)
    backend.add_product(y, np.ones((5, 4)), np.ones((4, 3)), 0.0)
    assert (y == 4).all()


def test_operands_that_do_not_fit_are_refused_before_memory_is_touched():
    y = np.zeros((5, 3))
    with pytest.raises(ShapeError, match=r"\(5, 4\) @ \(3, 3\) into \(5, 3\)"):
        backend.add_product(y, np.ones((5, 4)), np.ones((3, 3)))
    assert not y.any()


@pytest.mark.parametrize("found", [True, False], ids=["blas", "no blas"])
@pytest.mark.parametrize("dtype", ["float32", "float64", "int64"])
@pytest.mark.parametrize("axes", [(2, 3, 0, 1), (1, 2, 3, 0), (3, 2, 1, 0)])
def test_c_order_holds_the_same_values(axes, dtype, found, monkeypatch):
    if not found:
        monkeypatch.setattr(_blas, "_routines", dict)
    x = np.arange(2 * 3 * 4 * 5).reshape(2, 3, 4, 5).astype(dtype).transpose(axes)
    for given in (x, x[:, :0], x[:1], x[..., ::2]):
        y = backend.in_c_order(given)
        assert y.flags.c_contiguous
        assert y.dtype == dtype
        np.testing.assert_array_equal(y, given)


def test_what_is_in_c_order_is_not_copied():
    x = np.ones((2, 3, 4))
    assert backend.in_c_order(x) is x


def test_blas_has_its_threads_back_after_a_loop_of_our_own(two_blas_threads):
    if not two_blas_threads:
        pytest.skip("NumPy's BLAS has no such switch here")
    tell, _ = _blas._thread_switch()
    with _blas.one_blas_thread():
        assert tell() == 1
    assert tell() == 2
