"""Result files, and the tables made of them."""

import json

import pytest

from bench.harness import Setting, summary
from bench.report import README, number, tables, with_tables
from bench.store import UNITS, facts, headline, load, save

FACTS = {
    "processor": "P",
    "cores": 2,
    "threads": 1,
    "rounds": 3,
    "python": "3.11",
    "versions": {"numpy": "2"},
    "date": "2030-01-01",
    "commit": "abc",
}


def result(name, ours=1.0):
    return summary(name, {"minigrad": [[ours]], "torch": [[2.0]]}, threads=1)


def test_a_case_measured_again_leaves_the_older_run(tmp_path):
    save("step", FACTS, [result("a"), result("b")], tmp_path)
    save("step", FACTS, [result("b", 5.0)], tmp_path)
    older, newer = load("step", tmp_path)["runs"]
    assert list(older["cases"]) == ["a"]
    assert newer["cases"]["b"]["minigrad"]["median"] == 5.0


def test_a_run_without_cases_goes(tmp_path):
    save("tape", FACTS, [result("a")], tmp_path)
    save("tape", FACTS, [result("a")], tmp_path)
    assert len(load("tape", tmp_path)["runs"]) == 1


def test_a_failed_write_leaves_the_old_file_and_no_other(tmp_path):
    save("step", FACTS, [result("a")], tmp_path)
    before = (tmp_path / "step.json").read_text()
    with pytest.raises(TypeError):
        save("step", {"not json": {1, 2}}, [result("a")], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step.json"]
    assert (tmp_path / "step.json").read_text() == before


def test_facts_name_machine_versions_and_commit():
    known = json.loads(json.dumps(facts(Setting(threads=1), [result("a")])))
    assert {"processor", "cores", "date", "commit", "dtype"} <= set(known)
    assert {"numpy", "scipy", "torch"} <= set(known["versions"])
    assert "1 threads" in headline(known)


def test_tables_show_median_quartiles_and_ratio(tmp_path):
    save("memory", FACTS, [result("vgg")], tmp_path)
    table = tables(load("memory", tmp_path))
    assert "| vgg | 1.00 [1.00, 1.00] | 2.00 [2.00, 2.00] (**0.50**) |" in table
    assert "commit abc" in table
    assert "minigrad, MB" in table


def test_only_what_stands_between_the_markers_is_replaced(tmp_path):
    save("tape", FACTS, [result("chain")], tmp_path)
    text = "before\n<!-- tape -->\nold\n<!-- end of tape -->\nafter\n"
    made = with_tables(text, tmp_path)
    assert made.startswith("before\n<!-- tape -->\n\n| case |")
    assert made.endswith("\n<!-- end of tape -->\nafter\n")
    assert with_tables(made, tmp_path) == made


def test_the_readme_shows_the_results_that_are_kept():
    text = README.read_text(encoding="utf-8")
    assert all(f"<!-- {suite} -->" in text for suite in UNITS)
    assert with_tables(text) == text, "run `python -m bench report`"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0123, "0.012"), (1.234, "1.23"), (12.34, "12.3"), (1234.5, "1234")],
)
def test_numbers_have_three_digits(value, text):
    assert number(value) == text
