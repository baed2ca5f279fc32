"""The panels of bpga.flow."""

from collections.abc import Sequence
from typing import Any

from models.experiments.claims import Quantity, Record
from models.experiments.figures import COLOURS
from models.experiments.verdicts import mean_and_std
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.flow_claims import ESTIMATORS, LAYERS

ROWS = (
    ("main.cosine", "cosine with the smoothed slope"),
    ("main.norm", "norm / that of the smoothed slope"),
    ("spread", "variance / squared mean,\nweights' gradient over minibatches"),
)


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw cosines, norms and variances by layer, a column for each network."""
    panels = figure.subplots(len(ROWS), len(ESTIMATORS), sharex=True, sharey="row")
    for row, (metric, label) in zip(panels, ROWS, strict=True):
        for axes, arm in zip(row, ESTIMATORS, strict=True):
            for index, name in enumerate(ESTIMATORS):
                _line(axes, index, arm, metric, name, records)
        row[0].set_ylabel(label)
    for axes, arm in zip(panels[0], ESTIMATORS, strict=True):
        axes.set_title(f"network trained with {LABELS[arm]}")
    for axes in panels[1]:
        axes.set_yscale("log")
        axes.axhline(1, color="#777777", linewidth=0.8)
    for axes in panels[2]:
        axes.set_ylim(0, None)
        axes.set_xticks(range(1, len(LAYERS) + 1))
        axes.set_xlabel("hidden layer, from the input")
    spread = "" if len(records) < 2 else ", bars: ± 1 std"
    figure.legend(
        *panels[0][0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(ESTIMATORS),
        title=f"gradient estimated by; n = {len(records)}{spread}",
    )


def _line(
    axes: Any, index: int, arm: str, metric: str, name: str, records: Sequence[Record]
) -> None:
    """Draw an estimator's metric by layer, moved aside a little, so bars are seen."""
    quantities = [Quantity(arm, f"{metric}.{name}.{layer}", "") for layer in LAYERS]
    spreads = [mean_and_std([one.of(r) for r in records]) for one in quantities]
    axes.errorbar(
        [number + 0.06 * (index - 1) for number in range(1, len(LAYERS) + 1)],
        [mean for mean, _ in spreads],
        yerr=[std for _, std in spreads],
        fmt="os^"[index] + "-",
        color=COLOURS[index],
        markersize=4,
        capsize=2,
        label=LABELS[name],
    )
