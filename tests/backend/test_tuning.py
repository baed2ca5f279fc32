"""Process-wide settings can be switched off and never change a result."""

import os
import subprocess
import sys
import threading

import numpy
import pytest

from minigrad import backend
from minigrad.backend import _threads, _tuning

PROGRAM = """
import hashlib
import numpy as np
from minigrad import backend, functional as F, tensor
x = tensor(np.random.default_rng(0).standard_normal((128, 512)), requires_grad=True)
(F.gaaf(x) * F.gelu(x)).sum().backward()
print(hashlib.sha256(x.grad.data.tobytes()).hexdigest())
"""


def run(**environment):
    command = [sys.executable, "-c", PROGRAM]
    settings = {**os.environ, **environment}
    return subprocess.check_output(command, env=settings, text=True)


def test_results_do_not_depend_on_it():
    assert run(MINIGRAD_TUNE="0") == run(MINIGRAD_TUNE="1")


def test_it_can_be_switched_off(monkeypatch):
    monkeypatch.setenv("MINIGRAD_TUNE", "0")
    assert not backend.tune()


def test_other_platforms_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    assert not backend.tune()


TINY = numpy.full((256, 256), 1e-39, "float32")
HALF = numpy.full((256, 256), 0.5, "float32")


@pytest.fixture
def flush():
    yield backend.set_flush_denormal
    backend.set_flush_denormal(False)


def halves(monkeypatch):
    """Halve TINY's rows on this thread and on a worker; return the largest of each."""
    monkeypatch.setattr(_threads._pool, "threads", 2)
    both = threading.Barrier(2)
    largest = {}

    def body(index):
        both.wait(10)
        name = threading.current_thread().name.partition("-block")[0]
        largest[name] = float((TINY[index] * numpy.float32(0.5)).max())

    backend.parallel_for(2, body)
    assert len(largest) == 2
    return set(largest.values())


def test_denormal_numbers_are_kept_until_they_are_to_be_flushed(flush, monkeypatch):
    before = halves(monkeypatch)
    assert before == {float(TINY[0, 0]) / 2}
    if not flush(True):
        pytest.skip("this platform has no switch")
    assert halves(monkeypatch) == {0.0}
    assert flush(False)
    assert halves(monkeypatch) == before


def test_products_flush_on_every_thread_of_blas(flush, two_blas_threads):
    if not flush(True):
        pytest.skip("this platform has no switch")
    assert not (TINY @ HALF).any()
    flush(False)
    assert (TINY @ HALF).all()


def test_threads_that_start_later_flush_too(flush):
    if not flush(True):
        pytest.skip("this platform has no switch")
    seen = []
    thread = threading.Thread(target=lambda: seen.append(_tuning.flush_bits()))
    thread.start()
    thread.join()
    assert seen == [_tuning.FLUSH_BITS]


def test_other_platforms_flush_nothing_and_say_so(monkeypatch):
    monkeypatch.setattr(_tuning, "_float_environment", lambda: None)
    assert not backend.set_flush_denormal(True)
    assert halves(monkeypatch) == {float(TINY[0, 0]) / 2}
