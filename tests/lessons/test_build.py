"""Reading, running and laying out lessons, on small ones."""

import builtins
import importlib
import os
import re
import sys
import textwrap

import numpy as np
import pytest

from lessons import __main__ as command
from lessons import _page
from lessons._cells import LessonError, parse, read
from lessons._run import execute

TITLE = "# %% [markdown]\n# # A title\n#\n# What it\n# is *about*.\n#\n# More.\n\n"


@pytest.fixture
def write(tmp_path):
    def write(code, title=TITLE, name="demo"):
        path = tmp_path / f"{name}.py"
        path.write_text(title + textwrap.dedent(code), encoding="utf-8")
        return path

    return write


@pytest.fixture
def run(write):
    def run(code, title=TITLE):
        return execute(write(code, title))

    return run


def outputs(lesson):
    return [output for done in lesson.cells for output in done.outputs]


# -- reading -------------------------------------------------------------------------


def test_cells_have_kinds_texts_and_first_lines():
    text = "import os\n\n# %% [markdown]\n# # T\n#\n# - a\n#   b\n# %% Sum\n\n1 + 1\n"
    assert list(parse("demo", text)) == [
        ("code", "import os", 1),
        ("markdown", "# T\n\n- a\n  b", 4),
        ("code", "1 + 1", 10),
    ]


def test_blank_cells_are_left_out():
    assert list(parse("demo", "# %%\n\n# %% [markdown]\n#\n# %%\n  \n")) == []


def test_title_and_summary_come_from_the_first_cell(write):
    source = read(write(""))
    assert (source.title, source.summary) == ("A title", "What it is *about*.")


@pytest.mark.parametrize(
    ("title", "sentence"),
    [
        ("x = 1\n", "demo, line 1: the lesson has no title, expected a first cell"),
        ("# %% [markdown]\n# Text\n", "demo, line 2: the lesson has no title"),
        ("", "demo, line 1: the lesson has no title"),
        (TITLE + "# %% [raw]\n", r"demo, line 9: a cell of kind \[raw\], expected"),
        (TITLE + "x = 1\n", "demo, line 9: 'x = 1' stands in a cell of text"),
    ],
)
def test_a_lesson_that_cannot_be_read_is_one_sentence(write, title, sentence):
    with pytest.raises(LessonError, match=sentence):
        read(write("", title))


# -- running -------------------------------------------------------------------------


def test_cells_share_one_namespace_which_is_returned(run):
    lesson = run("# %%\na = 2\n# %%\nb = a + 1\n")
    assert lesson.namespace["b"] == 3
    assert lesson.namespace["__name__"] == "lessons.demo"


def test_two_runs_share_nothing(run):
    run("# %%\nleft = 1\n")
    with pytest.raises(LessonError, match="NameError: name 'left' is not defined"):
        run("# %%\nleft\n")


def test_printed_text_comes_before_the_value_of_the_last_expression(run):
    printed, value = outputs(run("# %%\nprint('one <b>')\nprint('two')\n'three'\n"))
    assert "one &lt;b&gt;\ntwo</pre>" in printed
    assert "&#x27;three&#x27;</pre>" in value


@pytest.mark.parametrize("last", ["None", "x = 1", "print(end='')"])
def test_a_cell_without_output_shows_none(run, last):
    assert outputs(run(f"# %%\n{last}\n")) == []


def test_objects_that_draw_themselves_are_shown_as_they_are(run):
    code = """\
        # %%
        class Drawn:
            def _repr_svg_(self):
                return "<svg></svg>"

        # %%
        Drawn
        # %%
        Drawn()
        """
    of_class, of_object = outputs(run(code))
    assert "&lt;class &#x27;lessons.demo.Drawn&#x27;&gt;" in of_class
    assert "<svg></svg>" in of_object


FIGURES = """\
    # %%
    from matplotlib import pyplot as plt
    for number in (1, 2):
        figure, axes = plt.subplots(num=f"Figure {number}. a < b")
        axes.fill([0, 1, 1], [0, 0, 1], label="x")
    axes.legend()
    """


def test_open_figures_appear_below_their_cell_with_their_captions(run):
    first, second = outputs(run(FIGURES))
    assert "<figcaption>Figure 1. a &lt; b</figcaption>" in first
    assert "<figcaption>Figure 2. a &lt; b</figcaption>" in second


def test_figures_take_the_ink_of_the_page(run):
    assert all("currentColor" in figure for figure in outputs(run(FIGURES)))


def test_no_two_figures_share_an_id_and_every_reference_is_met(run):
    ids, wanted = [], set()
    for figure in outputs(run(FIGURES)):
        ids += re.findall(r'\bid="([^"]+)"', figure)
        wanted |= set(re.findall(r'(?:href="#|url\(#)([^")]+)', figure))
    assert len(ids) == len(set(ids)) > 10
    assert wanted
    assert wanted <= set(ids)


def test_a_figure_as_last_expression_is_drawn_once(run):
    code = """\
        # %%
        from matplotlib.figure import Figure
        Figure()
        # %%
        from matplotlib import pyplot as plt
        plt.figure()
        """
    assert [figure.count("<svg") for figure in outputs(run(code))] == [1, 1]


def test_imports_from_the_future_hold_for_later_cells(run):
    code = """\
        # %%
        from __future__ import annotations
        from dataclasses import dataclass
        # %%
        @dataclass
        class Point:
            x: Undefined
        """
    assert run(code).namespace["Point"](1).x == 1


def test_what_cells_set_for_all_is_undone(run):
    before = np.get_printoptions(), np.geterr(), sys.modules.get("lessons.demo")
    run(
        "# %%\nimport numpy as np\nnp.set_printoptions(precision=1)\n"
        "np.seterr(all='ignore')\n"
    )
    after = np.get_printoptions(), np.geterr(), sys.modules.get("lessons.demo")
    assert after == before


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("# %%\n\n1 / 0\n", "demo, line 11: ZeroDivisionError: division by zero"),
        ("# %%\nx = (\n", "demo, line 10: SyntaxError: '(' was never closed"),
        ("# %%\nassert 1 > 2\n", "demo, line 10: AssertionError: assert 1 > 2"),
        ("# %%\nraise SystemExit(3)\n", "demo, line 10: SystemExit: 3"),
        ("# %%\nraise OSError('a\\nb')\n", "demo, line 10: OSError: a"),
        (
            "# %%\ndef f():\n    return {}['k']\n# %%\nf()\n",
            "demo, line 11: KeyError: 'k'",
        ),
        ("# %%\nimport json\njson.loads('')\n", "demo, line 11: JSONDecodeError: "),
    ],
)
def test_an_error_in_a_cell_is_one_sentence_with_its_line(run, code, sentence):
    with pytest.raises(LessonError, match=re.escape(sentence)) as caught:
        run(code)
    assert "\n" not in str(caught.value)


# -- pages ---------------------------------------------------------------------------


def test_code_is_highlighted_and_escaped(run):
    text = _page.page(run("# %%\nx = 1 < 2 and '<i>'\n"))
    assert '<span class="ow">and</span>' in text
    assert "&lt;i&gt;" in text
    assert "<i>" not in text


def test_code_that_looks_like_the_mark_of_a_cell_stays_code(run):
    text = _page.page(run("# %%\n'<!-- cell 0 -->'\n# %%\n'<!-- cell 1 -->'\n"))
    assert "<!--" not in text
    assert text.count("&lt;!-- cell 1 --&gt;") == 2


def test_headings_of_one_name_get_ids_of_their_own(run):
    code = "# %% [markdown]\n# ## Same\n# %%\n1\n# %% [markdown]\n# ## Same\n"
    assert re.findall(r'<h2 id="([^"]+)"', _page.page(run(code))) == ["same", "same_1"]


def test_tables_and_preformatted_text_scroll_in_their_boxes(run):
    code = "# %% [markdown]\n# | a |\n# | - |\n# | 1 |\n#\n#     y = x\n"
    text = _page.page(run(code))
    assert '<div class="scroll" tabindex="0"><table>' in text
    assert '<pre class="text" tabindex="0"><code>y = x' in text


def test_a_title_is_escaped_where_it_is_plain_text(run):
    title = TITLE.replace("A title", "a < b & c")
    lesson = run("# %%\n1\n", title)
    assert "<title>a &lt; b &amp; c</title>" in _page.page(lesson)
    assert ">a &lt; b &amp; c</a>" in _page.index([lesson.source])


# -- the command ---------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path, monkeypatch, write):
    """A folder with the lessons one and two."""
    write("# %%\nprint(1)\n", name="one")
    write(FIGURES, TITLE.replace("A title", "Another"), name="two")
    monkeypatch.setattr(command, "FOLDER", tmp_path)
    monkeypatch.setattr(command, "LESSONS", ("two", "one"))
    return tmp_path


def test_without_a_command_the_lessons_are_listed_in_reading_order(folder, capsys):
    assert command.main([]) == 0
    plain = capsys.readouterr().out
    assert plain == "two  Another\none  A title\n"
    assert command.main(["list"]) == 0
    assert capsys.readouterr().out == plain


def test_all_pages_and_the_index_are_built(folder, capsys):
    out = folder / "pages" / "deep"
    assert command.main(["build", "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "index.html",
        "one.html",
        "two.html",
    ]
    links = re.findall(r'href="([^"]+)"', (out / "index.html").read_text())
    assert links == ["two.html", "one.html"]
    assert re.match(r"\S+two\.html: \d+\.\d s\n", capsys.readouterr().out)


def test_the_folder_of_pages_is_html_by_default(folder):
    assert command.main(["build", "one"]) == 0
    assert (folder / "html" / "one.html").is_file()


def test_the_index_lists_the_pages_that_are_there(folder):
    assert command.main(["build", "one", "one"]) == 0
    text = (folder / "html" / "index.html").read_text()
    assert re.findall(r'href="([^"]+)"', text) == ["one.html"]
    assert "is <em>about</em>" in text


def test_the_same_input_gives_the_same_bytes(folder):
    pages = []
    for names in ([], ["one", "two"]):
        out = folder / f"out{len(pages)}"
        assert command.main(["build", *names, "--out", str(out)]) == 0
        pages.append((out / "two.html").read_bytes())
    assert pages[0] == pages[1]


def test_a_lesson_that_fails_leaves_its_old_page(folder, write, capsys):
    assert command.main(["build", "one"]) == 0
    page = folder / "html" / "one.html"
    old = page.read_bytes()
    capsys.readouterr()
    write("# %%\n1 / 0\n", name="one")
    assert command.main(["build", "one"]) == 1
    found = capsys.readouterr()
    assert found.err == "one, line 10: ZeroDivisionError: division by zero\n"
    assert found.out == ""
    assert page.read_bytes() == old
    assert sorted(path.name for path in page.parent.iterdir()) == [
        "index.html",
        "one.html",
    ]


def test_a_folder_that_cannot_be_made_is_one_sentence(folder, capsys):
    (folder / "file").touch()
    for out in (folder / "file", folder / "file" / "deep"):
        assert command.main(["build", "--out", str(out)]) == 1
        assert capsys.readouterr().err == (
            f"--out {out}: cannot be made (a file is in the way), expected a folder, "
            "or a name for one\n"
        )


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="there is no /proc")
def test_a_folder_where_none_can_be_is_one_sentence(folder, capsys):
    assert command.main(["build", "--out", "/proc/pages"]) == 1
    assert capsys.readouterr().err == (
        "--out /proc/pages: cannot be made (No such file or directory), expected a "
        "folder, or a name for one\n"
    )


def test_a_page_that_cannot_be_written_is_one_sentence(folder, capsys):
    (folder / "html" / "one.html").mkdir(parents=True)
    assert command.main(["build", "one"]) == 1
    error = capsys.readouterr().err
    assert "one.html" in error
    assert error.endswith(": cannot be used (Is a directory)\n")
    assert error.count("\n") == 1


def links(path):
    return re.findall(r'(\w+): <a href="([^"]+)">([^<]+)</a>', path.read_text())


def test_pages_link_to_the_lessons_before_and_after(folder):
    assert command.main(["build"]) == 0
    assert links(folder / "html" / "two.html") == [("Next", "one.html", "A title")]
    assert links(folder / "html" / "one.html") == [("Previous", "two.html", "Another")]


def test_a_page_links_to_pages_that_are_there_only(folder):
    assert command.main(["build", "one"]) == 0
    assert links(folder / "html" / "one.html") == []
    assert command.main(["build", "two"]) == 0
    assert links(folder / "html" / "two.html") == [("Next", "one.html", "A title")]


@pytest.mark.parametrize(
    ("argv", "sentence"),
    [
        (["build", "three"], "no lesson is called three, expected one of two, one"),
        (["biuld"], "invalid choice: 'biuld'"),
        (["build", "one", "--Out"], "unrecognized arguments: --Out; see"),
    ],
)
def test_wrong_usage_is_one_sentence(folder, argv, sentence, capsys):
    assert command.main(argv) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert error.count("\n") == 1


def test_an_interruption_is_one_sentence(folder, write, capsys):
    write("# %%\nraise KeyboardInterrupt\n", name="one")
    assert command.main(["build", "one"]) == 130
    assert capsys.readouterr().err == "interrupted; pages that were done are kept\n"


def test_a_missing_library_is_one_sentence(folder, monkeypatch, capsys):
    def missing(name):
        raise builtins.ModuleNotFoundError(name="markdown")

    monkeypatch.setattr(importlib, "import_module", missing)
    assert command.main(["build"]) == 1
    assert capsys.readouterr().err == (
        "lessons: building pages needs markdown, which is not installed; "
        '`pip install -e ".[lessons]"`\n'
    )
