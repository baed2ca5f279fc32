import hashlib
import sys
import types
from pathlib import Path

import pytest

from datasets import DataError, data_root
from datasets._fetch import RemoteFile, download

CONTENT = b"sixteen bytes..."
FILE = RemoteFile("a.gz", f"md5:{hashlib.md5(CONTENT).hexdigest()}")
BAD, GOOD = "https://bad.invalid/", "https://good.invalid/"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """Contents by URL that pooch's own code, with another downloader, is given."""
    pooch = pytest.importorskip("pooch", reason="pooch, of the extra models, is absent")
    contents: dict[str, bytes] = {}

    def fetch_to(url: str, output_file: str, _: object) -> None:
        if url not in contents:
            raise ConnectionError("no route to host")
        Path(output_file).write_bytes(contents[url])

    monkeypatch.setattr(pooch, "HTTPDownloader", lambda **options: fetch_to)
    return contents


def test_explicit_root_wins_over_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MINIGRAD_DATA", "/from/environment")
    assert data_root("/explicit") == Path("/explicit")
    assert data_root() == Path("/from/environment")


@pytest.mark.parametrize("value", [None, ""])
def test_root_is_in_the_home_folder_by_default(
    monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.delenv("MINIGRAD_DATA", raising=False)
    if value is not None:
        monkeypatch.setenv("MINIGRAD_DATA", value)
    assert data_root() == Path("/home/ada/.cache/minigrad")


def test_tilde_in_the_environment_is_the_home_folder(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", "/home/ada")
    monkeypatch.setenv("MINIGRAD_DATA", "~/data")
    assert data_root() == Path("/home/ada/data")


def test_a_file_in_place_of_the_root_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path / "file"))
    with pytest.raises(DataError, match=r"MINIGRAD_DATA is \S+/file, a file, expected"):
        data_root()


def test_next_mirror_is_asked_when_one_fails(
    tmp_path: Path, served: dict[str, bytes]
) -> None:
    served[GOOD + "a.gz"] = CONTENT
    download([FILE], tmp_path / "new" / "folder", [BAD, GOOD])
    assert (tmp_path / "new" / "folder" / "a.gz").read_bytes() == CONTENT


def test_wrong_bytes_are_not_kept(tmp_path: Path, served: dict[str, bytes]) -> None:
    served[BAD + "a.gz"] = b"<html>please log in</html>"
    expected = r"could not download a\.gz to \S+ \(https://bad\.invalid/ failed with Va"
    with pytest.raises(DataError, match=expected):
        download([FILE], tmp_path, [BAD])
    assert list(tmp_path.iterdir()) == []


def test_wrong_bytes_of_one_mirror_are_replaced_by_the_next(
    tmp_path: Path, served: dict[str, bytes]
) -> None:
    served.update({BAD + "a.gz": b"<html>", GOOD + "a.gz": CONTENT})
    download([FILE], tmp_path, [BAD, GOOD])
    assert (tmp_path / "a.gz").read_bytes() == CONTENT


def test_offline_names_every_mirror_and_the_remedy(
    tmp_path: Path, fake_pooch: types.ModuleType
) -> None:
    with pytest.raises(DataError) as caught:
        download([FILE], tmp_path, [BAD, GOOD])
    assert str(caught.value) == (
        f"datasets: could not download a.gz to {tmp_path} ("
        f"{BAD} failed with ConnectionError: no route to host; "
        f"{GOOD} failed with ConnectionError: no route to host); "
        "check the network, or copy the file there by hand"
    )


def test_absent_pooch_names_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pooch", None)
    expected = r'needs pooch, .*; run `pip install -e "\.\[models\]"`'
    with pytest.raises(DataError, match=expected):
        download([FILE], tmp_path, [GOOD])


def test_folder_that_cannot_be_made_is_named(
    tmp_path: Path, fake_pooch: types.ModuleType
) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot create \S+/file/mnist"):
        download([FILE], tmp_path / "file" / "mnist", [GOOD])
    assert fake_pooch.urls == []
