"""What signal_propagation found: a table, plain records and a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.files import PathLike
from minigrad.inspect.explain import tables
from minigrad.inspect.flow import Flow
from minigrad.inspect.propagation import panels
from minigrad.inspect.propagation.signals import Layer, Moments, Signal
from minigrad.inspect.record.records import Target
from minigrad.inspect.report.figure import drawn

INPUT = "input"
"""What the model's own input is called."""


class Propagation:
    """A signal and its gradient from layer to layer; print it.

    Attributes:
        input: what the model was given; None if that holds no floats.
        layers: in the order in which they returned.
        flow: the recording of the backward pass, every gradient term by term.
    """

    def __init__(
        self, kind: str, input: Signal | None, layers: Sequence[Layer], flow: Flow
    ) -> None:
        """Take what was found of a model of class kind."""
        self._kind = kind
        self.input = input
        self.layers = list(layers)
        self.flow = flow

    def layer(self, path: str, call: int = 1) -> Layer:
        """Return a layer by path and call; raises ArgumentError if there is none."""
        for layer in self.layers:
            if (layer.path, layer.call) == (path, call):
                return layer
        rule = "a path, and one of its calls, that print(propagation) lists"
        found = f"{path!r}, call {call}"
        raise ArgumentError(got("signal_propagation", "layer", found, rule))

    def table(self) -> str:
        """Lay out one row for the input and for each layer.

        Columns: layer, shape, variance and mean square of what it gave, the gain in
        mean square, the share of zeros; mean square of the gradient that came back, and
        its gain from what the layer gave to what it was given; the least and the
        greatest singular value of the Jacobian if any were asked for.
        """
        header = ["layer", "shape", "variance", "square", "gain", "zeros %"]
        header += ["gradient", "its gain"]
        spectra = any(layer.singular_values is not None for layer in self.layers)
        header += ["singular"] * spectra
        rows: list[list[str]] = []
        if self.input is not None:
            rows.append(_cells(INPUT, self.input, None, None) + ["-"] * spectra)
        for layer in self.layers:
            name = layer.title if not layer.path else f"{layer.title} {layer.kind}"
            own = _cells(name, layer.gave, layer.gain, layer.gradient_gain)
            rows.append(own + [_ends(layer)] * spectra)
        title = f"signal propagation: {self._kind}, {len(self.layers)} layers"
        return tables.layout(title, header, rows)

    def terms(self) -> str:
        """Lay out what the gradient at each layer's input is the sum of, term by term.

        Below a layer's row, of the whole gradient, stand the terms that came to what it
        was given, from all that was computed of it.
        """
        rows: list[tuple[str, Any, Any]] = []
        for layer, target in self._gradients():
            rows.append((layer.title, target.measures, None))
            rows += [
                (f"  {edge.title} {term.name}", term.measures, None)
                for edge in target.edges
                for term in edge.terms
            ]
        title = "gradients of what layers are given, term by term"
        return tables.contributions(title, rows)

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict of JSON values for the input, each layer, edge and term.

        Keys of levels "input" and "layer": layer (its title), kind, call, shape, the
        fields of `Moments`, gain, gradient_square, gradient_gain, singular_values
        (list). Levels "edge" and "term" are of the gradient at what the layer was
        given, with the keys of Flow.to_records. What is undefined or not finite is
        None.
        """
        rows: list[dict[str, Any]] = []
        if self.input is not None:
            rows.append({"level": "input", "layer": INPUT, **_plain(self.input)})
        for layer in self.layers:
            spectrum = layer.singular_values
            rows.append(
                {
                    "level": "layer",
                    "layer": layer.title,
                    "kind": layer.kind,
                    "call": layer.call,
                    **_plain(layer.gave),
                    "gain": tables.finite(layer.gain),
                    "gradient_gain": tables.finite(layer.gradient_gain),
                    "singular_values": None if spectrum is None else spectrum.tolist(),
                }
            )
        for layer, target in self._gradients():
            own = ({"layer": layer.title, **row} for row in target.rows())
            rows += [row for row in own if row["level"] in ("edge", "term")]
        return rows

    def plot(self, path: PathLike | None = None) -> Any:
        """Draw mean squares by depth, of signals and gradients, and singular values.

        Args:
            path: of an image to write, .png, .svg or .pdf; without one the Figure is
                returned.

        Raises ArgumentError for another ending, BackendError without matplotlib,
        FileFormatError if path cannot be written.
        """
        spectra = [one for one in self.layers if one.singular_values is not None]
        signals = [(layer.title, layer.gave) for layer in self.layers]
        if self.input is not None:
            signals.insert(0, (INPUT, self.input))

        def draw(figure: Any) -> None:
            upper, *lower = figure.subplots(1 + bool(spectra), 1, squeeze=False)[:, 0]
            panels.by_depth(upper, signals)
            for axes in lower:
                panels.spectra(axes, spectra)

        return drawn(draw, (9.0, 3.4 * (1 + bool(spectra))), path)

    def _gradients(self) -> list[tuple[Layer, Target]]:
        """Return each layer with the gradient of what it was given, if there is one."""
        return [
            (layer, layer.given.gradient)
            for layer in self.layers
            if layer.given is not None and layer.given.gradient is not None
        ]

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Propagation: {self._kind}, {len(self.layers)} layers>"


def _cells(
    name: str, signal: Signal, gain: float | None, gradient_gain: float | None
) -> list[str]:
    found = signal.moments
    return [
        name,
        str(signal.shape).replace(" ", ""),
        tables.number(found.variance),
        tables.number(found.square),
        tables.number(gain),
        tables.number(100 * found.zeros),
        tables.number(signal.gradient_square),
        tables.number(gradient_gain),
    ]


def _ends(layer: Layer) -> str:
    found = layer.singular_values
    if found is None or not len(found):
        return "-"
    least, greatest = float(found[-1]), float(found[0])
    return f"{tables.number(least)}..{tables.number(greatest)}"


def _plain(signal: Signal) -> dict[str, Any]:
    found = zip(Moments._fields, signal.moments, strict=True)
    return {
        "shape": list(signal.shape),
        **{name: tables.finite(value) for name, value in found},
        "gradient_square": tables.finite(signal.gradient_square),
    }
