import errno

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
    with pytest.raises(RunError, match=r"a\.json .*; delete it and run anew"):
        read_json(path)


def test_a_folder_goes_on_only_with_its_own_configuration(tmp_path):
    folder = RunFolder(tmp_path / "run")
    assert folder.open(MANIFEST) == MANIFEST
    assert folder.open({**MANIFEST, "started_time": "later"}) == MANIFEST
    other = {**MANIFEST, "config": {"epochs": 4}, "config_hash": "bb"}
    with pytest.raises(
        RunError, match=r"another configuration \(epochs 3 -> 4\); .*--"
    ):
        folder.open(other)


def test_opening_clears_what_a_killed_process_left(tmp_path):
    folder = RunFolder(tmp_path)
    folder.open(MANIFEST)
    rest = tmp_path / "checkpoints" / ".base-0.safetensors.123.tmp"
    rest.touch()
    folder.open(MANIFEST)
    assert not rest.exists()


def test_only_finished_seeds_are_read(tmp_path):
    folder = RunFolder(tmp_path)
    write_json(folder.seed(1), {"seed": 1})
    assert folder.records(3) == {1: {"seed": 1}}
    assert folder.records(1) == {}
