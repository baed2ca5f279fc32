"""Tiny data in the official formats, and a downloader that uses no network."""

import sys
import types
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from datasets._idx import write_idx
from datasets.audio import write_wav

NUM_TRAIN, NUM_TEST = 20, 10


@pytest.fixture
def write_mnist() -> Callable[..., None]:
    """Write four files of 20 + 10 images of 4x4 into a folder."""

    def write(folder: Path, *, end: str = ".gz") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(0)
        for prefix, count in (("train", NUM_TRAIN), ("t10k", NUM_TEST)):
            images = rng.integers(0, 256, (count, 4, 4), np.uint8)
            labels = np.arange(count, dtype=np.uint8) % 10
            write_idx(folder / f"{prefix}-images-idx3-ubyte{end}", images)
            write_idx(folder / f"{prefix}-labels-idx1-ubyte{end}", labels)

    return write


@pytest.fixture
def write_imdb() -> Callable[..., None]:
    """Write three reviews of each class and part, of IDs 0, 9 and 10."""

    def write(root: Path) -> None:
        ratings = {"neg": (1, 4, 2), "pos": (7, 10, 8)}
        for part in ("train", "test"):
            for name in ("neg", "pos"):
                place = root / "aclImdb" / part / name
                place.mkdir(parents=True, exist_ok=True)
                for number, rating in zip((0, 9, 10), ratings[name], strict=True):
                    text = f"{part} {name} {number}<br />Très bien!"
                    path = place / f"{number}_{rating}.txt"
                    path.write_text(text, encoding="utf-8")

    return write


@pytest.fixture
def write_speech() -> Callable[..., None]:
    """Write a WAV file of a tone, 1,000 samples at 8,000 a second, for every path."""

    def write(*paths: Path) -> None:
        tone = 8000 * np.sin(np.arange(1000) * (2 * np.pi * 250 / 8000))
        for path in paths:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_wav(path, tone.astype(np.int16), 8000)

    return write


@pytest.fixture
def fake_pooch(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """A pooch that records the requested URLs and fails as it does when offline."""
    module = types.ModuleType("pooch")
    module.urls = []

    def retrieve(url: str, **options: object) -> str:
        module.urls.append(url)
        raise ConnectionError("no route to host")

    module.retrieve = retrieve
    module.HTTPDownloader = lambda **options: None
    monkeypatch.setitem(sys.modules, "pooch", module)
    return module
