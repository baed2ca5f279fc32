import json
import shutil
import signal
import time

from models.experiments.results import read_json


def test_a_run_ends_in_the_promised_parts(tiny_run):
    for words in (
        "accuracy %, published",
        "98.23 (0.075)",
        "over n = 3",
        "Claims",
        "not run at this scale: GAAF is more accurate than the base",
        "decided by --preset small --dataset mnist",
        "gradient flow:",
        "acceleration",
        f"figure    {tiny_run.folder / 'figure.png'}",
        f"manifest  {tiny_run.folder / 'manifest.json'}",
    ):
        assert words in tiny_run.out
    assert (tiny_run.folder / "figure.png").read_bytes().startswith(b"\x89PNG")


def test_the_last_line_is_json(tiny_run):
    found = json.loads(tiny_run.out.splitlines()[-1])
    assert {name: found[name] for name in ("id", "preset", "dataset", "seeds")} == {
        "id": "gaaf.table4",
        "preset": "tiny",
        "dataset": "digits",
        "seeds": 3,
    }
    for claim in found["claims"]:
        assert {"name", "published", "measured", "verdict"} <= set(claim)
        assert claim["measured"].endswith("n = 3")


def test_progress_is_plain_lines_without_a_terminal(tiny_run):
    lines = [line for line in tiny_run.err.splitlines() if "gaaf, seed 2" in line]
    assert len(lines) == 5
    assert "gaaf.table4: gaaf, seed 2: epoch 40 of 40, train loss" in lines[-1]


def test_the_manifest_names_what_ran(tiny_run):
    manifest = read_json(tiny_run.folder / "manifest.json")
    assert manifest["config"]["learning_rate"] == 0.1
    assert manifest["seeds"] == 3
    assert manifest["backend"] == "numpy"
    assert {"python", "numpy"} <= set(manifest["versions"])
    assert manifest["hardware"]["cores"] >= 1
    assert manifest["commit"]
    assert manifest["started_time"] <= manifest["finished_time"]


def test_every_seed_has_a_file_with_its_histories(tiny_run):
    for seed in range(3):
        record = read_json(tiny_run.folder / f"seed-{seed}.json")
        assert record["seed"] == seed
        for metrics in record["arms"].values():
            assert len(metrics["history"]) == metrics["epochs_run"] == 40
            assert metrics["training_hash"] != record["config_hash"]


def test_networks_learn(tiny_run):
    for seed in range(3):
        arms = read_json(tiny_run.folder / f"seed-{seed}.json")["arms"]
        assert min(metrics["test_accuracy"] for metrics in arms.values()) > 80


def test_a_finished_run_is_shown_again(start, tiny_run):
    before = {path: path.stat().st_mtime_ns for path in tiny_run.folder.iterdir()}
    out, err = start("run", "gaaf.table4", "--out", tiny_run.folder).communicate()
    assert "published numbers are of mnist, measured ones of digits" in out
    assert f"already done; to measure anew delete {tiny_run.folder}" in out
    assert "98.23 (0.075)" in out
    assert not err
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_damaged_seed_of_a_finished_run_is_reported(
    start, tiny_run, tmp_path, stable
):
    folder = tmp_path / "run"
    shutil.copytree(tiny_run.folder, folder)
    damaged = folder / "seed-1.json"
    whole = read_json(damaged)
    damaged.write_bytes(damaged.read_bytes()[:100])
    process = start("run", "gaaf.table4", "--out", folder)
    _, err = process.communicate()
    assert err.startswith(f"{damaged} is damaged (")
    assert "; delete this one file and run the same command, which makes it" in err
    assert process.returncode == 1
    damaged.unlink()
    _, err = start("run", "gaaf.table4", "--out", folder).communicate()
    assert "seed 1: epoch 40 of 40 (from its checkpoint)" in err
    assert stable(read_json(damaged)) == stable(whole)


def test_a_killed_and_interrupted_run_goes_on_to_the_same_bits(
    start, tiny_run, tmp_path, stable
):
    args = ("run", "gaaf.table4", "--seeds", 1, "--jobs", 1, "--out", tmp_path)

    killed = start(*args)
    _wait_for(tmp_path / "checkpoints" / "base-0.safetensors")
    killed.kill()
    killed.communicate()
    assert not (tmp_path / "seed-0.json").exists()

    interrupted = start(*args)
    _wait_for(tmp_path / "checkpoints" / "dropout-0.safetensors")
    interrupted.send_signal(signal.SIGINT)
    _, err = interrupted.communicate(timeout=30)
    assert interrupted.returncode == 130
    assert err.splitlines()[-1].startswith(
        "interrupted; run the same command to go on from epoch "
    )
    assert "Traceback" not in err

    finished = start(*args)
    _, err = finished.communicate(timeout=60)
    assert finished.returncode == 0, err
    whole, parts = (
        read_json(folder / "seed-0.json") for folder in (tiny_run.folder, tmp_path)
    )
    assert stable(parts) == stable(whole)


def _wait_for(path):
    deadline = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)
