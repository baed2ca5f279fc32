"""Tables of bench/README.md, made from the result files: `python -m bench report`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from bench.engines import CHANNELS_LAST, RIVALS, UNFROZEN, UNOBSERVED
from bench.store import FOLDER, UNITS, headline, load, write

README = Path(__file__).parent / "README.md"
ENGINES = ("torch", CHANNELS_LAST, *RIVALS, UNOBSERVED, UNFROZEN)
"""Beside ours, in the order of the columns."""


def report() -> None:
    """Write the tables of all suites into the README."""
    write(README, with_tables(README.read_text(encoding="utf-8")))


def with_tables(text: str, folder: Path = FOLDER) -> str:
    """Return text with what stands between the markers of each suite made anew."""
    for suite in UNITS:
        begin, end = f"<!-- {suite} -->\n", f"<!-- end of {suite} -->"
        table = tables(load(suite, folder))
        between = re.compile(f"({re.escape(begin)}).*?({re.escape(end)})", re.DOTALL)
        text = between.sub(lambda found, t=table: f"{found[1]}\n{t}\n{found[2]}", text)
    return text


def tables(kept: dict[str, Any]) -> str:
    """Make a table of every run, with what it ran on below it."""
    if not kept["runs"]:
        return "Not measured yet.\n"
    return "\n".join(_table(run, kept["unit"]) for run in kept["runs"])


def _table(run: dict[str, Any], unit: str) -> str:
    cases: dict[str, dict[str, Any]] = run["cases"]
    present = [e for e in ENGINES if any(e in engines for engines in cases.values())]
    head = ["case", f"minigrad, {unit}", *(f"{engine} (ratio)" for engine in present)]
    rows = [head, ["---", *(["---:"] * (len(present) + 1))]]
    for name, engines in cases.items():
        cells = [_cell(engines.get(engine)) for engine in ("minigrad", *present)]
        rows.append([name, *cells])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([*lines, "", f"{headline(run['facts'])}.", ""])


def _cell(one: dict[str, Any] | None) -> str:
    if one is None:
        return ""
    low, high = one["quartiles"]
    text = f"{number(one['median'])} [{number(low)}, {number(high)}]"
    return text if one["ratio"] is None else f"{text} (**{one['ratio']:.2f}**)"


def number(value: float) -> str:
    """Write value with three digits, and no fewer than its integer part has."""
    digits = max(0, 3 - len(str(int(value)))) if value >= 1 else 3
    return f"{value:.{digits}f}"
