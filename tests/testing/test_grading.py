"""A kernel file gets a verdict a law and input, in words, with the line to look at."""

import ast
import os
import re
import subprocess
import sys

import numpy as np
import pytest

from minigrad.kernels.arithmetic import MUL_KERNEL
from minigrad.kernels.shaping import CONCAT_KERNEL
from minigrad.testing import Case, normal
from minigrad.testing.__main__ import main
from minigrad.testing.grading.grade import grade
from minigrad.testing.grading.obligations import LAWS
from minigrad.testing.grading.recipe import Recipe, cases, recipe_of
from minigrad.testing.grading.template import MINIMAL

HEAD = """\
import numpy
from minigrad.kernels import Kernel
from minigrad.testing import normal, positive
"""
FORWARD = """\
def forward(x):
    y = numpy.tanh(x)
    return y, (y,)
"""
RULE = """\
def x_terms(dy, saved):
    return {"direct": dy * (1 - saved[0] ** 2)}
"""
KERNEL = 'KERNEL = Kernel("mine", forward, {"x": x_terms})\n'
INPUTS = 'INPUTS = {"x": normal("N", "D")}\n'
FILE = "mine.py"
FORWARD_AT, RULE_AT = 4, 7


def rule(line):
    return f"def x_terms(dy, saved):\n    {line}\n"


def forward(line):
    return f"def forward(x):\n    {line}\n"


@pytest.fixture
def checked(tmp_path, monkeypatch, capsys):
    """Return a function: write a file, check it, return status, lines and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*parts, argv=()):
        (tmp_path / FILE).write_text("".join(parts))
        status = main(["check", FILE, *argv])
        caught = capsys.readouterr()
        return status, [line.strip() for line in caught.out.splitlines()], caught.err

    return call


def word(lines, name, law):
    """Return the verdict printed for a law of an input."""
    found = [line.split() for line in lines]
    (verdict,) = [line[2] for line in found if line[:2] == [name, law]]
    return verdict


def test_a_right_kernel_holds_every_law(checked):
    status, lines, _ = checked(HEAD, FORWARD, RULE, KERNEL, INPUTS)
    assert status == 0
    assert lines[0] == "mine, mine.py: 6 cases, seed 0"
    assert lines[-1] == "mine: all 13 laws hold"
    assert [line.split()[1] for line in lines if line.startswith("x ")] == list(LAWS)


def test_a_wrong_factor_is_named_measured_and_placed(checked):
    wrong = rule('return {"direct": 2 * dy * (1 - saved[0] ** 2)}')
    status, lines, _ = checked(HEAD, FORWARD, wrong, KERNEL, INPUTS)
    case = Case.draw(0, x=normal(1, 1))
    (x,) = case.arrays
    dy = case.cotangent(np.tanh(x))
    right = (dy * (1 - np.tanh(x) ** 2)).item()
    at = lines.index("x  gradient  WRONG  not so: its terms add up to the gradient")
    assert status == 1
    assert lines[at + 1 : at + 5] == [
        f"found: dL/dx[0, 0] is {2 * right:.6g}, expected {right:.6g}",
        "likely cause: 2 times too large",
        f"at 6 of 6 cases, the smallest: x = {x.round(4).tolist()}, "
        f"dy = {dy.round(4).tolist()}",
        "look at: mine.py:7   def x_terms(dy, saved):",
    ]
    assert lines[-1] == "mine: 11 of 13 laws hold; look at the rule of x, mine.py:7"


def test_every_input_gets_its_own_verdict(checked):
    status, lines, _ = checked(
        HEAD,
        "def forward(a, b):\n    return a * b, (a, b)\n",
        "KERNEL = Kernel('mine', forward, {\n",
        "    'a': lambda dy, saved: {'direct': -dy * saved[1]},\n",
        "    'b': lambda dy, saved: {'direct': dy * saved[0]},\n",
        "})\n",
        'INPUTS = {"a": normal("N", "D"), "b": normal("D")}\n',
    )
    assert status == 1
    assert word(lines, "a", "gradient") == "WRONG"
    assert word(lines, "b", "gradient") == "ok"
    assert "likely cause: wrong sign" in lines
    assert lines[-1].endswith("look at the rule of a, mine.py:7")


def test_two_wrong_rules_are_both_found(checked):
    _, lines, _ = checked(
        HEAD,
        "def forward(a, b):\n    return a * b, (a, b)\n",
        "def a_terms(dy, saved):\n    return {'direct': -dy * saved[1]}\n",
        "def b_terms(dy, saved):\n    return {'direct': dy * saved[0] / 7}\n",
        "KERNEL = Kernel('mine', forward, {'a': a_terms, 'b': b_terms})\n",
        'INPUTS = {"a": normal("N", "D"), "b": normal("D")}\n',
    )
    assert "likely cause: wrong sign" in lines
    assert "likely cause: 7 times too small" in lines
    assert lines[-1].endswith(
        "look at the rule of a, mine.py:6 and at the rule of b, mine.py:8"
    )


BROKEN = [
    pytest.param(
        FORWARD,
        rule('return {"direct": dy * saved[1]}'),
        ("x", "runs", "raises IndexError: tuple index out of range", 8),
        id="exception in a rule",
    ),
    pytest.param(
        forward("return half(x)") + "def half(x):\n    return x / nowhere\n",
        RULE,
        ("y", "runs", "raises NameError: name 'nowhere' is not defined", 7),
        id="exception in what forward calls",
    ),
    pytest.param(
        FORWARD,
        "def x_terms(dy):\n    return {'direct': dy}\n",
        ("x", "runs", "raises TypeError: x_terms() takes 1 positional", RULE_AT),
        id="rule of one argument",
    ),
    pytest.param(
        "def forward(x, w):\n    return x * w, (x, w)\n",
        RULE,
        ("y", "runs", "raises TypeError: forward() missing 1 required", FORWARD_AT),
        id="forward of two arrays",
    ),
    pytest.param(
        FORWARD,
        rule("import sys; sys.exit()"),
        ("x", "runs", "raises SystemExit", 8),
        id="exit in a rule",
    ),
    pytest.param(
        forward("return numpy.tanh(x)"),
        RULE,
        ("y", "runs", "forward returns an array, expected (y, saved)", FORWARD_AT),
        id="forward without saved",
    ),
    pytest.param(
        forward("return [1.0], ()"),
        RULE,
        ("y", "runs", "y is a list, expected an array", FORWARD_AT),
        id="y a list",
    ),
    pytest.param(
        forward("return (x, x), ()"),
        RULE,
        ("y", "runs", "y is a tuple, expected an array or a NamedTuple", FORWARD_AT),
        id="y a tuple",
    ),
    pytest.param(
        forward("return (x > 0), ()"),
        RULE,
        ("y", "runs", "y is of dtype bool, expected floats", FORWARD_AT),
        id="y of booleans",
    ),
    pytest.param(
        forward("return numpy.log(x), (x,)"),
        RULE,
        ("y", "runs", "y has elements that are not finite (inf or nan)", FORWARD_AT),
        id="nan in y",
    ),
    pytest.param(
        FORWARD,
        rule("return dy * (1 - saved[0] ** 2)"),
        ("x", "runs", "the rule of x returns an array, expected its terms", RULE_AT),
        id="rule without a dict",
    ),
    pytest.param(
        FORWARD,
        rule("return {}"),
        ("x", "runs", "the rule of input x names its terms [], expected", RULE_AT),
        id="no terms",
    ),
    pytest.param(
        FORWARD,
        rule('return {"direct": (dy * (1 - saved[0] ** 2)).T}'),
        ("x", "runs", "term direct of input x has shape (3, 2), expected", RULE_AT),
        id="wrong shape",
    ),
    pytest.param(
        FORWARD,
        rule('return {"direct": dy / 0 * saved[0]}'),
        ("x", "linear", "term direct of input x has elements that are not", RULE_AT),
        id="nan in a term",
    ),
    pytest.param(
        FORWARD,
        rule('return {"direct": dy * (1 - saved[0] ** 2) + 1}'),
        ("x", "linear", "term direct of input x is off by", RULE_AT),
        id="not proportional to dy",
    ),
    pytest.param(
        FORWARD,
        rule('dy *= 1 - saved[0] ** 2; return {"direct": dy}'),
        ("x", "pure", "the rule of input x writes into an array it was given", 8),
        id="dy written",
    ),
    pytest.param(
        forward("x += 0.0; y = numpy.tanh(x); return y, (y,)"),
        RULE,
        ("y", "pure", "forward writes into an array it was given", 5),
        id="input written",
    ),
    pytest.param(
        FORWARD,
        rule('return {"direct": numpy.float64(1) * dy * (1 - saved[0] ** 2)}'),
        ("x", "float32", "term direct of input x is float64 for float32", RULE_AT),
        id="float64",
    ),
    pytest.param(
        forward("y = numpy.array(numpy.tanh(x).tolist()); return y, (y,)"),
        RULE,
        (
            "y",
            "float32",
            "y is float64 for float32 input, expected float32",
            FORWARD_AT,
        ),
        id="float64 in y",
    ),
    pytest.param(
        FORWARD,
        rule('return {"direct": dy * (1 - numpy.array([saved[0]])[0] ** 2)}'),
        ("x", "gpu", "raises on the backend 'fake', expected what numpy gives", 8),
        id="a host array",
    ),
]


@pytest.mark.parametrize(("forward", "rule", "expected"), BROKEN)
def test_what_is_broken_is_said_with_its_law_and_line(forward, rule, expected, checked):
    name, law, said, line = expected
    status, lines, err = checked(HEAD, forward, rule, KERNEL, INPUTS)
    head = f"{name}  {law:8}  WRONG  not so:"
    (at,) = [at for at, text in enumerate(lines) if text.startswith(head)]
    assert status == 1
    assert err == ""
    assert lines[at + 1].startswith(f"found: {said}")
    look = next(text for text in lines[at:] if text.startswith("look at: "))
    assert look.startswith(f"look at: mine.py:{line}   ")
    assert f"mine.py:{line}" in lines[-1]


def test_what_cannot_run_leaves_the_other_laws_open(checked):
    wrong = rule('return {"direct": dy * saved[1]}')
    _, lines, _ = checked(HEAD, FORWARD, wrong, KERNEL, INPUTS)
    left = ", ".join(law for law in LAWS if law != "runs")
    assert f"x            -      not checked: {left} (it must run first)" in lines
    assert lines[-1].startswith("mine: 5 of 13 laws hold; look at the rule of x")


def test_a_rule_that_writes_is_still_right_about_the_gradient(checked):
    wrong = rule('dy *= 1 - saved[0] ** 2; return {"direct": dy}')
    _, lines, _ = checked(HEAD, FORWARD, wrong, KERNEL, INPUTS)
    assert word(lines, "x", "pure") == "WRONG"
    assert word(lines, "x", "gradient") == "ok"
    assert lines[-1].startswith("mine: 12 of 13 laws hold")


def test_a_gradient_is_not_explained_by_what_linearity_explains(checked):
    wrong = rule('return {"direct": dy * (1 - saved[0] ** 2) + 1}')
    _, lines, _ = checked(HEAD, FORWARD, wrong, KERNEL, INPUTS)
    assert "likely cause: what breaks the law `linear`, above" in lines
    assert (
        "x            -      not checked: complex (its gradient must be right first)"
        in lines
    )


def test_a_missing_sum_is_seen_at_the_first_case_that_shows_it(checked):
    status, lines, _ = checked(
        HEAD,
        "def forward(x):\n    return x - x.mean(axis=1, keepdims=True), ()\n",
        rule('return {"direct": dy}'),
        KERNEL,
        INPUTS,
    )
    assert status == 1
    (cause,) = [line for line in lines if line.startswith("likely cause: ")]
    assert "constant along axis 1, as a path through a mean or sum is" in cause
    assert word(lines, "x", "gradient") == "WRONG"


def test_the_cause_that_is_said_holds_for_the_case_that_is_shown(checked):
    _, lines, _ = checked(
        HEAD,
        "def forward(x, b):\n    return x + b, ()\n",
        "KERNEL = Kernel('mine', forward, {\n",
        "    'x': lambda dy, saved: {'direct': dy},\n",
        "    'b': lambda dy, saved: {'direct': dy.mean(axis=0)}})\n",
        'INPUTS = {"x": normal("N", "D"), "b": normal("D")}\n',
        argv=["--examples", "12"],
    )
    at = lines.index("b  gradient  WRONG  not so: its terms add up to the gradient")
    found, cause, case = lines[at + 1 : at + 4]
    wrong, right = (float(word.strip(",")) for word in found.split()[3::2])
    shown = re.search(r"the smallest( that shows it)?: x = (.*), b = ", case)
    length = len(ast.literal_eval(shown[2]))
    assert right / wrong == pytest.approx(length, rel=1e-4)
    assert cause == (
        f"likely cause: {length} times too small, {length} being the length of axis 0 "
        "of the output: perhaps a mean where a sum belongs"
    )


def test_a_factor_that_only_the_smallest_case_allows_is_not_said(checked):
    # At one element each, losing a term is a wrong factor, too.
    _, lines, _ = checked(
        HEAD,
        "def forward(x):\n    return 2 * x - x.mean(axis=1, keepdims=True), ()\n",
        rule('return {"direct": 2 * dy}'),
        KERNEL,
        INPUTS,
    )
    at = lines.index("x  gradient  WRONG  not so: its terms add up to the gradient")
    assert "constant along axis 1" in lines[at + 2]
    assert lines[at + 3].startswith("at 6 of 6 cases, the smallest that shows it: x = ")
    alone = rule('return {"direct": 2 * dy}') + INPUTS.replace('"N", "D"', "1, 1")
    _, lines, _ = checked(
        HEAD,
        "def forward(x):\n    return 2 * x - x.mean(axis=1, keepdims=True), ()\n",
        alone,
        KERNEL,
    )
    assert "likely cause: 2 times too large" in lines


def test_a_forward_that_takes_no_complex_numbers_is_checked_by_differences(checked):
    status, lines, _ = checked(
        HEAD,
        forward("return numpy.abs(x), (x,)"),
        rule('return {"direct": dy * numpy.sign(saved[0])}'),
        KERNEL,
        INPUTS,
    )
    assert status == 0
    assert lines[-1] == "mine: all 12 laws hold"


def test_inputs_that_are_not_stated_are_guessed_and_said(checked):
    status, lines, _ = checked(HEAD, FORWARD, RULE, KERNEL)
    assert status == 0
    assert lines[1].startswith("note: how to draw x is guessed; state it in the file")
    assert lines[3] == 'INPUTS = {"x": normal("N", "D")}'


def test_parameters_are_handed_on(checked):
    status, lines, _ = checked(
        HEAD,
        "def forward(x, *, k):\n    return k * x, k\n",
        rule('return {"direct": -dy * saved}'),
        KERNEL,
        INPUTS,
        "PARAMS = {'k': 3.0}\n",
    )
    assert status == 1
    assert any("x = [[0.1257]], k = 3.0, dy = " in line for line in lines)


def test_an_input_without_a_rule_is_said_not_to_be_checked(checked):
    status, lines, _ = checked(
        HEAD.replace("positive", "booleans"),
        "def forward(x, mask):\n    return x * mask, mask\n",
        "KERNEL = Kernel('mine', forward, {\n",
        "    'x': lambda dy, saved: {'direct': dy * saved}, 'mask': None})\n",
        'INPUTS = {"x": normal("N"), "mask": booleans("N")}\n',
    )
    assert status == 0
    assert "note: mask is not checked: its rule is None" in lines
    assert lines[-1] == "mine: all 13 laws hold"


SECOND = """\
ONE = Kernel("one", forward, {"x": x_terms})
TWO = Kernel("two", forward, {"x": lambda dy, saved: {"direct": dy}})
_THREE = Kernel("three", forward, {"x": lambda dy, saved: {"direct": dy}})
from minigrad.kernels.activations import RELU_KERNEL
"""


def test_every_kernel_of_the_file_is_graded_but_private_and_imported_ones(checked):
    status, lines, _ = checked(HEAD, FORWARD, RULE, SECOND, INPUTS)
    assert status == 1
    heads = [line.split(",")[0] for line in lines if line.endswith("seed 0")]
    assert heads == ["one", "two"]


@pytest.mark.parametrize("name", ["one", "ONE"])
def test_one_kernel_is_chosen_by_its_name_or_variable(name, checked):
    status, lines, _ = checked(
        HEAD, FORWARD, RULE, SECOND, INPUTS, argv=["--kernel", name]
    )
    assert status == 0
    assert lines[-1] == "one: all 13 laws hold"


@pytest.mark.parametrize(
    ("text", "argv", "said"),
    [
        ("def f(:\n", [], "mine.py:1: invalid syntax, expected a Python file"),
        ("import nowhere\n", [], "mine.py:1: raises ModuleNotFoundError: No module"),
        ("x = 1\nx.y\n", [], "mine.py:2: raises AttributeError: 'int' object has"),
        ("raise SystemExit\n", [], "mine.py:1: raises SystemExit, expected a file"),
        ("x = '\0'\n", [], "expected a Python file"),
        (HEAD + "KERNEL = Kernel('m', 1)\n", [], "mine.py:4: raises TypeError: Kernel"),
        (HEAD + FORWARD + RULE + KERNEL, ["--kernel", "other"], "expected one of mine"),
        ("", ["--seed", "-1"], "'-1', expected a whole number, at least 0"),
        ("", ["--examples", "0"], "'0', expected a whole number, at least 1"),
        ("", ["--nonsense"], "unrecognized arguments: --nonsense"),
    ],
)
def test_what_is_no_kernel_file_is_one_line_and_status_2(text, argv, said, checked):
    status, lines, err = checked(text, argv=argv)
    assert status == 2
    assert lines == []
    assert said in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("INPUTS = [1]", 'mine.py: INPUTS [1], expected a dict such as {"x": normal'),
        ("INPUTS = {'x': 'N'}", "INPUTS['x'] 'N', expected a domain with its axes"),
        ("INPUTS = {'x': ('N', '...')}", 'expected letters and lengths, and "..." in'),
        (
            "INPUTS = {'z': normal('N')}",
            "INPUTS names 'z', expected names of inputs: x",
        ),
        ("PARAMS = 3", "PARAMS 3, expected a dict such as"),
        ("SIZES = {'N': (3, 2)}", "SIZES['N'] (3, 2), expected (smallest, largest)"),
    ],
)
def test_what_is_stated_wrongly_is_status_2(line, said, checked):
    status, _, err = checked(HEAD, FORWARD, RULE, KERNEL, line)
    assert status == 2
    assert said in err


@pytest.mark.parametrize(
    ("terms", "inputs"),
    [("x v", "x w"), ("x", "x w"), ("w x", "x w"), ("w x", "")],
    ids=["another name", "one too few", "another order", "order, no INPUTS"],
)
@pytest.mark.parametrize("argv", [[], ["--kernel", "mine"]], ids=["all", "one"])
def test_terms_that_disagree_with_forward_are_blamed_not_inputs(
    terms, inputs, argv, checked
):
    rules = ", ".join(f"{key!r}: rule" for key in terms.split())
    stated = ", ".join(f"{key!r}: normal('N')" for key in inputs.split())
    status, lines, err = checked(
        HEAD,
        "def forward(x, w, *, k=1):\n    return x * w, (x, w)\n",
        "def rule(dy, saved):\n    return {'direct': dy * saved[1]}\n",
        f"KERNEL = Kernel('mine', forward, {{{rules}}})\nINPUTS = {{{stated}}}\n",
        argv=argv,
    )
    assert status == 2
    assert lines == []
    assert err == (
        f"mine.py: the terms of mine are for {', '.join(terms.split())}, expected the "
        "arrays of forward, in its order: x, w; None for the rule of an array that has "
        "no gradient\n"
    )


def test_terms_may_name_arrays_in_words_of_their_own(checked):
    status, _, _ = checked(
        HEAD, FORWARD, RULE, KERNEL.replace('"x"', '"z"'), INPUTS.replace('"x"', '"z"')
    )
    assert status == 0


def test_a_file_without_a_kernel_is_shown_the_shortest_one_that_passes(checked):
    status, _, err = checked("x = 1\n")
    assert status == 2
    assert err.startswith("mine.py: has no Kernel, expected one in a variable")
    assert MINIMAL in err
    status, lines, _ = checked("\n".join(line[4:] for line in MINIMAL.splitlines()))
    assert status == 0
    assert lines[-1] == "my_tanh: all 13 laws hold"


def test_a_missing_file_and_a_folder_are_said(tmp_path, capsys):
    assert main(["check", str(tmp_path / "none.py")]) == 2
    assert "none.py: cannot be read (No such file" in capsys.readouterr().err
    assert main(["check", str(tmp_path)]) == 2
    assert "cannot be read (Is a directory)" in capsys.readouterr().err


def test_what_lies_beside_the_file_can_be_imported_and_nothing_is_left(
    checked, tmp_path
):
    (tmp_path / "beside_it.py").write_text("TWO = 2\n")
    before = list(sys.path), set(sys.modules)
    status, _, _ = checked(
        "from beside_it import TWO\n", HEAD, FORWARD, RULE, KERNEL, INPUTS
    )
    assert status == 0
    assert sys.path == before[0]
    assert set(sys.modules) - before[1] == {"beside_it"}
    del sys.modules["beside_it"]


def test_an_interrupt_ends_the_check_with_status_130(checked):
    wrong = rule("raise KeyboardInterrupt")
    status, _, err = checked(HEAD, FORWARD, wrong, KERNEL, INPUTS)
    assert status == 130
    assert err == "interrupted\n"


def test_seed_and_number_of_cases_are_taken(checked):
    status, lines, _ = checked(
        HEAD, FORWARD, rule('return {"direct": dy}'), KERNEL, INPUTS,
        argv=["--seed", "7", "--examples", "1"],
    )  # fmt: skip
    assert status == 1
    assert lines[0] == "mine, mine.py: 1 case, seed 7"
    # A single case is one that shows most bugs: its lengths are greater than 1.
    shown = Case.draw(7, x=normal(2, 3)).arrays[0].round(4).tolist()
    assert any(f"at 1 of 1 cases, the smallest: x = {shown}" in line for line in lines)


def test_a_kernel_of_any_number_of_inputs_is_graded():
    inputs = {"x0": normal("N", 2), "x1": normal("N", 3)}
    recipe = recipe_of(CONCAT_KERNEL, "f.py", {"INPUTS": inputs, "PARAMS": {"axis": 1}})
    verdicts = list(grade(CONCAT_KERNEL, cases(recipe, 0, 3), "f.py"))
    assert {verdict.input for verdict in verdicts} == {"", "x0", "x1"}
    assert all(verdict.holds for verdict in verdicts)


def test_cases_begin_with_the_smallest_and_letters_are_equal_lengths():
    recipe = Recipe({"x": normal("...", "N", "D"), "w": normal("D")}, {}, {})
    shapes = [tuple(a.shape for a in case.arrays) for case in cases(recipe, 0, 4)]
    assert shapes[:3] == [
        ((1, 1), (1,)),
        ((2, 2, 2), (2,)),
        ((3, 2, 2, 3), (3,)),
    ]
    assert shapes[3][0][-1:] == shapes[3][1]


def test_sizes_limit_the_lengths_of_a_letter():
    recipe = Recipe({"x": normal("N", "D")}, {}, {"N": (3, 5)})
    lengths = {case.arrays[0].shape[0] for case in cases(recipe, 0, 40)}
    assert lengths == {3, 4, 5}


def test_the_same_seed_draws_the_same_cases():
    recipe = recipe_of(MUL_KERNEL, "f.py", {})
    one, two = (cases(recipe, 3, 6) for _ in range(2))
    assert list(map(repr, one)) == list(map(repr, two))
    assert recipe.guessed == ("a", "b")


def test_a_new_file_passes_and_is_kept(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["new", "mine", "--out", FILE]) == 0
    said = "mine.py: written; python -m minigrad.testing check mine.py\n"
    assert capsys.readouterr().out == said
    assert main(["check", FILE]) == 0
    assert capsys.readouterr().out.endswith("mine: all 21 laws hold\n")
    assert main(["new", "other", "--out", FILE]) == 2
    assert "exists, and is kept" in capsys.readouterr().err
    assert 'name="mine"' in (tmp_path / FILE).read_text()
    assert main(["new", "other", "--out", FILE, "--force"]) == 0
    assert 'name="other"' in (tmp_path / FILE).read_text()
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_new_prints_and_refuses_what_is_no_name(capsys):
    assert main(["new", "mine"]) == 0
    assert capsys.readouterr().out.startswith('"""mine: y = w * tanh(x)')
    for name in ("my kernel", "class", "None", "2x", ""):
        assert main(["new", name]) == 2
        assert capsys.readouterr().err == (
            f"new: NAME {name!r}, expected a word of letters, digits and _ that is no "
            "keyword of Python, such as my_kernel\n"
        )


def test_the_help_says_that_the_file_is_run(capsys):
    with pytest.raises(SystemExit):
        main(["check", "-h"])
    said = capsys.readouterr().out
    assert "FILE is run" in said
    assert all(law in said for law in LAWS)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_one_line():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "minigrad.testing", "new", "mine"],
            stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == (
        "standard output cannot be written (No space left on device)\n"
    )


def test_integers_need_the_rule_none(checked):
    status, lines, _ = checked(
        HEAD.replace("positive", "integers"),
        FORWARD,
        RULE,
        KERNEL,
        'INPUTS = {"x": integers("N", high=4)}\n',
    )
    assert status == 1
    found = (
        "found: x is drawn as int64 and has a rule, expected floats, or None for its"
    )
    assert f"{found} rule" in lines
