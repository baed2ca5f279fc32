import json
import re
import shutil
import sys
from dataclasses import replace

import pytest

from datasets import DataError
from minigrad.backend import use_backend
from minigrad.errors import BackendError
from models.experiments.cli import main
from models.experiments.config import Preset
from models.gaaf.table2 import TABLE2
from models.gaaf.table4 import TABLE4
from models.registry import EXPERIMENTS

SMALL = replace(TABLE4.presets["tiny"].config, hidden=(8, 8, 8), epochs=2)


def fails(capsys, *argv, experiments=EXPERIMENTS):
    """Run the command and return its status and the one line it says on stderr."""
    status = main([str(word) for word in argv], experiments)
    (line,) = [
        line for line in capsys.readouterr().err.splitlines() if ": epoch " not in line
    ]
    return status, line


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["run", "gaaf.tabel4"], "unknown experiment .*did you mean 'gaaf.table4'"),
        (["show", "gaff"], "unknown experiment .*did you mean 'gaaf'"),
        (["run", "gaaf", "--dataset", "mnits"], "unknown data set .*mean 'mnist'"),
        (["run", "gaaf", "--preset", "smal"], "unknown preset .*mean 'small'"),
        (
            ["run", "gaaf", "--backend", "cuda"],
            "unknown backend 'cuda', .* numpy, cupy",
        ),
        (["run", "gaaf", "--seeds", "0"], "--seeds: '0', expected an integer >= 1"),
        (["run", "gaaf", "--jobs", "two"], "--jobs: 'two', expected an integer >= 1"),
        (["run", "gaaf", "--out", ""], "--out: '', expected a folder"),
        (["run", "gaaf", "--out", __file__], "cli.py is a file, expected a folder"),
        (["run", "gaaf", "--jsn"], "arguments: --jsn; see `python -m models run -h`"),
        (["run"], "required: ID"),
        (["list", "--verbose"], "unrecognized arguments: --verbose"),
        ([], "required: COMMAND"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(capsys, argv, words):
    status, line = fails(capsys, *argv)
    assert status == 2
    assert re.search(words, line), line


def test_an_unknown_backend_of_the_environment_is_wrong_usage(capsys, monkeypatch):
    monkeypatch.setenv("MINIGRAD_BACKEND", "cuda")
    status, line = fails(capsys, "run", "gaaf.table4")
    assert status == 2
    assert "unknown backend in MINIGRAD_BACKEND 'cuda', expected one of" in line


def test_no_standard_output_is_one_sentence(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    status = main(["list"], EXPERIMENTS)
    monkeypatch.undo()
    assert status == 1
    assert capsys.readouterr().err == (
        "standard output cannot be written (it is closed)\n"
    )


def test_list_ends_in_json(capsys):
    assert main(["list", "--json"], EXPERIMENTS) == 0
    rows = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert [row["id"] for row in rows] == [one.id for one in EXPERIMENTS]
    (row,) = [row for row in rows if row["id"] == "gaaf.table4"]
    assert set(row) == {"id", "aliases", "paper", "title", "presets", "datasets"}
    assert row["presets"] == ["tiny", "small", "full"]
    assert row["datasets"] == ["digits", "mnist"]


def test_show_names_configuration_and_sources(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "gaaf.table4"], EXPERIMENTS) == 0
    out = capsys.readouterr().out
    for words in ("learning_rate", "512, 256, 256", "98.35 (0.059)", "[Table 4]"):
        assert words in out


TWO = [
    replace(TABLE4, presets={"tiny": Preset(SMALL, 1, "")}),
    replace(
        TABLE2,
        aliases=("gaaf.eq5",),
        arms=("base", "gaaf"),
        presets={"tiny": Preset(SMALL, 1, "")},
        claims=(),
        tables=lambda records: [],
        draw=lambda figure, records: None,
    ),
]


def test_experiments_of_one_recipe_share_their_networks(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "gaaf.table4", "--jobs", "1"], TWO) == 0
    networks = sorted(tmp_path.glob("results/trainings/*/*.safetensors"))
    trained = {path: path.stat().st_mtime_ns for path in networks}
    assert [path.stem for path in networks] == ["base-0", "dropout-0", "gaaf-0"]
    capsys.readouterr()
    assert main(["run", "gaaf.eq5", "--jobs", "1"], TWO) == 0
    assert capsys.readouterr().err.count("(from its checkpoint)") == 2
    assert {path: path.stat().st_mtime_ns for path in trained} == trained


def test_what_an_older_version_left_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = tmp_path / "results" / "gaaf.table4" / "x"
    place.mkdir(parents=True)
    (place / "summary.json").write_text('{"dataset": "digits", "preset": "tiny"}')
    status, line = fails(capsys, "show", "gaaf.table4", experiments=TWO)
    assert status == 1
    assert "a summary lacks 'records', so it is of an older version" in line


def test_deleted_networks_are_trained_again_where_they_are_wanted(
    capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert main(["run", "gaaf.table4", "--jobs", "1"], TWO) == 0
    shutil.rmtree(tmp_path / "results" / "trainings")
    (tmp_path / "results" / "gaaf.table4" / "tiny-digits" / "summary.json").unlink()
    assert main(["run", "gaaf.table4", "--jobs", "1"], TWO) == 0
    assert "accuracy %, published" in capsys.readouterr().out


def test_all_of_a_paper_goes_into_one_folder(tmp_path):
    assert main(["run", "gaaf", "--jobs", "1", "--out", str(tmp_path)], TWO) == 0
    (networks,) = (tmp_path / "trainings").iterdir()
    assert len(list(networks.glob("*.safetensors"))) == 3
    for name in ("gaaf.table4", "gaaf.table2"):
        assert (tmp_path / name / "summary.json").exists()


def test_a_paper_runs_what_knows_the_data_set(capsys, tmp_path):
    other = replace(TWO[1], datasets=("mnist",))
    assert (
        main(
            *(
                ["run", "gaaf", "--dataset", "digits", "--out", str(tmp_path)],
                [TWO[0], other],
            )
        )
        == 0
    )
    assert "gaaf.table2" not in capsys.readouterr().out
    # Not in the folder itself, where another one of the paper may go later.
    assert (tmp_path / "gaaf.table4" / "summary.json").exists()


def test_data_of_all_experiments_are_asked_for_before_the_first(capsys, tmp_path):
    def absent(config):
        raise DataError("absent")

    other = replace(TWO[1], prepare=absent)
    status, line = fails(
        *(capsys, "run", "gaaf", "--out", tmp_path), experiments=[TWO[0], other]
    )
    assert (status, line) == (1, "gaaf.table2: absent")
    assert not list(tmp_path.iterdir())


def test_missing_data_are_named_and_nothing_is_written(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "nowhere"))
    out = tmp_path / "out"
    status, line = fails(
        capsys, "run", "gaaf.table4", "--dataset", "mnist", "--out", out
    )
    assert status == 1
    assert str(tmp_path / "nowhere" / "mnist") in line
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_named(capsys, tmp_path):
    (tmp_path / "file").touch()
    status, line = fails(
        capsys, "run", "gaaf.table4", "--out", tmp_path / "file" / "run"
    )
    assert status == 1
    assert str(tmp_path / "file") in line
    assert "--out" in line


def test_a_missing_package_is_named_with_the_remedy(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, line = fails(capsys, "run", "gaaf.table4", "--out", tmp_path)
    assert status == 1
    assert (
        'need matplotlib, which is not installed; run `pip install -e ".[models]"`'
        in line
    )


def test_a_missing_gpu_is_one_sentence(capsys, tmp_path):
    try:
        with use_backend("cupy"):
            pytest.skip("there is a GPU")
    except BackendError:
        pass
    out = tmp_path / "out"
    status, line = fails(
        capsys, "run", "gaaf.table4", "--backend", "cupy", "--out", out
    )
    assert status == 1
    assert "CuPy" in line
    assert not out.exists()


def test_a_diverging_training_is_named_and_files_no_seed(capsys, tmp_path):
    wild = replace(SMALL, learning_rate=1e38)
    experiment = replace(TABLE4, arms=("base",), presets={"tiny": Preset(wild, 1, "")})
    status, line = fails(
        *(capsys, "run", "gaaf.table4", "--out", tmp_path), experiments=[experiment]
    )
    assert status == 1
    assert "gaaf.table4: the training loss of base, seed 0, became" in line
    assert "in epoch 1; try a smaller learning_rate than 1e+38" in line
    assert not list(tmp_path.glob("*seed*"))
    assert not list(tmp_path.rglob(".*.tmp"))
