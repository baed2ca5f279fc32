import pytest

from minigrad.backend import _blas


@pytest.fixture
def two_blas_threads():
    """Let NumPy's BLAS have two threads, where it can be told; yields whether it can.

    Workers of pytest-xdist have one, with which what is said of several cannot fail.
    """
    switch = _blas._thread_switch()
    if switch is None:
        yield False
        return
    tell, take = switch
    before = tell()
    take(2)
    yield tell() == 2
    take(before)
