"""Small kernels and modules whose gradients are known by hand."""

from contextlib import nullcontext
from typing import NamedTuple

import numpy as np
import pytest

from minigrad.backend import array_module, new_array, use_backend
from minigrad.kernels._spec import NOTHING, Kernel
from minigrad.kernels.linear import LINEAR_KERNEL
from minigrad.nn.module import Module
from minigrad.tape import Parameter, apply
from minigrad.testing.fake_device import fake_device


@pytest.fixture(params=["numpy", "fake"])
def device(request):
    """Makes new arrays on NumPy, then on the fake device."""
    known = fake_device() if request.param == "fake" else nullcontext()
    with known, use_backend(request.param):
        yield request.param


class Dense(Module):
    """x (..., I) -> x w' + b (..., O)."""

    def __init__(self, weight, bias):
        self.weight = Parameter(new_array(weight))
        self.bias = Parameter(new_array(bias))

    def forward(self, x):
        return apply(LINEAR_KERNEL, x, self.weight, self.bias)


class Two(Module):
    """Two dense layers with a relu between them."""

    def __init__(self, first, second):
        self.first = first
        self.second = second

    def forward(self, x):
        return self.second(self.first(x).relu())


@pytest.fixture(scope="session")
def dense():
    return Dense


@pytest.fixture(scope="session")
def network():
    """Build a network of sizes (I, H, O) with random float64 weights."""

    def build(inputs, hidden, outputs, seed=0):
        rng = np.random.default_rng(seed)
        return Two(
            Dense(rng.normal(size=(hidden, inputs)), rng.normal(size=hidden)),
            Dense(rng.normal(size=(outputs, hidden)), rng.normal(size=outputs)),
        )

    return build


class SavedNorm(NamedTuple):
    x_hat: object
    inv_std: object
    gamma: object


def norm_forward(x, gamma, beta, *, eps=1e-5):
    xp = array_module(x, gamma, beta)
    centred = x - xp.mean(x, axis=-1, keepdims=True)
    inv_std = 1 / xp.sqrt(xp.mean(centred * centred, axis=-1, keepdims=True) + eps)
    x_hat = centred * inv_std
    return gamma * x_hat + beta, SavedNorm(x_hat, inv_std, gamma)


def norm_terms(dy, saved):
    xp = array_module(dy)
    direct = dy * saved.gamma * saved.inv_std
    projection = xp.mean(direct * saved.x_hat, axis=-1, keepdims=True)
    return {
        "direct": direct,
        "through_mean": -xp.mean(direct, axis=-1, keepdims=True),
        "through_var": -saved.x_hat * projection,
    }


@pytest.fixture
def layer_norm():
    """A kernel whose gradient for x has three terms."""
    return Kernel(
        name="layer_norm",
        forward=norm_forward,
        terms={
            "x": norm_terms,
            "gamma": lambda dy, saved: {"direct": dy * saved.x_hat},
            "beta": lambda dy, saved: {"direct": dy},
        },
    )


@pytest.fixture
def custom():
    """Build the kernel y = 2 x with the given rule, and a fused one if given."""

    def build(rule, fused=None):
        return Kernel(
            name="custom",
            forward=lambda x: (x * 2, NOTHING),
            terms={"x": lambda dy, saved: rule(dy)},
            fused={"x": lambda dy, saved: fused(dy)} if fused else {},
        )

    return build
