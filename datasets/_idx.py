"""IDX files, the format of MNIST: unsigned bytes behind a big-endian header.

Header: magic 0x000008NN (08 = unsigned byte, NN = number of axes), then NN uint32
axis lengths; 2051 is three axes (images), 2049 one (labels). gzip or plain.
Source: LeCun, Cortes, Burges, "The MNIST database", section File formats.
"""

import gzip
import hashlib
import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from datasets._errors import DataError
from datasets._files import write_whole

MAGIC_UINT8 = 0x0800  # + number of axes: 2049 = 0x0801, 2051 = 0x0803
_GZIP_MAGIC = b"\x1f\x8b"


def read_idx(
    path: Path, num_axes: int, *, sha256: str | None = None
) -> npt.NDArray[np.uint8]:
    """Read a uint8 array of `num_axes` axes from an IDX file; read-only.

    sha256 is the hex digest of the decompressed bytes, None for no check. Raises
    DataError, naming the file, if it cannot be read, is damaged, is another kind
    of file, or has another digest.
    """
    content = _read_bytes(path)
    magic = int.from_bytes(content[:4], "big")
    expected_magic = MAGIC_UINT8 + num_axes
    if len(content) < 4 or magic != expected_magic:
        raise DataError(
            f"idx: {path} starts with {content[:4].hex() or 'nothing'}, expected "
            f"{expected_magic:08x} ({expected_magic}, unsigned bytes, "
            f"{num_axes} axes); delete it and get it again"
        )
    shape = _read_shape(path, content, num_axes)
    _check_digest(path, content, sha256)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * num_axes).reshape(shape)


def write_idx(path: Path, array: npt.NDArray[Any]) -> None:
    """Write a uint8 array as IDX, gzipped if the name ends in .gz; atomic.

    The bytes depend on the array alone (gzip time stamp 0). A reader sees the old
    file or the new one, never a part. Raises DataError if array is not uint8, or
    path cannot be written.
    """
    if array.dtype != np.uint8:
        raise DataError(f"idx: array for {path} is {array.dtype}, expected uint8")
    header = np.array([MAGIC_UINT8 + array.ndim, *array.shape], ">u4").tobytes()
    content = header + array.tobytes()
    if path.suffix == ".gz":
        content = gzip.compress(content, mtime=0)
    write_whole("idx", path, content)


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        # By content, not by name: browsers unpack .gz and keep the name.
        if content.startswith(_GZIP_MAGIC):
            content = gzip.decompress(content)
    except EOFError as error:
        raise DataError(
            f"idx: {path} is a truncated gzip file, expected a whole one; "
            "delete it and get it again"
        ) from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise DataError(
            f"idx: {path} is a corrupt gzip file ({error}), expected an intact one; "
            "delete it and get it again"
        ) from error
    except OSError as error:
        raise DataError(
            f"idx: {path} cannot be read ({error.strerror}), expected an IDX file; "
            "see to its permissions"
        ) from error
    return content


def _read_shape(path: Path, content: bytes, num_axes: int) -> tuple[int, ...]:
    header_size = 4 + 4 * num_axes
    if len(content) < header_size:
        raise DataError(
            f"idx: {path} is truncated to {len(content)} bytes, expected a header "
            f"of {header_size} bytes; delete it and get it again"
        )
    shape = tuple(np.frombuffer(content, ">u4", num_axes, offset=4).tolist())
    # Python integers: a damaged header can claim more than 2**64 bytes.
    size = header_size + math.prod(shape)
    if len(content) != size:
        damage = "is truncated to" if len(content) < size else "runs on to"
        raise DataError(
            f"idx: {path} {damage} {len(content)} bytes, expected {size} for the "
            f"shape {shape} in its header; delete it and get it again"
        )
    return shape


def _check_digest(path: Path, content: bytes, sha256: str | None) -> None:
    if sha256 is None:
        return
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise DataError(
            f"idx: {path} has sha256 {digest} (decompressed), expected {sha256}, "
            "the published file; delete it and get it again"
        )
