"""What NumPy's own BLAS offers and NumPy does not: y = alpha x + beta y in one pass.

The routines are called in the library that numpy.matmul uses, so that its threads are
the only ones. SciPy's copy would bring a second pool: a step of the MLP took 15 times
as long with both. Where NumPy was built with another BLAS, ufuncs do the same in two or
three passes, and round once more.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import numpy
from numpy import ndarray

from minigrad.backend._registry import array_module
from minigrad.typing import Array

SMALL = 1 << 13
"""Up to this many elements ufuncs take less time than the call through ctypes."""

_Axpby = Callable[[int, float, int, int, float, int, int], None]


@functools.cache
def _routines() -> dict[numpy.dtype, _Axpby]:
    """Look up axpby for float32 and float64 in the wheels' OpenBLAS; {} elsewhere.

    Only names that end in 64_ are taken: their integers are known to have 64 bits, and
    a wrong width would be memory corruption.
    """
    found: dict[numpy.dtype, _Axpby] = {}
    kinds = (("float32", "s", ctypes.c_float), ("float64", "d", ctypes.c_double))
    try:
        # Searched with all it was linked to, the BLAS among them.
        library = ctypes.CDLL(numpy.linalg._umath_linalg.__file__)
        for dtype, letter, real in kinds:
            routine = getattr(library, f"scipy_cblas_{letter}axpby64_")
            size, pointer = ctypes.c_int64, ctypes.c_void_p
            routine.argtypes = (size, real, pointer, size, real, pointer, size)
            routine.restype = None
            found[numpy.dtype(dtype)] = routine
    except (OSError, AttributeError):
        return {}
    return found


def add_scaled(
    y: Array, x: Array, alpha: float, beta: float = 1.0, *, scratch: Array
) -> None:
    """Compute y = alpha * x + beta * y in place; scratch is working memory like y.

    x, y and scratch have one shape and dtype.
    """
    # BLAS leaves out what is times 0, where ufuncs make NaN of NaN times 0.
    if y.size > SMALL and alpha and beta and type(y) is ndarray and type(x) is ndarray:
        routine = _routines().get(y.dtype)
        dense = y.flags.c_contiguous and x.flags.c_contiguous
        if routine is not None and dense and x.dtype == y.dtype and x.size == y.size:
            routine(y.size, alpha, x.ctypes.data, 1, beta, y.ctypes.data, 1)
            return
    xp = array_module(y, x)
    if beta != 1:
        xp.multiply(y, beta, out=y)
    if alpha != 1:
        x = xp.multiply(x, alpha, out=scratch)
    xp.add(y, x, out=y)
