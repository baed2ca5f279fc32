"""The list of what CuPy has."""

import pytest

from minigrad.testing._cupy_names import NAMES_FILE, PLACES, _lines, cupy_names


def test_the_file_is_what_the_installed_cupy_gives():
    cupy = pytest.importorskip("cupy")
    written = NAMES_FILE.read_text(encoding="utf-8").splitlines()
    if f"CuPy {cupy.__version__};" not in written[0]:
        return  # Another release has other names.
    assert written[1:] == list(_lines())[1:]


def test_every_place_is_listed():
    assert set(cupy_names()) == {*PLACES, "ndarray"}


def test_kinds_and_keywords_are_known():
    names = cupy_names()
    assert names["cupy"]["add"].kind == "ufunc"
    assert names["cupy"]["where"].kind == "fused"
    assert names["cupy"]["sum"].keywords == {"a", "axis", "dtype", "out", "keepdims"}
    assert names["cupy"]["einsum"].keywords is None
    assert names["ndarray"]["sum"].keywords == {"axis", "dtype", "out", "keepdims"}
    assert "erf" in names["special"]
    assert "einsum_path" not in names["cupy"]
