import hashlib
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import loadmat, savemat
from scipy.sparse import csc_array

from datasets import DataError
from datasets._mat import read_mat

SHAPES = {"X": (2, 3, 4, None), "y": (None, 1)}
X = np.arange(2 * 3 * 4 * 5, dtype=np.uint8).reshape(2, 3, 4, 5)
Y = np.arange(5, dtype=np.uint8)[:, np.newaxis]


def element(kind: int, content: bytes, order: str) -> bytes:
    padding = b"" if kind == 15 else b"\0" * (-len(content) % 8)
    return struct.pack(f"{order}2I", kind, len(content)) + content + padding


def array(name: str, values: np.ndarray, order: str, *, number: int = 9) -> bytes:
    """A matrix of class `number` whose data are bytes, by the format's description."""
    shape = struct.pack(f"{order}{values.ndim}i", *values.shape)
    parts = [
        element(6, struct.pack(f"{order}2I", number, 0), order),
        element(5, shape, order),
        element(1, name.encode(), order),
        element(2, values.tobytes(order="F"), order),
    ]
    return element(14, b"".join(parts), order)


def header(order: str = "<") -> bytes:
    return b"MATLAB 5.0 MAT-file".ljust(124) + {"<": b"\0\1IM", ">": b"\1\0MI"}[order]


@pytest.mark.parametrize("deflated", [False, True])
def test_arrays_are_what_scipy_wrote_and_reads(tmp_path: Path, deflated: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"X": X, "y": Y}, do_compression=deflated)
    arrays, reference = read_mat(path, SHAPES), loadmat(path)
    for name in SHAPES:
        np.testing.assert_array_equal(arrays[name], reference[name])
        assert arrays[name].dtype == np.uint8
        assert not arrays[name].flags.writeable


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflated", [False, True])
def test_bytes_are_read_as_the_format_describes_them(
    tmp_path: Path, order: str, deflated: bool
) -> None:
    content = header(order)
    for name, values in (("X", X), ("y", Y)):
        matrix = array(name, values, order)
        content += element(15, zlib.compress(matrix), order) if deflated else matrix
    (tmp_path / "a.mat").write_bytes(content)
    arrays = read_mat(tmp_path / "a.mat", SHAPES)
    np.testing.assert_array_equal(arrays["X"], X)
    np.testing.assert_array_equal(arrays["y"], Y)


def test_doubles_that_matlab_stored_as_bytes_are_bytes(tmp_path: Path) -> None:
    content = header() + array("y", Y, "<", number=6)
    (tmp_path / "a.mat").write_bytes(content)
    arrays = read_mat(tmp_path / "a.mat", {"y": (None, 1)})
    np.testing.assert_array_equal(arrays["y"], Y)
    assert loadmat(tmp_path / "a.mat")["y"].dtype == np.uint8


def test_other_variables_are_passed_over(tmp_path: Path) -> None:
    others = {"a": np.array([["text"]], object), "z": np.zeros(3), "s": {"f": 1}}
    savemat(tmp_path / "a.mat", {**others, "y": Y})
    handle = element(14, element(6, struct.pack("<2I", 17, 0), "<"), "<")
    with open(tmp_path / "a.mat", "ab") as file:
        file.write(handle)
    arrays = read_mat(tmp_path / "a.mat", {"y": (None, 1)})
    assert list(arrays) == ["y"]


def test_no_examples_are_a_valid_file(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"X": X[..., :0], "y": Y[:0]})
    assert read_mat(tmp_path / "a.mat", SHAPES)["X"].shape == (2, 3, 4, 0)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (Y.astype(float) + 0.5, r"double of shape \(5, 1\)"),
        (Y.astype(np.int8), r"int8 of shape \(5, 1\)"),
        (Y * 1j, r"complex of shape \(5, 1\)"),
        (np.array([["a"]], object), r"cell of shape \(1, 1\)"),
        ({"f": Y}, r"struct of shape \(1, 1\)"),
        ("text", r"char of shape \(1, 4\)"),
        (csc_array(np.eye(3)), r"sparse of shape \(3, 3\)"),
        (Y[:, 0], r"uint8 of shape \(1, 5\)"),
        (X, r"uint8 of shape \(2, 3, 4, 5\)"),
    ],
)
def test_what_is_no_array_of_bytes_of_the_shape_is_refused(
    tmp_path: Path, value: object, kind: str
) -> None:
    savemat(tmp_path / "a.mat", {"y": value})
    expected = rf"a\.mat holds y as {kind}, expected uint8 of shape \(N, 1\); delete"
    with pytest.raises(DataError, match=expected):
        read_mat(tmp_path / "a.mat", {"y": (None, 1)})


def test_missing_variable_is_named(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"x": X, "y": Y})
    expected = r"a\.mat lacks X, expected uint8 of shape \(2, 3, 4, N\); delete"
    with pytest.raises(DataError, match=expected):
        read_mat(tmp_path / "a.mat", SHAPES)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "a.mat starts with nothing, expected the 128 bytes that a MAT file"),
        (b"<html>log in</html>" * 9, "a.mat starts with 3c68746d, expected the 128"),
        (header()[:127], "a.mat starts with 4d41544c, expected the 128 bytes"),
        (header()[:124] + b"\0\2IM", "a.mat is a MAT file of version 7.3 (HDF5), exp"),
        (b"\x89HDF\r\n\x1a\n" + bytes(200), "a.mat starts with 89484446, expected"),
        (header() + b"\0\0\0", "(it ends in the middle of a tag)"),
        (header() + array("y", Y, "<")[:-3], "(an element of 64 bytes where 61 are"),
        (header() + element(2, b"1", "<"), "(an element of type 2 in place of an arr"),
        (header() + element(14, b"", "<"), "(an array without its class)"),
        (header() + array("y", Y, "<")[:24] + bytes(48), "(an array without its shape"),
        (header() + element(15, b"12345678", "<"), "(Error -3 while decompressing"),
        (header() + element(15, zlib.compress(b""), "<"), "(an element of type 15 in"),
        (
            header() + array("y", Y, "<").replace(struct.pack("<2i", 5, 1), b"\7" * 8),
            "(5 bytes for an array of shape (117901063, 117901063))",
        ),
        (
            header()
            + array("y", Y, "<").replace(
                struct.pack("<2i", 5, 1), struct.pack("<2i", -5, -1)
            ),
            "(5 bytes for an array of shape (-5, -1))",
        ),
        (
            header() + element(14, array("y", Y, "<")[8:56], "<"),
            "(an array without its data)",
        ),
    ],
    ids=range(15),
)
def test_damage_is_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.mat"
    path.write_bytes(content)
    with pytest.raises(DataError) as caught:
        read_mat(path, SHAPES)
    assert message in str(caught.value)
    assert str(caught.value).startswith(f"mat: {path} ")
    assert "\n" not in str(caught.value)


def test_version_4_is_refused(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"y": Y}, format="4")
    with pytest.raises(DataError, match=r"a\.mat starts with .* MAT file of version 5"):
        read_mat(tmp_path / "a.mat", {"y": (None, 1)})


@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("value", [0, 1, 255])
def test_no_damaged_byte_ends_in_anything_but_arrays_or_an_error_of_ours(
    tmp_path: Path, deflated: bool, value: int
) -> None:
    # SciPy's reader ends the process at byte 145, in the tag of the shape.
    path = tmp_path / "a.mat"
    savemat(path, {"X": X[..., :1], "y": Y[:1]}, do_compression=deflated)
    content = path.read_bytes()
    refused = 0
    for place in range(128, len(content)):
        path.write_bytes(content[:place] + bytes([value]) + content[place + 1 :])
        try:
            read_mat(path, SHAPES)
        except DataError:
            refused += 1
    assert refused > 20


@pytest.mark.parametrize("deflated", [False, True])
def test_truncated_files_are_refused_wherever_they_end(
    tmp_path: Path, deflated: bool
) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"X": X[..., :1], "y": Y[:1]}, do_compression=deflated)
    content = path.read_bytes()
    for size in range(len(content)):
        path.write_bytes(content[:size])
        with pytest.raises(DataError, match=r"^mat: "):
            read_mat(path, SHAPES)


def test_digest_is_compared_before_anything_is_read(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"X": X, "y": Y})
    digest = hashlib.sha256((tmp_path / "a.mat").read_bytes()).hexdigest()
    assert len(read_mat(tmp_path / "a.mat", SHAPES, sha256=digest)) == 2
    (tmp_path / "a.mat").write_bytes(b"no MAT file")
    with pytest.raises(DataError, match=rf"has sha256 \w+, expected {digest}, the pub"):
        read_mat(tmp_path / "a.mat", SHAPES, sha256=digest)


def test_folder_in_place_of_a_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot be read .*expected a MAT file"):
        read_mat(tmp_path, SHAPES)
