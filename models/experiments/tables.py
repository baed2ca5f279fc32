"""Tables as data, and their two dresses: aligned text and Markdown."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.experiments.verdicts import Decision, Verdict


@dataclass(frozen=True)
class Table:
    """A title, a header and rows of as many cells."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def as_text(table: Table) -> str:
    """Align the columns, the first two spaces in from the title."""
    lines = [table.header, *table.rows]
    widths = [max(len(row[i]) for row in lines) for i in range(len(table.header))]
    rule = tuple("-" * width for width in widths)
    body = (
        "  " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
        for row in (table.header, rule, *table.rows)
    )
    return "\n".join([table.title, *(line.rstrip() for line in body)])


def as_markdown(table: Table) -> str:
    """Write the table as GitHub does; the title is a bold line above it."""
    rows = [table.header, ("---",) * len(table.header), *table.rows]
    body = ("| " + " | ".join(map(_escape, row)) + " |" for row in rows)
    return "\n".join([f"**{table.title}**", "", *body])


def _escape(cell: str) -> str:
    return cell.replace("|", "\\|")


def claims_text(decisions: Sequence[Decision]) -> str:
    """Word the claims for a terminal: a line of verdict, then the numbers below it."""
    lines = ["Claims"]
    for decision in decisions:
        claim = decision.claim
        lines += [
            f"  {decision.verdict}: {claim.name}",
            f"      published  {claim.published}  [{claim.source}]",
            f"      measured   {decision.measured}",
        ]
        if decision.test:
            lines.append(f"      test       {decision.test}")
        if decision.verdict is Verdict.NOT_RUN and not decision.test:
            lines.append(f"      decided by {claim.decided_by()}")
    return "\n".join(lines)
