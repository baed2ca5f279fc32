import hashlib
import io
import os
import tarfile
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets import DataError, TextDataset, imdb
from datasets._fetch import RemoteFile

WriteImdb = Callable[..., None]
TEXT = "{} {} {}<br />Très bien!"


def why_not_real() -> str | None:
    """Why tests of the real files skip, or None."""
    if not os.environ.get("MINIGRAD_DATA") or imdb.missing():
        return "reads the real IMDB, which is not in $MINIGRAD_DATA"
    return None


needs_imdb = pytest.mark.skipif(why_not_real() is not None, reason=str(why_not_real()))


def load(root: Path) -> TextDataset:
    return imdb.load(root, num_reviews=None)


def test_reviews_are_by_number_and_negative_ones_first(
    tmp_path: Path, write_imdb: WriteImdb
) -> None:
    write_imdb(tmp_path)
    data = load(tmp_path)
    order = [(kind, number) for number in (0, 9, 10) for kind in ("neg", "pos")]
    assert data.train.texts == tuple(TEXT.format("train", *place) for place in order)
    assert data.test.texts == tuple(TEXT.format("test", *place) for place in order)
    assert data.train.labels.tolist() == data.test.labels.tolist() == [0, 1, 0, 1, 0, 1]
    assert (data.name, data.class_names) == ("imdb", ("neg", "pos"))


def test_labels_are_read_only(tmp_path: Path, write_imdb: WriteImdb) -> None:
    write_imdb(tmp_path)
    with pytest.raises(ValueError, match="read-only"):
        load(tmp_path).train.labels[0] = 1


def test_root_comes_from_the_environment(
    tmp_path: Path, write_imdb: WriteImdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_imdb(tmp_path)
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    assert len(imdb.load(num_reviews=3).test) == 6


def test_another_number_of_reviews_is_refused(
    tmp_path: Path, write_imdb: WriteImdb
) -> None:
    write_imdb(tmp_path)
    with pytest.raises(DataError) as caught:
        imdb.load(tmp_path)
    assert str(caught.value) == (
        f"imdb: {tmp_path}/aclImdb/train/neg has 3 reviews, expected 12500; get them "
        "again, or read any number with datasets.imdb.load(num_reviews=None)"
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("5_7.txt", r"neg/5_7\.txt is in the way, .* ratings of 1 to 4 only"),
        ("5_0.txt", r"neg/5_0\.txt is in the way"),
        ("5_3.txt~", r"neg/5_3\.txt~ is in the way"),
        ("\N{ARABIC-INDIC DIGIT FIVE}_3.txt", "is in the way"),
        ("9_1.txt", "has 4 reviews of 3 IDs, expected one of each"),
    ],
)
def test_a_file_of_another_name_is_named(
    tmp_path: Path, write_imdb: WriteImdb, name: str, message: str
) -> None:
    write_imdb(tmp_path)
    (tmp_path / "aclImdb" / "test" / "neg" / name).write_text("text")
    with pytest.raises(DataError, match=message):
        load(tmp_path)


def test_an_empty_folder_is_refused(tmp_path: Path, write_imdb: WriteImdb) -> None:
    write_imdb(tmp_path)
    for path in (tmp_path / "aclImdb" / "test" / "pos").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"test/pos has 0 reviews of 0 IDs, .* one at"):
        load(tmp_path)


def test_a_review_in_another_encoding_is_refused(
    tmp_path: Path, write_imdb: WriteImdb
) -> None:
    write_imdb(tmp_path)
    path = tmp_path / "aclImdb" / "train" / "pos" / "9_10.txt"
    path.write_bytes("Très".encode("latin-1"))
    expected = r"9_10\.txt has byte 0xe8 at 2, expected UTF-8"
    with pytest.raises(DataError, match=expected):
        load(tmp_path)


def test_a_folder_in_place_of_a_review_is_named(
    tmp_path: Path, write_imdb: WriteImdb
) -> None:
    write_imdb(tmp_path)
    (tmp_path / "aclImdb" / "train" / "neg" / "7_1.txt").mkdir()
    with pytest.raises(DataError, match=r"7_1\.txt cannot be read \(Is a directory\)"):
        load(tmp_path)


@pytest.mark.parametrize("explicit", [True, False])
def test_one_sentence_names_folders_and_remedy(
    tmp_path: Path,
    fake_pooch: types.ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    explicit: bool,
) -> None:
    monkeypatch.setenv("MINIGRAD_DATA", str(tmp_path))
    (tmp_path / "aclImdb" / "test" / "neg").mkdir(parents=True)
    with pytest.raises(DataError) as caught:
        imdb.load(tmp_path if explicit else None)
    place = "give as root" if explicit else "set MINIGRAD_DATA to"
    end = f" --root {tmp_path}" if explicit else ""
    assert str(caught.value) == (
        f"imdb: {tmp_path}/aclImdb lacks 3 of 4 folders (train/neg, train/pos, "
        f"test/pos); {place} the folder that holds aclImdb, or run `python -m datasets "
        f"download imdb{end}`, which gets and unpacks aclImdb_v1.tar.gz from "
        "https://ai.stanford.edu/~amaas/data/sentiment/"
    )
    assert fake_pooch.urls == []


def test_offline_download_is_one_sentence(
    tmp_path: Path, fake_pooch: types.ModuleType
) -> None:
    with pytest.raises(DataError, match=r"could not download aclImdb_v1\.tar\.gz to"):
        imdb.load(tmp_path, download=True)
    assert fake_pooch.urls == [imdb.MIRRORS[0] + "aclImdb_v1.tar.gz"]


def test_nothing_is_downloaded_when_all_is_there(
    tmp_path: Path, write_imdb: WriteImdb, fake_pooch: types.ModuleType
) -> None:
    write_imdb(tmp_path)
    imdb.load(tmp_path, download=True, num_reviews=3)
    assert fake_pooch.urls == []


def test_an_archive_is_unpacked_once_and_read(
    tmp_path: Path, write_imdb: WriteImdb, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pooch", reason="pooch, of the extra models, is absent")
    write_imdb(tmp_path / "source")
    archive = tmp_path / "aclImdb_v1.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "source" / "aclImdb", "aclImdb")
        note = tarfile.TarInfo("aclImdb/train/unsup/0_0.txt")
        tar.addfile(note, io.BytesIO())
    # The archive is there already, so pooch compares its checksum and asks no mirror.
    digest = hashlib.md5(archive.read_bytes()).hexdigest()
    monkeypatch.setattr(imdb, "ARCHIVE", RemoteFile(archive.name, f"md5:{digest}"))
    monkeypatch.setattr(imdb, "NUM_REVIEWS", 3)
    data = imdb.load(tmp_path, download=True, num_reviews=3)
    assert data.train.texts == load(tmp_path / "source").train.texts
    assert sorted(os.listdir(tmp_path / "aclImdb" / "train")) == ["neg", "pos"]


@needs_imdb
def test_real_files_are_balanced_and_of_the_official_number() -> None:
    data = imdb.load()
    for split in (data.train, data.test):
        assert len(split) == 25_000
        assert split.labels.tolist() == [0, 1] * 12_500
        assert min(map(len, split.texts)) > 0
    assert data.test.texts[0].startswith("Once again Mr. Costner has dragged out")
    assert data.train.texts[3].startswith("If you like adult comedy cartoons, like So")
    assert np.mean([len(text.split()) for text in data.train.texts]) == pytest.approx(
        233.8, abs=0.1
    )
