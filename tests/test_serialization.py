import errno
import os
import sys

import numpy
import pytest
from numpy.testing import assert_array_equal

from minigrad import nn, optim
from minigrad import serialization as ser
from minigrad.errors import (
    ArgumentError,
    DTypeError,
    FileFormatError,
    MinigradError,
    ShapeError,
)
from minigrad.random import Streams, default_streams, generator, manual_seed
from minigrad.tape import tensor

pytest.importorskip("safetensors")

DTYPES = [
    "float32",
    "float64",
    "float16",
    "int64",
    "int8",
    "uint8",
    "bool",
    "complex64",
]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.safetensors"


def files(path):
    return sorted(other.name for other in path.parent.iterdir())


@pytest.mark.parametrize("dtype", DTYPES)
def test_arrays_come_back_as_they_were(path, dtype):
    arrays = {
        "matrix": numpy.arange(6).reshape(2, 3).astype(dtype),
        "number": numpy.ones((), dtype),
        "empty": numpy.ones((0, 3), dtype),
    }
    ser.save(path, arrays)
    loaded = ser.load(str(path))
    assert set(loaded) == set(arrays)
    for name, array in arrays.items():
        assert_array_equal(loaded[name], array, strict=True)
        assert loaded[name].flags.writeable


def test_memory_order_and_byte_order_do_not_matter(path):
    array = numpy.arange(24, dtype="float32").reshape(2, 3, 4)
    ser.save(
        path,
        {
            "fortran": numpy.asfortranarray(array),
            "reversed": array[:, ::-1],
            "big": array.astype(">f4"),
        },
    )
    loaded = ser.load(path)
    assert_array_equal(loaded["fortran"], array)
    assert_array_equal(loaded["reversed"], array[:, ::-1])
    assert_array_equal(loaded["big"], array)


def test_tensors_and_metadata_are_saved(path):
    ser.save(path, {"w": tensor([1.0, 2.0])}, metadata={"epoch": "3"})
    assert_array_equal(ser.load(path)["w"], [1, 2])
    assert ser.load_metadata(path) == {"epoch": "3"}


def test_pytorch_reads_our_files(path):
    pytest.importorskip("torch")
    from safetensors.torch import load_file

    model = nn.Linear(3, 2)
    ser.save(path, model.state_dict())
    loaded = load_file(path)
    assert_array_equal(loaded["weight"].numpy(), model.weight.data)


def test_we_read_files_of_pytorch(path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    theirs = torch.nn.Linear(3, 2)
    save_file(theirs.state_dict(), path)
    ours = nn.Linear(3, 2)
    ours.load_state_dict(ser.load(path))
    assert_array_equal(ours.weight.data, theirs.weight.detach().numpy())


def test_bfloat16_becomes_float32_exactly(path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    values = torch.tensor([[1.5, -3e38, 1e-40], [float("inf"), float("nan"), -0.0]])
    values = values.to(torch.bfloat16)
    save_file({"x": values}, path)
    assert_array_equal(ser.load(path)["x"], values.float().numpy(), strict=True)


def test_dtypes_that_numpy_lacks_are_named(path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import save_file

    save_file({"x": torch.zeros(2, dtype=torch.float8_e4m3fn)}, path)
    with pytest.raises(
        FileFormatError, match="`x` has dtype F8_E4M3, expected BF16 or"
    ):
        ser.load(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file or directory"),
        (b"", "header"),
        (b"PK\x03\x04 this is a zip file", "header"),
        (b"\x08\x00\x00\x00\x00\x00\x00\x00not json", "header"),
    ],
)
def test_files_that_are_no_safetensors_get_a_sentence(path, content, reason):
    if content is not None:
        path.write_bytes(content)
    for read in (ser.load, ser.load_metadata):
        with pytest.raises(
            FileFormatError, match=rf"load: .* cannot be read \(.*{reason}"
        ):
            read(path)


def test_every_cut_of_a_file_is_noticed(path):
    ser.save(path, {"w": numpy.arange(4.0)}, metadata={"a": "b"})
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(FileFormatError, match="cannot be read"):
            ser.load(path)


@pytest.mark.parametrize("function", ["fsync", "replace"])
def test_when_writing_fails_the_old_file_stays(path, monkeypatch, function):
    ser.save(path, {"w": numpy.ones(2)})

    def fail(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, function, fail)
    with pytest.raises(FileFormatError, match=r"\(No space left on device\), expected"):
        ser.save(path, {"w": numpy.zeros(2)})
    assert files(path) == ["file.safetensors"]
    assert_array_equal(ser.load(path)["w"], 1)


def test_folder_that_is_not_there_gets_a_sentence(path):
    with pytest.raises(FileFormatError, match=r"cannot be written .No such file"):
        ser.save(path.parent / "nowhere" / "file", {"w": numpy.ones(2)})


def test_link_keeps_pointing_at_the_file_that_is_written(path):
    link = path.with_name("latest")
    link.symlink_to(path)
    ser.save(link, {"w": numpy.ones(2)})
    assert link.is_symlink()
    assert_array_equal(ser.load(path)["w"], 1)


def test_missing_package_is_named_with_the_remedy(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.setitem(sys.modules, "safetensors.numpy", None)
    with pytest.raises(FileFormatError, match=r'pip install "minigrad\[models\]"'):
        ser.save(path, {})
    with pytest.raises(FileFormatError, match=r'pip install "minigrad\[models\]"'):
        ser.load(path)


@pytest.mark.parametrize(
    ("tensors", "metadata", "error", "message"),
    [
        ({"w": [1.0]}, None, ArgumentError, "`w` is a list, expected a tensor"),
        ({"w": numpy.ones(1, "complex128")}, None, DTypeError, "dtype complex128, exp"),
        ({"w": numpy.array(["a"])}, None, DTypeError, "`w` has dtype <U1, expected"),
        ({}, {"epoch": 3}, ArgumentError, "metadata has the int 'epoch', expected str"),
    ],
)
def test_what_cannot_be_saved_is_named(path, tensors, metadata, error, message):
    with pytest.raises(error, match=message):
        ser.save(path, tensors, metadata=metadata)
    assert files(path) == []


def make_run(seed=0, rate=0.05):
    """A model with dropout, and everything else that a run has a state of."""
    streams = Streams(seed)
    model = nn.Sequential(
        nn.Linear(6, 16, rng=streams.next("first")),
        nn.Tanh(),
        nn.Dropout(0.3, rng=streams),
        nn.Linear(16, 3, rng=streams.next("second")),
    )
    optimizer = optim.Adam(model.parameters(), lr=rate, betas=(0.8, 0.95))
    scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=5)
    return {
        "model": model,
        "optimizer": optimizer,
        "scheduler": scheduler,
        "streams": streams,
    }


def train(run, epochs):
    draws = generator(0, "data")
    x = draws.normal(size=(32, 6)).astype("float32")
    t = draws.integers(3, size=32)
    losses = []
    for _ in range(epochs):
        order = run["streams"].next("shuffle").permutation(32)
        for batch in numpy.split(order, 4):
            loss = nn.CrossEntropyLoss()(run["model"](tensor(x[batch])), t[batch])
            run["optimizer"].zero_grad()
            loss.backward()
            run["optimizer"].step()
            losses.append(loss.item())
        run["scheduler"].step()
    return losses


def snapshot(run):
    return {
        "model": run["model"].state_dict(),
        "optimizer": run["optimizer"].state_dict(),
        "scheduler": run["scheduler"].state_dict(),
        "streams": run["streams"].state_dict(),
    }


def test_resumed_training_is_the_same_to_the_bit(path):
    straight = make_run()
    losses = train(straight, 5)

    first = make_run()
    begun = train(first, 2)
    ser.save_training_state(path, **first, extra={"epoch": 2, "best": 1 / 3})
    del first

    second = make_run(seed=99, rate=0.7)
    extra = ser.load_training_state(path, **second)
    assert extra == {"epoch": 2, "best": 1 / 3}
    assert begun + train(second, 3) == losses
    numpy.testing.assert_equal(snapshot(second), snapshot(straight))


@pytest.mark.parametrize("name", ["SGD", "AdamW", "RMSprop", "Adadelta"])
def test_state_of_every_optimizer_goes_through_the_file(path, name):
    def make():
        p = tensor([1.0, -2.0], requires_grad=True)
        options = {"momentum": 0.9} if name in ("SGD", "RMSprop") else {}
        return nn.Sequential(), p, getattr(optim, name)([p], **options)

    def step(p, optimizer):
        p.grad = p.data * numpy.float32(0.3)
        optimizer.step()

    model, p, optimizer = make()
    step(p, optimizer)
    ser.save_training_state(path, model=model, optimizer=optimizer)
    _, q, resumed = make()
    q.data[...] = p.data
    ser.load_training_state(path, model=model, optimizer=resumed)
    step(p, optimizer)
    step(q, resumed)
    assert_array_equal(q.data, p.data)


def test_default_streams_are_saved_unless_others_are_given(path):
    model, optimizer = nn.Sequential(), optim.SGD([tensor([1.0])])
    manual_seed(4).next("noise")
    ser.save_training_state(path, model=model, optimizer=optimizer)
    manual_seed(5)
    ser.load_training_state(path, model=model, optimizer=optimizer)
    assert default_streams().state_dict() == {"seed": 4, "steps": {"noise": 1}}


def test_training_state_is_a_safetensors_file_with_readable_names(path):
    run = make_run()
    train(run, 1)
    ser.save_training_state(path, **run)
    arrays = ser.load(path)
    assert_array_equal(arrays["model.0.weight"], run["model"][0].weight.data)
    assert arrays["optimizer.0.exp_avg"].shape == (16, 6)


def test_state_of_another_model_changes_nothing(path):
    run = make_run()
    train(run, 1)
    ser.save_training_state(path, **run)
    other = make_run(seed=1)
    other["model"][3] = nn.Linear(16, 4)
    before = snapshot(other)
    with pytest.raises(ShapeError, match=r"`3\.weight` \(3, 16\), expected \(4, 16\)"):
        ser.load_training_state(path, **other)
    numpy.testing.assert_equal(snapshot(other), before)


def test_parts_that_loaded_are_given_back_when_another_refuses(path):
    run = make_run()
    train(run, 1)
    ser.save_training_state(path, **run)
    other = make_run(seed=1)
    other["optimizer"] = optim.SGD(other["model"].parameters())
    before = other["model"].state_dict()
    with pytest.raises(MinigradError, match=r"SGD\.load_state_dict: options"):
        ser.load_training_state(path, **other)
    numpy.testing.assert_equal(other["model"].state_dict(), before)


def test_any_error_gives_all_parts_back_also_the_one_that_failed(path):
    class Half(optim.SGD):
        def load_state_dict(self, state_dict):
            self.param_groups[0]["lr"] = state_dict["param_groups"][0]["lr"]
            if state_dict["param_groups"][0]["lr"] == 0.25:
                raise KeyError("a part of the state")

    run = make_run()
    run["optimizer"] = optim.SGD(run["model"].parameters(), lr=0.25)
    ser.save_training_state(path, **run)
    other = make_run(seed=1)
    other["optimizer"] = Half(other["model"].parameters(), lr=0.5)
    before = snapshot(other)
    with pytest.raises(KeyError, match="a part of the state"):
        ser.load_training_state(path, **other)
    numpy.testing.assert_equal(snapshot(other), before)


def test_what_is_no_path_gets_a_sentence():
    with pytest.raises(ArgumentError, match="load: path None, expected a string or a"):
        ser.load(None)
    with pytest.raises(ArgumentError, match="load: path 3, expected a string or a Pat"):
        ser.load_metadata(3)
    with pytest.raises(ArgumentError, match="save: path None, expected a string or a"):
        ser.save(None, {})


def test_only_a_mapping_can_be_saved(path):
    with pytest.raises(ArgumentError, match="save: got a NoneType, expected a mapping"):
        ser.save(path, None)
    assert files(path) == []


def test_scheduler_must_be_on_both_sides_or_none(path):
    run = make_run()
    ser.save_training_state(path, **run)
    with pytest.raises(ArgumentError, match="holds a scheduler, expected the same"):
        ser.load_training_state(path, **{**run, "scheduler": None})
    ser.save_training_state(path, **{**run, "scheduler": None})
    with pytest.raises(ArgumentError, match=r"holds no scheduler, .* leave it out"):
        ser.load_training_state(path, **run)


@pytest.mark.parametrize("metadata", [None, {"minigrad": "{"}, {"minigrad": "[1]"}])
def test_plain_weights_are_no_training_state(path, metadata):
    run = make_run()
    ser.save(path, run["model"].state_dict(), metadata=metadata)
    with pytest.raises(FileFormatError, match="load_training_state: "):
        ser.load_training_state(path, **run)


def test_extra_must_be_json(path):
    with pytest.raises(ArgumentError, match=r"is not JSON .* expected numbers"):
        ser.save_training_state(path, **make_run(), extra={"model": object()})
    assert files(path) == []
