"""The tables of bpga.flow."""

from collections.abc import Sequence

from models.experiments.claims import Quantity, Record
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std_of
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.flow_claims import ESTIMATORS, LAYERS, PAIRS, SCALES


def tables(records: Sequence[Record]) -> list[Table]:
    """Estimators by network and layer; the reference; the same with other noise."""
    return [_estimators(records), _references(records), _scales(records)]


def _estimators(records: Sequence[Record]) -> Table:
    columns = (
        ("norm / reference", "main.norm", ".3g"),
        ("cosine", "main.cosine", ".2f"),
        ("right signs", "main.signs", ".3f"),
        ("bias", "main.bias", ".2f"),
        ("scaled best", "main.scaled_bias", ".2f"),
        ("gain of the sign", "gain", ".2f"),
        ("blocked", "blocked", ".2f"),
        ("units", "units_blocked", ".3f"),
        ("variance / mean^2", "spread", ".1f"),
    )
    rows = tuple(
        (
            LABELS[arm],
            layer,
            LABELS[name],
            *(
                _mean(arm, f"{metric}.{name}.{layer}", form, records)
                for _, metric, form in columns
            ),
        )
        for arm in ESTIMATORS
        for layer in LAYERS
        for name in ESTIMATORS
    )
    title = (
        "What each estimator sends to a layer's nets, against the slope of the loss "
        f"smoothed with noise of standard deviation {SCALES['main']:g}; mean (std) "
        f"over n = {len(records)}; nothing published"
    )
    header = ("network of", "layer", "estimator", *(name for name, *_ in columns))
    return Table(title, header, rows)


def _references(records: Sequence[Record]) -> Table:
    columns = [
        ("norm", "main.reference.norm", ".3g"),
        ("standard error / norm", "main.reference.error", ".2f"),
        ("signs known", "main.reference.clear", ".2f"),
        *(
            (f"{LABELS[a]} and {LABELS[b]}", f"between.{a}_{b}", ".2f")
            for a, b in PAIRS
        ),
    ]
    title = "The smoothed slope, and cosines between estimators"
    return _by_layer(title, columns, records)


def _scales(records: Sequence[Record]) -> Table:
    columns: list[tuple[str, str, str]] = []
    for scale in ("narrow", "wide"):
        noise = f"noise {SCALES[scale]:g}"
        columns += [
            (f"{LABELS[name]}, {noise}", f"{scale}.cosine.{name}", ".2f")
            for name in ESTIMATORS
        ]
        columns.append((f"error, {noise}", f"{scale}.reference.error", ".2f"))
    return _by_layer("Cosines with other noise", columns, records)


def _by_layer(
    title: str, columns: Sequence[tuple[str, str, str]], records: Sequence[Record]
) -> Table:
    rows = tuple(
        (
            LABELS[arm],
            layer,
            *(
                _mean(arm, f"{path}.{layer}", form, records)
                for _, path, form in columns
            ),
        )
        for arm in ESTIMATORS
        for layer in LAYERS
    )
    header = ("network of", "layer", *(name for name, *_ in columns))
    return Table(f"{title}; mean (std) over n = {len(records)}", header, rows)


def _mean(arm: str, metric: str, form: str, records: Sequence[Record]) -> str:
    return mean_std_of(Quantity(arm, metric, ""), records, form)
