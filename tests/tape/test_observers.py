"""Observers of backward passes, and tracers of forward ones."""

import pytest

from minigrad import nn
from minigrad.tape import modes, no_grad, tensor


def leaf(*values):
    return tensor(list(values), dtype="float64", requires_grad=True)


class Noting:
    """Notes what it is shown; replaces terms by what change makes of them."""

    def __init__(self, change=lambda terms: None, wanted=lambda node: True):
        self.seen = []
        self._change, self._wanted = change, wanted

    def start(self, order):
        self.seen.append(("start", [node.kernel.name for node in order]))

    def wants(self, node, name, target):
        return self._wanted(node)

    def edge(self, node, name, target, terms, dy):
        self.seen.append((node.kernel.name, name, list(terms)))
        return self._change(terms)

    def total(self, target, gradient):
        self.seen.append(("total", gradient.item()))

    def end(self, complete):
        self.seen.append(("end", complete))


def halved(terms):
    return {name: 0.5 * term for name, term in terms.items()}


def test_an_observer_sees_the_order_the_edges_and_the_sums():
    x = leaf(3.0)
    noting = Noting()
    with modes.observed(noting):
        (x * 2.0).exp().backward()
    assert noting.seen[0] == ("start", ["exp", "mul"])
    assert noting.seen[1] == ("total", 1)
    assert noting.seen[2] == ("exp", "x", ["direct"])
    assert [what for what, *_ in noting.seen] == [
        *("start", "total", "exp", "total", "mul", "total", "end"),
    ]


def test_what_an_observer_returns_flows_and_is_shown_to_the_next():
    x = leaf(3.0)
    first, second = Noting(halved), Noting()
    with modes.observed(second), modes.observed(first, first=True):
        (x * 2.0).backward()
    assert x.grad.item() == 1
    assert second.seen[-2:] == [("total", 1), ("end", True)]


def test_without_terms_nothing_flows_and_nothing_behind_is_visited():
    x = leaf(3.0)
    noting = Noting(lambda terms: {})
    with modes.observed(noting):
        (x * 2.0).exp().backward()
    assert not x.has_grad
    assert [what for what, *_ in noting.seen] == ["start", "total", "exp", "end"]


def test_what_nobody_wants_is_formed_as_when_nobody_looks():
    x = leaf(3.0)
    noting = Noting(halved, wanted=lambda node: node.kernel.name == "exp")
    with modes.observed(noting):
        (x * 2.0).exp().backward()
    assert "mul" not in [what for what, *_ in noting.seen]


def test_a_gradient_from_before_is_not_in_the_sum():
    x = leaf(3.0)
    (x * 5.0).backward()
    noting = Noting()
    with modes.observed(noting):
        (x * 2.0).backward()
    assert noting.seen[-2] == ("total", 2)
    assert x.grad.item() == 7


@pytest.mark.parametrize("where", ["start", "edge"])
def test_an_error_of_an_observer_ends_the_pass_for_all_and_leaves_nothing(where):
    class Failing(Noting):
        def start(self, order):
            if where == "start":
                raise KeyError

        def edge(self, *seen):
            raise KeyError

    x = leaf(3.0)
    y = x * 2.0
    noting = Noting()
    with modes.observed(noting), modes.observed(Failing()), pytest.raises(KeyError):
        y.backward()
    assert noting.seen[-1] == ("end", False)
    x.grad = None
    (y * 1.0).backward()
    assert x.grad.item() == 2


class Tracing:
    def __init__(self):
        self.calls, self.nodes, self.modules = [], [], []

    def ran(self, kernel, inputs, arrays, y, node):
        self.calls.append((kernel.name, len(arrays), y.shape))
        if node is not None:
            self.nodes.append(node.kernel.name)

    def returned(self, module, y):
        self.modules.append((type(module).__name__, y.shape))


def test_a_tracer_sees_all_calls_and_the_nodes_of_those_that_are_recorded():
    tracing = Tracing()
    x = leaf(3.0)
    with modes.traced(tracing):
        y = (x * 2.0).exp()
        with no_grad():
            y.log()
    y.log()
    assert [name for name, *_ in tracing.calls] == ["mul", "exp", "log"]
    assert tracing.nodes == ["mul", "exp"]


def test_a_tracer_sees_what_modules_return_inner_ones_first():
    tracing = Tracing()
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU())
    with modes.traced(tracing):
        model(tensor([[1.0, 2.0, 3.0]]))
    assert tracing.modules == [
        ("Linear", (1, 2)),
        ("ReLU", (1, 2)),
        ("Sequential", (1, 2)),
    ]


def test_blocks_end_with_an_error_too():
    with pytest.raises(KeyError), modes.traced(Tracing()), modes.observed(Noting()):
        raise KeyError
    assert modes.tracing == 0
    assert modes.tracers.get() == modes.observers.get() == ()
