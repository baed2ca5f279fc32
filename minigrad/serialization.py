"""Saving and loading: safetensors files, written in one piece or not at all.

Nothing is ever unpickled. A training state is one safetensors file too: arrays as
tensors, everything else as JSON in the file's metadata.
"""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import numpy

from minigrad.backend import is_array, to_host
from minigrad.errors import (
    ArgumentError,
    DTypeError,
    FileFormatError,
    MinigradError,
    got,
)
from minigrad.files import PathLike, expect_path, write_whole
from minigrad.random import Streams, default_streams
from minigrad.tape import Tensor
from minigrad.typing import Module

FORMAT = "minigrad training state 1"
"""Stands in the file; the number goes up when older readers would misread it."""

_DTYPES = {
    "BOOL": "bool",
    "U8": "uint8",
    "U16": "uint16",
    "U32": "uint32",
    "U64": "uint64",
    "I8": "int8",
    "I16": "int16",
    "I32": "int32",
    "I64": "int64",
    "F16": "float16",
    "F32": "float32",
    "F64": "float64",
    "C64": "complex64",
}


class Stateful(Protocol):
    """What has a state: modules, optimizers, schedulers, streams."""

    def state_dict(self) -> Any:
        """Return the state."""
        ...

    def load_state_dict(self, state: Any, /) -> Any:
        """Go on from a state."""
        ...


def save(
    path: PathLike,
    tensors: Mapping[str, Any],
    *,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write tensors or arrays by name, such as a state_dict, to a safetensors file.

    The file appears complete under its name, or the old one stays as it was. Raises
    ArgumentError, DTypeError, or FileFormatError if the file cannot be written.

    >>> import os, tempfile, minigrad as mg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "weights.safetensors")
    ...     mg.save(path, {"weight": mg.tensor([1.0, 2.0])})
    ...     mg.load(path)
    {'weight': array([1., 2.], dtype=float32)}
    """
    codec = _codec("safetensors.numpy")
    expect_path("save", path)
    given: object = tensors
    if not isinstance(given, Mapping):
        found = f"a {type(given).__name__}"
        rule = "a mapping of names to tensors"
        raise ArgumentError(got("save", "got", found, rule, "pass model.state_dict()"))
    arrays = {str(name): _saved(name, value) for name, value in tensors.items()}
    notes: dict[str, Any] = dict(metadata or {})
    for key, text in notes.items():
        if not isinstance(text, str):
            found = f"{type(text).__name__} {key!r}"
            raise ArgumentError(got("save", "metadata has the", found, "strings"))
    write_whole("save", path, codec.save(arrays, notes))


def load(path: PathLike) -> dict[str, numpy.ndarray]:
    """Return name -> array of a safetensors file; bfloat16 becomes float32, exactly.

    Raises FileFormatError if the file is missing, damaged or no safetensors file.
    """
    codec = _codec("safetensors")
    try:
        entries = codec.deserialize(expect_path("load", path).read_bytes())
    except (OSError, codec.SafetensorError) as error:
        raise FileFormatError(_unreadable("load", path, error)) from error
    return {name: _loaded(path, name, entry) for name, entry in entries}


def load_metadata(path: PathLike) -> dict[str, str]:
    """Return the metadata of a safetensors file; raises as load does."""
    codec = _codec("safetensors")
    try:
        with codec.safe_open(expect_path("load", path), framework="np") as file:
            return dict(file.metadata() or {})
    except (OSError, codec.SafetensorError) as error:
        raise FileFormatError(_unreadable("load", path, error)) from error


def save_training_state(
    path: PathLike,
    *,
    model: Stateful,
    optimizer: Stateful,
    scheduler: Stateful | None = None,
    streams: Streams | None = None,
    extra: Any = None,
) -> None:
    """Write all that a run needs to go on bit for bit to one safetensors file.

    Args:
        path: written in one piece, as by save.
        model: its parameters and buffers, as `model.<name>`.
        optimizer: its state arrays, as `optimizer.<parameter>.<name>`, and options.
        scheduler: of learning rates, if there is one.
        streams: the random streams in use; default: the default streams.
        extra: what else JSON can hold: the epoch, the best score, ...
    """
    model_state, state = model.state_dict(), optimizer.state_dict()
    arrays = {f"model.{name}": array for name, array in model_state.items()}
    numbers: dict[str, dict[str, Any]] = {}
    for index, values in state["state"].items():
        numbers[str(index)] = {}
        for name, value in values.items():
            if is_array(value):
                arrays[f"optimizer.{index}.{name}"] = value
            else:
                numbers[str(index)][name] = value
    facts = {
        "format": FORMAT,
        "optimizer": {"state": numbers, "param_groups": state["param_groups"]},
        "scheduler": scheduler.state_dict() if scheduler else None,
        "streams": (streams or default_streams()).state_dict(),
        "extra": extra,
    }
    try:
        text = json.dumps(facts)
    except (TypeError, ValueError) as error:
        raise ArgumentError(
            f"save_training_state: a part of the state is not JSON ({error}), expected "
            "numbers, strings, lists and dicts; convert it, or save arrays with save()"
        ) from error
    save(path, arrays, metadata={"minigrad": text})


def load_training_state(
    path: PathLike,
    *,
    model: Stateful,
    optimizer: Stateful,
    scheduler: Stateful | None = None,
    streams: Streams | None = None,
) -> Any:
    """Put what save_training_state wrote into objects made as at first; return extra.

    Nothing changes unless all of it fits. Raises FileFormatError for the file, and what
    the objects' load_state_dict raise.
    """
    facts = _facts(path)
    if (facts["scheduler"] is None) != (scheduler is None):
        saved = "no scheduler" if scheduler else "a scheduler"
        remedy = "leave it out" if scheduler else "pass it as scheduler="
        raise ArgumentError(
            f"load_training_state: {os.fspath(path)} holds {saved}, expected the same "
            f"parts as when it was saved; {remedy}"
        )
    model_state: dict[str, numpy.ndarray] = {}
    optimizer_state = facts["optimizer"]
    for name, array in load(path).items():
        part, _, rest = name.partition(".")
        if part == "model":
            model_state[rest] = array
        else:
            index, _, key = rest.partition(".")
            optimizer_state["state"][index][key] = array
    parts: list[tuple[Stateful, Any]] = [
        (model, model_state),
        (optimizer, optimizer_state),
        (streams or default_streams(), facts["streams"]),
    ]
    if scheduler:
        parts.append((scheduler, facts["scheduler"]))
    _load_all(parts)
    return facts["extra"]


def _load_all(parts: list[tuple[Stateful, Any]]) -> None:
    """Load every part, or, if one refuses, give back to the others what they had."""
    done: list[tuple[Stateful, Any]] = []
    for part, state in parts:
        before = part.state_dict()
        try:
            part.load_state_dict(state)
        except Exception:
            for changed, old in [*done, (part, before)]:
                # What refuses to be written now refused before, and has not changed.
                with suppress(MinigradError):
                    changed.load_state_dict(old)
            raise
        done.append((part, before))


def _facts(path: PathLike) -> dict[str, Any]:
    try:
        facts = json.loads(load_metadata(path).get("minigrad", "null"))
    except json.JSONDecodeError as error:
        raise FileFormatError(
            _unreadable("load_training_state", path, error)
        ) from error
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise FileFormatError(
            f"load_training_state: {os.fspath(path)} is no training state of this "
            "version, expected a file written by save_training_state; "
            "read plain weights with load()"
        )
    return facts


def _codec(name: str) -> Module:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise FileFormatError(
            f"safetensors is not installed ({error}), expected it for saving and "
            'loading; run `pip install "minigrad[models]"`'
        ) from error


def _saved(name: str, value: Any) -> numpy.ndarray:
    """Copy what is to be saved to the host, dense and in C order."""
    array = value.data if isinstance(value, Tensor) else value
    if not is_array(array) and not isinstance(array, numpy.generic):
        rule = "a tensor or an array"
        raise ArgumentError(got("save", f"`{name}` is a", type(value).__name__, rule))
    host = to_host(array)
    if host.dtype.name not in _DTYPES.values():
        rule = f"one of {', '.join(_DTYPES.values())}"
        raise DTypeError(got("save", f"`{name}` has dtype", host.dtype, rule))
    return numpy.asarray(host, order="C")


def _loaded(path: PathLike, name: str, entry: Mapping[str, Any]) -> numpy.ndarray:
    dtype, shape, data = entry["dtype"], entry["shape"], entry["data"]
    if dtype == "BF16":
        # A bfloat16 is the upper half of the float32 of the same value.
        wide = numpy.frombuffer(data, "<u2").astype("<u4") << 16
        return wide.view("<f4").reshape(shape)
    if dtype not in _DTYPES:
        rule = f"BF16 or one of {', '.join(_DTYPES)}"
        what = f"{os.fspath(path)}: `{name}` has dtype"
        raise FileFormatError(got("load", what, dtype, rule))
    little = numpy.dtype(_DTYPES[dtype]).newbyteorder("<")
    return numpy.frombuffer(data, little).reshape(shape).astype(_DTYPES[dtype])


def _unreadable(who: str, path: PathLike, error: Exception) -> str:
    reason = getattr(error, "strerror", None) or str(error)
    remedy = "check the path" if isinstance(error, OSError) else "write it again"
    return (
        f"{who}: {os.fspath(path)} cannot be read ({reason}), expected a complete "
        f"safetensors file; {remedy}"
    )
