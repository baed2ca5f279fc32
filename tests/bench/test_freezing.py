"""The freezing suite: engines train alike, and names tell what is saved."""

from dataclasses import replace

import pytest

from bench import freezing
from bench.engines import ENGINES
from bench.freezing import FROZEN, NETWORKS, Frozen, build, freeze, prepare
from bench.harness import CHECKED_STEPS, Timed, expect_agreement
from bench.suites import SUITES
from minigrad.inspect import backward_cost

IDS = [one.name.partition(":")[0] for one in FROZEN]


def small(network):
    """Cut the batch to two examples, and sequences to five steps."""
    inputs, labels = NETWORKS[network].batch()
    if network == "lstm":
        return inputs[:5, :2].copy(), labels[:2]
    return inputs[:2], labels[:2]


@pytest.mark.parametrize("frozen", FROZEN, ids=IDS)
def test_names_tell_the_shares_that_are_counted(frozen):
    model = freeze(frozen, build(frozen, ENGINES["minigrad"]()))
    cost = backward_cost(model, small(frozen.network)[0])
    assert round(100 * cost.frozen_share) == frozen.parameters
    assert round(100 * cost.saved_share) == frozen.multiply_adds
    found = [one.path for one in cost.layers if one.state == "frozen"]
    assert found == list(frozen.layers)


def test_a_name_says_what_is_frozen():
    assert FROZEN[1].name == (
        "strided, conv3 conv4: 30 % of parameters, 37 % of multiply-adds"
    )
    assert FROZEN[0].name.startswith("strided, nothing: 0 % of")
    assert list(SUITES["freezing"]) == [one.name for one in FROZEN]


@pytest.fixture
def one_thread():
    """Idle threads of one engine spin, which slows the other in a shared process."""
    torch = pytest.importorskip("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("frozen", FROZEN[1::4], ids=IDS[1::4])
@pytest.mark.usefixtures("one_thread")
def test_engines_train_what_is_not_frozen_alike(frozen, monkeypatch):
    batch = small(frozen.network)
    short = replace(NETWORKS[frozen.network], batch=lambda: batch)
    monkeypatch.setattr(freezing, "NETWORKS", {frozen.network: short})
    steps = {
        "minigrad": prepare(frozen, "minigrad"),
        "torch": prepare(frozen, "torch"),
        "minigrad unfrozen": prepare(frozen, "minigrad", thawed=True),
    }
    told = {
        name: [step() for _ in range(CHECKED_STEPS)] for name, step in steps.items()
    }
    assert all(isinstance(one, Timed) for each in told.values() for one in each)
    losses = {name: [one.loss for one in each] for name, each in told.items()}
    expect_agreement(frozen.name, losses)
    # The very same parameters move, so not a bit may differ.
    assert losses["minigrad"] == losses["minigrad unfrozen"]


def test_only_backward_is_timed_and_only_what_is_frozen_is_left_out(monkeypatch):
    batch = small("mlp")
    short = replace(NETWORKS["mlp"], batch=lambda: batch)
    monkeypatch.setattr(freezing, "NETWORKS", {"mlp": short})
    frozen = Frozen("mlp", ("dense1", "dense3"), 0, 0)
    models = []
    monkeypatch.setattr(
        freezing, "build", lambda *given: models.append(build(*given)) or models[-1]
    )
    clock = iter(range(100))
    monkeypatch.setattr(freezing.time, "perf_counter", lambda: next(clock))
    for thawed in (False, True):
        told = prepare(frozen, "minigrad", thawed)()
        # The clock is read twice, at the start and the end of backward.
        assert told.milliseconds == 1000
        gone = {n.partition(".")[0] for n, p in models[-1].named_parameters()
                if not p.has_grad}  # fmt: skip
        assert gone == (set() if thawed else {"dense1", "dense3"})
