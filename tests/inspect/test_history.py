"""Thousands of passes in the memory of a few."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad import nn, optim
from minigrad.errors import ArgumentError, GradientCheckError, GraphError
from minigrad.inspect import gradient_flow
from minigrad.inspect.record.history import History
from minigrad.inspect.record.sketch import ERROR, Series, Sketch
from minigrad.random import manual_seed
from minigrad.tape import tensor


def leaf(values):
    return tensor(values, dtype="float64", requires_grad=True)


def recorded(count, **options):
    """Record count passes whose gradients are 1, 2, 3, ..."""
    x = leaf([1.0])
    with gradient_flow(names={"x": x}, **options) as flow:
        for step in range(1, count + 1):
            (x * float(step)).backward()
    return flow


class TestManyPasses:
    def test_the_last_are_kept_whole_and_all_are_counted(self):
        flow = recorded(20, passes=3)
        assert flow.count == 20
        assert [one["x"].measures.norm for one in flow.passes] == [18, 19, 20]
        assert {row["pass"] for row in flow.to_records()} == {18, 19, 20}
        assert flow.into("x").measures.norm == pytest.approx(10.5)
        assert "means over 20 passes" in str(flow)

    def test_what_was_wrong_long_ago_is_remembered(self):
        x = leaf([1.0])
        with gradient_flow(names={"x": x}, passes=2) as flow:
            for step in range(1, 11):
                (x * (np.nan if step == 4 else 1.0)).backward()
        assert flow.why("x").startswith("in pass 4 of 10 `x` is not finite")
        with pytest.raises(GradientCheckError, match="assert_finite: pass 4 has"):
            flow.assert_finite()
        with pytest.raises(GradientCheckError, match="not finite in pass 4"):
            flow.assert_conserved()

    def test_a_gradient_over_time(self):
        over = recorded(1000).over_time("x")
        norm = over.sketches["norm"]
        assert (norm.first, norm.last, norm.minimum, norm.maximum) == (1, 1000, 1, 1000)
        assert norm.mean == pytest.approx(500.5)
        assert norm.quantile(0.5) == pytest.approx(500, rel=0.011)
        assert over.curves["norm"].points[0] == (1, 1)
        assert len(over.curves["norm"].points) <= 256
        lines = str(over).splitlines()
        assert lines[0] == "x over time"
        assert lines[2].split()[:3] == ["norm", "1", "1e3"]
        with pytest.raises(GraphError, match="nothing in this recording is called `y`"):
            recorded(1).over_time("y")


def test_memory_does_not_grow_with_the_passes(network):
    model = network(3, 4, 2)
    with gradient_flow(model) as flow:
        model(tensor(np.ones((5, 3)))).sum().backward()
    (one,) = flow.passes
    history, rng, sizes = History(4), np.random.default_rng(0), []
    tracemalloc.start()
    for step in range(1, 2049):
        scale = 10 ** rng.uniform(0, 1)
        history.add(
            {
                name: target._replace(
                    measures=target.measures._replace(norm=scale * (1 + 0.1 * at))
                )
                for at, (name, target) in enumerate(one.items())
            }
        )
        if step in (512, 1024, 2048):
            sizes.append(tracemalloc.get_traced_memory()[0])
    tracemalloc.stop()
    # A kept pass takes 10 kB; what is still growing are buckets not met before.
    assert sizes[2] - sizes[1] < 30_000
    assert sizes[2] < 1_000_000


@pytest.mark.parametrize("passes", [0, -1, 1.5, None])
def test_at_least_one_pass_is_kept(passes):
    told = pytest.raises(ArgumentError, match=r"passes .*, expected at least 1")
    with told, gradient_flow(passes=passes):
        pass


class TestUpdates:
    def step(self, inside):
        manual_seed(0)
        model = nn.Linear(3, 2)
        before = {n: p.data.copy() for n, p in model.named_parameters()}
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        with gradient_flow(model) as flow:
            model(tensor(np.ones((4, 3)), dtype="float32")).sum().backward()
            if inside:
                optimizer.step()
        return flow, model, before

    def test_the_step_is_measured_against_the_weight(self):
        flow, model, before = self.step(inside=True)
        old = before["weight"]
        target = flow.into("weight")
        assert target.weight_norm == pytest.approx(np.linalg.norm(old))
        moved = np.linalg.norm(model.weight.data - old) / np.linalg.norm(old)
        assert target.update == pytest.approx(moved)
        assert "update / weight" in str(target)
        assert "update" in str(flow).splitlines()[1]

    def test_a_weight_that_the_step_leaves_where_it_is_has_a_ratio_of_0(self):
        manual_seed(0)
        model = nn.Linear(3, 2)
        optimizer = optim.SGD([model.weight], lr=0.1)
        with gradient_flow(model) as flow:
            model(tensor(np.ones((4, 3)), dtype="float32")).sum().backward()
            optimizer.step()
        assert flow.into("weight").update > 0
        assert flow.into("bias").update == 0

    def test_without_a_step_there_is_no_ratio(self):
        flow, *_ = self.step(inside=False)
        assert flow.into("weight").update is None
        assert "update" not in str(flow)


class TestSketch:
    @given(st.lists(st.floats(1e-30, 1e30), min_size=1, max_size=200), st.floats(0, 1))
    def test_a_quantile_is_right_to_a_per_cent(self, values, share):
        sketch = Sketch()
        for value in values:
            sketch.add(value)
        exact = np.quantile(values, share, method="inverted_cdf")
        assert sketch.quantile(share) == pytest.approx(exact, rel=1.01 * ERROR)
        assert sketch.count == len(values)

    def test_zeros_faults_and_extremes(self):
        sketch = Sketch()
        for value in (0.0, 1e300, float("nan"), float("inf"), 1e-300, 0.0):
            sketch.add(value)
        assert (sketch.count, sketch.faults) == (4, 2)
        assert sketch.quantile(0.5) == 0
        assert sketch.maximum == 1e300
        assert len(sketch) == 2
        assert Sketch().quantile(0.5) is None
        assert Sketch().mean is None

    @given(st.integers(1, 3000))
    def test_a_series_keeps_even_distances(self, count):
        series = Series(8)
        for step in range(count):
            series.add(step, float(step))
        xs = [x for x, _ in series.points]
        assert 0 < len(xs) <= 8
        assert xs[0] == 0
        assert len(set(np.diff(xs))) <= 1
        assert count <= 8 or len(xs) >= 4
