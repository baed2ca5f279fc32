"""Beyond the paper: accuracy with 2 to 8 hidden layers of signs.

Section 3.3 says of the identity, STE, that it "correctly retrieves the sign when
considering a single layer", which "is not guaranteed when backpropagating through
hidden layers"; section 4 trains networks of two and three signs only. If that is what
makes STE worse, depth should cost it most. Here all hidden layers have one width and
end in a sign; rate, weight decay and start are those of the MNIST experiments. The rate
is the paper's for every depth: it trains eight layers too.

Control: networks of tanh, without a sign, which show what depth itself costs. Beside
accuracy stands how the norm of the gradient at the first layer's nets compares with
that at the last hidden layer's, and which part of that the activations alone account
for, before training and after it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from minigrad.inspect import Flow
from models.experiments.claims import Quantity, Record
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.figures import COLOURS
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.trained import record_flow, train_and_measure
from models.experiments.verdicts import mean_and_std, mean_std_of
from models.gradient_adapter import common
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.common import PAPER, MlpConfig, MnistConfig, prepare
from models.gradient_adapter.depth_claims import (
    CLAIMS,
    DEPTHS,
    KINDS,
    accuracy,
    name_of,
)

NETWORKS = {name_of(kind, n): (kind, n) for n in DEPTHS for kind in KINDS}
FLOW_IMAGES = 500
"""The first so many training images give the gradient that is looked at."""
WHEN = {"start": "before training", "end": "after it"}


@dataclass(frozen=True, kw_only=True)
class DepthConfig(MnistConfig):
    """One scale of the experiment.

    Attributes:
        width: of every hidden layer.
    """

    width: int


PRESETS = {
    "tiny": Preset(
        DepthConfig(
            "digits",
            epochs=4,
            width=32,
            max_examples=1415,
            batch_size=32,
            learning_rate=1e-3,
        ),
        3,
        "seconds, offline",
    ),
    "small": Preset(
        DepthConfig("mnist", epochs=20, width=200, max_examples=10_000),
        3,
        "10,000 images of MNIST, minutes",
    ),
    "full": Preset(
        DepthConfig("mnist", epochs=200, width=500), 5, "all of MNIST, a day"
    ),
}


def with_depth(config: Any, depth: int) -> MlpConfig:
    """Configure the usual network, with so many hidden layers of config.width."""
    same = {field.name: getattr(config, field.name) for field in fields(MnistConfig)}
    return MlpConfig(**same, hidden=(config.width,) * depth)


def build(config: DepthConfig, arm: str, seed: int) -> Training:
    """Build the network of an arm and its optimiser, untrained."""
    kind, depth = NETWORKS[arm]
    return common.build(with_depth(config, depth), kind, seed)


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network; look at its gradient before and after."""
    return train_and_measure(job, hooks, build, measure)


def measure(training: Training, job: Job) -> dict[str, Any]:
    """Compare gradients of the first and last nets, before training and after."""
    untrained = build(job.config, job.arm, job.seed)
    return {
        "start": reach(record_flow(untrained, FLOW_IMAGES)),
        "end": reach(record_flow(training, FLOW_IMAGES)),
    }


def reach(flow: Flow) -> dict[str, Any]:
    """Say how much of the gradient at the last hidden nets arrives at the first ones.

    Returns "norms", of the gradients of the nets, from layer1 on; "ratio", the first of
    them by the last, 0 if both are; "activations", the product of the gains of all
    activations that lie between; the weights account for the rest of the ratio.
    """
    count = sum(name.startswith("activation") for name in flow.targets)
    norms = [
        flow.into(f"layer{number}/linear#1").measures.norm
        for number in range(1, count + 1)
    ]
    return {
        "norms": norms,
        "ratio": norms[0] / norms[-1] if norms[-1] else 0.0,
        "activations": math.prod(common.gains(flow)[1:]),
    }


# -- tables ----------------------------------------------------------------------------


def tables(records: Sequence[Record]) -> list[Table]:
    """Accuracies by depth, and what arrives of the gradient."""
    return [_accuracies(records), _gradients(records)]


def _accuracies(records: Sequence[Record]) -> Table:
    title = (
        "Accuracy and training loss by hidden layers; mean (std) over n = "
        f"{len(records)}; nothing published"
    )
    header = (
        *("estimator", "hidden layers", "best test accuracy %", "last"),
        *("best epoch", "last training loss, nats"),
    )
    columns = (
        ("best_test_accuracy", ".2f"),
        ("last_test_accuracy", ".2f"),
        ("best_test_epoch", ".1f"),
        ("last_train_loss", ".4f"),
    )
    return Table(title, header, _rows(columns, records))


def _gradients(records: Sequence[Record]) -> Table:
    title = (
        "Norm of the gradient at the first hidden nets by that at the last, and the "
        "product of the activations' gains between them; mean (std) over n = "
        f"{len(records)}"
    )
    header = ["estimator", "hidden layers"]
    for when in WHEN.values():
        header += [f"ratio {when}", f"activations {when}"]
    columns = [
        (f"{when}.{name}", ".3g") for when in WHEN for name in ("ratio", "activations")
    ]
    return Table(title, tuple(header), _rows(columns, records))


def _rows(
    columns: Sequence[tuple[str, str]], records: Sequence[Record]
) -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            LABELS[kind],
            str(depth),
            *(
                mean_std_of(Quantity(arm, metric, ""), records, form)
                for metric, form in columns
            ),
        )
        for arm, (kind, depth) in NETWORKS.items()
    )


# -- figure ----------------------------------------------------------------------------


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw accuracy, training loss and what arrives of the gradient, by depth."""
    left, middle, right = figure.subplots(1, 3)
    for index, kind in enumerate(KINDS):
        _line(left, index, kind, "best_test_accuracy", "-", records)
        _line(middle, index, kind, "last_train_loss", "-", records)
        _line(right, index, kind, "start.ratio", ":", records)
        _line(right, index, kind, "end.ratio", "-", records)
    spread = "" if len(records) < 2 else ", bars: ± 1 std"
    left.set_title(f"Accuracy, n = {len(records)}{spread}")
    left.set_ylabel("best test accuracy (%)")
    middle.set_title("Training loss, last epoch")
    middle.set_ylabel("mean cross-entropy (nats)")
    right.set_title("Gradient that arrives")
    right.set_ylabel("norm at first nets / at last hidden nets")
    right.set_yscale("log")
    for style, when in ((":", "start"), ("-", "end")):
        right.plot([], [], style, color="black", label=WHEN[when])
    for axes in (left, middle, right):
        axes.set_xticks(DEPTHS)
        axes.set_xlabel("hidden layers")
    left.legend(fontsize=9)
    right.legend(fontsize=9)


def _line(
    axes: Any, index: int, kind: str, metric: str, style: str, records: Sequence[Record]
) -> None:
    """Draw a metric by depth; kinds are moved aside a little, so that bars are seen."""
    spreads = [
        mean_and_std([accuracy(kind, depth, metric).of(one) for one in records])
        for depth in DEPTHS
    ]
    places = [depth + 0.1 * (index - 1.5) for depth in DEPTHS]
    axes.errorbar(
        places,
        [mean for mean, _ in spreads],
        yerr=[std for _, std in spreads],
        fmt="os^D"[index] + style,
        color=COLOURS[index],
        markersize=4,
        capsize=2,
        label=LABELS[kind] + (", no sign" if kind == "tanh" else "")
        if metric == "best_test_accuracy"
        else None,
    )


def explain(config: DepthConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Compare what the activations of the deepest networks let through."""
    deepest = DEPTHS[-1]
    signs = KINDS[:-1]
    paths = {kind: checkpoints[name_of(kind, deepest)] for kind in signs}
    return common.explain(with_depth(config, deepest), paths, signs)


DEPTH = Experiment(
    id="bpga.depth",
    recipe="bpga.depth",
    title="accuracy with 2 to 8 hidden layers of signs: STE, SSTE, BPGA",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=tuple(NETWORKS),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(12.5, 4.2),
    explain=explain,
)
