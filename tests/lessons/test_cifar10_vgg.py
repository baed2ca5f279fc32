import json
import re

import numpy as np
import pytest

from datasets._records import Dataset, image_split
from lessons import cifar10_vgg as lesson

SETTINGS = lesson.Settings(plan=(8, "M", 8, "M"), epochs=3, batch_size=16, peak_lr=0.05)


@pytest.fixture
def data():
    """Two classes that anybody can tell apart: red images and blue ones."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (96, 3, 32, 32)).astype(np.uint8)
    labels = rng.integers(0, 2, 96)
    images[np.arange(96), 2 * labels] += 150
    names = tuple("abcdefghij")
    parts = (
        image_split("test", images[window], labels[window], 10)
        for window in (slice(64), slice(64, None))
    )
    return Dataset("cifar10", *parts, names)


def test_the_network_learns_and_the_numbers_are_filed(data, tmp_path, capsys):
    accuracy = lesson.run(data, SETTINGS, tmp_path / "out", official=False)
    assert accuracy == 100
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 5
    assert lines[0] == "3 epochs of 64 images, then 32 to test on"
    assert re.match(
        r"epoch 1 of 3: train loss \d\.\d{3}, test loss .*, test accuracy .* %, "
        r"0:\d\d so far",
        lines[1],
    )
    assert lines[-1].startswith("goal of 70 %: reached; figure and numbers are in")
    result = json.loads((tmp_path / "out" / "cifar10_vgg.json").read_text())
    assert result["test_accuracy"] == accuracy
    assert result["settings"]["plan"] == [8, "M", 8, "M"]
    assert result["data"]["official_files"] is False
    assert [record["test_accuracy"] for record in result["epochs"]][-1] == 100
    assert (tmp_path / "out" / "cifar10_vgg.png").read_bytes()[1:4] == b"PNG"


def test_a_seed_fixes_every_number(data):
    def numbers():
        records = list(lesson.train(data, SETTINGS))
        return [{k: v for k, v in r.items() if k != "seconds"} for r in records]

    assert numbers() == numbers()


def test_the_learning_rate_rises_for_a_fifth_and_falls_to_0():
    rates = [lesson.one_cycle(share / 10, 0.2) for share in range(11)]
    expected = [0, 0.5, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0]
    np.testing.assert_allclose(rates, expected, atol=1e-12)


def test_a_long_training_says_when_it_ends(capsys):
    clock = lesson.Clock(300)
    for _ in range(200):
        clock.step(1.5)
    assert re.fullmatch(
        r"  step 100 of 300, loss 1\.50, ETA 0:\d\d\n"
        r"  step 200 of 300, loss 1\.50, ETA 0:\d\d\n",
        capsys.readouterr().out,
    )
    assert lesson.clock_time(61.2) == "1:02"


def test_missing_data_is_one_sentence(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    assert lesson.main(["--out", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"cifar10: {tmp_path}/cifar-10-batches-bin lacks 6 of 6")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--epochs", "0"], "--epochs is 0, expected at least 1"),
        (["--epochs", "few"], "argument --epochs: invalid int value: 'few'"),
        (["--eopchs", "3"], "unrecognized arguments: --eopchs 3"),
    ],
)
def test_wrong_usage_is_one_sentence(argv, message, capsys):
    assert lesson.main(argv) == 2
    expected = f"{message}; see `python -m lessons.cifar10_vgg -h`\n"
    assert capsys.readouterr().err == expected


@pytest.fixture
def loaded(data, monkeypatch):
    monkeypatch.setattr(lesson.cifar, "load", lambda checksums: data)
    monkeypatch.setattr(lesson.cifar, "is_official", lambda: False)


def test_a_folder_that_cannot_be_made_is_one_sentence_at_once(loaded, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    assert lesson.main(["--out", str(file)]) == 1
    found = capsys.readouterr()
    assert found.err.splitlines()[1:] == [f"[Errno 17] File exists: '{file}'"]
    assert found.out == ""


def test_files_that_are_not_the_published_ones_are_told(
    loaded, monkeypatch, tmp_path, capsys
):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(lesson, "run", interrupted)
    assert lesson.main(["--out", str(tmp_path)]) == 130
    warning, last = capsys.readouterr().err.splitlines()
    assert "does not hold the published files" in warning
    assert last == "interrupted; nothing is kept of this run"
