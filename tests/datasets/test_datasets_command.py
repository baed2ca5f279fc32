import os
import runpy
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path

import pytest

from datasets.__main__ import main


def test_no_command_lists_every_set_with_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--root", str(tmp_path)]) == 0
    first, *others = capsys.readouterr().out.splitlines()
    assert first.startswith("digits         present    /")
    assert others.pop(4).startswith("spoken_digits  present    /")
    assert others == [
        f"mnist          4 missing  {tmp_path}/mnist",
        f"cifar10        6 missing  {tmp_path}/cifar-10-batches-bin",
        f"cifar100       2 missing  {tmp_path}/cifar-100-binary",
        f"svhn           2 missing  {tmp_path}/svhn",
        f"imdb           4 missing  {tmp_path}/aclImdb",
        f"fsdd           1 missing  {tmp_path}/free-spoken-digit-dataset",
        f"vctk           1 missing  {tmp_path}/VCTK-Corpus-0.92",
    ]


def test_list_sees_files_that_are_there(
    tmp_path: Path,
    write_mnist: Callable[..., None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write_mnist(tmp_path / "mnist")
    main(["--root", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[1].split()[:2] == ["mnist", "present"]


def test_check_reads_the_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "digits"]) == 0
    assert capsys.readouterr().out == (
        "digits: 1415 train and 382 test images of 1x8x8, 10 classes, checksums hold\n"
    )


def test_check_says_what_could_be_checked(
    tmp_path: Path, write_imdb: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", "spoken_digits"]) == 0
    assert capsys.readouterr().out == (
        "spoken_digits: 20 train and 10 test clips, 0.2 minutes, checksums hold\n"
    )
    write_imdb(tmp_path)
    assert main(["check", "imdb", "--root", str(tmp_path)]) == 1
    assert "has 3 reviews, expected 12500" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("fsdd", "or run `git clone https://github.com/Jakobovits/free-spoken-digit-"),
        ("vctk", "get the corpus (11 GB) from https://datashare.ed.ac.uk/handle/10283"),
    ],
)
def test_what_cannot_be_downloaded_says_how_to_get_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, remedy: str
) -> None:
    assert main(["download", name, "--root", str(tmp_path)]) == 1
    assert remedy in capsys.readouterr().err


@pytest.mark.parametrize("root_first", [True, False])
def test_missing_files_end_in_status_1(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], root_first: bool
) -> None:
    root, command = ["--root", str(tmp_path)], ["check", "mnist"]
    assert main(root + command if root_first else command + root) == 1
    assert f"mnist: {tmp_path}/mnist lacks 4 of 4" in capsys.readouterr().err


def test_failed_download_ends_in_status_1(
    tmp_path: Path,
    fake_pooch: types.ModuleType,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["download", "mnist", "--root", str(tmp_path)]) == 1
    assert "could not download train-images" in capsys.readouterr().err


def test_download_of_a_bundled_set_needs_no_network(
    fake_pooch: types.ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["download", "digits"]) == 0
    assert capsys.readouterr().out.startswith("digits: 1415 train")
    assert fake_pooch.urls == []


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["check", "mnits"], "did you mean 'mnist'?"),
        (["check", "--foo", "mnist"], "--foo; see `python -m datasets check -h`"),
        (["check"], "the following arguments are required: NAME"),
        (["remove", "mnist"], "invalid choice: 'remove'"),
    ],
)
def test_wrong_usage_ends_in_status_2(
    capsys: pytest.CaptureFixture[str], argv: list[str], message: str
) -> None:
    assert main(argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_ctrl_c_ends_in_status_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("datasets.digits.load", interrupted)
    assert main(["check", "digits"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("argv", [[], ["-h"]])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_output_is_one_sentence(argv: list[str], unbuffered: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "datasets", *argv],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        )
    assert done.returncode == 1
    assert done.stderr == (
        "standard output cannot be written (No space left on device)\n"
    )


def test_help_shows_the_commands_and_the_folders(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["-h"])
    text = capsys.readouterr().out
    assert caught.value.code == 0
    assert "python -m datasets download mnist" in text
    assert "$MINIGRAD_DATA" in text


def test_module_runs_as_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["datasets", "check", "digits"])
    monkeypatch.delitem(sys.modules, "datasets.__main__")
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("datasets", run_name="__main__")
    assert caught.value.code == 0
    assert "checksums hold" in capsys.readouterr().out
