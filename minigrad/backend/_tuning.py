"""Settings of the process that make NumPy fast; each is skipped where it is not there.

`tune` runs on import and changes no result; MINIGRAD_TUNE=0 keeps it off. Flushing
denormal numbers changes results, so it waits to be asked for.
"""

from __future__ import annotations

import ctypes
import functools
import os
import platform
import sys
from typing import Any

from minigrad.backend import _blas

M_TRIM_THRESHOLD = -1
M_MMAP_THRESHOLD = -3
"""Parameters of glibc's mallopt, from its malloc.h."""

SPIN = "OPENBLAS_THREAD_TIMEOUT"
"""Names, for OpenBLAS, the logarithm of how many cycles an idle thread spins."""

FLUSH_BITS = 1 << 15 | 1 << 6
"""Of the register MXCSR: denormal results become 0, denormal operands count as 0."""

MXCSR = 7
"""Its place among the eight 32-bit words of fenv_t on x86-64, in glibc's fenv.h."""


def tune() -> bool:
    """Set what helps; return whether anything was set."""
    if os.environ.get("MINIGRAD_TUNE") == "0" or not sys.platform.startswith("linux"):
        return False
    kept, short = _keep_freed_memory(), _spin_shortly()
    return kept or short


def _keep_freed_memory() -> bool:
    """Let malloc keep large blocks, so that temporaries reuse pages that are there.

    By default glibc gives blocks above 128 kB back to the system when they are freed,
    and every new temporary faults its pages in again. `python -m bench kernels
    "gaaf 128x512"` takes 0.3 ms with this, and 1.1 ms with MINIGRAD_TUNE=0.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False  # musl, for one, has no mallopt.
    mallopt.argtypes = (ctypes.c_int, ctypes.c_int)
    kept = mallopt(M_MMAP_THRESHOLD, 1 << 30)
    # As much as an int holds: the end of the heap is never handed back.
    trimmed = mallopt(M_TRIM_THRESHOLD, 2**31 - 1)
    return bool(kept and trimmed)


def _spin_shortly() -> bool:
    """Let OpenBLAS's threads sleep soon after a product, not spin for the next one.

    They spin for 2**26 cycles, some 20 ms, on the processor that the block loops after
    a product need: a step of the vgg in `python -m bench step vgg` took 650 ms, and 370
    with 2**18, where a step of the mlp, all products, takes as long as before.
    """
    library = _blas._library()
    read = getattr(library, "openblas_read_env", None)
    if read is None or SPIN in os.environ:
        return False
    os.environ[SPIN] = "18"
    try:
        read()
    finally:
        # Read and done: processes started from here choose for themselves.
        del os.environ[SPIN]
    _renew_blas_threads()
    return True


def set_flush_denormal(mode: bool) -> bool:
    """Let numbers below the smallest normal one count as 0, or no longer.

    Like `torch.set_flush_denormal`; off until asked for, since all NumPy code of the
    thread is changed by it. On some processors arithmetic with denormal numbers takes
    10 to 100 times as long; gradients through long sequences and the state of unused
    parameters fade into them. Holds on the calling thread, for block loops and BLAS
    called from it, and on threads it starts later. BLAS is given new threads: call this
    while no other thread multiplies matrices. Returns whether the platform has it
    (x86-64 under Linux with glibc).
    """
    if _float_environment() is None:
        return False
    take_flush_bits(FLUSH_BITS if mode else 0)
    _renew_blas_threads()
    return True


def flush_bits() -> int:
    """Return FLUSH_BITS if this thread flushes denormal numbers, else 0."""
    environment = _float_environment()
    return 0 if environment is None else _read(environment)[MXCSR] & FLUSH_BITS


def take_flush_bits(bits: int) -> None:
    """Flush denormal numbers on this thread as flush_bits() told on another."""
    environment = _float_environment()
    if environment is None:
        return
    words = _read(environment)
    if words[MXCSR] & FLUSH_BITS != bits:
        words[MXCSR] = words[MXCSR] & ~FLUSH_BITS | bits
        environment.fesetenv(words)


def _renew_blas_threads() -> None:
    """End OpenBLAS's threads; the next product starts new ones, as settings now are.

    The old ones would go on as before: half of a product would be flushed, half not.
    """
    end = getattr(_blas._library(), "blas_thread_shutdown_", None)
    if end is not None:
        end()


def _read(environment: Any) -> Any:
    """Read this thread's fenv_t as a list of words."""
    words = (ctypes.c_uint32 * 8)()
    environment.fegetenv(words)
    return words


@functools.cache
def _float_environment() -> Any:
    """Open the library with fegetenv and fesetenv; None where fenv_t is another."""
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64":
        return None
    try:
        library = ctypes.CDLL("libm.so.6")
    except OSError:
        return None  # musl, for one, has no such file.
    return library
