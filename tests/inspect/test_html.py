"""The HTML report: well-formed, complete, honest about what is not a number."""

import math
import os
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

import minigrad as mg
from minigrad import nn
from minigrad.errors import ArgumentError, FileFormatError, GraphError
from minigrad.inspect import along, gradient_flow
from minigrad.inspect.report import html
from minigrad.inspect.report._facts import Scale
from minigrad.inspect.report._summary import TOLD
from minigrad.tape import tensor

STYLE = Path(html.__file__).with_suffix(".css").read_text(encoding="utf-8")
VOID = {"meta"}


class Page(HTMLParser):
    """Reads a page: its elements, its text, and the modules that lie in each other.

    Attributes:
        elements: (tag, attributes) of each.
        text: all text outside of style.
        rows: of each summary, the number of boxes that it lies in, and its cells.
        labels: titles of columns and of numbers outside of the definitions.
        defined: what the definitions define.
    """

    def __init__(self, text):
        super().__init__()
        self.elements, self.rows, self.stack = [], [], []
        self.labels, self.defined = set(), set()
        self.text = ""
        self.feed(text)
        self.close()
        assert self.stack == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)
        if tag == "summary":
            self.rows.append((self.stack.count("details"), []))
        if tag == "span" and "summary" in self.stack:
            self.rows[-1][1].append("")

    def handle_startendtag(self, tag, attrs):
        assert "svg" in self.stack, f"<{tag}/> closes itself in SVG only"
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.stack.pop() == tag

    def handle_data(self, data):
        if "style" not in self.stack:
            self.text += data
        if "summary" in self.stack and "span" in self.stack:
            self.rows[-1][1][-1] += data

    def all(self, tag, **attributes):
        """Return the attributes of all elements that have these."""
        return [
            found
            for name, found in self.elements
            if name == tag and attributes.items() <= found.items()
        ]


def leaf(values, name=None):
    return tensor(values, dtype="float64", requires_grad=True, name=name)


def scaled(factor):
    """Record a gradient of the given size and one of size 1."""
    x, z = leaf([1.0, 1.0]), leaf([1.0])
    with gradient_flow(names={"x": x, "z": z}) as flow:
        ((x * factor).sum() + z.sum()).backward()
    return flow


@pytest.fixture
def deep():
    """Build and record `features` of some layers, a head, and a loss."""

    def record(layers=2, passes=1, factor=1.0, **options):
        mg.manual_seed(0)
        model = nn.Sequential()
        model.features = nn.Sequential(
            *[
                layer
                for _ in range(layers)
                for layer in (nn.Linear(6, 6), nn.BatchNorm1d(6), nn.Tanh())
            ]
        )
        model.head = nn.Linear(6, 2)
        x = tensor(np.random.default_rng(0).normal(size=(5, 6)), dtype="float32")
        with gradient_flow(model, **options) as flow:
            for _ in range(passes):
                model.zero_grad()
                y = model.head(model.features(x))
                (y * y * factor).sum().backward()
        return flow

    return record


def trained(passes=1):
    """Record passes of a small network, each with a step of an optimizer."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
    x = tensor(np.random.default_rng(0).normal(size=(5, 3)), dtype="float32")
    with gradient_flow(model) as flow:
        for _ in range(passes):
            model.zero_grad()
            loss = (model(x) ** 2).mean()
            loss.backward()
            optimizer.step()
    return flow


def split():
    """Record a gradient with two sources."""
    x = leaf([1.0, 2.0])
    data, decay = (x * 3.0).sum(), (x * x).sum()
    with gradient_flow(names={"x": x}, sources={"data": data, "decay": decay}) as flow:
        (data + decay).backward()
    return flow


@pytest.fixture
def faulty():
    """Record zeros in pass 1, NaN in pass 2, a frozen and an unused parameter."""
    mg.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU(), nn.Linear(3, 3))
    model[0].bias.data[...] = -100.0
    model.unused, model.frozen = nn.Linear(1, 1), nn.Linear(1, 1)
    for parameter in model.frozen.parameters():
        parameter.requires_grad = False
    x = tensor(np.ones((2, 3)), dtype="float32")
    with gradient_flow(model) as flow:
        for factor in (1.0, math.nan):
            model.zero_grad()
            h = model[2](model[1](model[0](x)))
            (h * factor).sum().backward()
    return flow


class TestForm:
    def test_every_tag_is_closed(self, deep, faulty):
        for flow in (deep(), deep(passes=3), faulty, scaled(0.0)):
            Page(html.to_html(flow))
            Page(html.fragment(flow))

    def test_the_page_needs_no_script_and_nothing_from_outside(self, deep):
        text = html.to_html(deep(passes=2))
        page = Page(text)
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"script", "link", "img", "iframe", "object", "use"}
        assert "//" not in text
        assert "@import" not in text
        assert "url(" not in text
        names = {name for _, found in page.elements for name in found}
        assert not {name for name in names if name.startswith("on") or name == "src"}

    def test_links_lead_to_gradients_of_the_page(self, faulty):
        page = Page(html.to_html(faulty))
        links = [found["href"] for found in page.all("a")]
        ids = [found["id"] for _, found in page.elements if "id" in found]
        assert len(links) > 3
        assert {link.removeprefix("#") for link in links} <= set(ids)
        assert len(ids) == len(set(ids)) == len(faulty.targets)

    def test_the_same_recording_gives_the_same_bytes(self, deep):
        assert html.to_html(deep(passes=2)) == html.to_html(deep(passes=2))

    def test_a_network_of_fifty_layers_takes_less_than_two_megabytes(self, deep):
        flow = deep(layers=50)
        assert len(flow.targets) > 350
        assert len(html.to_html(flow).encode()) < 2_000_000

    def test_pictures_have_a_title_and_a_description(self, deep):
        page = Page(html.to_html(deep(passes=2)))
        pictures = page.all("svg", role="img")
        assert len(pictures) > 1
        assert len(page.all("title")) > 1
        assert page.text.count("The first weight above 0, features.0.weight, has") == 2
        labels = [one["aria-label"] for one in pictures if one["class"] == "spark"]
        assert all(label.startswith("norm from ") for label in labels)

    def test_wide_tables_scroll_in_boxes_that_the_keyboard_reaches(self, deep):
        page = Page(html.to_html(deep()))
        boxes = page.all("div", **{"class": "scroll", "tabindex": "0"})
        assert len(boxes) == len(page.all("table"))
        assert all(box["aria-label"] for box in boxes)


class TestStyle:
    def test_every_rule_is_about_the_report_alone(self):
        plain = re.sub(r"/\*.*?\*/", "", STYLE, flags=re.DOTALL)
        plain = re.sub(r"@media[^{]*\{", "", plain)
        for selectors in re.findall(r"([^{}]+)\{", plain):
            for selector in selectors.split(","):
                assert ".mg-flow" in selector, selector

    def test_a_fragment_brings_its_style_and_no_page(self, deep):
        text = html.fragment(deep())
        page = Page(text)
        tags = {tag for tag, _ in page.elements}
        assert not tags & {"html", "head", "body", "main"}
        assert page.elements[0] == ("div", {"class": "mg-flow"})
        assert STYLE in text

    def test_a_fragment_has_no_ids_that_two_outputs_could_share(self, faulty):
        page = Page(html.fragment(faulty))
        assert not [found for _, found in page.elements if "id" in found]
        assert page.all("a") == []

    @pytest.mark.parametrize("ground", ["paper", "box"])
    @pytest.mark.parametrize("letters", ["ink", "soft", "accent", "ill"])
    @pytest.mark.parametrize("dark", [False, True])
    def test_text_stands_out_from_its_ground(self, letters, ground, dark):
        one, other = (
            luminance(re.search(rf"--{name}: light-dark\((.*?)\)", STYLE)[1], dark)
            for name in (letters, ground)
        )
        assert (max(one, other) + 0.05) / (min(one, other) + 0.05) >= 4.5


def luminance(pair, dark):
    """Return the relative luminance of one of two colours (WCAG 2.2)."""
    colour = pair.split(",")[dark].strip().lstrip("#")
    parts = [int(colour[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    linear = [
        p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def places(page):
    """Return how far down the marks of the picture of depth lie."""
    return [float(f["y"]) for f in page.all("svg") if f.get("x", "").endswith("%")]


class TestContent:
    def test_every_gradient_edge_and_term_is_there(self, deep):
        flow = deep()
        text = Page(html.to_html(flow)).text
        for name, target in flow.targets.items():
            assert name in text
            for edge in target.edges:
                assert edge.title in text
                assert all(term.name in text for term in edge.terms)

    def test_the_headline_counts(self, deep):
        flow = deep(passes=3)
        edges = sum(len(target.edges) for target in flow.targets.values())
        text = Page(html.to_html(flow)).text
        assert f"passes3gradients{len(flow.targets)}edges{edges}terms" in text
        assert "not finitenone" in text

    def test_the_unit_names_what_backward_was_called_on(self, deep):
        assert (
            "L is what backward() was called on: sum#1."
            in Page(html.to_html(deep())).text
        )

    def test_modules_fold_as_they_lie_in_each_other(self, deep):
        rows = Page(html.to_html(deep(layers=1))).rows
        titles = [(level, cells[0]) for level, cells in rows if cells]
        assert titles[:6] == [
            (1, "features"),
            (2, "features.0"),
            (3, "weight"),
            (3, "bias"),
            (3, "linear#1"),
            (2, "features.1"),
        ]

    def test_a_module_has_the_joint_norm_of_its_parameters(self, deep):
        flow = deep()
        norms = [flow.into(f"head.{name}").measures.norm for name in ("weight", "bias")]
        rows = [cells for _, cells in Page(html.to_html(flow)).rows]
        assert [
            "head",
            "3 gradients",
            f"{math.hypot(*norms):.3g}",
            "",
            "healthy",
        ] in rows

    def test_source_lines_show_their_text(self, deep):
        text = Page(html.to_html(deep())).text
        assert "test_html.py:" in text
        assert "y = model.head(model.features(x))" in text

    def test_one_pass_has_no_pictures_over_time_and_several_have_one_each(self, deep):
        one, several = deep(), deep(passes=3)
        assert "spark" not in html.to_html(one).replace(STYLE, "")
        page = Page(html.to_html(several))
        assert len(page.all("svg", **{"class": "spark"})) == len(several.targets)
        assert "norm over 3 passes:first " in page.text

    def test_updates_are_shown_relative_to_the_weights(self):
        weight = nn.Linear(2, 1, bias=False)
        optimizer = mg.optim.SGD(weight.parameters(), lr=0.5)
        with gradient_flow(weight) as flow:
            weight(tensor([[1.0, 2.0]])).sum().backward()
            optimizer.step()
        assert (
            "update / weight" in Page(html.to_html(flow)).text.split("Definitions")[0]
        )

    @pytest.mark.parametrize("passes", [1, 3])
    def test_rows_of_parameters_show_update_by_weight(self, passes):
        flow = trained(passes)
        rows = [cells for level, cells in Page(html.to_html(flow)).rows if level]
        shown = {cells[0]: cells[-2] for cells in rows}
        update = flow.into("0.weight").update
        assert shown["weight"] == f"{flow.into('2.weight').update:.3g}"
        assert f"{update:.3g}" in [cells[-2] for cells in rows]
        assert shown["0"] == shown["linear#1"] == shown["mean#1"] == ""
        assert {len(cells) for cells in rows} == {6 + (passes > 1)}

    def test_without_steps_there_is_no_column_for_them(self, deep):
        head = html.to_html(deep()).partition('"head"')[2].partition("</div>")[0]
        assert "update" not in head

    def test_shares_are_bars_to_the_left_or_right(self):
        x = leaf([1.0, 2.0])
        with gradient_flow(names={"x": x}) as flow:
            (x * 2.0 - x).backward(leaf([1.0, 1.0]))
        page = Page(html.to_html(flow))
        assert page.all("i", **{"class": "s", "style": "--s:2"})
        assert page.all("i", **{"class": "s n", "style": "--s:1"})
        assert page.all("table", style="--m:2")

    def test_sources_have_a_table_of_their_own(self):
        text = Page(html.to_html(split())).text
        assert "from data" in text
        assert "from decay" in text

    def test_of_many_sources_the_greatest_are_shown(self):
        x = leaf(np.arange(1.0, 31.0))
        y = x * x
        with gradient_flow(names={"x": x}, sources={"y": along(y)}) as flow:
            y.sum().backward()
        (own,) = re.findall(r'id="g0".*?</details>', html.to_html(flow), re.DOTALL)
        assert "source (the greatest 12 of 30)" in own
        assert re.findall(r"from (y\[\d+\])", own) == [f"y[{i}]" for i in range(18, 30)]

    @pytest.mark.parametrize(
        ("record", "shown"),
        [
            (trained, {"G_sample", "update / weight", "weight norm", "idle %", "rms"}),
            (lambda: trained(3), {"over time", "update / weight", "least", "median"}),
            (split, {"source", "share", "cosine", "mean |.|"}),
        ],
    )
    def test_every_label_is_defined(self, record, shown):
        page, _, definitions = html.to_html(record()).partition("<h2>Definitions</h2>")
        (head,) = re.findall(r'<div class="head".*?</div>', page)
        labels = {
            *re.findall(r"<span>(.*?)</span>", head),
            *re.findall(r"<dt>(.*?)</dt>", page),
            *re.findall(r'<th scope="col"[^>]*>(.*?)</th>', page),
            *re.findall(r"<li>([^<]*?) <b>", page),
        }
        assert shown <= labels
        titles = re.findall(r"<dt>(.*?)</dt>", definitions)
        assert labels <= {word for one in titles for word in (one, *one.split(", "))}

    def test_columns_are_defined_once(self, deep):
        page = Page(html.to_html(deep()))
        defined = page.text.split("Definitions")[1]
        for word in ("share", "cosine", "cancel", "gain", "dead %", "idle %", "source"):
            assert defined.count(word)
        assert len(page.all("dl", **{"class": "glossary"})) == 1


class TestEscaping:
    NAME = "<b>&\"'`x</b>"

    def test_names_are_text(self):
        x = leaf([1.0, 2.0])
        with gradient_flow(names={self.NAME: x}) as flow:
            (x * 0.0).sum().backward()
        for text in (html.to_html(flow), html.fragment(flow)):
            page = Page(text)
            assert "<b>&" not in text
            # In the verdict, in two texts of the picture, in its row and inside.
            assert page.text.count(self.NAME) >= 5

    def test_source_text_is_text(self, tmp_path):
        code = (
            "def f(x):\n    return (x * x).sum()  # <script>alert(1)</script> & more\n"
        )
        path = tmp_path / "<i>evil.py"
        path.write_text(code)
        space = {}
        exec(compile(code, str(path), "exec"), space)
        x = leaf([1.0])
        with gradient_flow(names={"x": x}) as flow:
            space["f"](x).backward()
        text = html.to_html(flow)
        assert "<script" not in text
        assert "<i>evil" not in text
        page = Page(text)
        assert "# <script>alert(1)</script> & more" in page.text
        assert "<i>evil.py:2" in page.text


class TestVerdicts:
    def test_all_healthy_is_one_sentence(self):
        text = Page(html.to_html(scaled(2.0))).text
        assert "All 6 gradients are healthy." in text

    @pytest.mark.parametrize("name", ["0.weight", "2.bias", "unused.weight"])
    def test_what_is_not_healthy_comes_with_its_reason(self, faulty, name):
        reason = faulty.why(name).partition(f"`{name}`")[2]
        assert name + reason.replace("`", "") in Page(html.to_html(faulty)).text

    def test_the_worst_verdict_comes_first_and_frozen_is_no_fault(self, faulty):
        text = html.to_html(faulty)
        badges = re.findall(r'<h3><em class="badge( mild)?">([^<]*)', text)
        assert badges == [
            ("", "not finite"),
            ("", "no gradient"),
            ("", "zero"),
            (" mild", "frozen"),
        ]

    @pytest.mark.parametrize("factor", [1e-20, 1e20, math.nan])
    def test_the_first_layer_is_told_of_and_the_rest_is_folded(self, deep, factor):
        flow = deep(layers=4, factor=factor)
        group = html.to_html(flow).split('<section class="verdict">')[1]
        shown, _, folded = group.partition("<details>")
        assert re.findall(r"<li><a .*?><code>(.*?)<", shown) == ["features.0.weight"]
        (folded, *_) = folded.split("</section>")
        assert folded.count("<details>") < folded.count("</details>")
        names = re.findall(r"<li><a .*?><code>(.*?)<", folded)
        kinds = [flow.into(name).kind for name in names]
        assert kinds == sorted(kinds)
        assert kinds.count("parameter") > 8

    def test_the_same_reason_is_told_once(self, faulty):
        head = Page(html.to_html(faulty)).text.split("Norm by depth")[0]
        assert head.count("it is on no path to") == 1
        assert "the same for 1 more" in head

    def test_hundreds_of_tiny_gradients_do_not_make_hundreds_of_paragraphs(self, deep):
        flow = deep(layers=30, factor=1e-20)
        text = html.to_html(flow)
        head = text.split("<h2>")[1]
        tiny = [n for n in flow.targets if " is tiny" in flow.why(n)]
        assert len(tiny) > 150
        assert head.startswith("Verdicts")
        assert head.count("is tiny:") == TOLD
        assert f"{len(tiny)} gradients" in Page(text).text

    def test_a_module_shows_the_worst_verdict_inside(self, faulty):
        rows = Page(html.to_html(faulty)).rows
        worst = {cells[0]: cells[-1] for level, cells in rows if level == 1 and cells}
        assert worst["0"] == "zero"
        assert worst["2"] == "not finite"
        assert worst["sum#1"] == "healthy"


class TestNumbers:
    def test_a_conservation_error_that_is_no_number_is_the_greatest(self, deep):
        flow = deep()
        name = list(flow.targets)[2]
        target = flow.targets[name]._replace(error=math.nan)
        flow._history.recent[0][name] = target
        text = Page(html.to_html(flow)).text
        assert "conservation errornan" in text.split("Verdicts")[0]

    @pytest.mark.parametrize("factor", [math.nan, math.inf, -math.inf])
    def test_what_is_not_finite_is_said_and_not_drawn(self, factor):
        text = html.to_html(scaled(factor))
        page = Page(text)
        assert "NO" in page.text
        assert "not finite" in page.text
        for _, found in page.elements:
            for name in ("x", "y", "x1", "x2", "y1", "y2", "points", "style", "height"):
                assert not re.search("nan|inf", found.get(name, "")), found

    @pytest.mark.parametrize("factor", [1e150, 1e-150, 1e300, 1e-300, 5e-324])
    def test_sizes_at_the_ends_of_float64_are_drawn(self, factor):
        page = Page(html.to_html(scaled(factor)))
        (picture,) = page.all("svg", **{"class": "depth", "role": "img"})
        height = float(picture["height"])
        for found in page.all("svg"):
            assert 0 <= float(found.get("y", 0)) <= height

    def test_zeros_have_a_place_below_the_scale(self):
        page = Page(html.to_html(scaled(0.0)))
        zero, one = places(page)
        assert zero > one
        assert page.all("text", **{"class": "t", "y": f"{zero + 4:.1f}"})

    def test_norms_lie_where_their_logarithms_do(self):
        page = Page(html.to_html(scaled(1e-2 / math.sqrt(2))))
        small, one = places(page)
        heights = [
            float(found["y"]) - 4 for found in page.all("text", **{"class": "t"})
        ]
        # Labels are those of 1e-2, 1e-1 and 1e0, from the lowest on.
        assert len(heights) == 3
        assert (small, one) == pytest.approx((heights[0], heights[2]), abs=0.11)

    def test_without_parameters_all_gradients_are_drawn(self):
        x = tensor([1.0], requires_grad=True)
        with gradient_flow() as flow:
            (x * 2.0).sum().backward()
        assert "Gradient norms by depth: 3 gradients" in Page(html.to_html(flow)).text

    def test_a_scale_holds_every_positive_norm(self):
        scale = Scale.of([0.0, None, math.nan, math.inf, 3e-5, 20.0])
        assert scale == (-5, 2)
        assert 0 < scale.place(3e-5) < scale.place(20.0) < 1
        assert scale.decades(8) == [-5, -4, -3, -2, -1, 0, 1, 2]
        assert len(Scale(-324, 309).decades(8)) <= 8
        assert Scale.of([]) == (-1, 1)


class TestWriting:
    def test_a_recording_without_a_pass_is_refused_and_nothing_written(self, tmp_path):
        with gradient_flow() as flow:
            pass
        for write in (html.to_html, lambda flow: flow.to_html(tmp_path / "flow.html")):
            with pytest.raises(GraphError, match=r"^to_html: no backward pass was rec"):
                write(flow)
        assert os.listdir(tmp_path) == []

    def test_in_a_notebook_it_is_one_sentence(self):
        with gradient_flow() as flow:
            pass
        assert "no backward pass was recorded" in Page(html.fragment(flow)).text

    def test_the_file_is_the_page_and_nothing_else_is_left(self, deep, tmp_path):
        flow = deep()
        path = tmp_path / "flow.html"
        path.write_text("old")
        html.write_html(flow, path)
        html.write_html(flow, str(path))
        assert path.read_bytes() == html.to_html(flow).encode()
        assert os.listdir(tmp_path) == ["flow.html"]

    def test_a_write_that_fails_leaves_the_old_file(self, tmp_path, monkeypatch):
        def refuse(source, target):
            raise OSError(28, "No space left on device")

        path = tmp_path / "flow.html"
        path.write_text("old")
        monkeypatch.setattr(os, "replace", refuse)
        with pytest.raises(
            FileFormatError, match=r"flow\.html cannot be written \(No s"
        ):
            html.write_html(scaled(1.0), path)
        assert path.read_text() == "old"
        assert os.listdir(tmp_path) == ["flow.html"]

    def test_a_folder_that_is_not_there_is_one_sentence(self, tmp_path):
        with pytest.raises(FileFormatError, match=r"to_html: .* expected a folder"):
            html.write_html(scaled(1.0), tmp_path / "missing" / "flow.html")

    def test_what_is_no_path_is_refused(self):
        with pytest.raises(ArgumentError, match="path 3, expected a string or a Path"):
            html.write_html(scaled(1.0), 3)
