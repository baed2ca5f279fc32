"""Kernels are cut out of their modules as they stand, and each kind of bug is one."""

import ast

import pytest

from minigrad.kernels import KERNELS
from minigrad.testing.grading.grade import first_fault
from minigrad.testing.grading.recipe import cases
from minigrad.testing.grading.student import kernels_of, run
from minigrad.testing.puzzles import puzzle as game
from minigrad.testing.puzzles.bugs import KINDS, source_bugs
from minigrad.testing.puzzles.source import Source, without

# Kind -> a kernel that offers it, and a line that it makes.
SHOWN = {
    "term_dropped": ("log_softmax", '    return {"direct": dy}'),
    "sign_flipped": ("sub", '        "b": lambda dy, saved: {"direct": dy},'),
    "plus_for_minus": ("tanh", "    return xp.multiply(dy, 1 + y * y, **out)"),
    "factor_dropped": ("tanh", "    return xp.multiply(dy, 1 - y, **out)"),
    "line_dropped": ("softmax_cross_entropy", None),
    "number_dropped": ("square", "    return xp.multiply(dy, x, **out)"),
    "twice": ("exp", None),
    "mean_for_sum": ("softmax", None),
    "divisor_dropped": ("div", '        "a": lambda dy, saved: {"direct": dy},'),
    "times_for_divide": ("log1p", "    return xp.multiply(dy, 1 + x, **out)"),
    "axis_changed": ("l2_normalize", "    sums = total(dy * y, 0, keepdims=True)"),
    "transposed": ("matmul", "    da = dy @ b"),
    "wrong_array": ("mul", '        "a": lambda dy, saved: {"direct": dy * saved.a},'),
    "wrong_function": ("cos", "    return xp.multiply(-dy, xp.cos(x), **out)"),
    "condition_flipped": ("relu", "    return unless(xp, xp.real(y) >= 0, dy, **out)"),
    "written": ("sigmoid", "    return xp.multiply(dy, y * (1 - y), out=dy)"),
    "copy_dropped": (
        "rnn",
        "    dys, dh = rec.masked_dy(dy, saved.mask), dy.h",
    ),
}


def cut_out(name):
    return game._whole(name)


def fault_of(name, text):
    (kernel,) = kernels_of(run(text, "<test>"))
    return first_fault(kernel, cases(game.RECIPES[name], 0, 6), "<test>")


def test_every_kind_is_shown():
    assert list(SHOWN) == list(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_bug_of_each_kind_runs_and_is_rejected(kind):
    name, line = SHOWN[kind]
    whole = cut_out(name)
    texts = [bug.planted(whole.text) for bug in source_bugs(whole)[kind]]
    if line is not None:
        texts = [text for text in texts if line in text.splitlines()]
    assert texts
    for text in texts:
        fault = fault_of(name, text)
        assert fault is not None
        assert not fault.raised


@pytest.mark.parametrize("name", game.RECIPES)
def test_a_kernel_cut_out_is_whole_and_has_nothing_to_spare(name):
    whole = cut_out(name)
    tree = ast.parse(whole.text)
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) and "annot" not in ast.dump(
            node
        ):
            assert {alias.asname or alias.name for alias in node.names} <= used
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            assert node.name in used
    assert "fused" not in whole.text
    (kernel,) = kernels_of(run(whole.text, "<test>"))
    assert kernel.name == name


def test_lines_are_kept_as_they_are_written():
    (kernel,) = [kernel for kernel in KERNELS if kernel.name == "softmax"]
    with open(kernel.forward.__code__.co_filename, encoding="utf-8") as file:
        written = set(file.read().splitlines())
    assert set(cut_out("softmax").text.splitlines()) <= written
    comment = (
        "# -(dy / b) * (a / b), not dy * a / b**2: b**2 overflows long before b does."
    )
    assert comment in cut_out("div").text


def test_only_what_rules_alone_call_is_changed():
    # `_gated` is forward's as well; exact is what gaaf's terms are the derivative of.
    assert cut_out("dropout").rules == set()
    assert cut_out("gaaf").rules == {"x_terms"}
    assert cut_out("bce_with_logits").rules >= {
        "_bce_x_terms",
        "_prediction",
        "_scaled",
    }


def test_a_bug_changes_one_place_in_a_rule():
    whole = cut_out("cosine_similarity")
    forward = whole.text.index("def cosine_similarity")
    rules = whole.text.index("def _terms")
    changes = [bug.change for bugs in source_bugs(whole).values() for bug in bugs]
    assert changes
    assert all(start > rules > forward for start, _, _ in changes)


@pytest.mark.parametrize(
    "name", ["div", "gelu_tanh", "cosine_similarity", "layer_norm"]
)
def test_no_bug_leaves_parentheses_behind_that_give_it_away(name):
    whole = cut_out(name)
    for bugs in source_bugs(whole).values():
        for bug in bugs:
            text = bug.planted(whole.text)
            assert "((" not in text.replace("range((", "") or "((" in whole.text
            assert "-(dy)" not in text


def test_the_same_change_is_listed_once():
    whole = cut_out("power")
    texts = [
        bug.planted(whole.text) for bugs in source_bugs(whole).values() for bug in bugs
    ]
    assert len(texts) == len(set(texts))


@pytest.mark.parametrize(
    ("text", "part", "left"),
    [
        ("f(a, b, c)\n", "b", "f(a, c)\n"),
        ("f(a, b)\n", "b", "f(a)\n"),
        ("f(\n    a,\n    b,\n)\n", "a", "f(\n    b,\n)\n"),
        ("f(\n    a,\n    b,\n)\n", "b", "f(\n    a,\n)\n"),
    ],
)
def test_what_stands_between_commas_goes_with_its_comma_and_line(text, part, left):
    start = text.index(part)
    start, end = without(text, start, start + len(part))
    assert text[:start] + text[end:] == left


def test_places_count_characters_where_ast_counts_bytes():
    source = Source('x = "\u00e9\u00e9" + y\n')
    assert source.of(source.tree.body[0].value.right) == "y"
