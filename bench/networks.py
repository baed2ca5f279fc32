"""The networks that are timed, written once for every engine with PyTorch's names.

Each is a function of an Engine that returns its model; NETWORKS adds the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy

from bench.engines import Engine

Batch = tuple[numpy.ndarray, numpy.ndarray]
"""Inputs of one step and the labels, int64."""


@dataclass(frozen=True)
class Network:
    """A model, what it is fed, and how long a round of timing is."""

    build: Callable[[Engine], Any]
    batch: Callable[[], Batch]
    images: bool
    """Whether the layout channels_last is another one for it."""
    steps: int
    """Steps a round: about a second."""


def mlp(engine: Engine) -> Any:
    """784-512-256-256-10 with tanh."""
    nn = engine.nn
    layers: list[Any] = []
    for inputs, outputs in pairwise((784, 512, 256, 256, 10)):
        layers += [nn.Linear(inputs, outputs), nn.Tanh()]
    return nn.Sequential(*layers[:-1])


def cnn(engine: Engine) -> Any:
    """Five 3x3 convolutions on 28x28, two of stride 2, and two linear layers; relu."""
    nn = engine.nn
    layers: list[Any] = []
    channels = (1, 32, 32, 64, 64, 64)
    for (inputs, outputs), stride in zip(
        pairwise(channels), (1, 2, 1, 2, 1), strict=True
    ):
        layers += [nn.Conv2d(inputs, outputs, 3, stride, padding=1), nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(128, 10))


def vgg(engine: Engine) -> Any:
    """VGG for 32x32: 64 64 M 128 128 M 256x3 M 512x3 M, linear; relu, no BN."""
    nn = engine.nn
    layers: list[Any] = []
    before = 3
    for channels, repeats in ((64, 2), (128, 2), (256, 3), (512, 3)):
        for _ in range(repeats):
            layers += [nn.Conv2d(before, channels, 3, padding=1), nn.ReLU()]
            before = channels
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(512 * 2 * 2, 10))


def wrn(engine: Engine) -> Any:
    """WRN-16-4 for 32x32: three groups of two pre-activation blocks, batch norm."""
    nn = engine.nn

    class Block(nn.Module):
        """BN, relu, conv, BN, relu, conv; the shortcut is 1x1 where shapes change."""

        def __init__(self, inputs: int, outputs: int, stride: int) -> None:
            super().__init__()
            self.norm1 = nn.BatchNorm2d(inputs)
            self.norm2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
            self.shortcut = None
            if (inputs, 1) != (outputs, stride):
                self.shortcut = nn.Conv2d(inputs, outputs, 1, stride, bias=False)

        def forward(self, x: Any) -> Any:
            active = self.relu(self.norm1(x))
            if self.shortcut is not None:
                x = self.shortcut(active)
            y = self.conv2(self.relu(self.norm2(self.conv1(active))))
            return x + y

    layers: list[Any] = [nn.Conv2d(3, 16, 3, padding=1, bias=False)]
    before = 16
    for channels, stride in ((64, 1), (128, 2), (256, 2)):
        layers += [Block(before, channels, stride), Block(channels, channels, 1)]
        before = channels
    layers += [nn.BatchNorm2d(before), nn.ReLU(), nn.AdaptiveAvgPool2d(1)]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(before, 10))


def lstm(engine: Engine) -> Any:
    """Embedding 20000x128 (dense gradient), LSTM of 128, linear on its last state."""
    nn = engine.nn

    class Text(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(20000, 128)
            self.lstm = nn.LSTM(128, 128)
            self.head = nn.Linear(128, 2)

        def forward(self, words: Any) -> Any:
            # (T, N) -> (T, N, D) -> (N, K)
            y, _ = self.lstm(self.embedding(words))
            return self.head(y[-1])

    return Text()


def wavenet(engine: Engine) -> Any:
    """Nine gated residual layers, kernel 2, dilations 1 to 256; softmax each step."""
    nn, F = engine.nn, engine.F  # noqa: N806 - F as users import it
    width = 256

    class Gated(nn.Module):
        def __init__(self, dilation: int) -> None:
            super().__init__()
            self.gates = engine.causal(width, 2 * width, 2, dilation=dilation)
            self.mix = nn.Conv1d(width, width, 1)

        def forward(self, x: Any) -> Any:
            z = self.gates(x)
            return x + self.mix(F.tanh(z[:, :width]) * F.sigmoid(z[:, width:]))

    class WaveNet(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embedding = nn.Embedding(256, width)
            self.layers = nn.Sequential(*(Gated(2**power) for power in range(9)))
            self.head = nn.Conv1d(width, 256, 1)

        def forward(self, samples: Any) -> Any:
            # (N, L) -> (N, L, C) -> (N, C, L)
            x = engine.permute(self.embedding(samples), (0, 2, 1))
            return self.head(self.layers(x))

    return WaveNet()


def images(*shape: int) -> Batch:
    """Return images uniform in [0, 1) and their labels among ten."""
    rng = numpy.random.default_rng(0)
    pixels = rng.random(shape, dtype=numpy.float32)
    return pixels, rng.integers(0, 10, shape[0])


def _words() -> Batch:
    """Return 80 words of 32 texts (T, N) and one of two labels each."""
    rng = numpy.random.default_rng(0)
    return rng.integers(0, 20000, (80, 32)), rng.integers(0, 2, 32)


def _samples() -> Batch:
    """Return samples (N, L) of two signals, 8 bits, and the next one of each."""
    signal = numpy.random.default_rng(0).integers(0, 256, (2, 2001))
    return signal[:, :-1].copy(), signal[:, 1:].copy()


NETWORKS = {
    "mlp": Network(mlp, lambda: images(128, 784), images=False, steps=60),
    "cnn": Network(cnn, lambda: images(128, 1, 28, 28), images=True, steps=15),
    "vgg": Network(vgg, lambda: images(64, 3, 32, 32), images=True, steps=3),
    "wrn": Network(wrn, lambda: images(32, 3, 32, 32), images=True, steps=4),
    "lstm": Network(lstm, _words, images=False, steps=40),
    "wavenet": Network(wavenet, _samples, images=False, steps=3),
}


def fill(model: Any, engine: Engine) -> None:
    """Give every parameter the same values in every engine, whatever drew them."""
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    state = {name: engine.tensor(array) for name, array in weights(shapes).items()}
    model.load_state_dict(state, strict=False)


def weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, numpy.ndarray]:
    """Draw normal weights of variance 2 / fan-in (He et al., 2015); scales 1, biases 0.

    The numbers depend on the names, so networks that are named alike start alike.
    """
    rng = numpy.random.default_rng(1)
    drawn: dict[str, numpy.ndarray] = {}
    for name, shape in sorted(shapes.items()):
        if len(shape) > 1:
            drawn[name] = rng.standard_normal(shape, dtype=numpy.float32)
            drawn[name] *= numpy.float32((2 / math.prod(shape[1:])) ** 0.5)
        else:
            drawn[name] = numpy.full(shape, float("bias" not in name), numpy.float32)
    return drawn
