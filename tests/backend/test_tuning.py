"""Process-wide settings can be switched off and never change a result."""

import os
import subprocess
import sys

from minigrad import backend

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
