"""What the signs of a convnet let through of the gradient, on one batch.

dx = dy slope at every sign, with the slope that stands in for sign's: 1 for STE, 1 or 0
for SSTE, 1 - tanh(x)^2 for BPGA and FTP-SH. A unit whose slope is 0 for all examples of
the batch is dead: what lies below it learns nothing by way of it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from minigrad import nn, tensor
from minigrad.backend import array_module
from minigrad.inspect import Flow, outputs
from models.experiments.experiment import Explanation
from models.experiments.loop import Training
from models.experiments.tables import Table, as_text
from models.experiments.trained import record_flow
from models.gradient_adapter.cnn import ARMS, CnnConfig, restore

SIGNS = nn.Sign | nn.FeasibleTargetSign
EXPLAINED = ("ste", "sste", "bpga")
LEGEND = """\
gain: the norm of the gradient below the sign over that above it. slope: mean of what
stands in for the slope of sign. stopped: nets whose slope is 0. dead: units whose slope
is 0 for the whole batch. Net: what the sign is taken of."""

Measured = dict[str, dict[str, float]]
"""Measure -> module -> number."""


def signs(training: Training, size: int) -> Measured:
    """Measure a batch, the first size training examples, without augmentation.

    Returns:
        slope: mean slope of each sign; stopped, dead: percent of its nets, and of its
        units; gain: of each module on the way down, norm of the gradient below it over
        that above.
    """
    return {**_slopes(training, size), "gain": gains(record_flow(training, size))}


def _slopes(training: Training, size: int) -> Measured:
    model = training.model
    parts = list(model.named_children())
    # Sign's module -> the one before it, whose outputs are the nets.
    before = {
        name: parts[place - 1][0]
        for place, (name, part) in enumerate(parts)
        if isinstance(part, SIGNS)
    }
    with outputs(model, *before.values()) as seen:
        training.outputs(training.examples.train.images[:size])
    found: Measured = {"slope": {}, "stopped": {}, "dead": {}}
    for name, part in parts:
        if name in before:
            (nets,) = seen[before[name]]
            slope = slope_of(part, nets)
            stopped = slope == 0
            found["slope"][name] = float(slope.mean(dtype="float64"))
            found["stopped"][name] = 100 * float(stopped.mean())
            found["dead"][name] = 100 * float(stopped.all(axis=0).mean())
    return found


def slope_of(sign: nn.Module, nets: Any) -> Any:
    """Return what stands in for the slope of sign at nets: its gradient at dy = 1."""
    x = tensor(nets, requires_grad=True)
    sign(x).backward(tensor(array_module(nets).ones_like(nets)))
    assert x.grad is not None
    return x.grad.data


def gains(flow: Flow) -> dict[str, float]:
    """Module -> norm below over norm above, from the first module to the last."""
    return {
        edge.module: edge.measures.gain or 0.0
        for target in flow.targets.values()
        for edge in target.edges
        if edge.input == "x" and edge.module not in ("", "flatten")
    }


def explain(config: CnnConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Compare what the signs of trained networks let through, from above to below.

    The flow that is kept whole is that of BPGA, of seed 0.
    """
    texts: list[str] = []
    through: list[str] = []
    stopped: list[str] = []
    flow: Flow | None = None
    for arm in EXPLAINED:
        training = restore(config, arm, checkpoints[arm])
        flow = record_flow(training, config.batch_size)
        found: Measured = {**_slopes(training, config.batch_size), "gain": gains(flow)}
        texts.append(_text(ARMS[arm].label, flow, found))
        through.append(f"{ARMS[arm].label} {_listed(found, 'gain', 100)}")
        stopped.append(f"{ARMS[arm].label} {_listed(found, 'stopped')}")
    assert flow is not None
    return Explanation(
        "\n\n".join([*texts, LEGEND]),
        "Of the gradient's norm the signs let through, from the last to the first: "
        f"{'; '.join(through)}; of the nets they stop: {'; '.join(stopped)}.",
        flow,
    )


def _listed(found: Measured, measure: str, factor: float = 1.0) -> str:
    """Percentages of the signs, from the last to the first."""
    names = reversed(found["slope"])
    return ", ".join(f"{factor * found[measure][name]:.0f} %" for name in names)


def _text(label: str, flow: Flow, found: Measured) -> str:
    rows = tuple(
        (
            name,
            f"{found['gain'][name]:.3f}",
            f"{found['slope'][name]:.3f}",
            f"{found['stopped'][name]:.1f} %",
            f"{found['dead'][name]:.1f} %",
        )
        for name in found["slope"]
    )
    header = ("sign", "gain", "slope", "stopped", "dead")
    title = f"Gradient flow of the trained network, {label}"
    nets = [
        target.table()
        for target in flow.targets.values()
        if any(edge.module in found["slope"] for edge in target.edges)
    ]
    return "\n\n".join([title, str(flow), *nets, as_text(Table(label, header, rows))])
