"""Gradient information G_k (GAAF, eq. 5) against gradients taken one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.errors import GraphError
from minigrad.inspect import gradient_flow
from minigrad.tape import tensor


def loss(model, x, t):
    """Mean over examples of the squared error's mean over outputs."""
    error = model(x) - t
    return (error * error).mean()


def batch(rng, size, inputs, outputs):
    return rng.normal(size=(size, inputs)), rng.normal(size=(size, outputs))


def gradients(model, x, t):
    for parameter in model.parameters():
        parameter.grad = None
    loss(model, tensor(x), tensor(t)).backward()
    return {name: p.grad.data.copy() for name, p in model.named_parameters()}


def test_both_measures_equal_brute_force(network):
    model = network(5, 4, 3)
    x, t = batch(np.random.default_rng(1), 7, 5, 3)
    each = [gradients(model, x[n : n + 1], t[n : n + 1]) for n in range(7)]
    whole = gradients(model, x, t)
    with gradient_flow(model) as flow:
        loss(model, tensor(x), tensor(t)).backward()
    found = flow.gradient_information()
    assert list(found) == ["first.weight", "second.weight"]
    for name, information in found.items():
        assert information.batch == pytest.approx(np.abs(whole[name]).mean())
        assert information.sample == pytest.approx(
            np.mean([np.abs(one[name]).mean() for one in each])
        )


@given(
    seed=st.integers(0, 2**32 - 1),
    size=st.integers(1, 6),
    inputs=st.integers(1, 4),
    outputs=st.integers(1, 4),
)
def test_sample_is_never_below_batch(network, seed, size, inputs, outputs):
    model = network(inputs, 3, outputs, seed)
    x, t = batch(np.random.default_rng(seed), size, inputs, outputs)
    with gradient_flow(model) as flow:
        loss(model, tensor(x), tensor(t)).backward()
    for information in flow.gradient_information().values():
        assert information.sample >= information.batch * (1 - 1e-12)


def test_passes_are_averaged(network):
    model = network(5, 4, 3)
    rng = np.random.default_rng(2)
    flows = []
    batches = [batch(rng, 6, 5, 3) for _ in range(2)]
    for chosen in (batches[:1], batches[1:], batches):
        with gradient_flow(model) as flow:
            for x, t in chosen:
                loss(model, tensor(x), tensor(t)).backward()
        flows.append(flow.gradient_information()["first.weight"])
    first, second, both = flows
    assert both.batch == pytest.approx((first.batch + second.batch) / 2)
    assert both.sample == pytest.approx((first.sample + second.sample) / 2)


def test_a_weight_used_twice_or_on_sequences_has_no_sample_measure(network):
    model = network(3, 3, 3)
    with gradient_flow(model) as flow:
        model(model(tensor(np.ones((5, 3))))).sum().backward()
        model(tensor(np.ones((5, 2, 3)))).sum().backward()
    assert flow.gradient_information()["first.weight"].sample is None


def test_it_runs_on_another_device(dense, device):
    x = tensor([[1.0, -2.0], [3.0, 4.0]], dtype="float64")
    layer = dense(np.ones((1, 2)), np.zeros(1))
    with gradient_flow(layer) as flow:
        layer(x).mean().backward()
    # dE_n/dW = x_n, dE/dW = (2, 1).
    assert flow.gradient_information() == {"weight": (1.5, (1.5 + 3.5) / 2)}


def test_an_empty_recording_says_so():
    with gradient_flow() as flow:
        pass
    with pytest.raises(GraphError, match="gradient_information: no backward pass"):
        flow.gradient_information()
