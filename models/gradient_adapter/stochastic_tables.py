"""The tables of bpga.stochastic."""

from collections.abc import Iterable, Sequence

from models.experiments.claims import Quantity, Record
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std_of
from models.gradient_adapter.stochastic_claims import (
    COMMON,
    at_step,
    exponent_of,
    of,
    of_size,
    quality,
)
from models.gradient_adapter.stochastic_measures import (
    COSTED,
    ESTIMATORS,
    SIZES,
    STEPS,
)
from models.gradient_adapter.stochastic_training import ARMS

PAPERS_NETWORKS = (
    ("784-500-500-10, of Table 1", 648_010),
    ("convolutional, of Table 2", 4_259_274),
)
"""Of the paper, with their numbers of parameters."""


def tables(records: Sequence[Record]) -> list[Table]:
    """Accuracies; estimates and their steps; cost by size, here and in the paper."""
    return [
        _accuracies(records),
        _qualities(records),
        _by_step(records),
        _costs(records),
        _papers(),
    ]


def _mean(records: Sequence[Record]) -> str:
    return f"mean (std) over n = {len(records)}; nothing published"


def _cells(
    found: Iterable[tuple[Quantity, str]], records: Sequence[Record]
) -> tuple[str, ...]:
    return tuple(mean_std_of(quantity, records, form) for quantity, form in found)


def _accuracies(records: Sequence[Record]) -> Table:
    common = records[0]["arms"][COMMON]["common"]
    columns = (
        ("losses per step", "cost.losses", ".0f"),
        ("s per step, without the update", "cost.step_seconds", ".1e"),
        (f"test accuracy % after {common} steps", "at_common", ".2f"),
        ("steps in all", "steps", ".0f"),
        ("losses in all", "losses", ".0f"),
        ("test accuracy % then", "last_test_accuracy", ".2f"),
    )
    rows = (
        (
            ARMS[arm].label,
            *_cells(((of(arm, name), form) for _, name, form in columns), records),
        )
        for arm in ARMS
    )
    return Table(
        "Training without a backward pass, and with one, which counts as two losses: "
        + _mean(records),
        ("gradient by", *(title for title, *_ in columns)),
        tuple(rows),
    )


def _qualities(records: Sequence[Record]) -> Table:
    columns = (
        ("draws", "draws", ".0f"),
        ("cosine of one", "cosine", ".3f"),
        ("cosine of their mean", "mean_cosine", ".3f"),
        ("variance / squared slope", "variance", ".3g"),
    )
    rows = (
        (
            ARMS[name].label,
            *_cells(((quality(name, key), form) for _, key, form in columns), records),
        )
        for name in ESTIMATORS
    )
    return Table(
        "Estimates at the network that BPGA trained, against the slope of the smoothed "
        "loss, cosines below the signs alone: " + _mean(records),
        ("gradient by", *(title for title, *_ in columns)),
        tuple(rows),
    )


def _by_step(records: Sequence[Record]) -> Table:
    columns = (
        ("parameters below signs with an effect", "seen", ".3f"),
        ("weight differences, cosine", "differences", ".3f"),
        ("SPSA, cosine", "spsa", ".3f"),
        ("output layer: weight differences, cosine", "differences_output", ".4f"),
        ("their error / slope", "output_error", ".1e"),
        ("output layer: SPSA, cosine", "spsa_output", ".3f"),
    )
    rows = (
        (
            f"{step:g}",
            *_cells(((at_step(key, step), form) for _, key, form in columns), records),
        )
        for step in STEPS
    )
    return Table(
        "The same by step of the perturbation, with the mean of N draws of SPSA; at "
        "the output layer against the slope of the loss itself: " + _mean(records),
        ("step", *(title for title, *_ in columns)),
        tuple(rows),
    )


def _costs(records: Sequence[Record]) -> Table:
    rows: list[tuple[str, ...]] = []
    for name in COSTED:
        operations = [(of_size(size, f"{name}.operations"), ".3g") for size in SIZES]
        seconds = [(of_size(size, f"{name}.step_seconds"), ".1e") for size in SIZES]
        power = (exponent_of(name), ".2f")
        rows.append(
            (ARMS[name].label, *_cells([*operations, power, *seconds], records))
        )
    variances = [(of_size(size, "variance"), ".3g") for size in SIZES]
    power = (Quantity(COMMON, "exponents.variance", ""), ".2f")
    cells = _cells([*variances, power], records)
    rows.append(("variance of SPSA, nats^2", *cells, "-", "-", "-"))
    counts = [of_size(size, "weights").of(records[0]) for size in SIZES]
    return Table(
        "Multiply-adds per example, and seconds of the processor per minibatch, of one "
        f"gradient in untrained networks of N parameters: {_mean(records)}",
        (
            "gradient by",
            *(f"N = {count:.0f}" for count in counts),
            "exponent of N",
            *(f"s, N = {count:.0f}" for count in counts),
        ),
        tuple(rows),
    )


def _papers() -> Table:
    return Table(
        "Losses per gradient in the paper's networks, by formula",
        ("network", "N", "weight differences, 2 N", "SPSA", "node perturbation"),
        tuple(
            (name, f"{count:,}", f"{2 * count:,}", "2", "2")
            for name, count in PAPERS_NETWORKS
        ),
    )
