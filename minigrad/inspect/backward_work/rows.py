"""One row for each layer: what backward computes there, and what freezing saves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from minigrad.errors import ArgumentError, got
from minigrad.inspect.explain import tables
from minigrad.inspect.model_summary.rows import short


class Work(NamedTuple):
    """Multiply-adds of backward.

    Attributes:
        weights: of the gradients of parameters.
        inputs: of the gradients of what a layer was given, its state over time
            included; a weight that was computed from another one is given, too.
    """

    weights: int
    inputs: int

    @property
    def total(self) -> int:
        """Both together."""
        return self.weights + self.inputs


class Layer(NamedTuple):
    """A module that owns parameters, or whose backward multiplies; children excluded.

    Attributes:
        path, kind: path in the model, "" for the model itself; class.
        trainable, frozen: elements of its own parameters, shared ones where they are
            met first.
        gradient: "passes" if it hands a gradient on to what lies before it, "ends" if
            only its own parameters get one, "none" if backward does not come to its own
            calls; it may come to its children's all the same.
        done: what backward computes.
        thawed: what it would compute if nothing were frozen.
    """

    path: str
    kind: str
    trainable: int
    frozen: int
    gradient: str
    done: Work
    thawed: Work

    @property
    def state(self) -> str:
        """Tell whether its parameters are "frozen", "trainable" or "mixed"; else ""."""
        if self.trainable and self.frozen:
            return "mixed"
        return "frozen" if self.frozen else "trainable" if self.trainable else ""


class Seconds(NamedTuple):
    """Measured wall time of a backward pass in seconds, medians over repeats."""

    done: float
    thawed: float
    repeats: int

    @property
    def saved_share(self) -> float:
        """The part of thawed that is saved, at most 1; below 0 if it took longer."""
        return 1 - self.done / self.thawed if self.thawed else 0.0


class BackwardCost:
    """What one backward pass computes, layer by layer; print it.

    Parameters and multiply-adds are exact, counted from the recorded graph. Seconds are
    measured, and only there if that was asked for.

    Attributes:
        layers: in the order of the tree.
        seconds: None unless backward was timed.
    """

    def __init__(
        self, kind: str, layers: Sequence[Layer], seconds: Seconds | None = None
    ) -> None:
        """Take the rows of a model of class kind."""
        self._kind = kind
        self.layers = list(layers)
        self.seconds = seconds

    @property
    def frozen(self) -> int:
        """Elements of the parameters that are frozen."""
        return sum(layer.frozen for layer in self.layers)

    @property
    def parameters(self) -> int:
        """Elements of all parameters, shared ones once."""
        return self.frozen + sum(layer.trainable for layer in self.layers)

    @property
    def frozen_share(self) -> float:
        """Frozen elements of all, from 0 to 1; 0 without parameters."""
        return self.frozen / self.parameters if self.parameters else 0.0

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds that backward does."""
        return sum(layer.done.total for layer in self.layers)

    @property
    def thawed_multiply_adds(self) -> int:
        """Multiply-adds that backward would do if nothing were frozen."""
        return sum(layer.thawed.total for layer in self.layers)

    @property
    def saved_share(self) -> float:
        """The part of the thawed multiply-adds that is saved, from 0 to 1."""
        whole = self.thawed_multiply_adds
        return 1 - self.multiply_adds / whole if whole else 0.0

    def layer(self, path: str) -> Layer:
        """Return the row of a module; raises ArgumentError if there is none."""
        for layer in self.layers:
            if layer.path == path:
                return layer
        rule = "a path that print(cost) lists"
        raise ArgumentError(got("backward_cost", "layer", repr(path), rule))

    def table(self) -> str:
        """Lay out one row for each layer, and the totals.

        Columns: layer, parameters, state, gradient (see `Layer`), then multiply-adds of
        weight gradients, of input gradients, of both, and of both with nothing frozen.
        """
        header = ["layer", "parameters", "state", "gradient", "weights", "inputs"]
        header += ["both", "thawed"]
        rows = [
            [
                f"{layer.path} {layer.kind}".strip(),
                f"{layer.trainable + layer.frozen:,}",
                layer.state or "-",
                layer.gradient,
                short(layer.done.weights),
                short(layer.done.inputs),
                short(layer.done.total),
                short(layer.thawed.total),
            ]
            for layer in self.layers
        ]
        lines = [tables.layout(self._title(), header, rows)]
        lines.append(
            "exact: multiply-adds of the gradients of weights and of inputs; thawed: "
            "if nothing were frozen"
        )
        if self.seconds is not None:
            lines.append(self._measured(self.seconds))
        return "\n".join(lines)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict of JSON values for each layer, and one for the totals first.

        Keys: level ("total" or "layer"), path, kind, trainable, frozen, state,
        gradient, weights, inputs, thawed_weights, thawed_inputs (multiply-adds); of the
        total also frozen_share, saved_share, seconds, thawed_seconds,
        saved_seconds_share and repeats. What there is not is None.
        """
        rows = [_record("layer", layer) for layer in self.layers]
        whole = _record("total", self._whole())
        seconds = self.seconds
        timed = {
            "frozen_share": self.frozen_share,
            "saved_share": self.saved_share,
            "seconds": seconds and seconds.done,
            "thawed_seconds": seconds and seconds.thawed,
            "saved_seconds_share": seconds and seconds.saved_share,
            "repeats": seconds and seconds.repeats,
        }
        return [{**whole, **timed}, *(row | dict.fromkeys(timed) for row in rows)]

    def _whole(self) -> Layer:
        return Layer(
            "",
            self._kind,
            self.parameters - self.frozen,
            self.frozen,
            "",
            _sum([layer.done for layer in self.layers]),
            _sum([layer.thawed for layer in self.layers]),
        )

    def _title(self) -> str:
        return (
            f"{self._kind}: {self.frozen:,} of {self.parameters:,} parameters frozen "
            f"({100 * self.frozen_share:.1f} %)\n"
            f"backward: {short(self.multiply_adds)} of "
            f"{short(self.thawed_multiply_adds)} multiply-adds "
            f"({100 * self.saved_share:.1f} % saved)"
        )

    def _measured(self, seconds: Seconds) -> str:
        return (
            f"measured: {1e3 * seconds.done:.3g} ms of {1e3 * seconds.thawed:.3g} ms "
            f"({100 * seconds.saved_share:.1f} % saved), medians of {seconds.repeats} "
            "backward passes each"
        )

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return (
            f"<BackwardCost: {self.frozen} of {self.parameters} parameters frozen, "
            f"{self.multiply_adds} of {self.thawed_multiply_adds} multiply-adds>"
        )


def _sum(parts: Sequence[Work]) -> Work:
    return Work(sum(one.weights for one in parts), sum(one.inputs for one in parts))


def _record(level: str, layer: Layer) -> dict[str, Any]:
    return {
        "level": level,
        "path": layer.path,
        "kind": layer.kind,
        "trainable": layer.trainable,
        "frozen": layer.frozen,
        "state": layer.state or None,
        "gradient": layer.gradient or None,
        "weights": layer.done.weights,
        "inputs": layer.done.inputs,
        "thawed_weights": layer.thawed.weights,
        "thawed_inputs": layer.thawed.inputs,
    }
