"""Ways to train a network: without freezing, and with LayerOut's strategies."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from minigrad import nn
from minigrad.nn.freezing import LayerOut, decreasing

_MNIST = (0.9, 0.7, 0.6, 0.5, 0.4, 0.3, 0.1)
_EARLY_VGG = (0.9, 0.8, 0.8, 0.7, 0.7, 0.6, 0.6, 0.5)
_LATE_VGG = (0.5, 0.4, 0.4, 0.3, 0.3, 0.2, 0.2, 0.1)
EFREEZE: Mapping[int, tuple[float, ...]] = {7: _MNIST, 16: _EARLY_VGG + _LATE_VGG}
"""The published freeze probabilities, by the number of units."""


def efreeze(count: int) -> tuple[float, ...]:
    """Freeze probabilities (K,) that fall with depth: the published ones, if any."""
    return EFREEZE.get(count) or decreasing(count)


def dfreeze(count: int) -> tuple[float, ...]:
    """Freeze probabilities (K,) that rise with depth: those of efreeze, reversed."""
    return efreeze(count)[::-1]


def nothing(count: int) -> tuple[float, ...]:
    """Freeze probabilities (K,) of 0, for what comes with freezing but is not it."""
    return (0.0,) * count


@dataclass(frozen=True)
class Arm:
    """One way to train a network.

    Attributes:
        label: how tables call it.
        v: "random", or the number of units -> freeze probabilities; None: no LayerOut.
        since_start: whether there is no warm-up.
        resample, momentum, prefix_only: of nn.LayerOut.
        erase: whether random erasing is among the augmentations.
    """

    label: str
    v: str | Callable[[int], tuple[float, ...]] | None = None
    since_start: bool = False
    resample: str = "epoch"
    momentum: str = "keep"
    prefix_only: bool = False
    erase: bool = False

    def layer_out(self, model: nn.Module, warm_up: int, seed: int) -> LayerOut | None:
        """Make what freezes the layers of model; None where nothing is frozen."""
        if self.v is None:
            return None
        options: Any = {
            "warm_up": 0 if self.since_start else warm_up,
            "resample": self.resample,
            "momentum": self.momentum,
            "prefix_only": self.prefix_only,
            "seed": seed,
        }
        if isinstance(self.v, str):
            return LayerOut(model, self.v, **options)
        count = len(LayerOut(model, **options).units)
        return LayerOut(model, self.v(count), **options)

    def with_erasing(self) -> "Arm":
        """Return the same arm, trained with random erasing."""
        return replace(self, label=f"{self.label}, R.E.", erase=True)


_DFREEZE = Arm("LayerOut-dfreeze", dfreeze)
_EFREEZE = Arm("LayerOut-efreeze", efreeze)
_WARM_UP = Arm("LayerOut with warm-up", "random")

_PLAIN = {
    "baseline": Arm("baseline"),
    "since_start": Arm("LayerOut since start", "random", since_start=True),
    "warm_up": _WARM_UP,
    "dfreeze": _DFREEZE,
    "efreeze": _EFREEZE,
    # Controls: what the published code does, one thing at a time.
    "baseline_reset": Arm("baseline, momentum reset", nothing, momentum="reset_all"),
    "efreeze_reset": replace(
        _EFREEZE, label="efreeze, momentum reset", momentum="reset_all"
    ),
    "efreeze_prefix": replace(_EFREEZE, label="efreeze, leading run", prefix_only=True),
    "warm_up_once": replace(_WARM_UP, label="warm-up, v drawn once", resample="once"),
    "baseline_code": Arm("baseline, the code's rates"),
    # Beside LayerOut; what they are is the network's business.
    "dropout": Arm("dropout"),
    "drop_connect": Arm("DropConnect"),
    "stochastic_depth": Arm("stochastic depth"),
    "block_drop": Arm("BlockDrop"),
}
ARMS: Mapping[str, Arm] = {
    **_PLAIN,
    **{f"{name}_re": arm.with_erasing() for name, arm in _PLAIN.items()},
}
"""By name; with random erasing as `<name>_re`."""


def chosen(*names: str) -> dict[str, Arm]:
    """Take some of the arms, in this order."""
    return {name: ARMS[name] for name in names}
