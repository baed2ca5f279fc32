"""What `list` and `show` print."""

import dataclasses
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from models.experiments.claims import Claim
from models.experiments.experiment import Experiment
from models.experiments.tables import Table, as_text


def as_rows(experiments: Sequence[Experiment]) -> list[dict[str, Any]]:
    """What `list --json` prints."""
    return [
        {
            "id": one.id,
            "aliases": list(one.aliases),
            "paper": one.paper,
            "title": one.title,
            "presets": list(one.presets),
            "datasets": list(one.datasets),
        }
        for one in experiments
    ]


def list_text(experiments: Sequence[Experiment]) -> str:
    """A table of all experiments."""
    rows = tuple(
        (
            ", ".join((one.id, *one.aliases)),
            one.title,
            ", ".join(one.presets),
            ", ".join(one.datasets),
        )
        for one in experiments
    )
    header = ("id", "what", "presets", "data sets")
    return as_text(Table("Experiments: python -m models run ID", header, rows))


def show_text(experiment: Experiment) -> str:
    """Configuration of each preset, and the claims with their sources."""
    parts = [
        f"{experiment.id}: {experiment.title}",
        textwrap.indent(f"paper     {experiment.paper}", "  "),
        *(f"  also      {alias}" for alias in experiment.aliases),
        textwrap.indent(f"data sets {', '.join(experiment.datasets)}", "  "),
        textwrap.indent(f"arms      {', '.join(experiment.arms)}", "  "),
        "",
        as_text(_presets_table(experiment)),
        "",
        "Claims",
        *(_claim_text(claim) for claim in experiment.claims),
    ]
    return "\n".join(parts)


def _presets_table(experiment: Experiment) -> Table:
    columns: Mapping[str, dict[str, Any]] = {
        name: {"purpose": preset.purpose, "seeds": preset.seeds}
        | {
            field.name: getattr(preset.config, field.name)
            for field in dataclasses.fields(preset.config)
        }
        for name, preset in experiment.presets.items()
    }
    fields = next(iter(columns.values()))
    rows = tuple(
        (field, *(_cell(column[field]) for column in columns.values()))
        for field in fields
    )
    return Table("Configuration by preset", ("", *columns), rows)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _claim_text(claim: Claim) -> str:
    where = [
        ", ".join(names) if names else f"every {what}"
        for names, what in ((claim.presets, "preset"), (claim.datasets, "data set"))
    ]
    return "\n".join(
        (
            f"  {claim.name}",
            f"      published  {claim.published}  [{claim.source}]",
            f"      decided at {where[0]}; on {where[1]}",
        )
    )
