"""SoftTarget: its recurrences, its schedule, its state, what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import functional as F
from minigrad import nn, optim, serialization
from minigrad.errors import ArgumentError, BadIndexError, DTypeError, ShapeError
from minigrad.random import Streams, generator
from minigrad.tape import tensor

LABELS = np.array([2, 0, 1, 1, 0])
EPOCHS = 8


def drawn(step=0, count=5, classes=3):
    """Draw probabilities (count, classes)."""
    logits = generator(0, "probabilities", step).normal(size=(count, classes))
    return F.softmax(tensor(logits, dtype="float32"), 1).numpy()


def run(soft, epochs=range(EPOCHS)):
    """Update where it is due, and return the targets of every epoch."""
    found = []
    for epoch in epochs:
        if soft.due(epoch):
            soft.update(drawn(epoch))
        found.append(soft.targets(epoch))
    return found


def written_out(burn_in, beta, gamma, every):
    """The sums of the module's docstring, number by number, in float64."""
    s, found = None, []
    for epoch in range(EPOCHS):
        if epoch < burn_in:
            found.append(None)
            continue
        if (epoch - burn_in) % every == 0:
            p = drawn(epoch).tolist()
            s = s or p
            for n in range(5):
                for k in range(3):
                    # The first time the average is p itself, as its weights sum to 1.
                    s[n][k] = beta * s[n][k] + (1 - beta) * p[n][k]
        found.append(
            [
                [gamma * s[n][k] + (1 - gamma) * (k == LABELS[n]) for k in range(3)]
                for n in range(5)
            ]
        )
    return found


@given(
    burn_in=st.integers(0, 4),
    every=st.integers(1, 3),
    beta=st.floats(0, 1),
    gamma=st.floats(0.001, 1),
)
def test_targets_are_those_of_a_written_out_loop(burn_in, every, beta, gamma):
    options = {"burn_in": burn_in, "beta": beta, "gamma": gamma, "every": every}
    targets = run(nn.SoftTarget(LABELS, 3, **options))
    for ours, theirs in zip(targets, written_out(**options), strict=True):
        if theirs is None:
            assert ours.dtype == "int64"
            assert_array_equal(ours, LABELS)
        else:
            assert ours.dtype == "float32"
            assert_allclose(ours, theirs, rtol=1e-6, atol=1e-6)
            assert_allclose(ours.sum(1), 1, rtol=1e-6)
            assert (ours >= 0).all()


def test_the_first_predictions_are_taken_as_they_are():
    soft = nn.SoftTarget(LABELS, 3, burn_in=0, beta=0.9, gamma=1)
    soft.update(drawn())
    assert_array_equal(soft.targets(0), drawn())
    soft.update(drawn(1))
    assert_allclose(soft.targets(1), 0.9 * drawn() + 0.1 * drawn(1), rtol=1e-6)


def test_it_is_due_from_the_end_of_the_burn_in_every_so_many_epochs():
    def due(**options):
        soft = nn.SoftTarget(LABELS, 3, **options)
        return [epoch for epoch in range(10) if soft.due(epoch)]

    assert due() == [5, 6, 7, 8, 9]
    assert due(burn_in=2, every=3) == [2, 5, 8]
    assert due(burn_in=0, every=5) == [0, 5]
    assert due(burn_in=0, gamma=0) == []


def test_between_updates_the_targets_stay():
    targets = run(nn.SoftTarget(LABELS, 3, burn_in=1, every=3))
    assert_array_equal(targets[1], targets[3])
    assert (targets[3] != targets[4]).any()


def trained(targets_of):
    """Train a network for EPOCHS in shuffled batches; return its weights."""
    x = generator(0, "x").normal(size=(5, 4)).astype("float32")
    model = nn.Linear(4, 3, rng=generator(0, "weights"))
    optimizer = optim.SGD(model.parameters(), lr=0.5)
    for epoch in range(EPOCHS):
        targets = targets_of(epoch, lambda: F.softmax(model(tensor(x)), 1).detach())
        order = generator(0, "order", epoch).permutation(5)
        for batch in (order[:3], order[3:]):
            loss = F.cross_entropy(model(tensor(x[batch])), tensor(targets[batch]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model.weight.data


def softly(**options):
    soft = nn.SoftTarget(LABELS, 3, burn_in=2, **options)

    def targets_of(epoch, predict):
        if soft.due(epoch):
            soft.update(predict())
        return soft.targets(epoch)

    return trained(targets_of)


def test_with_gamma_0_training_is_the_plain_one_bit_for_bit():
    plain = trained(lambda epoch, predict: LABELS)
    assert_array_equal(softly(gamma=0), plain)
    assert (softly(gamma=0.5) != plain).any()


def test_rows_belong_to_examples_in_whichever_order_they_are_seen():
    order = np.array([3, 0, 4, 2, 1])
    plain, shuffled = (
        run_in(nn.SoftTarget(labels, 3, burn_in=0), rows)
        for labels, rows in ((LABELS, np.arange(5)), (LABELS[order], order))
    )
    assert_array_equal(plain[order], shuffled)


def run_in(soft, rows):
    for step in range(3):
        soft.update(drawn(step)[rows])
    return soft.targets(2)


@pytest.mark.parametrize("start", [0, 2, 3, 6])
def test_it_goes_on_from_a_file_bit_for_bit(start, tmp_path, backend):
    options = {"burn_in": 2, "beta": 0.3, "every": 2}
    straight = run(nn.SoftTarget(LABELS, 3, **options))

    stopped = nn.SoftTarget(LABELS, 3, **options)
    run(stopped, range(start))
    serialization.save(tmp_path / "soft", stopped.state_dict())
    resumed = nn.SoftTarget(LABELS, 3, **options)
    resumed.load_state_dict(serialization.load(tmp_path / "soft"))
    for ours, theirs in zip(
        run(resumed, range(start, EPOCHS)), straight[start:], strict=True
    ):
        assert_array_equal(ours, theirs)


def test_the_state_goes_with_that_of_a_model_into_one_file(tmp_path):
    def made(epochs):
        soft = nn.SoftTarget(LABELS, 3, burn_in=0)
        run(soft, range(epochs))
        model = nn.ModuleDict({"net": nn.Linear(4, 3), "soft": soft})
        return {"model": model, "optimizer": optim.SGD(model.parameters(), lr=0.1)}

    saved, other = made(3), made(0)
    serialization.save_training_state(tmp_path / "state", **saved, streams=Streams(0))
    serialization.load_training_state(tmp_path / "state", **other, streams=Streams(0))
    state = saved["model"].state_dict()
    assert [*state] == ["net.weight", "net.bias", "soft.average", "soft.updates"]
    for name, value in other["model"].state_dict().items():
        assert value.dtype == state[name].dtype
        assert_array_equal(value, state[name])


def test_there_is_nothing_to_train_and_the_state_is_on_the_backend(backend):
    soft = nn.SoftTarget(LABELS, 3, burn_in=0)
    assert list(soft.parameters()) == []
    soft.update(drawn())
    soft.update(tensor(drawn(1)))
    assert {buffer.backend for buffer in soft.buffers()} == {backend}
    expected = 0.5 * (0.05 * drawn() + 0.95 * drawn(1)) + 0.5 * np.eye(3)[LABELS]
    assert isinstance(soft.targets(0), np.ndarray)
    assert_allclose(soft.targets(0), expected, rtol=1e-6)


def test_the_gradient_is_softmax_less_target_over_the_batch(backend):
    soft = nn.SoftTarget(LABELS, 3, burn_in=0)
    soft.update(drawn())
    logits = tensor(generator(0, "logits").normal(size=(5, 3)), requires_grad=True)
    q = soft.targets(0).astype("float64")
    F.cross_entropy(logits, tensor(q)).backward()
    x = logits.detach().numpy()
    p = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    # Rows of q sum to 1 up to float32's rounding.
    assert_allclose(logits.grad.numpy(), (p - q) / 5, atol=1e-7)


def test_labels_are_copied_and_cannot_be_written_to():
    labels = LABELS.astype("uint8")
    soft = nn.SoftTarget(labels, 3)
    labels[:] = 0
    assert_array_equal(soft.targets(0), LABELS)
    with pytest.raises(ValueError, match="read-only"):
        soft.targets(0)[0] = 1


def test_half_precision_predictions_are_taken_up():
    classes = 1000
    p = drawn(0, 5, classes).astype("float16")
    soft = nn.SoftTarget(LABELS, classes, burn_in=0, gamma=1)
    soft.update(p)
    assert_array_equal(soft.targets(0), p.astype("float32"))


def test_sums_that_are_rounded_are_taken_up():
    p = np.full((5, 3), 1.0005 / 3, "float32")
    soft = nn.SoftTarget(LABELS, 3, burn_in=0, gamma=1)
    soft.update(p)
    assert_array_equal(soft.targets(0), p)


def test_repr_names_the_options():
    assert repr(nn.SoftTarget(LABELS, 3, every=2)) == (
        "SoftTarget(5, 3, burn_in=5, beta=0.05, gamma=0.5, every=2)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beta": -0.1}, r"SoftTarget: beta -0\.1, expected 0 <= beta <= 1"),
        ({"beta": 1.5}, r"beta 1\.5, expected 0 <= beta"),
        ({"beta": float("nan")}, "beta nan, expected 0 <= beta"),
        ({"gamma": 1.01}, r"gamma 1\.01, expected 0 <= gamma <= 1"),
        ({"gamma": True}, "gamma True, expected 0 <= gamma"),
        ({"gamma": "0.5"}, r"gamma '0\.5', expected 0 <= gamma"),
        ({"burn_in": -1}, "SoftTarget: burn_in -1, expected an integer >= 0"),
        ({"burn_in": 2.5}, r"burn_in 2\.5, expected an integer >= 0"),
        ({"every": 0}, "SoftTarget: every 0, expected an int >= 1"),
        ({"every": 1.5}, r"every 1\.5, expected an int >= 1"),
        ({"classes": 0}, "SoftTarget: classes 0, expected an int >= 1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ArgumentError, match=message):
        nn.SoftTarget(LABELS, **{"classes": 3} | options)


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        (np.eye(3, dtype=int), ShapeError, r"labels have shape \(3, 3\), expected \(N"),
        ([0.0, 1.0], DTypeError, "labels have dtype float64, expected integers"),
        ([True, False], DTypeError, "labels have dtype bool, expected integers"),
        ([0, 3], BadIndexError, "labels have 3 at 1, expected 0 <= label < 3"),
        ([-1, 0], BadIndexError, "labels have -1 at 0, expected 0 <= label < 3"),
    ],
)
def test_labels_that_are_none_are_refused(labels, error, message):
    with pytest.raises(error, match=message):
        nn.SoftTarget(labels, 3)


@pytest.mark.parametrize(
    ("probabilities", "error", "message"),
    [
        (np.ones((5, 1)), ShapeError, r"have shape \(5, 1\), expected \(5, 3\)"),
        (np.full((5, 3), 1j), DTypeError, "have dtype complex128, expected real num"),
        (np.full((5, 3), "a"), DTypeError, "have dtype <U1, expected real numbers"),
        (np.full((5, 3), 1.002 / 3), ArgumentError, r"the sum 1\.002 and the minimum"),
        (np.ones((5, 3)), ArgumentError, "row 0 has the sum 3 and the minimum 1, exp"),
        (np.full((5, 3), np.nan), ArgumentError, "row 0 has the sum nan and the minim"),
        (np.tile([-1.0, 1.0, 1.0], (5, 1)), ArgumentError, "minimum -1, expected 1 an"),
    ],
)
def test_what_is_no_distribution_changes_nothing(probabilities, error, message):
    soft = nn.SoftTarget(LABELS, 3, burn_in=0)
    soft.update(drawn())
    before = soft.state_dict()
    with pytest.raises(error, match=f"SoftTarget.update: .*{message}"):
        soft.update(probabilities)
    for name, value in soft.state_dict().items():
        assert_array_equal(value, before[name])


def test_an_update_that_was_forgotten_is_named():
    with pytest.raises(ArgumentError, match="the updates were none, expected at least"):
        nn.SoftTarget(LABELS, 3).targets(5)


@pytest.mark.parametrize("epoch", [-1, 1.0, True])
def test_what_is_no_epoch_is_refused(epoch):
    soft = nn.SoftTarget(LABELS, 3)
    for method in (soft.due, soft.targets):
        with pytest.raises(ArgumentError, match=r"epoch .+, expected an integer >= 0"):
            method(epoch)
