"""The body of a report: modules that unfold to gradients, and these to their terms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Final

from minigrad.inspect.explain.tables import number
from minigrad.inspect.record.measures import Measures
from minigrad.inspect.record.records import Target
from minigrad.inspect.record.trace import Line
from minigrad.inspect.report._facts import (
    Facts,
    Folder,
    Scale,
    joint_norm,
    plural,
    tree,
    worst,
)
from minigrad.inspect.report._figures import spark
from minigrad.inspect.report._summary import badge, sentence

FEW: Final = 2
"""Modules at the top that are open from the start, if there are no more."""


class Tree:
    """Writes the modules and gradients of a recording.

    Attributes:
        ids: whether gradients can be linked to.
    """

    def __init__(self, facts: Facts, *, ids: bool) -> None:
        """Choose one scale for the bars of all norms."""
        self._facts = facts
        self._root = tree(facts.targets.values())
        self._places = {name: at for at, name in enumerate(facts.targets)}
        self._lines: dict[Line, str] = {}
        self.ids = ids
        self.scale = Scale.of(t.measures.norm for t in facts.targets.values())

    def link(self, name: str) -> str:
        """Return name as code, and as a link to its gradient if there is one."""
        code = f"<code>{escape(name)}</code>"
        if not self.ids or name not in self._places:
            return code
        return f'<a href="#g{self._places[name]}">{code}</a>'

    def html(self) -> str:
        """Return all modules, the first ones open if they are few."""
        many = self._facts.count > 1
        titles = ["module, gradient", "shape", "norm", "log scale"]
        titles += ["over time"] * many
        titles += ["update / weight"] * self._facts.stepped + ["verdict"]
        head = "".join(f"<span>{title}</span>" for title in titles)
        own = [one for one in self._root.content if isinstance(one, Folder)]
        body = self._content(self._root, len(own) <= FEW)
        return (
            f'<div class="tree{" many" * many}{" steps" * self._facts.stepped}">'
            '<div class="head" aria-hidden="true">'
            f"{head}</div>{body}</div>"
        )

    def _content(self, folder: Folder, expanded: bool = False) -> str:
        return "".join(
            self._folder(one, expanded)
            if isinstance(one, Folder)
            else self._target(one, folder.path)
            for one in folder.content
        )

    def _folder(self, folder: Folder, expanded: bool) -> str:
        found = list(folder.targets())
        verdict = worst(self._facts.verdicts[target.name] for target in found)
        above, dot, name = folder.path.rpartition(".")
        title = f"<b><i>{escape(above + dot)}</i>{escape(name)}</b>"
        count = plural(len(found), "gradient")
        row = self._row(title, count, joint_norm(folder), verdict)
        return (
            f'<details class="mod"{" open" * expanded}><summary>{row}</summary>'
            f'<div class="in">{self._content(folder)}</div></details>\n'
        )

    def _target(self, target: Target, path: str) -> str:
        facts = self._facts
        name = target.name
        short = name[len(path) + 1 :] if path and name.startswith(path) else name
        shape = " x ".join(map(str, target.shape)) or "scalar"
        line = spark(facts.over_time[name]) if facts.count > 1 else ""
        verdict = facts.verdicts[name]
        row = self._row(
            f"<code>{escape(short)}</code>", shape, target.measures.norm, verdict,
            line, target.update,
        )  # fmt: skip
        # Inside, so that browsers unfold the gradient, too, when a link leads there.
        anchor = f' id="g{self._places[name]}"' if self.ids else ""
        return (
            f'<details><summary>{row}</summary><div class="in"{anchor}>'
            f"{self._inside(target)}</div></details>\n"
        )

    def _row(
        self,
        title: str,
        size: str,
        norm: float | None,
        verdict: str,
        line: str = "",
        update: float | None = None,
    ) -> str:
        cells = [f"<span>{title}</span><span>{size}</span><span>{number(norm)}</span>"]
        cells.append(f"<span>{self._bar(norm)}</span>")
        if self._facts.count > 1:
            cells.append(f"<span>{line}</span>")
        if self._facts.stepped:
            cells.append(f"<span>{'' if update is None else number(update)}</span>")
        shown = verdict if verdict == "healthy" else badge(verdict)
        return "".join([*cells, f"<span>{shown}</span>"])

    def _bar(self, norm: float | None) -> str:
        if not norm or not math.isfinite(norm):
            return ""
        place = 0.03 + 0.97 * self.scale.place(norm)
        return f'<i class="bar" style="--v:{place:.3f}"></i>'

    # -- one gradient ------------------------------------------------------------------

    def _inside(self, target: Target) -> str:
        name = target.name
        parts = [self._facts_of(target)]
        if name in self._facts.sentences:
            text = self._facts.sentences[name]
            shown = f"<code>{escape(name)}</code>"
            parts.append(f'<p class="why">{sentence(text, name, shown)}</p>')
        if self._facts.count > 1:
            parts.append(self._over_time(name))
        if target.edges:
            parts.append(self._edges(target))
        if target.sources:
            parts.append(_sources(target))
        return "".join(parts)

    def _facts_of(self, target: Target) -> str:
        rms = target.measures.norm / math.sqrt(math.prod(target.shape) or 1)
        found = {
            "rms": rms,
            "mean |.|": target.measures.mean_abs,
            "conservation error": target.error if target.edges else None,
            "weight norm": target.weight_norm,
            "update / weight": target.update,
            "G_sample": target.sample_information,
        }
        items = "".join(
            f"<li>{key} <b>{number(value)}</b></li>"
            for key, value in found.items()
            if value is not None
        )
        kind = f"{target.kind}, {target.shape} {target.dtype}"
        spell = self._facts.spells.get(target.name)
        items += f"<li>frozen in <b>{spell}</b></li>" if spell else ""
        made = f"<li>made at {self._line(target.line)}</li>" if target.line else ""
        return (
            f'<ul class="of"><li><code>{escape(target.name)}</code></li>'
            f"<li>{escape(kind)}</li>{items}{made}</ul>"
        )

    def _over_time(self, name: str) -> str:
        sketch = self._facts.over_time[name].sketches["norm"]
        found = {
            "first": sketch.first,
            "last": sketch.last,
            "least": sketch.minimum,
            "median": sketch.quantile(0.5),
            "greatest": sketch.maximum,
        }
        items = "".join(f"<li>{k} <b>{number(v)}</b></li>" for k, v in found.items())
        faults = f"<li>not finite <b>{sketch.faults}</b></li>" if sketch.faults else ""
        count = sketch.count + sketch.faults
        passes = f"norm over {count} pass{'es' * (count != 1)}"
        return f'<ul class="of"><li>{passes}:</li>{items}{faults}</ul>'

    def _edges(self, target: Target) -> str:
        """Lay out edges and terms; columns that nothing is known for are left out."""
        lines = any(edge.line for edge in target.edges)
        idle = any(edge.idle is not None for edge in target.edges)
        blank = "<td></td>" * (idle + lines)
        rows: list[str] = []
        for edge in target.edges:
            alone = len(edge.terms) == 1
            name = f"{edge.title} {edge.terms[0].name}" if alone else edge.title
            more = ""
            if idle:
                more += f"<td>{_percent(edge.idle)}</td>"
            if lines:
                more += f'<td class="l">{self._line(edge.line)}</td>'
            rows.append(_row("", name, edge.measures, more))
            if not alone:
                terms = edge.terms
                rows += [_row("term", t.name, t.measures, blank) for t in terms]
        if len(rows) > 1:
            rows.append(_row("sum", "total", target.measures, blank))
        header = [*_COLUMNS, *["idle %"] * idle, *["line"] * lines]
        parts = [edge.measures for edge in target.edges]
        parts += [term.measures for edge in target.edges for term in edge.terms]
        return _table("edge (input) term", header, rows, parts, target.name)

    def _line(self, line: Line | None) -> str:
        """Return a line of the user's code: where it is, and what it says."""
        if line is None:
            return ""
        if line not in self._lines:
            text = line.text
            said = f" <code>{escape(text)}</code>" if text else ""
            self._lines[line] = f"{escape(str(line))}{said}"
        return self._lines[line]


_COLUMNS: Final = ("norm", "share", "cosine", "cancel", "gain", "dead %", "finite")
_OF_SOURCES: Final = ("norm", "share", "cosine", "dead %", "finite")
"""A source has no terms and came to no single kernel."""


def _sources(target: Target) -> str:
    shown = target._main_sources()
    rows = [_row("", f"from {s.name}", s.measures, "", _OF_SOURCES) for s in shown]
    title = "source"
    if len(shown) < len(target.sources):
        title = f"source (the greatest {len(shown)} of {len(target.sources)})"
    parts = [source.measures for source in shown]
    return _table(title, _OF_SOURCES, rows, parts, target.name)


def _row(
    style: str,
    name: str,
    measures: Measures,
    more: str = "",
    columns: Sequence[str] = _COLUMNS,
) -> str:
    """Return a row of a table: name, then the columns, then more cells."""
    cells = {
        "norm": number(measures.norm),
        "share": f"{number(measures.share)}{_share_bar(measures.share)}",
        "cosine": number(measures.cosine),
        "cancel": number(measures.cancellation),
        "gain": number(measures.gain),
        "dead %": _percent(measures.dead),
        "finite": "yes" if measures.finite else "<b>NO</b>",
    }
    own = f' class="{style}"' if style else ""
    shown = "".join(f"<td>{cells[column]}</td>" for column in columns)
    return f'<tr{own}><th scope="row">{escape(name)}</th>{shown}{more}</tr>'


def _percent(share: float | None) -> str:
    return number(None if share is None else 100 * share)


def _share_bar(share: float | None) -> str:
    if share is None:
        return '<i class="s"></i>'
    side = " n" if share < 0 else ""
    return f'<i class="s{side}" style="--s:{abs(share):.3g}"></i>'


def _table(
    title: str,
    header: Sequence[str],
    rows: Sequence[str],
    parts: Sequence[Measures],
    name: str,
) -> str:
    """Return a table in a box of its own; its bars of shares have one scale."""
    most = max([1.0, *(abs(part.share) for part in parts if part.share is not None)])
    heads = "".join(
        f'<th scope="col"{_ALIGNED.get(text, "")}>{text}</th>'
        for text in (title, *header)
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(title)} '
        f'into {escape(name)}"><table style="--m:{most:.3g}"><thead><tr>{heads}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


_ALIGNED: Final = {"share": ' class="share"', "line": ' class="l"'}
"""Titles that stand where the text of their columns begins or ends."""
