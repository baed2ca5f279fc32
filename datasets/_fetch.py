"""Where data lies, and how it is downloaded, which happens only on request."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from datasets._errors import DataError

_TIMEOUT = 30  # seconds without an answer before the next mirror is tried


@dataclass(frozen=True)
class RemoteFile:
    """A file to download: its name on every mirror and "algorithm:hex" of its bytes."""

    name: str
    checksum: str


def data_root(root: str | os.PathLike[str] | None = None) -> Path:
    """Folder of all data sets: `root`, else $MINIGRAD_DATA, else ~/.cache/minigrad.

    An empty variable counts as unset. The folder need not exist; raises DataError if a
    file is in its place.
    """
    chosen = root or os.environ.get("MINIGRAD_DATA") or "~/.cache/minigrad"
    path = Path(chosen).expanduser()
    if path.is_file():
        who = "root" if root else "MINIGRAD_DATA"
        raise DataError(
            f"datasets: {who} is {path}, a file, expected the folder of all data sets"
        )
    return path


def download(files: Sequence[RemoteFile], folder: Path, mirrors: Sequence[str]) -> None:
    """Download files into `folder`, each from the first mirror that delivers it.

    A mirror is a URL that ends in "/". A file appears under its name only when it is
    whole and its checksum holds. Raises DataError if pooch is not installed, the
    folder cannot be written, or every mirror failed, with the reason of each.
    """
    try:
        import pooch  # not needed to read data, so not a dependency of reading it
    except ImportError as error:
        raise DataError(
            "datasets: downloading needs pooch, which is not installed; "
            'run `pip install -e ".[models]"`'
        ) from error
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(
            f"datasets: cannot create {folder} ({error.strerror}), expected a folder "
            "to write to; choose another with root or $MINIGRAD_DATA"
        ) from error
    for file in files:
        _download_one(pooch, file, folder, mirrors)


def _download_one(
    pooch: ModuleType, file: RemoteFile, folder: Path, mirrors: Sequence[str]
) -> None:
    reasons: list[str] = []
    for mirror in mirrors:
        try:
            pooch.retrieve(
                mirror + file.name,
                known_hash=file.checksum,
                fname=file.name,
                path=folder,
                downloader=pooch.HTTPDownloader(timeout=_TIMEOUT),
            )
        except (OSError, ValueError) as error:
            # requests' errors are OSErrors; pooch raises ValueError on a checksum.
            reasons.append(f"{mirror} failed with {type(error).__name__}: {error}")
        else:
            return
    raise DataError(
        f"datasets: could not download {file.name} to {folder} ({'; '.join(reasons)}); "
        "check the network, or copy the file there by hand"
    )
