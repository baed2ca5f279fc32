"""What the bench concludes from numbers, and what it refuses."""

import io
import json
import signal
import sys

import pytest

from bench import worker
from bench.harness import (
    BenchError,
    Case,
    Setting,
    Timed,
    expect_agreement,
    summary,
)
from bench.suites import SUITES


def test_medians_and_the_ratio_of_neighbouring_rounds():
    times = {"minigrad": [[1.0, 2.0, 3.0], [4.0, 4.0, 4.0]], "torch": [[4.0], [2.0]]}
    result = summary("case", times, threads=2)
    assert result.engines["minigrad"].median == 3.5
    assert result.engines["minigrad"].ratio is None
    # Rounds: 2 / 4 and 4 / 2.
    assert result.as_dict()["ratio"] == 1.25


def test_one_value_is_its_own_quartiles():
    result = summary("case", {"minigrad": [[2.0]]}, threads=1, unit="MB")
    assert result.engines["minigrad"].quartiles == (2.0, 2.0)


def test_without_torch_its_fields_are_none():
    row = summary("case", {"minigrad": [[2.0]]}, threads=1).as_dict()
    assert row["minigrad_ms"] == 2.0
    assert row["torch_ms"] is row["ratio"] is row["torch_quartiles_ms"] is None


def test_equal_losses_agree_up_to_rounding():
    expect_agreement("case", {"a": [2.0, 1.9, 1.8], "b": [2.00001, 1.901, 1.8]})


def test_cases_without_losses_have_nothing_to_compare():
    expect_agreement("case", {"a": [], "b": [], "c": []})


@pytest.mark.parametrize(
    "losses",
    [[2.1, 2.0, 1.9], [2.0, 1.92, 1.85], [2.0, 2.0, 2.0], [float("nan")] * 3],
    ids=["other weights", "other gradient", "no update", "not a number"],
)
def test_other_mathematics_is_no_comparison(losses):
    with pytest.raises(BenchError, match="do not compute the same network"):
        expect_agreement("case", {"a": [2.0, 1.9, 1.8], "b": losses})


def test_every_library_is_held_to_the_same_threads():
    environment = Setting(threads=3).environment()
    names = ("OMP", "OPENBLAS", "MKL", "MINIGRAD")
    assert [environment[f"{name}_NUM_THREADS"] for name in names] == ["3"] * 4


def test_rivals_may_live_in_another_python():
    setting = Setting(rivals="/elsewhere/python")
    assert setting.python("jax") == "/elsewhere/python"
    assert setting.python("torch") == Setting().python("jax")


def test_a_step_may_time_a_part_of_itself(monkeypatch, capsys):
    def part():
        return Timed(2.0, 7.5)

    cases = {"c": Case("c", {"minigrad": lambda: part, "other": lambda: lambda: 2.0})}
    monkeypatch.setitem(SUITES, "s", cases)
    told = {}
    for engine in cases["c"].engines:
        monkeypatch.setattr(sys, "argv", ["worker", "s", "c", engine, "1"])
        monkeypatch.setattr(sys, "stdin", io.StringIO("2\n"))
        before = signal.getsignal(signal.SIGINT)
        worker.main()
        signal.signal(signal.SIGINT, before)
        told[engine] = json.loads(capsys.readouterr().out)
    assert told["minigrad"] == {"ms": [7.5, 7.5], "losses": [2.0, 2.0]}
    assert told["other"]["losses"] == [2.0, 2.0]
    assert all(value < 7 for value in told["other"]["ms"])
