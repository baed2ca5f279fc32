"""Every lesson runs, and its last table says what its text says."""

import math

import pytest

import lessons
from lessons import __main__ as command
from lessons import _page
from lessons._run import execute

SCRIPTS = {"cifar10_vgg"}  # They train for minutes and are no pages.


def chain_rule(names):
    assert list(names["table"]) == ["w2", "b2", "w1", "b1"]
    for to_tape, to_complex_step in names["table"].values():
        assert to_tape < 2
        assert to_complex_step < 20


def batch_norm(names):
    for rows in (names["before"], names["after"]):
        assert list(rows) == [2, 4, 8, 16, 64, 256]
        left = [row[2] for row in rows.values()]
        assert left[0] < 1e-3
        assert left == sorted(left)
        assert all(math.isclose(sum(row), 1, rel_tol=1e-3) for row in rows.values())


def lstm_gates(names):
    right = {bias: accuracy for bias, (_, accuracy) in names["table"].items()}
    assert right[0] < 20 < right[1] < right[3]


def writing_a_kernel(names):
    verdicts = names["verdicts"]
    assert len(verdicts) > 30
    assert "passes" not in verdicts.values()
    assert verdicts["x", "doubled"] == "2 times too large"
    assert verdicts["x", "term_sign_flipped"] == "term through_rms has the wrong sign"


def vanishing_gradients(names):
    assert len(names["table"]) == 10
    loss = {name: row[3] for name, row in names["table"].items()}
    for name in ("sigmoid, small", "sigmoid, Glorot"):
        ratio, update, apart, _, _ = names["table"][name]
        assert ratio < 1e-10
        assert update == apart == 0
        assert loss[name] > 2.29
    ratio, update, *_ = names["table"]["tanh, small"]
    assert 0.5 < ratio < 2
    assert update < 1e-5
    assert loss["tanh, small, skip"] < loss["tanh, Glorot"] < loss["ReLU, He"] < 2
    assert max(loss["sigmoid, small, norm"], loss["sigmoid, small, skip"]) < 2
    assert math.isnan(loss["ReLU, large"])


def dropout_gradient(names):
    layers = {name: row[:3] for name, row in names["table"].items()}
    times = {
        name: [one / of for one, of in zip(row, layers["tanh"], strict=True)]
        for name, row in layers.items()
    }
    assert min(times["tanh, dropout"]) > 3
    assert times["GAAF"] == sorted(times["GAAF"], reverse=True)
    *factors, total = (
        names["ratios"][name]
        for name in (
            "starts at the logits", "dropout", "linear", "tanh", "arrives at layer 1"
        )
    )  # fmt: skip
    assert math.isclose(math.prod(factors), total, rel_tol=1e-3)
    assert names["ratios"]["tanh"] < 1 < names["ratios"]["starts at the logits"]


def straight_through(names):
    bias = {key: row[0] for key, row in names["errors"].items()}
    for noise, bet, other in (
        ("uniform", "hardtanh", "tanh"),
        ("logistic", "tanh", "hardtanh"),
    ):
        assert bias[noise, bet] < bias[noise, other] < bias[noise, "identity"] / 3
        assert bias[noise, "score"] < bias[noise, bet]
    wrong = {name: rows[:, 1].mean() for name, rows in names["table"].items()}
    assert wrong["none"] > 20 > 15 > wrong["identity"] > 10
    assert max(wrong["hardtanh"], wrong["tanh"]) < 10.5


def second_order(names):
    assert list(names["table"]) == [0.9, 0.99, 1.01, 1.1]
    for predicted, seen, _, _ in names["table"].values():
        assert math.isclose(seen, predicted, rel_tol=2e-3)
    farthest = [row[2] for row in names["table"].values()]
    assert farthest[1] < 2e-3 < 1e-2 < farthest[2] < farthest[3] < 10


CHECKS = {
    check.__name__: check
    for check in (
        chain_rule,
        vanishing_gradients,
        batch_norm,
        dropout_gradient,
        lstm_gates,
        writing_a_kernel,
        straight_through,
        second_order,
    )
}


@pytest.fixture(scope="module", params=lessons.LESSONS)
def lesson(request):
    return execute(command.FOLDER / f"{request.param}.py")


def test_the_folder_holds_the_listed_lessons_and_no_others():
    files = {path.stem for path in command.FOLDER.glob("[a-z]*.py")}
    assert files - SCRIPTS == set(lessons.LESSONS) == set(CHECKS)


def test_the_last_table_shows_what_the_text_says(lesson):
    CHECKS[lesson.source.name](lesson.namespace)


def test_every_figure_and_table_has_a_name_that_the_text_uses(lesson):
    texts, shown = [], []
    for done in lesson.cells:
        (texts if done.cell.kind == "markdown" else shown).append(done)
    text = " ".join(" ".join(done.cell.text.split()) for done in texts)
    outputs = "".join(output for done in shown for output in done.outputs)
    figures = [f"Figure {n}" for n in range(1, outputs.count("<figure>") + 1)]
    assert "Table 1. " in outputs
    for title in [*figures, "Table 1"]:
        assert f"{title}. " in outputs
        assert title in text


def test_the_page_stands_alone(lesson):
    text = _page.page(lesson)
    assert 'src="' not in text.replace('src="data:', "")
    assert "@import" not in text
    assert "url(http" not in text
    assert "<script" not in text
    assert "<h2" in text
