"""Lists what CuPy has: `python -m minigrad.testing._cupy_names` writes the data file.

CuPy installs and imports on a machine without a GPU, so the list can be made anywhere.
A line is `<where> <name> <kind> [keywords]`; `fused` functions also work in cupy.fuse,
`**` stands for any keyword.
"""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Final, NamedTuple

NAMES_FILE: Final = Path(__file__).with_name("cupy_functions.txt")

PLACES: Final = {
    "cupy": "cupy",
    "linalg": "cupy.linalg",
    "fft": "cupy.fft",
    "stride_tricks": "cupy.lib.stride_tricks",
    "special": "cupyx.scipy.special",
}


class Known(NamedTuple):
    """One function, method, type or constant of CuPy."""

    name: str
    kind: str
    """ "ufunc", "fused", "function", "method", "attribute", "type" or "value"."""
    keywords: frozenset[str] | None
    """None where any is taken or CuPy does not say."""


def cupy_names() -> dict[str, dict[str, Known]]:
    """Read the data file: place -> name -> what CuPy has there."""
    places: dict[str, dict[str, Known]] = {}
    for line in NAMES_FILE.read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            continue
        place, name, kind, *keywords = line.split()
        free = "**" in keywords or kind in ("type", "value", "attribute")
        known = Known(name, kind, None if free else frozenset(keywords))
        places.setdefault(place, {})[name] = known
    return places


def _keywords(function: Any) -> list[str]:
    """Name a function's parameters; Cython's stand in the first line of its text."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        head = (function.__doc__ or "").partition("->")[0].partition("\n")[0]
        inside = re.search(r"\((.*)\)", head)
        if inside is None:
            return ["**"]
        words = [part.partition("=")[0] for part in inside.group(1).split(",")]
        return [word.split()[-1].lstrip("*") for word in words if word.strip("/ *\\")]
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return ["**"]
    return [p.name for p in parameters]


def _describe(place: str, name: str, value: Any) -> str | None:
    kind = type(value).__name__
    if isinstance(value, ModuleType):
        return None
    if isinstance(value, type):
        return f"{place} {name} type"
    if kind == "ufunc":
        return f"{place} {name} ufunc out dtype casting"
    if callable(value):
        fused = inspect.isfunction(value) and "_is_fusing()" in inspect.getsource(value)
        label = "fused" if fused else "function"
        return " ".join([place, name, label, *_keywords(value)])
    return f"{place} {name} value"


def _lines() -> Iterator[str]:
    cupy = importlib.import_module("cupy")
    yield f"# CuPy {cupy.__version__}; written by `python -m {__spec__.name}`."
    for place, path in PLACES.items():
        module = importlib.import_module(path)
        for name in sorted(dir(module)):
            line = _describe(place, name, getattr(module, name))
            if line and not name.startswith("_"):
                yield line
    for name in sorted(dir(cupy.ndarray)):
        if name.startswith("_"):
            continue
        value = getattr(cupy.ndarray, name)
        if callable(value):
            words = [word for word in _keywords(value) if word != "self"]
            yield " ".join(["ndarray", name, "method", *words])
        else:
            yield f"ndarray {name} attribute"


if __name__ == "__main__":
    NAMES_FILE.write_text("\n".join(_lines()) + "\n", encoding="utf-8")
