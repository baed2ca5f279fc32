"""What a recording says of frozen parameters: that they are, why, and what flows on."""

import numpy as np
import pytest

import minigrad as mg
from minigrad import functional as F
from minigrad import nn
from minigrad.errors import GradientCheckError, GraphError
from minigrad.inspect import gradient_flow
from minigrad.inspect.report import html
from minigrad.tape import tensor

X = np.random.default_rng(0).normal(size=(5, 3)).astype("float32")


@pytest.fixture
def model():
    mg.manual_seed(0)
    return nn.Sequential(
        nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 2)
    )


def record(model, *frozen, **options):
    for path in frozen:
        model[path].requires_grad_(False)
    with gradient_flow(model, **options) as flow:
        model(tensor(X)).sum().backward()
    return flow


class TestOnePass:
    def test_a_frozen_layer_in_the_middle_passes_the_gradient_on(self, model):
        flow = record(model, 2)
        assert flow.why("2.weight") == (
            "`2.weight` has no gradient: it is frozen, requires_grad_(False) froze it; "
            "its gradient was not computed, while one still flows through `2` to "
            "1/tanh#1."
        )
        assert flow.into("1/tanh#1").measures.norm > 0
        with pytest.raises(GraphError, match=r"into: `2\.bias` has no .* is frozen"):
            flow.into("2.bias")

    def test_through_a_frozen_start_none_flows(self, model):
        flow = record(model, 0)
        assert flow.why("0.bias") == (
            "`0.bias` has no gradient: it is frozen, requires_grad_(False) froze it; "
            "its gradient was not computed, and none flows through `0`."
        )

    def test_the_table_lists_frozen_apart_from_what_is_on_no_path(self, model):
        model.unused = nn.Linear(1, 1)
        constant = tensor(X)
        model[2].weight.requires_grad = False
        with gradient_flow(model, names={"constant": constant}) as flow:
            for part in list(model)[:5]:
                constant = part(constant)
            constant.sum().backward()
        *_, frozen, missing = str(flow).splitlines()
        assert frozen == "frozen: 2.weight"
        assert missing == "without gradient: constant, unused.weight, unused.bias"

    def test_nothing_is_said_where_nothing_is_frozen(self, model):
        assert "frozen" not in str(record(model))

    def test_a_selection_leaves_frozen_ones_out_of_the_table(self, model):
        flow = record(model, 0, 2, name=["0.*", "4.weight"])
        assert "\nfrozen: 0.weight, 0.bias" in str(flow)
        assert "2.weight" not in str(flow)
        assert "still flows" not in flow.why("2.weight")
        assert "is frozen" in flow.why("2.weight")

    def test_without_a_pass_the_reason_is_known(self, model):
        model[0].requires_grad_(False)
        with gradient_flow(model) as flow:
            pass
        assert flow.why("0.weight") == (
            "`0.weight` has no gradient: it is frozen, requires_grad_(False) froze it."
        )

    def test_one_that_was_frozen_alone_says_so(self, model):
        model[2].weight.requires_grad = False
        flow = record(model)
        assert "it is frozen, its requires_grad is False; its gr" in flow.why(
            "2.weight"
        )

    def test_thawing_afterwards_changes_no_answer(self, model):
        flow = record(model, 2)
        said, table, page = flow.why("2.weight"), str(flow), html.to_html(flow)
        model.requires_grad_()
        assert (flow.why("2.weight"), str(flow)) == (said, table)
        assert html.to_html(flow) == page
        flow.assert_no_dead()

    def test_what_was_frozen_between_forward_and_backward_has_its_gradient(self, model):
        loss = model(tensor(X)).sum()
        with (
            nn.LayerOut(model, [1.0, 1.0, 0.0], warm_up=0).epoch(0),
            gradient_flow(model) as flow,
        ):
            loss.backward()
        assert "frozen" not in str(flow)
        assert "frozen" not in flow.why("2.weight")
        assert flow.into("2.weight").measures.norm > 0

    def test_freezing_afterwards_excuses_no_dead_parameter(self, model):
        model.unused = nn.Linear(1, 1)
        with gradient_flow(model) as flow:
            x = tensor(X)
            for part in list(model)[:5]:
                x = part(x)
            x.sum().backward()
        with pytest.raises(GradientCheckError, match=r"unused\.weight"):
            flow.assert_no_dead()

    def test_frozen_branch_and_skip(self):
        class Skip(nn.Module):
            def __init__(self):
                self.first, self.inner = nn.Linear(3, 3), nn.Linear(3, 3)

            def forward(self, x):
                x = self.first(x)
                return F.relu(self.inner(x)) + x

        skip = Skip()
        skip.inner.requires_grad_(False)
        with gradient_flow(skip) as flow:
            skip(tensor(X)).sum().backward()
        assert "flows through `inner` to first/linear#1." in flow.why("inner.weight")
        edges = flow.into("first/linear#1").edges
        assert {edge.consumer for edge in edges} == {"inner/linear#1", "add#1"}
        flow.assert_conserved()

    def test_a_model_that_owns_its_weight_and_many_receivers(self):
        class Four(nn.Module):
            def __init__(self):
                self.parts = nn.ModuleList([nn.Linear(3, 2) for _ in range(4)])
                self.scale = nn.Linear(1, 2, bias=False).weight

            def forward(self, x):
                return sum(F.linear(part(x), self.scale.T) for part in self.parts)

        four = Four()
        four.scale.requires_grad = False
        with gradient_flow(four) as flow:
            four(tensor(X)).sum().backward()
        assert flow.why("scale").endswith(
            "while one still flows through the model to parts.3/linear#1, "
            "parts.2/linear#1, parts.1/linear#1 and 1 more."
        )

    @pytest.mark.parametrize("cell", [nn.LSTM, nn.GRU])
    def test_frozen_recurrent_layers_of_two_levels(self, cell):
        class Net(nn.Module):
            def __init__(self):
                self.before, self.cell = nn.Linear(3, 3), cell(3, 4, num_layers=2)

            def forward(self, x):
                return self.cell(self.before(x))[0]

        net = Net()
        net.cell.requires_grad_(False)
        with gradient_flow(net) as flow:
            net(tensor(X[:, None])).sum().backward()
        said = flow.why("cell.weight_hh_l1")
        assert said.endswith("flows through `cell` to before/linear#1.")


class TestLayerOut:
    def test_the_epoch_is_named_and_passes_are_counted(self, model):
        layer_out = nn.LayerOut(model, [0.0, 1.0, 0.0], warm_up=1)
        optimizer = mg.optim.SGD(model.parameters(), lr=0.1)
        with gradient_flow(model) as flow:
            for epoch in range(4):
                with layer_out.epoch(epoch, optimizer):
                    optimizer.zero_grad()
                    model(tensor(X)).sum().backward()
                    optimizer.step()
        said = flow.why("2.weight")
        assert " healthy: " in said
        assert said.endswith(". Frozen in 3 of 4 passes: LayerOut froze it in epoch 3.")
        line = "\nfrozen: 2.weight (3 of 4 passes), 2.bias (3 of 4 passes)"
        assert str(flow).endswith(line)
        assert flow.over_time("2.weight").sketches["norm"].count == 1
        assert flow.over_time("0.weight").sketches["norm"].count == 4
        assert "Frozen in" not in flow.why("0.weight")
        assert html.to_html(flow).count("<li>frozen in <b>3 of 4 passes</b></li>") == 2

    def test_frozen_in_every_pass(self, model):
        layer_out = nn.LayerOut(model, [0.0, 1.0, 0.0], warm_up=0)
        with gradient_flow(model) as flow, layer_out.epoch(3):
            model(tensor(X)).sum().backward()
        assert flow.why("2.weight") == (
            "`2.weight` has no gradient: it is frozen, LayerOut froze it in epoch 3; "
            "its gradient was not computed, while one still flows through `2` to "
            "1/tanh#1."
        )
        page = html.to_html(flow)
        assert "LayerOut froze it in epoch 3" in page
        assert '<em class="badge mild">frozen</em>' in page

    def test_one_that_trains_on_no_path_and_was_frozen_once(self, model):
        model.unused = nn.Linear(1, 1)
        with gradient_flow(model) as flow:
            for needs in (False, True):
                model.unused.requires_grad_(needs)
                x = tensor(X)
                for part in list(model)[:5]:
                    x = part(x)
                x.sum().backward()
        said = flow.why("unused.weight")
        assert "on no path to what backward() was called on" in said
        assert said.endswith("Frozen in 1 of 2 passes: requires_grad_(False) froze it.")
        with pytest.raises(GradientCheckError, match=r"unused\.weight"):
            flow.assert_no_dead()
        assert "without gradient: unused.weight, unused.bias" in str(flow)
