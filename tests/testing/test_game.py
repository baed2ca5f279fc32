"""Puzzles have one bug that the grader finds, are repeatable, and keep their answer."""

import re
import subprocess
import sys

import pytest

from minigrad.errors import ArgumentError, MinigradError
from minigrad.kernels import KERNELS
from minigrad.testing.__main__ import main as check
from minigrad.testing.grading.grade import first_fault
from minigrad.testing.grading.recipe import cases, recipe_of
from minigrad.testing.grading.student import kernels_of, run
from minigrad.testing.mutants.__main__ import main
from minigrad.testing.puzzles import puzzle as game

ROWS = [(name, 0) for name in game.RECIPES]
# More seeds of every third kernel: the whole table takes half a minute.
ROWS += [(name, seed) for name in list(game.RECIPES)[1::3] for seed in (1, 2)]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def fault_of(text):
    """Grade a puzzle as `check` would: by what the file itself says."""
    module = run(text, "puzzle.py")
    (kernel,) = kernels_of(module)
    recipe = recipe_of(kernel, "puzzle.py", vars(module))
    assert not recipe.guessed
    return first_fault(kernel, cases(recipe, 0, game.EXAMPLES), "puzzle.py")


def lines_of(text):
    return text.splitlines()


def test_puzzles_are_made_of_the_kernels_that_courses_begin_with():
    known = {kernel.name for kernel in KERNELS}
    assert set(game.RECIPES) <= known
    assert len(game.RECIPES) >= 40


# Making a puzzle checks this for every kernel; here without the help of the maker.
@pytest.mark.parametrize("name", list(game.RECIPES)[::5])
def test_the_file_without_a_bug_passes(name):
    assert fault_of(game.puzzle(name).right) is None


def test_no_puzzle_is_made_of_a_kernel_that_fails_itself(monkeypatch):
    monkeypatch.setattr(game, "_passes", lambda kernel, text: False)
    with pytest.raises(MinigradError, match="tanh itself does not pass"):
        game.puzzle("tanh")


@pytest.mark.parametrize(("name", "seed"), ROWS)
def test_a_puzzle_runs_and_is_rejected(name, seed):
    fault = fault_of(game.puzzle(name, seed).text)
    assert fault is not None
    assert not fault.raised


def test_the_same_seed_gives_the_same_file_in_another_process():
    command = (
        "from minigrad.testing.puzzles import puzzle as game; "
        "print(game.puzzle('div', 4).text)"
    )
    done = subprocess.run(
        [sys.executable, "-c", command], capture_output=True, text=True, check=True
    )
    assert done.stdout == game.puzzle("div", 4).text + "\n"


def test_seeds_give_different_bugs_until_none_is_left_and_begin_again():
    count = len(game.bugs_of("tanh"))
    bodies = [game.puzzle("tanh", seed).text.split("\n", 1)[1] for seed in range(count)]
    assert len(set(bodies)) == count >= 5
    assert game.puzzle("tanh", count).text.split("\n", 1)[1] == bodies[0]


def test_neighbouring_seeds_give_bugs_of_different_kinds():
    kinds = [game.puzzle("softmax", seed).kind for seed in range(5)]
    assert len(set(kinds)) == 5


def test_a_puzzle_differs_from_the_right_file_in_one_place_only():
    made = game.puzzle("div", 1)
    right, text = lines_of(made.right), lines_of(made.text)
    assert len(right) == len(text)
    assert sum(a != b for a, b in zip(right, text, strict=True)) == 1


def test_nothing_in_a_puzzle_names_the_kind_of_bug():
    made = game.puzzle("tanh", 3)
    assert made.kind not in made.text
    assert lines_of(made.text)[0] == "# Puzzle: tanh, seed 3."


def test_unknown_kernels_are_met_with_the_nearest_name():
    with pytest.raises(ArgumentError, match="kernel 'sofmax', expected 'softmax'"):
        game.puzzle("sofmax")
    with pytest.raises(ArgumentError, match="expected one of abs, batch_norm_eval"):
        game.puzzle("zzz")
    with pytest.raises(ArgumentError, match="seed -1, expected at least 0"):
        game.puzzle("tanh", -1)


def test_a_class_plays_the_game(tmp_path, capsys):
    assert main(["make", "softmax", "--seed", "2", "--out", "p.py"]) == 0
    assert capsys.readouterr().out == "p.py: written, softmax with one bug, seed 2\n"
    assert check(["check", "p.py"]) == 1
    assert "look at the rule of x, p.py:" in lines_of(capsys.readouterr().out)[-1]

    made = game.puzzle("softmax", 2)
    (tmp_path / "p.py").write_text(made.right, encoding="utf-8")
    assert check(["check", "p.py"]) == 0
    assert lines_of(capsys.readouterr().out)[-1] == "softmax: all 13 laws hold"


def test_the_answer_names_kind_rule_line_and_what_was_there(capsys):
    main(["make", "tanh", "--seed", "1", "--out", "p.py", "--answer", "a.txt"])
    capsys.readouterr()
    assert main(["answer", "p.py"]) == 0
    told = capsys.readouterr().out
    with open("a.txt", encoding="utf-8") as file:
        assert file.read() == told
    made = game.puzzle("tanh", 1)
    head, place, right, wrong = lines_of(told)
    assert re.fullmatch(rf"tanh, seed 1: .+ \({made.kind}\)", head)
    line = int(re.match(r"line (\d+), in \w+:", place)[1])
    assert lines_of(made.text)[line - 1].strip() == wrong.removeprefix("  puzzle: ")
    assert lines_of(made.right)[line - 1].strip() == right.removeprefix("  right:  ")


def test_the_answer_says_what_was_left_out():
    bugs = [bug.kind for bug in game.bugs_of("gaaf")]
    told = game.answer(game.puzzle("gaaf", bugs.index("term_dropped")))
    assert lines_of(told)[-1] == "  puzzle: (left out)"
    assert "in x_terms:" in told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda made: made.text, ""),
        (lambda made: made.right, "p.py: has been mended\n"),
        (lambda made: made.text + "# mine\n", "p.py: has been changed, or made by"),
    ],
)
def test_the_answer_is_known_also_when_the_file_was_changed(
    change, said, tmp_path, capsys
):
    made = game.puzzle("sigmoid", 2)
    (tmp_path / "p.py").write_text(change(made), encoding="utf-8")
    assert main(["answer", "p.py"]) == 0
    assert capsys.readouterr().out.removeprefix(game.answer(made)).startswith(said)


def test_a_puzzle_is_printed_where_no_file_is_named(capsys):
    assert main(["make", "relu"]) == 0
    assert capsys.readouterr().out == game.puzzle("relu").text


def test_list_counts_places_and_exactly_for_one_kernel(capsys):
    assert main(["list"]) == 0
    every = capsys.readouterr().out
    assert re.search(r"^layer_norm +up to +\d+ bugs$", every, re.MULTILINE)
    assert re.search(r"^sign_flipped +\d+  a minus is lost", every, re.MULTILINE)
    assert main(["list", "relu"]) == 0
    count = len(game.bugs_of("relu"))
    assert lines_of(capsys.readouterr().out)[0] == (
        f"relu: {count} bugs, by the seeds 0 to {count - 1}"
    )


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["make"], "the following arguments are required: KERNEL"),
        (["make", "tan"], "kernel 'tan', expected 'tanh'"),
        (["make", "tanh", "--seed", "x"], "'x', expected a whole number, at least 0"),
        (["make", "tanh", "--out", "p.py", "--answer", "p.py"], "are one file"),
        (["make", "tanh", "--out", "no/p.py"], "no/p.py: cannot be written (No such"),
        (["make", "tanh", "--out", "."], ".: is no file that could be replaced"),
        (["list", "tan"], "kernel 'tan', expected 'tanh'"),
        (["answer", "p.py"], "p.py: cannot be read (No such file or directory)"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(argv, said, capsys, tmp_path):
    assert main(argv) == 2
    caught = capsys.readouterr()
    assert caught.out == ""
    assert len(lines_of(caught.err)) == 1
    assert said in caught.err
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_puzzle_has_no_answer(tmp_path, capsys):
    (tmp_path / "p.py").write_text("x = 1\n")
    assert main(["answer", "p.py"]) == 2
    assert "is no puzzle, expected a first line such as" in capsys.readouterr().err


def test_files_are_kept_unless_forced(tmp_path, capsys):
    kept = tmp_path / "a.txt"
    kept.write_text("mine")
    argv = ["make", "tanh", "--out", "p.py", "--answer", "a.txt"]
    assert main(argv) == 2
    assert (
        capsys.readouterr().err == "a.txt: exists, and is kept; --force replaces it\n"
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert kept.read_text() == "mine"
    assert main([*argv, "--force"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.txt", "p.py"]
    assert "tanh, seed 0" in kept.read_text()


def test_all_files_are_written_or_none(tmp_path, capsys):
    argv = ["make", "tanh", "--out", "p.py", "--answer", "no/a.txt"]
    assert main(argv) == 2
    assert main([*argv[:-1], "a.txt", "--out", "no/p.py"]) == 2
    assert list(tmp_path.iterdir()) == []


def test_the_command_runs_without_a_warning_and_ends_with_its_reader():
    command = [sys.executable, "-m", "minigrad.testing.mutants", "make", "tanh"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
