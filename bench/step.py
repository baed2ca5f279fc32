"""Whole training steps: forward, backward, update, loss read back."""

from __future__ import annotations

from itertools import pairwise

import numpy

from bench.harness import Case, Step

BATCH = 128
SIZES = (784, 512, 256, 256, 10)


def _batch() -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return images (128, 784) float32 in [0, 1) and labels (128,) int64."""
    rng = numpy.random.default_rng(0)
    images = rng.random((BATCH, SIZES[0]), dtype=numpy.float32)
    return images, rng.integers(0, SIZES[-1], BATCH)


def mlp_minigrad() -> Step:
    """Set up 784-512-256-256-10 with tanh and SGD (momentum 0.9) in minigrad."""
    import minigrad as mg
    from minigrad import functional as F
    from minigrad import nn, optim

    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    model = nn.Sequential(*layers[:-1])
    optimizer = optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = (mg.tensor(array) for array in _batch())

    def step() -> float:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return float(loss)

    return step


def mlp_torch() -> Step:
    """Set up the same in PyTorch."""
    import torch  # pyright: ignore[reportMissingImports]
    from torch import nn  # pyright: ignore[reportMissingImports]

    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(SIZES):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    images, labels = (torch.from_numpy(array) for array in _batch())

    def step() -> float:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


CASES = (Case("mlp", mlp_minigrad, mlp_torch, steps=60),)
