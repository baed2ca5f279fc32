"""The summary of a run: claims with verdicts, and every seed's numbers."""

from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from models.experiments.errors import RunError
from models.experiments.experiment import Experiment
from models.experiments.tables import as_text, claims_text
from models.experiments.verdicts import Decision, decide

SHOWN = ("id", "preset", "dataset", "seeds", "claims")
"""What `run --json` prints of a summary."""

CIRCUMSTANCES = (
    "config",
    "config_hash",
    "backend",
    "versions",
    "hardware",
    "commit",
    "finished_time",
)


def make_summary(
    experiment: Experiment,
    preset: str,
    dataset: str,
    records: Sequence[Mapping[str, Any]],
    circumstances: Mapping[str, Any],
) -> dict[str, Any]:
    """Collect what a results file holds; records go in without their histories."""
    numbers = [without_histories(record) for record in records]
    decisions = decide_all(experiment, preset, dataset, numbers)
    return {
        "id": experiment.id,
        "preset": preset,
        "dataset": dataset,
        "seeds": len(records),
        "claims": [as_json(decision) for decision in decisions],
        **{name: circumstances[name] for name in CIRCUMSTANCES},
        "training_seconds": round(_training_seconds(records), 1),
        "records": numbers,
    }


def _training_seconds(records: Sequence[Mapping[str, Any]]) -> float:
    """Processor time of training and measuring, summed over processes."""
    return sum(
        arm["training_seconds"] + arm.get("measuring_seconds", 0)
        for record in records
        for arm in record["arms"].values()
    )


def without_histories(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a seed's record without what it holds for every epoch."""
    arms = {
        arm: {name: value for name, value in metrics.items() if name != "history"}
        for arm, metrics in record["arms"].items()
    }
    return {**record, "arms": arms}


def decide_all(
    experiment: Experiment,
    preset: str,
    dataset: str,
    records: Sequence[Mapping[str, Any]],
) -> list[Decision]:
    """Decide every claim of the experiment, in its order."""
    return [decide(claim, records, preset, dataset) for claim in experiment.claims]


def as_json(decision: Decision) -> dict[str, str]:
    """Return a decision as JSON holds it."""
    return {
        "name": decision.claim.name,
        "published": decision.claim.published,
        "source": decision.claim.source,
        "measured": decision.measured,
        "verdict": str(decision.verdict),
        "test": decision.test,
    }


def decisions_of(experiment: Experiment, summary: Mapping[str, Any]) -> list[Decision]:
    """Decide the claims again from the numbers that a summary holds.

    Raises RunError if it lacks what the experiment of today asks for.
    """
    with expected_numbers(experiment):
        return decide_all(
            experiment, summary["preset"], summary["dataset"], summary["records"]
        )


@contextmanager
def expected_numbers(experiment: Experiment) -> Generator[None]:
    """Raise RunError where the block misses a number in a summary."""
    try:
        yield
    except KeyError as error:
        raise RunError(
            f"{experiment.id}: a summary lacks {error}, so it is of an older version "
            "of the experiment; delete its folder and run it again"
        ) from None


def show_results(experiment: Experiment, summary: Mapping[str, Any]) -> None:
    """Print the tables of published beside measured numbers, and the verdicts."""
    published = experiment.published_datasets
    with expected_numbers(experiment):
        measured, tables = summary["dataset"], experiment.tables(summary["records"])
    if measured not in published:
        names = ", ".join(published)
        print(f"\npublished numbers are of {names}, measured ones of {measured}")
    for table in tables:
        print(f"\n{as_text(table)}")
    print(f"\n{claims_text(decisions_of(experiment, summary))}")
