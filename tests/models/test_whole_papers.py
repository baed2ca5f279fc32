"""All experiments of a paper by one command, as a reader runs them."""

import json

import pytest

from models.registry import EXPERIMENTS


@pytest.mark.slow
@pytest.mark.parametrize("family", dict.fromkeys(one.family for one in EXPERIMENTS))
def test_a_paper_runs_as_a_whole(start, tmp_path, family):
    process = start("run", family, "--json", "--out", tmp_path)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    ids = [one.id for one in EXPERIMENTS if one.family == family]
    lines = [line for line in out.splitlines() if line.startswith('{"id"')]
    assert [json.loads(line)["id"] for line in lines] == ids
    for name in ids:
        for file in ("summary.json", "figure.png", "gradient-flow.html"):
            assert (tmp_path / name / file).exists()
