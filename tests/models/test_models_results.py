import errno
import os

import pytest

from models.experiments.errors import RunError
from models.experiments.results import RunFolder, read_json, write_json, write_whole

MANIFEST = {
    "experiment": "x.table1",
    "backend": "numpy",
    "config": {"epochs": 3},
    "config_hash": "aa",
}


def test_an_error_leaves_the_old_file_and_no_rest(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})

    def full_disk(place):
        place.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device", str(place))

    with pytest.raises(OSError, match="No space"):
        write_whole(path, full_disk)
    assert read_json(path) == {"a": 1}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", ["{", "[1]", "\x00"])
def test_a_damaged_file_is_named(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(RunError, match=r"a\.json is damaged .*; delete this one file"):
        read_json(path)


def test_a_folder_goes_on_only_with_its_own_configuration(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.open(MANIFEST) == MANIFEST
    assert folder.open({**MANIFEST, "started_time": "later"}) == MANIFEST
    other = {**MANIFEST, "config": {"epochs": 4}, "config_hash": "bb"}
    with pytest.raises(
        RunError, match=r"another configuration \(epochs 3 -> 4\); .*--"
    ):
        folder.open(other)


def test_only_the_run_that_has_the_folder_clears_what_a_killed_one_left(tmp_path):
    folder = RunFolder(tmp_path)
    rest = tmp_path / "checkpoints" / ".base-0.safetensors.123.tmp"
    with folder.locked():
        rest.touch()
        with pytest.raises(RunError, match=f"process {os.getpid()}"), folder.locked():
            pass
        assert rest.exists()
    with folder.locked():
        assert not rest.exists()


def test_only_finished_seeds_are_read(tmp_path):
    folder = RunFolder(tmp_path)
    record = {"seed": 1, "config_hash": "aa"}
    write_json(folder.seed(1), record)
    assert folder.records(3, "aa") == {1: record}
    assert folder.records(1, "aa") == {}
    with pytest.raises(RunError, match=r"seed-1\.json is damaged \(not of seed 1, bb"):
        folder.records(3, "bb")
