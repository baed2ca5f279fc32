"""The head of a report: how much was recorded, and which gradients are not healthy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from minigrad.inspect.explain.reasons import HUGE, TINY
from minigrad.inspect.explain.tables import number
from minigrad.inspect.report._facts import HARMLESS, WORDS, Facts, plural

TOLD: Final = 3
"""Reasons of one verdict that are told in full, all but the first of them folded."""

LISTED: Final = 200
"""Gradients of one verdict that are listed by name."""

Link = Callable[[str], str]
"""Makes a name an HTML element that leads to the gradient."""

_MEANING: Final = {
    "not finite": "an element is infinite or NaN",
    "none": "no pass sent one",
    "frozen": "no gradient, as asked",
    "zero": "every element is exactly 0",
    "huge": f"root mean square above {number(HUGE)}",
    "tiny": f"root mean square below {number(TINY)}",
    "noise": "the terms cancel but for rounding",
}


def headline(facts: Facts) -> str:
    """Return the numbers of a recording and its unit."""
    targets = facts.targets.values()
    edges = [edge for target in targets for edge in target.edges]
    faults = sum(not target.measures.finite for target in targets)
    cells = {
        "passes": str(facts.count),
        "gradients": str(len(targets)),
        "edges": str(len(edges)),
        "terms": str(sum(len(edge.terms) for edge in edges)),
        "conservation error": number(facts.error),
        "not finite": str(faults) if faults else "none",
    }
    items = "".join(
        f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in cells.items()
    )
    roots = ", ".join(f"<code>{escape(root)}</code>" for root in facts.roots[:3])
    more = f" and {len(facts.roots) - 3} more" if len(facts.roots) > 3 else ""
    means = f", means over {facts.count} passes" if facts.count > 1 else ""
    return (
        f'<dl class="facts">{items}</dl><p class="unit">Norms are Euclidean norms of '
        f"∂L/∂x, in units of L per unit of x{means}. L is what backward() was called "
        f"on: {roots}{more}.</p>"
    )


def verdicts(facts: Facts, link: Link) -> str:
    """Return what is not healthy, the worst first, with reasons."""
    tally = facts.tally()
    healthy = tally.pop("healthy", 0)
    if not tally:
        return f'<p class="well">All {plural(healthy, "gradient")} are healthy.</p>'
    groups = "".join(_group(facts, verdict, link) for verdict in tally)
    judged = " A gradient is judged by its first pass that is not healthy."
    return (
        f'{groups}<p class="well">{plural(healthy, "gradient")}: healthy.'
        f"{judged if facts.count > 1 else ''}</p>"
    )


def _group(facts: Facts, verdict: str, link: Link) -> str:
    """Tell the reason of the first gradient with a verdict; fold what else has it."""
    names = [name for name in facts.sentences if facts.verdicts[name] == verdict]
    reasons: dict[str, list[str]] = {}
    for name in names:
        reason = facts.sentences[name].replace(f"`{name}`", "", 1)
        reasons.setdefault(reason, []).append(name)
    first, *others = reasons.values()
    meaning = _MEANING.get(verdict)
    return (
        f'<section class="verdict"><h3>{badge(verdict)} '
        f"{plural(len(names), 'gradient')}"
        f"{f'<small>{meaning}</small>' if meaning else ''}</h3>"
        f"<ul>{_reason(facts, first, link)}</ul>{_more(facts, others, link)}</section>"
    )


def _more(facts: Facts, alike: Sequence[Sequence[str]], link: Link) -> str:
    """Fold the reasons after the first; after TOLD in all, only names are listed."""
    if not alike:
        return ""
    told = "".join(_reason(facts, one, link) for one in alike[: TOLD - 1])
    rest = [name for one in alike[TOLD - 1 :] for name in one]
    count = sum(map(len, alike))
    others = _others(f"{len(rest)} more by name", rest, link)
    return f"<details><summary>{count} more</summary><ul>{told}</ul>{others}</details>"


def badge(verdict: str) -> str:
    """Return a verdict as HTML, in a colour that warns if it is a bad one."""
    mild = " mild" if verdict in HARMLESS else ""
    return f'<em class="badge{mild}">{escape(WORDS.get(verdict, verdict))}</em>'


def _reason(facts: Facts, names: Sequence[str], link: Link) -> str:
    first, *others = names
    text = sentence(facts.sentences[first], first, link(first))
    return f"<li>{text}{_others(f'the same for {len(others)} more', others, link)}</li>"


def sentence(text: str, name: str, shown: str) -> str:
    """Return a sentence about name as HTML, in which shown stands for the name."""
    before, mark, after = text.partition(f"`{name}`")
    if not mark:
        return _quoted(text)
    return f"{escape(before[:1].upper() + before[1:])}{shown}{_quoted(after)}"


def _quoted(text: str) -> str:
    """Set what stands between backquotes as code."""
    parts = escape(text).split("`")
    if len(parts) % 2 == 0:
        return "`".join(parts)
    return "".join(
        f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts)
    )


def _others(title: str, names: Sequence[str], link: Link) -> str:
    """List names in a box that is folded."""
    if not names:
        return ""
    items = "".join(f"<li>{link(name)}</li>" for name in names[:LISTED])
    rest = len(names) - LISTED
    more = f"<li>and {rest} more, marked below</li>" if rest > 0 else ""
    return (
        f'<details><summary>{title}</summary><ul class="names">{items}{more}</ul>'
        "</details>"
    )
