"""Beyond the paper: GAAF, dropout and base after equal epochs, and after equal time.

Section 4 states that GAAF has dropout's effect "but it converges faster", section 5.1
that it needs fewer epochs. Table 4 counts epochs until each network's own best; here
networks are compared on the way, by epochs and by seconds, and by when they reach a
validation accuracy: the highest of some whole percents that all of them reach.

The networks are those of Table 4. An epoch takes the median of all epochs of the
training, with its evaluation and its measuring of gradients. Each training ran on one
thread with others beside it, so times say how networks compare, and no more than that.
Between the ends of epochs accuracies are interpolated.
"""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from models.experiments.claims import Record
from models.experiments.experiment import Experiment
from models.experiments.figures import COLOURS
from models.experiments.metrics import History
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table
from models.experiments.verdicts import mean_and_std, mean_std, mean_std_of
from models.gaaf import common
from models.gaaf.arms import LABELS
from models.gaaf.common import MAIN, PAPER, RECIPE, explain, prepare, presets
from models.gaaf.equal_time_claims import (
    AFTER,
    CLAIMS,
    LEVELS,
    after,
    common_level,
    epoch_seconds,
    epochs_to_level,
    in_time_of,
    seconds_to_level,
)
from models.gaaf.measures.curves import curve

PRESETS = presets(seeds=5)


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network, and note when it was how accurate."""
    result = common.train(job, hooks)
    return {**result, **progress(result["history"])}


def progress(history: History) -> dict[str, Any]:
    """Read from the epochs of a training what is compared.

    after: test accuracy after AFTER epochs, or the last if there are fewer. reached:
    the first epoch whose validation accuracy is at each of LEVELS, or None.
    """
    last = len(history)
    return {
        "epoch_seconds": statistics.median(epoch["seconds"] for epoch in history),
        "after": {
            str(count): history[min(count, last) - 1]["test_accuracy"]
            for count in AFTER
        },
        "reached": {str(level): _first(history, level) for level in LEVELS},
        "curve": curve(history, {"test_accuracy": lambda one: one["test_accuracy"]}),
    }


def _first(history: History, level: float) -> int | None:
    epochs = enumerate(history, 1)
    reached = (n for n, epoch in epochs if epoch["validation_accuracy"] >= level)
    return next(reached, None)


def tables(records: Sequence[Record]) -> list[Table]:
    """Accuracies after equal epochs and equal time; epochs and time to an accuracy."""
    title = f"mean (std) over n = {len(records)}"
    return [
        Table(
            f"Test accuracy in % after equal epochs, and after equal time: {title}",
            (
                "model",
                *(f"{count} epochs" for count in AFTER),
                *(f"time of {count} epochs of the base" for count in AFTER[:-1]),
                "when the fastest is done",
            ),
            tuple(_accuracies(arm, records) for arm in MAIN),
        ),
        Table(
            f"Epochs and time: {title}",
            (
                "model",
                "s per epoch",
                "/ base",
                f"epochs to {_levels(records)} % (validation)",
                "s",
                "epochs to 98 %",
                "s",
            ),
            tuple(_times(arm, records) for arm in MAIN),
        ),
    ]


def _levels(records: Sequence[Record]) -> str:
    """Name the level that all networks of a seed reach; it may differ by seed."""
    found = sorted({level for r in records if (level := common_level(r))})
    return "-".join(map(str, dict.fromkeys((found[0], found[-1])))) if found else "?"


def _accuracies(arm: str, records: Sequence[Record]) -> tuple[str, ...]:
    quantities = (
        *(after(arm, count) for count in AFTER),
        *(in_time_of(arm, count) for count in (*AFTER[:-1], None)),
    )
    return (LABELS[arm], *(mean_std_of(one, records, ".2f") for one in quantities))


def _times(arm: str, records: Sequence[Record]) -> tuple[str, ...]:
    return (
        LABELS[arm],
        mean_std_of(epoch_seconds(arm), records, ".2f"),
        "1"
        if arm == "base"
        else mean_std_of(epoch_seconds(arm, "base"), records, ".2f"),
        mean_std_of(epochs_to_level(arm), records, ".1f"),
        mean_std_of(seconds_to_level(arm), records, ".1f"),
        *_to_98(arm, records),
    )


def _to_98(arm: str, records: Sequence[Record]) -> tuple[str, str]:
    found: list[Mapping[str, Any]] = [record["arms"][arm] for record in records]
    reached = [one["reached"]["98"] for one in found]
    if None in reached:
        count = len(reached) - reached.count(None)
        return f"in {count} of {len(reached)}", "-"
    seconds = [one["epoch_seconds"] for one in found]
    times = [epoch * time for epoch, time in zip(reached, seconds, strict=True)]
    return mean_std(reached, ".1f"), mean_std(times, ".1f")


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Test accuracy over epochs and over seconds: mean, and a band of one std."""
    left, right = figure.subplots(1, 2, sharey=True)
    floor = 100.0
    for arm, colour in zip(MAIN, COLOURS, strict=False):
        epochs, means, stds = _mean_curve(arm, records)
        times = [epoch_seconds(arm).of(record) for record in records]
        seconds = [epoch * statistics.fmean(times) for epoch in epochs]
        low = [mean - std for mean, std in zip(means, stds, strict=True)]
        high = [mean + std for mean, std in zip(means, stds, strict=True)]
        for axes, places in ((left, epochs), (right, seconds)):
            axes.plot(places, means, color=colour, label=LABELS[arm])
            axes.fill_between(places, low, high, color=colour, alpha=0.2, linewidth=0)
        # The first epochs are far below all that is to be told apart.
        floor = min(floor, min(means[2:] or means))
    left.set_ylim(floor - 0.02 * (100 - floor), None)
    left.set_xlabel("epoch")
    left.set_ylabel("test accuracy (%)")
    left.set_title("Equal epochs: mean, band of one std over seeds")
    left.legend(loc="lower right")
    right.set_xlabel("seconds of training on one thread")
    right.set_title("Equal time: the same")


def _mean_curve(
    arm: str, records: Sequence[Record]
) -> tuple[list[int], list[float], list[float]]:
    """Epochs that all seeds have, and mean and std of the test accuracy after them."""
    histories = [record["arms"][arm]["history"] for record in records]
    count = min(map(len, histories))
    spreads = [
        mean_and_std([history[index]["test_accuracy"] for history in histories])
        for index in range(count)
    ]
    epochs = list(range(1, count + 1))
    return epochs, [mean for mean, _ in spreads], [std for _, std in spreads]


EQUAL_TIME = Experiment(
    id="gaaf.equal_time",
    recipe=RECIPE,
    title="accuracy after equal epochs and after equal time, GAAF, dropout and base",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=MAIN,
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(11, 4.4),
    explain=explain,
)
