import numpy
import pytest
from numpy.testing import assert_allclose

from minigrad import nn, optim
from minigrad.random import generator
from minigrad.tape import tensor


@pytest.mark.parametrize(
    ("name", "options"),
    [("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 1e-3}), ("Adam", {})],
)
def test_ten_steps_of_a_network_are_those_of_pytorch(name, options):
    torch = pytest.importorskip("torch")
    layers = [
        ("Linear", 6, 8),
        ("Tanh",),
        ("Linear", 8, 8),
        ("ReLU",),
        ("Linear", 8, 3),
    ]
    ours = nn.Sequential(*(getattr(nn, kind)(*sizes) for kind, *sizes in layers))
    theirs = torch.nn.Sequential(
        *(getattr(torch.nn, kind)(*sizes) for kind, *sizes in layers)
    ).double()
    ours.to("float64").load_state_dict(theirs.state_dict())
    optimizer = getattr(optim, name)(ours.parameters(), **options)
    oracle = getattr(torch.optim, name)(theirs.parameters(), **options)

    draws = generator(0, "data")
    for _ in range(10):
        x, t = draws.normal(size=(16, 6)), draws.integers(3, size=16)
        loss = nn.CrossEntropyLoss()(ours(tensor(x)), tensor(t))
        expected = torch.nn.CrossEntropyLoss()(theirs(torch.tensor(x)), torch.tensor(t))
        assert_allclose(loss.item(), expected.item(), rtol=1e-10)
        for step, value in ((optimizer, loss), (oracle, expected)):
            step.zero_grad()
            value.backward()
            step.step()
    for key, value in theirs.state_dict().items():
        assert_allclose(ours.state_dict()[key], value.numpy(), rtol=1e-8, atol=1e-12)


def test_frozen_layers_do_not_change():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    model[0].requires_grad_(False)
    before = model.state_dict()
    optimizer = optim.SGD(model.parameters(), lr=1.0, momentum=0.9, weight_decay=0.1)
    loss = nn.MSELoss()(
        model(tensor(numpy.ones((5, 3), "float32"))), numpy.ones((5, 2), "float32")
    )
    loss.backward()
    optimizer.step()
    after = model.state_dict()
    assert (after["0.weight"] == before["0.weight"]).all()
    assert (after["2.bias"] != before["2.bias"]).all()
