"""Figs. 5 to 8 and section 4.1: how binary hidden outputs become, by adapter.

Networks 784-500-500-10 with I, Htanh or tanh as activations, not sign, are trained by
Adam at 2.5e-4. The paper plots MSE-HLO by epoch, and histograms of the hidden outputs,
without numbers: the MSE-HLO of I rises, those of Htanh and tanh fall, Htanh's is lowest
at first and tanh's in the end. It does not say on which images (here the test set), for
how many epochs, or whether there is weight decay. Section 4.1 names none, so there is
none; 5e-4, as in section 4.2, are further arms.

Epoch 0 is the untrained network. In the first epoch all of them change much; what
"rises" and "falls" is decided from the first epoch to the last.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy

from minigrad import no_grad
from minigrad.inspect import mse_hlo, outputs
from models.experiments.claims import Record
from models.experiments.experiment import Experiment, Explanation
from models.experiments.figures import COLOURS
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.trained import train_and_measure
from models.experiments.verdicts import mean_std_of
from models.gradient_adapter import common
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.common import PAPER, MlpConfig, prepare, presets
from models.gradient_adapter.fig5_claims import (
    CLAIMS,
    DECAY,
    MAIN,
    label_of,
    measured,
)

ARMS = (*MAIN, *(arm + DECAY for arm in MAIN))
PRESETS = presets(tiny={"epochs": 8})
EDGES = numpy.linspace(-1.5, 1.5, 61)
"""Of the histograms' bins; what is beyond counts in the first and last."""
BATCH = 1000
WHEN = ("start", "first", "last")


class HiddenOutputs:
    """Measures hidden outputs on the test images, after each epoch."""

    def __init__(self, training: Training) -> None:
        """Measure those of training."""
        self._training = training

    def watch(self, iteration: int) -> AbstractContextManager[None]:
        """Leave the backward pass alone."""
        return nullcontext()

    def finish_epoch(self) -> dict[str, Any]:
        """Return MSE-HLO, shares of outputs in percent, and their histogram."""
        seen = self._see()
        sizes = numpy.abs(numpy.concatenate([h.ravel() for h in seen]))
        shares = {
            "near_zero": sizes < 0.1,
            "near_one": sizes > 0.9,
            "close_to_one": (sizes > 0.9) & (sizes < 1.1),
        }
        return {
            "mse_hlo": mse_hlo({"hidden": seen}),
            **{name: 100 * float(share.mean()) for name, share in shares.items()},
            "histogram": sum(map(_histogram, seen)).tolist(),  # type: ignore[union-attr]
        }

    def _see(self) -> list[Any]:
        training = self._training
        images = training.examples.test.images
        training.model.eval()
        seen: list[Any] = []
        for start in range(0, len(images), BATCH):
            with no_grad(), outputs(training.model, "activation*") as found:
                training.outputs(images[start : start + BATCH])
            seen += [h for calls in found.values() for h in calls]
        return seen


def _histogram(h: Any) -> numpy.ndarray:
    return numpy.histogram(h.clip(EDGES[0], EDGES[-1]), EDGES)[0]


def build(config: MlpConfig, arm: str, seed: int) -> Training:
    """Build the network of an arm and its optimiser, untrained."""
    decay = 5e-4 if arm.endswith(DECAY) else 0.0
    config = replace(config, weight_decay=decay)
    training = common.build(config, arm.removesuffix(DECAY), seed)
    training.probe = HiddenOutputs(training)
    return training


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network; measure its hidden outputs before, and after each epoch."""
    result = train_and_measure(job, hooks, build, _untrained)
    history = result["history"]
    by_epoch = {"first": history[0], "last": history[-1]}
    for when, epoch in by_epoch.items():
        result[when] = {name: epoch[name] for name in result["start"]}
    return result


def _untrained(training: Training, job: Job) -> dict[str, Any]:
    fresh = build(job.config, job.arm, job.seed)
    return {"start": fresh.probe.finish_epoch()}


def tables(records: Sequence[Record]) -> list[Table]:
    """MSE-HLO and shares of hidden outputs, before training and after epochs."""
    columns = {"MSE-HLO": ("mse_hlo", ".3f"), "|h| < 0.1, %": ("near_zero", ".1f")}
    columns |= {"|h| > 0.9, %": ("near_one", ".1f")}
    header = ["activation"]
    header += [f"{name}: {when}" for name in columns for when in _names(records)]
    rows = tuple(
        (
            label_of(arm),
            *(
                mean_std_of(measured(arm, when, metric), records, form)
                for metric, form in columns.values()
                for when in WHEN
            ),
        )
        for arm in ARMS
    )
    title = f"Hidden outputs on test images, mean (std) over n = {len(records)}"
    return [Table(title, tuple(header), rows)]


def _names(records: Sequence[Record]) -> tuple[str, ...]:
    return "epoch 0", "1", str(records[0]["arms"][ARMS[0]]["epochs_run"])


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Fig. 5, MSE-HLO by epoch; Figs. 6 to 8, histograms of hidden outputs."""
    curves, *panels = figure.subplots(1, 4, width_ratios=(1.5, 1, 1, 1))
    for arm in ARMS:
        _draw_mse(curves, arm, records)
    curves.set_ylim(0)
    curves.xaxis.get_major_locator().set_params(integer=True)
    curves.set_xlabel("epoch")
    curves.set_ylabel("MSE-HLO")
    curves.set_title(f"Fig. 5; mean, band: all seeds, n = {len(records)}")
    curves.legend(fontsize=8, loc="lower left", ncols=2)
    for number, (axes, arm) in enumerate(zip(panels, MAIN, strict=True), 6):
        _draw_histograms(axes, arm, records)
        axes.set_title(f"Fig. {number}, {LABELS[arm]}")
        axes.set_xlabel("hidden output h")
    panels[0].set_ylabel("share of outputs per 0.05 (%)")
    panels[0].legend(fontsize=8, title="epoch")


def _draw_mse(axes: Any, arm: str, records: Sequence[Record]) -> None:
    decays = arm.endswith(DECAY)
    colour = COLOURS[MAIN.index(arm.removesuffix(DECAY))]
    values = numpy.array(
        [
            [
                record["arms"][arm]["start"]["mse_hlo"],
                *(epoch["mse_hlo"] for epoch in record["arms"][arm]["history"]),
            ]
            for record in records
        ]
    )
    epochs = range(values.shape[1])
    axes.plot(
        epochs,
        values.mean(axis=0),
        "--" if decays else "-",
        color=colour,
        label=label_of(arm),
    )
    ends = values.min(axis=0), values.max(axis=0)
    axes.fill_between(epochs, *ends, color=colour, alpha=0.2, linewidth=0)


def _draw_histograms(axes: Any, arm: str, records: Sequence[Record]) -> None:
    names = _names(records)
    for when, name, colour in zip(WHEN, names, ("#BBBBBB", *COLOURS[:2]), strict=True):
        counts = numpy.array([one["arms"][arm][when]["histogram"] for one in records])
        shares = 100 * counts.sum(axis=0) / counts.sum()
        label = name.removeprefix("epoch ")
        axes.stairs(shares, EDGES, color=colour, label=label, linewidth=1.3)
    axes.set_yscale("log")
    axes.set_ylim(0.05, 60)


def explain(config: MlpConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Compare what the trained networks' activations let through."""
    return common.explain(config, checkpoints, MAIN)


FIG5 = Experiment(
    id="bpga.fig5",
    aliases=("bpga.fig6", "bpga.fig7", "bpga.fig8"),
    recipe="bpga.adapters",
    title="MSE-HLO and histograms of hidden outputs with I, Htanh and tanh",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=ARMS,
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(14, 4.2),
    explain=explain,
)
