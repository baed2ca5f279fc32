"""What freezing layers saves of backward: only backward is timed.

Our side of each case freezes the layers that its name lists; beside it run PyTorch with
the same layers frozen, and the same network of ours with nothing frozen. All of them
move the same parameters, those that are not frozen, so that their losses agree.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy

from bench.engines import ENGINES, UNFROZEN, Engine
from bench.harness import Case, Step, Timed
from bench.networks import Batch, Network, fill, images


def strided(engine: Engine) -> Any:
    """Five 3x3 convolutions without padding on 32x32, two of stride 2, two linear."""
    nn, F = engine.nn, engine.F  # noqa: N806 - F as users import it

    class Strided(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv1 = nn.Conv2d(1, 32, 3)
            self.conv2 = nn.Conv2d(32, 64, 3, 2)
            self.conv3 = nn.Conv2d(64, 128, 3)
            self.conv4 = nn.Conv2d(128, 64, 3, 2)
            self.conv5 = nn.Conv2d(64, 32, 3)
            self.dense = nn.Linear(288, 1024)
            self.output = nn.Linear(1024, 10)

        def forward(self, x: Any) -> Any:
            for conv in (self.conv1, self.conv2, self.conv3, self.conv4, self.conv5):
                x = F.relu(conv(x))
            return self.output(F.relu(self.dense(x.reshape(x.shape[0], -1))))

    return Strided()


def deep_mlp(engine: Engine) -> Any:
    """784-512-512-512-512-10 with tanh."""
    nn, F = engine.nn, engine.F  # noqa: N806 - F as users import it

    class Dense(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.dense1, self.dense2 = nn.Linear(784, 512), nn.Linear(512, 512)
            self.dense3, self.dense4 = nn.Linear(512, 512), nn.Linear(512, 512)
            self.output = nn.Linear(512, 10)

        def forward(self, x: Any) -> Any:
            for dense in (self.dense1, self.dense2, self.dense3, self.dense4):
                x = F.tanh(dense(x))
            return self.output(x)

    return Dense()


def deep_lstm(engine: Engine) -> Any:
    """Four LSTMs of 128 on 80 steps of 128 numbers, linear on the last state."""
    nn = engine.nn

    class Stack(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm1, self.lstm2 = nn.LSTM(128, 128), nn.LSTM(128, 128)
            self.lstm3, self.lstm4 = nn.LSTM(128, 128), nn.LSTM(128, 128)
            self.head = nn.Linear(128, 10)

        def forward(self, x: Any) -> Any:
            for lstm in (self.lstm1, self.lstm2, self.lstm3, self.lstm4):
                x, _ = lstm(x)
            return self.head(x[-1])

    return Stack()


def _sequences() -> Batch:
    """Return normal numbers (T, N, I) of 32 sequences, and a label of ten for each."""
    rng = numpy.random.default_rng(0)
    x = rng.standard_normal((80, 32, 128), dtype=numpy.float32)
    return x, rng.integers(0, 10, 32)


NETWORKS: Final[Mapping[str, Network]] = {
    "strided": Network(strided, lambda: images(128, 1, 32, 32), images=True, steps=4),
    "mlp": Network(deep_mlp, lambda: images(128, 784), images=False, steps=40),
    "lstm": Network(deep_lstm, _sequences, images=False, steps=8),
}


@dataclass(frozen=True)
class Frozen:
    """Layers of a network that are frozen.

    Attributes:
        network: of NETWORKS.
        layers: their paths.
        parameters: per cent of all parameters that are theirs.
        multiply_adds: per cent of backward's multiply-adds that need not be done.
    """

    network: str
    layers: tuple[str, ...]
    parameters: int
    multiply_adds: int

    @property
    def name(self) -> str:
        """Say what is frozen, and what part of parameters and work that is."""
        listed = " ".join(self.layers) or "nothing"
        return (
            f"{self.network}, {listed}: {self.parameters} % of parameters, "
            f"{self.multiply_adds} % of multiply-adds"
        )

    def holds(self, parameter: str) -> bool:
        """Tell whether a parameter of that name is frozen."""
        return parameter.rpartition(".")[0] in self.layers


FROZEN: Final = (
    Frozen("strided", (), 0, 0),
    Frozen("strided", ("conv3", "conv4"), 30, 37),
    Frozen("strided", ("conv1", "conv2", "conv3", "conv4"), 34, 98),
    Frozen("strided", ("dense",), 60, 1),
    Frozen("strided", ("conv1", "conv2", "conv5", "dense", "output"), 70, 56),
    Frozen("mlp", (), 0, 0),
    Frozen("mlp", ("dense1",), 34, 33),
    Frozen("mlp", ("dense1", "dense2"), 56, 60),
    Frozen("mlp", ("dense2", "dense3", "dense4"), 66, 40),
    Frozen("mlp", ("dense1", "dense2", "dense3"), 78, 86),
    Frozen("lstm", (), 0, 0),
    Frozen("lstm", ("lstm1",), 25, 27),
    Frozen("lstm", ("lstm1", "lstm2"), 50, 53),
    Frozen("lstm", ("lstm2", "lstm3", "lstm4"), 75, 40),
    Frozen("lstm", ("lstm1", "lstm2", "lstm3"), 75, 80),
)
"""About 0, 30, 50 and 70 % of the parameters, as near as whole layers come: in the
strided network one layer has 60 %."""


def build(frozen: Frozen, engine: Engine) -> Any:
    """Return the network with the same weights in every engine, nothing frozen yet."""
    model = NETWORKS[frozen.network].build(engine)
    fill(model, engine)
    return model


def freeze(frozen: Frozen, model: Any) -> Any:
    """Freeze the layers, and return the model."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not frozen.holds(name)
    return model


def prepare(frozen: Frozen, engine_name: str, thawed: bool = False) -> Step:
    """Set up training of what is not frozen, of which a step times backward alone.

    thawed: compute all gradients all the same.
    """
    engine = ENGINES[engine_name]()
    model = build(frozen, engine)
    x, labels = map(engine.tensor, NETWORKS[frozen.network].batch())
    named = list(model.named_parameters())
    moved = [parameter for name, parameter in named if not frozen.holds(name)]
    optimizer = engine.sgd(moved, lr=0.001, momentum=0.9)
    if not thawed:
        freeze(frozen, model)

    def step() -> Timed:
        model.zero_grad()
        loss = engine.F.cross_entropy(model(x), labels)
        start = time.perf_counter()
        loss.backward()
        milliseconds = (time.perf_counter() - start) * 1e3
        optimizer.step()
        return Timed(loss.item(), milliseconds)

    return step


def _case(frozen: Frozen) -> Case:
    engines = {name: partial(prepare, frozen, name) for name in ("minigrad", "torch")}
    engines[UNFROZEN] = partial(prepare, frozen, "minigrad", thawed=True)
    return Case(frozen.name, engines, NETWORKS[frozen.network].steps)


CASES = tuple(map(_case, FROZEN))
