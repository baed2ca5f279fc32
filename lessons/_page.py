"""Pages: a lesson that has run as one HTML file that needs nothing else."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from markdown import Markdown
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer

from lessons._cells import Source
from lessons._run import Done, Lesson

_CSS: Final = Path(__file__).with_name("page.css")
_CODE: Final = ("default", "github-dark")
"""Pygments' styles for light and dark pages."""

_PAGE: Final = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
{style}</style>
</head>
<body>
{body}
</body>
</html>
"""


def page(
    lesson: Lesson, before: Source | None = None, after: Source | None = None
) -> str:
    """Return the page of a lesson, with links to the lessons before and after it."""
    source = lesson.source
    # One text with a mark for each cell of code: headings get ids of their own, and
    # links may be defined in another cell.
    marks = {f"<!-- cell {at} -->": done for at, done in enumerate(lesson.cells)}
    text = "\n\n".join(
        done.cell.text if done.cell.kind == "markdown" else mark
        for mark, done in marks.items()
    )
    content = _to_html(text)
    for mark, done in marks.items():
        if done.cell.kind == "code":
            content = content.replace(mark, _code_cell(done), 1)
    name = html.escape(source.name)
    footer = (
        f"Every number and figure on this page was computed by the code on it: "
        f"<code>python -m lessons build {name}</code> runs <code>lessons/{name}.py"
        "</code>, which is also a script and a notebook in percent format."
    )
    body = (
        '<nav><a href="index.html">All lessons</a></nav>\n'
        f"<main>\n{content}\n</main>\n<footer>{_links(before, after)}{footer}</footer>"
    )
    return _whole(source.title, body, code=_code_style())


def _links(before: Source | None, after: Source | None) -> str:
    links = [
        f'{label}: <a href="{html.escape(source.name)}.html">'
        f"{html.escape(source.title)}</a>"
        for label, source in (("Previous", before), ("Next", after))
        if source is not None
    ]
    return f"<nav><p>{'<br>'.join(links)}</p></nav>\n" if links else ""


def index(sources: Sequence[Source]) -> str:
    """Return the page that lists lessons and links to theirs."""
    items = "\n".join(
        f'<li><a href="{html.escape(source.name)}.html">{html.escape(source.title)}</a>'
        f"{_to_html(source.summary)}</li>"
        for source in sources
    )
    lead = "Each runs in seconds: every number in it is computed by the code it shows."
    body = f'<main>\n<h1>Lessons</h1>\n<p>{lead}</p>\n<ol class="lessons">\n{items}\n'
    return _whole("Lessons", f"{body}</ol>\n</main>")


def _whole(title: str, body: str, *, code: str = "") -> str:
    # The page's own style last: the box of code is its, the colours in it are not.
    style = code + _CSS.read_text(encoding="utf-8")
    return _PAGE.format(title=html.escape(title), style=style, body=body)


def _code_style() -> str:
    formatters: Any = (HtmlFormatter(style=style) for style in _CODE)
    light, dark = (formatter.get_style_defs("pre.code") for formatter in formatters)
    return f"{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _to_html(text: str) -> str:
    made: Any = Markdown(extensions=["tables", "fenced_code", "toc"])
    content = made.convert(text)
    # Wide things scroll inside a box, which the keyboard reaches, too.
    content = content.replace("<pre>", '<pre class="text" tabindex="0">')
    content = content.replace("<table>", '<div class="scroll" tabindex="0"><table>')
    return content.replace("</table>", "</table></div>")


def _code_cell(done: Done) -> str:
    formatter: Any = HtmlFormatter(nowrap=True)
    code = highlight(done.cell.text, PythonLexer(), formatter).rstrip()
    parts = [f'<pre class="code" tabindex="0"><code>{code}</code></pre>', *done.outputs]
    return '<div class="cell">\n' + "\n".join(parts) + "\n</div>"
