"""Figs. 3 and 6: distributions of nets, base against dropout and against GAAF.

Fig. 3 (of both versions) shows the inputs of tanh for the MNIST test images after
training without and with dropout, Fig. 6 (Fig. 5 of version A) the same without and
with GAAF. The paper has no numbers; sections 3.2 and 5.1 describe the figures in words:
dropout and GAAF push nets into the saturation area of tanh, GAAF less than dropout, and
higher layers have more nets there. "Saturated" is here |z| > 2, where tanh's slope is
below 0.071; the share beyond 3 stands beside it, because the bound is a choice.

Measured are the outputs of layer1 to layer3 in evaluation mode, after the last epoch.
Controls: the norm of each layer's weights, also relative to that before training, shows
whether nets are wider because weights are larger, as they become the longer or faster a
network learns, or because weights of the same size agree better with their inputs. And
GAAF makes gradients larger, the lower the layer the more, as larger learning rates do:
so there is a base network with rates of 8, 4, 2 and 1 times the usual.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy
from numpy import ndarray

from minigrad.backend import to_host
from models.experiments.claims import Claim, Ordered, Quantity, Record
from models.experiments.experiment import Experiment
from models.experiments.figures import COLOURS
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std
from models.gaaf import common
from models.gaaf.arms import LABELS
from models.gaaf.common import (
    DECISIVE,
    LAYERS,
    MAIN,
    PAPER,
    RECIPE,
    explain,
    prepare,
    presets,
)
from models.gaaf.measures.nodes import on_test_set

SATURATED = 2.0
"""|z| beyond which tanh counts as saturated."""
EDGES = numpy.linspace(-10, 10, 81)
"""Of the histogram of nets; SATURATED is one of them."""
RATES = "rate842"
"""The control arm."""
ARMS = (*MAIN, RATES)

PRESETS = presets()


def _share(arm: str, layer: str) -> Quantity:
    return Quantity(arm, f"nets.{layer}.beyond2", f"{LABELS[arm]} {layer}")


def _below(smaller: str, larger: str, layers: Sequence[str] = LAYERS) -> Ordered:
    # The figures print no numbers, so the opposite order is what counts against it.
    pairs = tuple((_share(smaller, layer), _share(larger, layer)) for layer in layers)
    return Ordered(pairs, (0.0,) * len(pairs))


CLAIMS = (
    Claim(
        "with dropout more nets are saturated, in every layer (% with |z| > 2)",
        "in words: `has more net values in the saturation area of tanh`",
        "section 3.2 and Fig. 3",
        _below("base", "dropout"),
        **DECISIVE,
    ),
    Claim(
        "with dropout the higher layer has more nets in the saturation area "
        "(% with |z| > 2, layer1 < layer2 < layer3)",
        "in words: `the higher layer has more net values in the saturation area`",
        "section 3.2 and Fig. 3",
        Ordered(
            (
                (_share("dropout", "layer1"), _share("dropout", "layer2")),
                (_share("dropout", "layer2"), _share("dropout", "layer3")),
            ),
            (0.0, 0.0),
        ),
        **DECISIVE,
    ),
    Claim(
        "with GAAF more nets are saturated, in every layer (% with |z| > 2)",
        "in words: `GAAF pushes the net to the saturation area`",
        "section 5.1 and Fig. 6",
        _below("base", "gaaf"),
        **DECISIVE,
    ),
    Claim(
        "GAAF's difference to the base is not as large as dropout's, in every layer "
        "(% with |z| > 2)",
        "in words: `the difference is not as large as in dropout`",
        "section 5.1 and Figs. 3 and 6",
        _below("gaaf", "dropout"),
        **DECISIVE,
    ),
    Claim(
        "GAAF's difference to the base is not as large as dropout's, over the nets of "
        "all three layers together (% with |z| > 2)",
        "in words: `the difference is not as large as in dropout`",
        "section 5.1 and Figs. 3 and 6, read as a whole",
        _below("gaaf", "dropout", ("all",)),
        **DECISIVE,
    ),
    Claim(
        "control: with GAAF more nets are saturated than in a base with equally larger "
        "learning rates, in every layer (% with |z| > 2)",
        "not in the paper",
        "control of Fig. 6",
        _below(RATES, "gaaf"),
        **DECISIVE,
    ),
)


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network and measure its nets."""
    return common.train(job, hooks, measure)


def measure(training: Training, job: Job) -> dict[str, Any]:
    """Describe the nets of each layer for the test images, and of all together."""
    found = on_test_set(training, *LAYERS)
    start = common.build(job.config, job.arm, job.seed)
    nets: dict[str, Any] = {"all": describe([found[layer] for layer in LAYERS])}
    for layer in LAYERS:
        norm = weight_norm(training, layer)
        nets[layer] = {
            **describe([found[layer]]),
            "weight_norm": norm,
            "weight_growth": norm / weight_norm(start, layer),
            "histogram": numpy.histogram(found[layer], EDGES)[0].tolist(),
            "count": found[layer].size,
        }
    return {"nets": nets}


def describe(nets: Sequence[ndarray]) -> dict[str, float]:
    """Standard deviation of nets, and the % of them with |z| > 2 and > 3."""
    z = numpy.concatenate([one.ravel() for one in nets]).astype("float64")
    return {
        "std": float(z.std()),
        "beyond2": float(100 * (numpy.abs(z) > SATURATED).mean()),
        "beyond3": float(100 * (numpy.abs(z) > 3).mean()),
    }


def weight_norm(training: Training, layer: str) -> float:
    """Euclidean norm of a layer's weight."""
    model: Any = training.model
    return float(numpy.linalg.norm(to_host(getattr(model, layer).weight.data)))


def density(measured: Mapping[str, Any]) -> ndarray:
    """Density of nets by bin of EDGES; nets beyond them count in the whole."""
    return numpy.array(measured["histogram"]) / (measured["count"] * numpy.diff(EDGES))


def tables(records: Sequence[Record]) -> list[Table]:
    """Nets by layer and arm; the paper has none but the figures."""
    title = f"Nets, the inputs of tanh: mean (std) over n = {len(records)}"
    header = (
        "layer",
        "model",
        "std of nets",
        "% with |z| > 2",
        "% with |z| > 3",
        "norm of weights",
        "to that at the start",
    )
    rows = [_row(arm, layer, records) for layer in LAYERS for arm in ARMS]
    rows += [_row(arm, "all", records) for arm in ARMS]
    return [Table(title, header, tuple(rows))]


def _row(arm: str, layer: str, records: Sequence[Record]) -> tuple[str, ...]:
    found = [record["arms"][arm]["nets"][layer] for record in records]

    def measured(metric: str, form: str) -> str:
        if metric not in found[0]:
            return "-"
        return mean_std([one[metric] for one in found], form)

    return (
        layer,
        LABELS[arm],
        measured("std", ".2f"),
        measured("beyond2", ".1f"),
        measured("beyond3", ".1f"),
        measured("weight_norm", ".1f"),
        measured("weight_growth", ".2f"),
    )


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Density of nets in each layer: base and dropout above, base and GAAF below."""
    axes = figure.subplots(2, len(LAYERS), sharex=True, sharey="col")
    for row, (arm, name) in enumerate((("dropout", "Fig. 3"), ("gaaf", "Fig. 6"))):
        for column, layer in enumerate(LAYERS):
            one = axes[row, column]
            for shown in ("base", arm):
                _draw_density(one, shown, layer, records)
            one.axvspan(EDGES[0], -SATURATED, color="#777777", alpha=0.12, linewidth=0)
            one.axvspan(SATURATED, EDGES[-1], color="#777777", alpha=0.12, linewidth=0)
            one.set_title(f"{name}, {layer}: base and {LABELS[arm]}")
        axes[row, 0].set_ylabel("density of nets, band: seeds")
    for one in axes[1]:
        one.set_xlabel("net z, the input of tanh")
        one.set_xlim(-8, 8)
        one.set_xticks(range(-8, 9, 2))
        one.set_ylim(bottom=0)
    shown = [*axes[0, 0].get_lines(), axes[1, 0].get_lines()[1]]
    area = axes[0, 0].fill_between(
        [], [], color="#777777", alpha=0.12, linewidth=0, label="|z| > 2: saturated"
    )
    figure.legend(handles=[*shown, area], loc="outside lower center", ncols=4)


def _draw_density(axes: Any, arm: str, layer: str, records: Sequence[Record]) -> None:
    densities = [density(record["arms"][arm]["nets"][layer]) for record in records]
    middles = (EDGES[1:] + EDGES[:-1]) / 2
    colour = COLOURS[MAIN.index(arm)]
    axes.plot(middles, numpy.mean(densities, axis=0), color=colour, label=LABELS[arm])
    low, high = numpy.min(densities, axis=0), numpy.max(densities, axis=0)
    axes.fill_between(middles, low, high, color=colour, alpha=0.25, linewidth=0)


FIG3 = Experiment(
    id="gaaf.fig3",
    aliases=("gaaf.fig5", "gaaf.fig6"),
    recipe=RECIPE,
    title="distributions of nets of base, +dropout and +GAAF networks",
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
    figure_size=(11, 6.2),
    explain=explain,
)
