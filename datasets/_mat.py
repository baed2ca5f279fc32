"""MAT files, MATLAB's format, in version 5: named arrays of bytes, deflated or plain.

Not scipy.io.loadmat, whose reader of SciPy 1.17 ends the process on some damaged files
(one byte in the tag of an array's shape is enough). Version 7.3 is another format,
HDF5, and is refused, as are arrays that are no plain bytes: cells, structures, objects.
Source: The MathWorks, "MAT-File Format", section Level 5 MAT-File Format.
"""

import hashlib
import math
import struct
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from datasets._errors import DataError

Shape = tuple[int | None, ...]

_AGAIN = "delete it and get it again"
_HEADER = 128  # bytes; the last four are the version and the order of bytes
_ORDERS = {b"\x00\x01IM": "<", b"\x01\x00MI": ">"}
_VERSION_7_3 = (b"\x00\x02IM", b"\x02\x00MI")

# Types of elements.
_INT8, _UINT8, _INT32, _UINT32, _MATRIX, _COMPRESSED = 1, 2, 5, 6, 14, 15

# Classes of arrays, from 1 on. Those from double on hold numbers, and which of these it
# is does not matter: MATLAB stores doubles as bytes, too, if they are whole and small.
_CLASSES = (
    *("cell", "struct", "object", "char", "sparse", "double", "single", "int8"),
    *("uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64"),
)
_NUMBERS = _CLASSES[_CLASSES.index("double") :]
_COMPLEX = 0x0800  # flag beside the class


def read_mat(
    path: Path, shapes: Mapping[str, Shape], *, sha256: str | None = None
) -> dict[str, npt.NDArray[np.uint8]]:
    """Read the arrays of these names from a MAT file: uint8, in MATLAB's order of axes.

    A shape is what the array must have, None for an axis of any length. sha256 is the
    hex digest of the file, None for no check. Raises DataError, naming the file, if it
    cannot be read, is damaged, is another kind of file, lacks an array or has one of
    another kind or shape, or has another digest.
    """
    content = _read_bytes(path)
    _check_digest(path, content, sha256)
    order = _check_header(path, content)
    try:
        found = _variables(memoryview(content)[_HEADER:], order)
    except (_DamageError, zlib.error) as error:
        raise DataError(
            f"mat: {path} is no intact MAT file ({error}), expected a whole one of "
            f"version 5; {_AGAIN}"
        ) from error
    for name, shape in shapes.items():
        _check_kind(path, name, found.get(name), shape)
    return {name: found[name].array() for name in shapes}


class _DamageError(Exception):
    """What is wrong with the bytes."""


class _Variable(NamedTuple):
    """A variable of a file: class and shape, and its data if they are bytes."""

    kind: str
    shape: tuple[int, ...]
    data: memoryview | None

    def array(self) -> npt.NDArray[np.uint8]:
        """Return the data as a read-only array; MATLAB's first axis varies fastest."""
        values = np.frombuffer(self.data or b"", np.uint8)
        return values.reshape(self.shape, order="F")


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"mat: {path} cannot be read ({error.strerror}), expected a MAT file; "
            "see to its permissions"
        ) from error


def _check_digest(path: Path, content: bytes, sha256: str | None) -> None:
    if sha256 is None:
        return
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise DataError(
            f"mat: {path} has sha256 {digest}, expected {sha256}, the published file; "
            f"{_AGAIN}"
        )


def _check_header(path: Path, content: bytes) -> str:
    """Return the order of bytes, in the notation of struct."""
    version = content[_HEADER - 4 : _HEADER]
    if version in _VERSION_7_3:
        raise DataError(
            f"mat: {path} is a MAT file of version 7.3 (HDF5), expected version 5; "
            "save it in MATLAB with the option -v7"
        )
    if version not in _ORDERS:
        raise DataError(
            f"mat: {path} starts with {content[:4].hex() or 'nothing'}, expected the "
            f"{_HEADER} bytes that a MAT file of version 5 starts with; {_AGAIN}"
        )
    return _ORDERS[version]


def _variables(data: memoryview, order: str) -> dict[str, _Variable]:
    found: dict[str, _Variable] = {}
    for element in _elements(data, order):
        kind, inside = element
        if kind == _COMPRESSED:
            unpacked = memoryview(zlib.decompress(inside))
            kind, inside = next(_elements(unpacked, order), element)
        if kind != _MATRIX:
            raise _DamageError(f"an element of type {kind} in place of an array")
        name, variable = _variable(inside, order)
        found[name] = variable
    return found


def _variable(data: memoryview, order: str) -> tuple[str, _Variable]:
    parts = list(_elements(data, order))
    types = [kind for kind, _ in parts]
    if types[:1] != [_UINT32] or len(parts[0][1]) != 8:
        raise _DamageError("an array without its class")
    (flags,) = struct.unpack(f"{order}I", parts[0][1][:4])
    number = flags & 0xFF
    if not 1 <= number <= len(_CLASSES):
        # Functions and the like, which hold other elements, and have no use here.
        return "", _Variable(f"class {number}", (), None)
    if types[1:3] != [_INT32, _INT8] or len(parts[1][1]) % 4:
        raise _DamageError("an array without its shape and name")
    shape = struct.unpack(f"{order}{len(parts[1][1]) // 4}i", parts[1][1])
    kind = "complex" if flags & _COMPLEX else _CLASSES[number - 1]
    values = _bytes(parts[3:], shape) if kind in _NUMBERS else None
    return str(parts[2][1], "latin-1"), _Variable(kind, shape, values)


def _bytes(
    parts: Sequence[tuple[int, memoryview]], shape: tuple[int, ...]
) -> memoryview | None:
    """Return the data of an array of numbers, None if they are no unsigned bytes."""
    if len(parts) != 1:
        raise _DamageError("an array without its data")
    ((stored, values),) = parts
    if stored != _UINT8:
        return None
    if min(shape, default=-1) < 0 or len(values) != math.prod(shape):
        raise _DamageError(f"{len(values)} bytes for an array of shape {shape}")
    return values


def _elements(data: memoryview, order: str) -> Iterator[tuple[int, memoryview]]:
    """Yield type and content of the elements that follow one another in data."""
    start = 0
    while start < len(data):
        if len(data) - start < 8:
            raise _DamageError("it ends in the middle of a tag")
        kind, size = struct.unpack(f"{order}2I", data[start : start + 8])
        start += 8
        if kind >> 16:  # a small element: type and size in four bytes, content in four
            kind, size = kind & 0xFFFF, kind >> 16
            start -= 4
        end = start + size
        if end > len(data):
            left = len(data) - start
            raise _DamageError(f"an element of {size} bytes where {left} are left")
        yield kind, data[start:end]
        # Elements are padded to multiples of 8 bytes, save for the deflated ones.
        start = end if kind == _COMPRESSED else -(-end // 8) * 8


def _check_kind(path: Path, name: str, got: _Variable | None, shape: Shape) -> None:
    sizes = ", ".join("N" if size is None else str(size) for size in shape)
    expected = f"uint8 of shape ({sizes})"
    if got is None:
        raise DataError(f"mat: {path} lacks {name}, expected {expected}; {_AGAIN}")
    fits = len(got.shape) == len(shape) and all(
        want in (None, size) for want, size in zip(shape, got.shape, strict=True)
    )
    if got.data is None or not fits:
        raise DataError(
            f"mat: {path} holds {name} as {got.kind} of shape {got.shape}, expected "
            f"{expected}; {_AGAIN}"
        )
