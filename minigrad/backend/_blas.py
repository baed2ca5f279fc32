"""What NumPy's own BLAS offers and NumPy does not: sums and products that accumulate.

The routines are called in the library that numpy.matmul uses, so that its threads are
the only ones. SciPy's copy would bring a second pool: a step of the MLP took 15 times
as long with both. Where NumPy was built with another BLAS, NumPy does the same in two
or three passes, and rounds once more.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Generator
from contextlib import contextmanager
from math import prod
from typing import Any, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend._registry import array_module
from minigrad.errors import ShapeError
from minigrad.typing import Array

SMALL = 1 << 13
"""Up to this many elements ufuncs take less time than the call through ctypes."""

_Pointer, _Size = ctypes.c_void_p, ctypes.c_int64
_Routine = Callable[..., Any]

ROW_MAJOR, PLAIN, TRANSPOSED = 101, 111, 112
"""CBLAS's names for orders of storage and for how an operand is read."""


class _Routines(NamedTuple):
    """The routines of one dtype."""

    axpby: _Routine
    gemm: _Routine
    omatcopy: _Routine


@functools.cache
def _library() -> Any:
    """Open the library of numpy.linalg, with the BLAS it was linked to; else None."""
    try:
        return ctypes.CDLL(numpy.linalg._umath_linalg.__file__)
    except OSError:
        return None


@functools.cache
def _routines() -> dict[numpy.dtype, _Routines]:
    """Look up the routines for float32 and float64 in the wheels' OpenBLAS; or {}.

    Only names that end in 64_ are taken: their integers are known to have 64 bits, and
    a wrong width would be memory corruption.
    """
    found: dict[numpy.dtype, _Routines] = {}
    library = _library()
    kinds = (("float32", "s", ctypes.c_float), ("float64", "d", ctypes.c_double))
    try:
        for dtype, letter, real in kinds:
            axpby = getattr(library, f"scipy_cblas_{letter}axpby64_")
            axpby.argtypes = (_Size, real, _Pointer, _Size, real, _Pointer, _Size)
            gemm = getattr(library, f"scipy_cblas_{letter}gemm64_")
            flags, matrix = (ctypes.c_int,) * 3, (_Pointer, _Size)
            sizes = (_Size,) * 3
            gemm.argtypes = (*flags, *sizes, real, *matrix, *matrix, real, *matrix)
            omatcopy = getattr(library, f"scipy_cblas_{letter}omatcopy64_")
            omatcopy.argtypes = (*flags[:2], *sizes[:2], real, *matrix, *matrix)
            axpby.restype = gemm.restype = omatcopy.restype = None
            found[numpy.dtype(dtype)] = _Routines(axpby, gemm, omatcopy)
    except AttributeError:
        return {}
    return found


@functools.cache
def _thread_switch() -> tuple[Callable[[], int], Callable[[int], None]] | None:
    """Look up how OpenBLAS tells and takes its number of threads; None elsewhere."""
    library = _library()
    try:
        tell = library.scipy_openblas_get_num_threads64_
        take = library.scipy_openblas_set_num_threads64_
    except AttributeError:
        return None
    tell.restype, take.argtypes, take.restype = ctypes.c_int, (ctypes.c_int,), None
    return tell, take


@contextmanager
def one_blas_thread() -> Generator[None]:
    """Keep each product on its caller's thread inside the block.

    For loops that share their blocks over threads of their own. The switch is the
    process's, takes 0.2 microseconds, and does nothing where the BLAS is another.
    """
    switch = _thread_switch()
    if switch is None:
        yield
        return
    tell, take = switch
    before = tell()
    take(1)
    try:
        yield
    finally:
        take(before)


def _operand(a: ndarray, dtype: numpy.dtype) -> tuple[int, int] | None:
    """Return how BLAS reads matrix a (PLAIN or TRANSPOSED, leading dimension)."""
    if type(a) is not ndarray or a.dtype != dtype:
        return None
    size = dtype.itemsize
    rows, columns = a.strides
    if columns == size and rows >= size * a.shape[1] and rows % size == 0:
        return PLAIN, rows // size
    if rows == size and columns >= size * a.shape[0] and columns % size == 0:
        return TRANSPOSED, columns // size
    return None


def add_product(y: Array, a: Array, b: Array, beta: float = 1.0) -> None:
    """Compute y = a @ b + beta * y in place, without a temporary where BLAS can.

    y (M, N), a (M, K) and b (K, N) are of one dtype; y shares no memory with a and b.
    With beta 0, what y held does not matter.
    """
    found = _routines().get(y.dtype) if type(y) is ndarray and y.size else None
    if found is not None and a.size:
        ways = _operand(y, y.dtype), _operand(a, y.dtype), _operand(b, y.dtype)
        if None not in ways and ways[0][0] == PLAIN:  # type: ignore[index]
            (_, ldy), (read_a, lda), (read_b, ldb) = ways  # type: ignore[misc]
            (m, n), k = y.shape, a.shape[1]
            if a.shape[0] != m or b.shape != (k, n):
                raise ShapeError(
                    f"add_product: {a.shape} @ {b.shape} into {y.shape}, expected "
                    "(M, K) @ (K, N) into (M, N)"
                )
            found.gemm(
                ROW_MAJOR, read_a, read_b, m, n, k, 1.0, a.ctypes.data, lda,
                b.ctypes.data, ldb, beta, y.ctypes.data, ldy,
            )  # fmt: skip
            return
    xp = array_module(y, a, b)
    if not beta:
        xp.matmul(a, b, out=y)
        return
    if beta != 1:
        y *= beta
    y += a @ b


def add_scaled(
    y: Array, x: Array, alpha: float, beta: float = 1.0, *, scratch: Array
) -> None:
    """Compute y = alpha * x + beta * y in place; scratch is working memory like y.

    x, y and scratch have one shape and dtype.
    """
    # BLAS leaves out what is times 0, where ufuncs make NaN of NaN times 0.
    if y.size > SMALL and alpha and beta and type(y) is ndarray and type(x) is ndarray:
        found = _routines().get(y.dtype)
        dense = y.flags.c_contiguous and x.flags.c_contiguous
        if found is not None and dense and x.dtype == y.dtype and x.size == y.size:
            found.axpby(y.size, alpha, x.ctypes.data, 1, beta, y.ctypes.data, 1)
            return
    xp = array_module(y, x)
    if beta != 1:
        xp.multiply(y, beta, out=y)
    if alpha != 1:
        x = xp.multiply(x, alpha, out=scratch)
    xp.add(y, x, out=y)


def in_c_order(x: Array) -> Array:
    """Return x in C order, x itself if it lies like that, else a copy.

    As ascontiguousarray does, but up to ten times as fast where the axes in memory are
    those of x rotated, such as (N, C, H, W) that lies as (H, W, N, C) or the other way
    round: then the copy is a transposed matrix. (64, 64, 32, 32) takes 2 ms, not 29.
    """
    if x.flags.c_contiguous:
        return x
    found = _routines().get(x.dtype) if type(x) is ndarray and x.size else None
    if found is not None:
        for split in range(1, x.ndim):
            # Axes split, split + 1, ... come first in memory.
            lying = x.transpose(*range(split, x.ndim), *range(split))
            if lying.flags.c_contiguous:
                rows, columns = prod(x.shape[split:]), prod(x.shape[:split])
                y = numpy.empty(x.shape, x.dtype)
                found.omatcopy(
                    ROW_MAJOR, TRANSPOSED, rows, columns, 1.0,
                    x.ctypes.data, columns, y.ctypes.data, rows,
                )  # fmt: skip
                return y
    return array_module(x).ascontiguousarray(x)
