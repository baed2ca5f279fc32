"""What the command line answers."""

import sys

import pytest

from bench import __main__ as command
from bench.profile import Watch, profile, table
from bench.suites import SUITES
from minigrad import tensor
from minigrad.kernels import Kernel
from minigrad.optim import SGD


def run(monkeypatch, *words):
    monkeypatch.setattr(sys, "argv", ["bench", *words])
    return command.main()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["step", "mpl"], "bench step: case 'mpl', expected one of: mlp, cnn,"),
        (["tape", "--match", "zzz"], "bench tape: no case contains 'zzz'"),
        (["flights"], "argument suite: invalid choice: 'flights'"),
        (
            ["tape", "--rivals", "no/python"],
            "'no/python', expected a program that runs",
        ),
        (["report", "step"], "report takes no case and no options; see `python -m"),
        (["report", "--save"], "report takes no case and no options; see `python -m"),
        (["memory", "--profile"], "--profile shows times, and memory measures none;"),
        (["step", "--profile", "--save"], "--profile prints a table only, expected no"),
        (["step", "--threads", "999"], "--threads 999, expected at most"),
        (["tape", "--rounds", "0"], "argument --rounds: '0', expected an integer >= 1"),
    ],
)
def test_wrong_usage_ends_in_a_sentence_and_status_2(monkeypatch, capsys, words, said):
    with pytest.raises(SystemExit) as end:
        run(monkeypatch, *words)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_every_case_is_for_us_and_for_pytorch_or_us_unobserved():
    for suite_name, suite in SUITES.items():
        other = "minigrad unobserved" if suite_name == "inspect" else "torch"
        for name, case in suite.items():
            assert list(case.engines)[:2] == ["minigrad", other], name
            assert name == case.name


def test_a_profile_names_kernels_shapes_and_gradients(monkeypatch):
    # Put back by monkeypatch when the test ends.
    for owner, name in ((Kernel, "run"), (Kernel, "gradient"), (SGD, "step")):
        monkeypatch.setattr(owner, name, getattr(owner, name))
    watch = Watch()
    watch.wrap()
    x = tensor([[1.0, 2.0, 3.0]] * 2, requires_grad=True)
    text = profile(lambda: (x * 2.0).sum().backward(), watch, steps=3)
    assert "mul 2x3 ()" in text
    assert "forward" in text
    assert "da" in text
    assert text.endswith("ms a step")


def test_an_empty_profile_is_a_table_too():
    assert table({}, {}, 1.0).endswith("1.000 ms a step")
