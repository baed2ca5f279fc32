"""A recording as one HTML file that needs nothing else, folded by module."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Final

from minigrad.files import PathLike, write_whole
from minigrad.inspect.report import _figures as figures
from minigrad.inspect.report._facts import Recorded, gather, points, through_depth
from minigrad.inspect.report._glossary import glossary
from minigrad.inspect.report._summary import headline, verdicts
from minigrad.inspect.report._tree import Tree

_CSS: Final = Path(__file__).with_suffix(".css")

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Gradient flow</title>
<style>
html {{ color-scheme: light dark; }}
body {{ margin: 0; background: light-dark(#fdfdfc, #16181c); }}
{style}</style>
</head>
<body>
<main class="mg-flow mg-page">
{body}
</main>
</body>
</html>
"""


def to_html(flow: Recorded) -> str:
    """Return the report of flow as a whole page, in UTF-8, without scripts.

    Raises GraphError without a backward pass.
    """
    flow._expect_passes("to_html")
    return _PAGE.format(style=_style(), body=_body(flow, ids=True))


def write_html(flow: Recorded, path: PathLike) -> None:
    """Write the report of flow to path, in one piece.

    Raises GraphError without a backward pass, ArgumentError for what is no path,
    FileFormatError if it cannot be written.
    """
    write_whole("to_html", path, to_html(flow).encode())


def fragment(flow: Recorded) -> str:
    """Return the report as an element for a notebook, which brings its own style.

    Without a backward pass it says so: a notebook shows what it is handed.
    """
    return (
        f'<div class="mg-flow"><style>\n{_style()}</style>\n'
        f"{_body(flow, ids=False)}\n</div>"
    )


def _style() -> str:
    return _CSS.read_text(encoding="utf-8")


def _body(flow: Recorded, *, ids: bool) -> str:
    facts = gather(flow)
    title = "<h1>Gradient flow</h1>"
    if not facts.targets:
        return f"{title}\n<p>{escape(flow.table())}.</p>"
    tree = Tree(facts, ids=ids)
    what, shown = through_depth(facts)
    picture = figures.depth(points(facts, shown), what, facts.count)
    return "\n".join(
        [
            f"<header>{title}{headline(facts)}</header>",
            f"<section><h2>Verdicts</h2>{verdicts(facts, tree.link)}</section>",
            f"<section><h2>Norm by depth</h2>{picture}</section>",
            f"<section><h2>Gradients by module</h2>{tree.html()}</section>",
            f"<section><h2>Definitions</h2>{glossary(tree.scale)}</section>",
        ]
    )
