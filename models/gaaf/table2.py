"""Table 2 and section 5.1: gradient information G_k (eq. 5) while networks train.

The paper's G averages over all iterations. Networks that fit their training set have
small gradients, so such a mean also compares how long they trained: the control column,
"ratio in epoch", compares them in one and the same epoch.

The three GAAF numbers are printed in section 5.1 without their layers: 1.15E-3,
6.43E-4, 1.78E-4. They are taken as layer1, layer2, layer3, because a stack of GAAF
layers amplifies gradients towards the input.
"""

from collections.abc import Sequence
from typing import Any

from models.experiments.claims import Claim, Near, Ordered, Quantity, Record
from models.experiments.experiment import Experiment
from models.experiments.figures import COLOURS
from models.experiments.tables import Table
from models.experiments.verdicts import mean_and_std, mean_std
from models.gaaf.arms import LABELS
from models.gaaf.common import (
    LAYERS,
    MAIN,
    PAPER,
    RECIPE,
    explain,
    prepare,
    presets,
    train,
)

PUBLISHED = {
    "base": {"layer1": 1.07e-4, "layer2": 1.40e-4, "layer3": 9.35e-5},
    "dropout": {"layer1": 5.93e-4, "layer2": 6.52e-4, "layer3": 5.83e-4},
    "gaaf": {"layer1": 1.15e-3, "layer2": 6.43e-4, "layer3": 1.78e-4},
}

PRESETS = presets()


def _ratio(arm: str, layer: str, label: str = "") -> Quantity:
    return Quantity(arm, f"gradient_batch.{layer}", label or layer, per="base")


def _published_ratio(arm: str, layer: str) -> float:
    return PUBLISHED[arm][layer] / PUBLISHED["base"][layer]


def _more_than_base(arm: str) -> Ordered:
    return Ordered(
        tuple((1.0, _ratio(arm, layer)) for layer in LAYERS),
        tuple(_published_ratio(arm, layer) for layer in LAYERS),
        logarithmic=True,
    )


def _ratios_text(arm: str) -> str:
    return ", ".join(f"{layer} {_published_ratio(arm, layer):.1f}" for layer in LAYERS)


def _gradient(arm: str, layer: str) -> Quantity:
    return Quantity(arm, f"gradient_batch.{layer}", f"{LABELS[arm]} {layer}")


CLAIMS = (
    Claim(
        "dropout lets more gradient through than the base, in every layer "
        "(G / G of the base)",
        _ratios_text("dropout"),
        "Table 2",
        _more_than_base("dropout"),
    ),
    Claim(
        "GAAF lets more gradient through than the base, in every layer "
        "(G / G of the base)",
        _ratios_text("gaaf"),
        "section 5.1 and Table 2",
        _more_than_base("gaaf"),
    ),
    Claim(
        "dropout's gradient is around five times the base's (layer2, within 2.5)",
        "4.7 in layer2, 5.5 in layer1, 6.2 in layer3",
        "Table 2; section 3.2, `around five times larger`",
        Near(_ratio("dropout", "layer2"), 5.0, 2.5),
        presets=("full",),
        datasets=("mnist",),
    ),
    Claim(
        "GAAF raises the gradient most in layer1, least in layer3 (G / G of the base)",
        "10.7 > 4.6 > 1.9; the order of the layers is not printed",
        "section 5.1",
        Ordered(
            (
                (_ratio("gaaf", "layer3"), _ratio("gaaf", "layer2")),
                (_ratio("gaaf", "layer2"), _ratio("gaaf", "layer1")),
            ),
            (2.4, 2.3),
            logarithmic=True,
        ),
        presets=("small", "full"),
        datasets=("mnist",),
    ),
    Claim(
        "GAAF's gradients are as large as dropout's, or larger, in layer1 and layer2",
        "layer1 1.15E-3 against 5.93E-4, layer2 6.43E-4 against 6.52E-4",
        "section 5.1, `as large as by dropout`",
        Ordered(
            tuple(
                (_gradient("dropout", layer), _gradient("gaaf", layer))
                for layer in ("layer1", "layer2")
            ),
            (1.0, 1.0),
            logarithmic=True,
        ),
        form=".2e",
    ),
)


def tables(records: Sequence[Record]) -> list[Table]:
    """Table 2 with measured columns beside the published ones."""
    rows = tuple(_row(arm, layer, records) for layer in LAYERS for arm in MAIN)
    title = (
        f"Table 2: G of each hidden layer, mean (std) over n = {len(records)}; "
        "ratios are to the base"
    )
    header = (
        "layer",
        "model",
        "G published",
        "G_batch measured",
        "ratio published",
        "ratio measured",
        f"ratio in epoch {records[0]['arms']['base']['control_epoch']}",
        "G_sample measured",
    )
    return [Table(title, header, rows)]


def _row(arm: str, layer: str, records: Sequence[Record]) -> tuple[str, ...]:
    def measured(metric: str, form: str, per: str | None = None) -> str:
        quantity = Quantity(arm, f"{metric}.{layer}", "", per)
        return mean_std([quantity.of(record) for record in records], form)

    def ratio(text: str) -> str:
        return "1" if arm == "base" else text

    return (
        layer,
        LABELS[arm],
        f"{PUBLISHED[arm][layer]:.2e}",
        measured("gradient_batch", ".2e"),
        ratio(f"{_published_ratio(arm, layer):.1f}"),
        ratio(measured("gradient_batch", ".2f", "base")),
        ratio(measured("gradient_batch_control", ".2f", "base")),
        measured("gradient_sample", ".2e"),
    )


def draw(figure: Any, records: Sequence[Record]) -> None:
    """G of each layer, published and measured; G of layer1 by epoch."""
    left, right = figure.subplots(1, 2)
    for index, (arm, colour) in enumerate(zip(MAIN, COLOURS, strict=False)):
        _draw_layers(left, arm, 0.24 * (index - 1), colour, records)
        for seed, record in enumerate(records):
            history = record["arms"][arm]["history"]
            right.plot(
                range(1, len(history) + 1),
                [epoch["gradient_batch"]["layer1"] for epoch in history],
                color=colour,
                alpha=0.7,
                label=None if seed else LABELS[arm],
            )
    left.set_xticks(range(len(LAYERS)), LAYERS)
    left.set_yscale("log")
    left.set_ylabel("gradient information G (nats per unit of weight)")
    left.set_title("Mean over training")
    right.set_yscale("log")
    right.set_xlabel("epoch")
    right.set_ylabel("G of layer1 (nats per unit of weight)")
    right.set_title("Control: layer1 by epoch, a line per seed")
    # The first marker of each kind stands for all of them.
    left.plot([], [], "s", color="#777777", markerfacecolor="none", label="published")
    left.plot([], [], "o", color="#777777", label="measured")
    lines = [*right.get_lines(), *left.get_lines()]
    named = [line for line in lines if not line.get_label().startswith("_")]
    figure.legend(handles=named, loc="outside lower center", ncols=len(named))


def _draw_layers(
    axes: Any, arm: str, shift: float, colour: str, records: Sequence[Record]
) -> None:
    spreads = [
        mean_and_std([_gradient(arm, layer).of(record) for record in records])
        for layer in LAYERS
    ]
    places = [place + shift for place in range(len(LAYERS))]
    axes.plot(
        [place - 0.05 for place in places],
        [PUBLISHED[arm][layer] for layer in LAYERS],
        marker="s",
        linestyle="",
        markerfacecolor="none",
        color=colour,
    )
    axes.errorbar(
        [place + 0.05 for place in places],
        [mean for mean, _ in spreads],
        yerr=[std for _, std in spreads],
        fmt="o",
        capsize=3,
        color=colour,
    )


TABLE2 = Experiment(
    id="gaaf.table2",
    recipe=RECIPE,
    title="gradient information per layer of base, +dropout and +GAAF networks",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_dataset="mnist",
    arms=MAIN,
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(11, 4.4),
    explain=explain,
)
