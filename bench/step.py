"""Whole training steps: forward, backward, SGD with momentum 0.9, loss read back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from bench.engines import CHANNELS_LAST, ENGINES
from bench.harness import Case, Step
from bench.networks import NETWORKS, Network, fill
from bench.rivals import CNN, MLP


def train(name: str, engine_name: str) -> Step:
    """Set up one network in one engine; each step trains on the same batch."""
    return prepare(name, engine_name)[1]


def prepare(name: str, engine_name: str) -> tuple[Any, Step]:
    """Do what train does; return the model, too."""
    engine = ENGINES[engine_name]()
    network = NETWORKS[name]
    model = network.build(engine)
    fill(model, engine)
    x, labels = (engine.tensor(array) for array in network.batch())
    if network.images:
        model, x = engine.place(model), engine.place(x)
    optimizer = engine.sgd(model.parameters(), lr=0.001, momentum=0.9)

    def step() -> float:
        optimizer.zero_grad()
        loss = engine.F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, step


def _case(name: str, network: Network) -> Case:
    known = [e for e in ENGINES if network.images or e != CHANNELS_LAST]
    engines: dict[str, Callable[[], Step]] = {e: partial(train, name, e) for e in known}
    rivals = {"mlp": MLP, "cnn": CNN}.get(name, {})
    return Case(name, {**engines, **rivals}, network.steps)


CASES = tuple(_case(name, network) for name, network in NETWORKS.items())
