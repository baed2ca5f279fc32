"""LayerOut: layers that are drawn at random keep their weights for an epoch.

A frozen layer computes forward as ever, and the gradient flows through it to the layers
before; but its own parameters' gradients are not computed. `inspect.backward_cost` says
what that saves.

What the paper leaves open is decided so:

| | while a layer is frozen |
| --- | --- |
| weights, biases | keep their values bit for bit; their gradient is None |
| weight decay | none: optimizers pass over what has no gradient |
| momentum, Adam's moments and step | stand still and go on afterwards; see momentum |
| batch norm | trains on and tracks its statistics, unless norm says otherwise |
| learning rate | that of the epoch, as for all |

Source: Goutam, Balasubramanian, Gera & Raghunatha Sarma 2020, "LayerOut: Freezing
Layers in Deep Neural Networks", SN Computer Science 1(5), section 4.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Final

from minigrad.errors import ArgumentError, got
from minigrad.nn._freezing_draws import (
    complete,
    decreasing,
    draw_frozen,
    frozen_probability,
    increasing,
    joint_probability,
    probabilities_of,
    whole,
)
from minigrad.nn._units import Unit, Wanted, expect_apart, find_units, named_units
from minigrad.nn.module import Module
from minigrad.random import generator

__all__ = [
    "LayerOut",
    "Unit",
    "decreasing",
    "draw_frozen",
    "frozen_probability",
    "increasing",
    "joint_probability",
]

_CHOICES: Final = {
    "resample": ("epoch", "once"),
    "norm": ("live", "with_unit", "with_statistics"),
    "momentum": ("keep", "reset_frozen", "reset_all"),
}


class LayerOut:
    """Draws which layers of a model are frozen in an epoch, and freezes them.

    Draws follow from seed and epoch alone: nothing has to be saved, and a run that is
    resumed in the middle of an epoch has the same layers frozen. One unit at least is
    not; with stochastic depth (`Residual`) a batch may drop all such units, and then
    moves none.

    Args:
        model: its units are the modules with parameters of their own, in order of the
            tree, without normalisations.
        v: freeze probabilities, (K,) in [0, 1] for K units; "random" draws them from
            U(0, 1); "increasing" and "decreasing" are the functions of that name.
        warm_up: so many epochs, at first, in which nothing is frozen.
        resample: whether a random v is drawn anew every "epoch", as the paper says, or
            "once" for the run, as its code does.
        norm: "live": normalisations are never frozen. "with_unit": one that comes next
            behind a unit is frozen with it. "with_statistics": then the running
            statistics of a batch norm stand still, too.
        momentum: what becomes of the optimizer's state. "keep": that of a frozen layer
            stands still. "reset_frozen": it is dropped when an epoch begins.
            "reset_all": that of all layers is, as in the paper's code.
        prefix_only: whether only layers before the first that is not drawn are frozen,
            as the paper's code does by an oversight.
        units: names of modules to take for units instead, with all that lies below
            them; names in a tuple make one. Then norm decides on statistics alone.
        seed: of the draws.

    Raises ArgumentError for what is out of range, if there are no units, or if two of
    them are the same or share a parameter. Warns of a single unit: it is never frozen.

    >>> from minigrad import nn, optim
    >>> model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2))
    >>> layer_out = nn.LayerOut(model, (0.9, 0.1), warm_up=1)
    >>> for epoch in range(3):
    ...     with layer_out.epoch(epoch) as frozen:
    ...         print(frozen, [p.requires_grad for p in model.parameters()])
    (False, False) [True, True, True, True]
    (True, False) [False, False, True, True]
    (True, False) [False, False, True, True]
    """

    def __init__(
        self,
        model: Module,
        v: str | Sequence[float] = "random",
        *,
        warm_up: int = 20,
        resample: str = "epoch",
        norm: str = "live",
        momentum: str = "keep",
        prefix_only: bool = False,
        units: Wanted | None = None,
        seed: int = 0,
    ) -> None:
        _expect_model(model)
        given = {"resample": resample, "norm": norm, "momentum": momentum}
        for name, choice in given.items():
            if choice not in _CHOICES[name]:
                rule = " or ".join(map(repr, _CHOICES[name]))
                raise ArgumentError(got("LayerOut", name, repr(choice), rule))
        self.warm_up = whole("LayerOut", "warm_up", warm_up)
        generator(seed, "layer_out.v")  # Raises for what is no seed.
        self.model, self.seed, self.prefix_only = model, seed, prefix_only
        self.resample, self.norm, self.momentum = resample, norm, momentum
        self.units = (
            find_units(model, with_norms=norm != "live")
            if units is None
            else named_units("LayerOut", model, units)
        )
        self._expect_units()
        self.v = self._given(v)

    # -- what is drawn -----------------------------------------------------------------

    def probabilities(self, epoch: int) -> tuple[float, ...]:
        """Freeze probabilities (K,) of an epoch, counted from 0; 0 in the warm-up."""
        if whole("LayerOut", "epoch", epoch) < self.warm_up:
            return (0.0,) * len(self.units)
        if self.v is not None:
            return self.v
        step = epoch if self.resample == "epoch" else 0
        draw = generator(self.seed, "layer_out.v", step)
        return tuple(draw.random(len(self.units)).tolist())

    def frozen(self, epoch: int) -> tuple[bool, ...]:
        """Say which of the K units an epoch, counted from 0, freezes: the draw s."""
        v = self.probabilities(epoch)
        if epoch < self.warm_up:
            return (False,) * len(self.units)
        drawn = draw_frozen(v, generator(self.seed, "layer_out.frozen", epoch))
        if self.prefix_only:
            return tuple(all(drawn[: place + 1]) for place in range(len(drawn)))
        return drawn

    def frozen_share(self, epoch: int) -> float:
        """Share, in [0, 1], of the model's parameters that an epoch's draw freezes.

        What the caller froze does not count; `inspect.backward_cost` counts all.
        """
        return self._share(self.frozen(epoch))

    def expected_share(self, epoch: int) -> float:
        """What frozen_share is on average over draws, given the epoch's v.

        Without prefix_only: sum_i n_i (v_i - P) / (1 - P) / N over units of n_i
        parameters, in a model of N, P the product of v.
        """
        v = self.probabilities(epoch)
        if not self.prefix_only:
            return self._share(frozen_probability(v))
        if math.prod(v) == 1:
            raise ArgumentError(complete("LayerOut", v))
        heads = [math.prod(v[: place + 1]) for place in range(len(v))]
        return self._share([(p - heads[-1]) / (1 - heads[-1]) for p in heads])

    def _share(self, weights: Sequence[float]) -> float:
        frozen = sum(
            weight * unit.size for weight, unit in zip(weights, self.units, strict=True)
        )
        return frozen / sum(parameter.size for parameter in self.model.parameters())

    # -- what is frozen ----------------------------------------------------------------

    @contextmanager
    def epoch(
        self, number: int, optimizer: Any = None, *, start: int = 0
    ) -> Generator[tuple[bool, ...]]:
        """Freeze the units drawn for an epoch inside the block; yield s (K,).

        Forward, backward and step belong inside: backward reaches what was not frozen
        in forward. Afterwards, also after an error, all is as it was, but for gradients
        of what was frozen, which are None. What the caller had frozen stays frozen.

        Args:
            number: of the epoch, counted from 0.
            optimizer: whose state is reset, if momentum asks for it; else not needed.
            start: the batch that comes next. An epoch that is resumed behind its first
                batch has been reset already.

        Raises ArgumentError for other numbers, for an optimizer without state that is
        to be reset, and if the caller had frozen all that the draw leaves to train.
        """
        frozen = self.frozen(number)
        start = whole("LayerOut.epoch", "start", start)
        trained = self._trains()
        with ExitStack() as stack:
            for is_frozen, unit in zip(frozen, self.units, strict=True):
                if is_frozen:
                    self._freeze(unit, f"LayerOut froze it in epoch {number}", stack)
            if trained and not self._trains():
                rule = "one that trains"
                remedy = "leave what is frozen anyway out with units=[...]"
                what = "unfrozen parameters are"
                raise ArgumentError(got("LayerOut.epoch", what, "none", rule, remedy))
            if number >= self.warm_up and start == 0:
                self._reset(frozen, optimizer)
            yield frozen

    def _trains(self) -> bool:
        return any(parameter.requires_grad for parameter in self.model.parameters())

    def _freeze(self, unit: Unit, reason: str, stack: ExitStack) -> None:
        for parameter in unit.parameters:
            if parameter.requires_grad:
                stack.callback(_thaw, parameter, parameter.origin)
                parameter.requires_grad, parameter.origin = False, reason
                parameter.grad = None
        for norm in unit.norms if self.norm == "with_statistics" else ():
            # So much do the statistics move towards those of a batch.
            stack.callback(setattr, norm, "momentum", norm.momentum)
            norm.momentum = 0.0

    def _reset(self, frozen: Sequence[bool], optimizer: Any) -> None:
        """Drop the state of the optimizer that an epoch is not to begin with."""
        if self.momentum == "keep":
            return
        if not hasattr(optimizer, "state"):
            rule = f"the optimizer, whose state momentum={self.momentum!r} resets"
            found = None if optimizer is None else f"is a {type(optimizer).__name__}"
            raise ArgumentError(got("LayerOut.epoch", "optimizer", found, rule))
        if self.momentum == "reset_all":
            optimizer.state.clear()
            return
        for is_frozen, unit in zip(frozen, self.units, strict=True):
            for parameter in unit.parameters if is_frozen else ():
                optimizer.state.pop(parameter, None)

    # -- checks ------------------------------------------------------------------------

    def _expect_units(self) -> None:
        if not self.units:
            rule = "at least one module with parameters"
            raise ArgumentError(got("LayerOut", "the model has", "no units", rule))
        expect_apart("LayerOut", self.units)
        if len(self.units) == 1:
            warnings.warn(
                f"LayerOut: `{self.units[0].name}` is the model's only unit and never "
                "frozen, as not all units may be",
                stacklevel=3,
            )

    def _given(self, v: str | Sequence[float]) -> tuple[float, ...] | None:
        """Return v as numbers; None where it is drawn."""
        count = len(self.units)
        named = {"random": None, "increasing": increasing, "decreasing": decreasing}
        if isinstance(v, str):
            if v not in named:
                rule = f"{', '.join(map(repr, named))} or {count} probabilities"
                raise ArgumentError(got("LayerOut", "v", repr(v), rule))
            make = named[v]
            return make(count) if make else None
        v = probabilities_of("LayerOut", v)
        if len(v) != count:
            listed = ", ".join(unit.name for unit in self.units)
            rule = f"{count}, one for each of {listed}"
            raise ArgumentError(got("LayerOut", "the length of v is", len(v), rule))
        if all(p == 1 for p in v):
            raise ArgumentError(complete("LayerOut", v))
        return v

    def __repr__(self) -> str:
        """Show what is drawn, and over how many units."""
        v = "random" if self.v is None else self.v
        return f"LayerOut({len(self.units)} units, v={v}, warm_up={self.warm_up})"


def _thaw(parameter: Any, origin: str) -> None:
    parameter.requires_grad, parameter.origin = True, origin


def _expect_model(model: object) -> None:
    if not isinstance(model, Module):
        rule = "a Module"
        raise ArgumentError(got("LayerOut", "model is", repr(model), rule))
