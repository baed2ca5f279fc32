import json

import pytest
from numpy.testing import assert_allclose

from minigrad import optim
from minigrad.errors import ArgumentError
from minigrad.optim import lr_scheduler
from minigrad.tape import tensor

EPOCHS = 50
CASES = [
    ("StepLR", {"step_size": 7}),
    ("StepLR", {"step_size": 1, "gamma": 0.9}),
    ("MultiStepLR", {"milestones": [5, 20, 20, 31], "gamma": 0.5}),
    ("CosineAnnealingLR", {"T_max": 50}),
    ("CosineAnnealingLR", {"T_max": 12, "eta_min": 0.01}),
    ("LambdaLR", {"lr_lambda": lambda epoch: 0.95**epoch}),
    (
        "LambdaLR",
        {"lr_lambda": [lambda epoch: 0.95**epoch, lambda epoch: 1 / (epoch + 1)]},
    ),
]
every_schedule = pytest.mark.parametrize(("name", "options"), CASES)


def make_optimizer():
    first, second = (tensor([1.0], requires_grad=True) for _ in range(2))
    return optim.SGD([{"params": [first]}, {"params": [second], "lr": 0.3}], lr=0.1)


@every_schedule
def test_fifty_epochs_are_those_of_pytorch(name, options):
    torch = pytest.importorskip("torch")
    first, second = (torch.nn.Parameter(torch.ones(1)) for _ in range(2))
    groups = [{"params": [first]}, {"params": [second], "lr": 0.3}]
    theirs = torch.optim.SGD(groups, lr=0.1)
    oracle = getattr(torch.optim.lr_scheduler, name)(theirs, **options)
    ours = make_optimizer()
    schedule = getattr(lr_scheduler, name)(ours, **options)
    for _ in range(EPOCHS):
        assert_allclose(schedule.get_last_lr(), oracle.get_last_lr(), atol=1e-15)
        assert schedule.get_last_lr() == [group["lr"] for group in ours.param_groups]
        theirs.step()
        schedule.step()
        oracle.step()


@every_schedule
def test_schedule_resumes_from_its_state(name, options):
    straight = make_optimizer()
    schedule = getattr(lr_scheduler, name)(straight, **options)
    for epoch in range(EPOCHS):
        if epoch == 22:
            saved = json.dumps([schedule.state_dict(), straight.state_dict()])
        schedule.step()

    resumed = make_optimizer()
    schedule = getattr(lr_scheduler, name)(resumed, **options)
    states = json.loads(saved)
    resumed.load_state_dict(states[1])
    schedule.load_state_dict(states[0])
    for _ in range(22, EPOCHS):
        schedule.step()
    for one, other in zip(straight.param_groups, resumed.param_groups, strict=True):
        assert one["lr"] == other["lr"]


def test_a_milestone_lowers_the_rate_at_the_start_of_its_epoch():
    """The schedule of wide residual networks on CIFAR, one step after each epoch."""
    optimizer = optim.SGD([tensor([1.0], requires_grad=True)], lr=0.1)
    schedule = lr_scheduler.MultiStepLR(optimizer, [60, 120, 160], gamma=0.2)
    rates = []
    for _ in range(200):
        rates += schedule.get_last_lr()
        schedule.step()
    expected = [0.1] * 60 + [0.02] * 60 + [0.004] * 40 + [0.0008] * 40
    assert_allclose(rates, expected, rtol=1e-14)


def test_step_schedules_can_be_combined():
    optimizer = make_optimizer()
    schedules = [
        lr_scheduler.StepLR(optimizer, 2, gamma=0.5),
        lr_scheduler.MultiStepLR(optimizer, [3], gamma=0.1),
    ]
    for _ in range(4):
        for schedule in schedules:
            schedule.step()
    assert_allclose(schedules[0].get_last_lr(), [0.1 * 0.025, 0.3 * 0.025])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda o: lr_scheduler.StepLR(o, 0), "step_size 0, expected an integer >= 1"),
        (
            lambda o: lr_scheduler.CosineAnnealingLR(o, 0),
            "T_max 0, expected a finite number >= 1",
        ),
        (
            lambda o: lr_scheduler.LambdaLR(o, [abs] * 3),
            "lr_lambda has length 3, expected one value, or one for each of the 2",
        ),
        (
            lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=1),
            "factor 1, expected 0 <",
        ),
        (lambda o: lr_scheduler.ReduceLROnPlateau(o, mode="up"), "mode 'up', expected"),
        (
            lambda o: lr_scheduler.ReduceLROnPlateau(o, threshold_mode="x"),
            "threshold_mode 'x', expected 'rel' or 'abs'",
        ),
        (
            lambda o: lr_scheduler.ReduceLROnPlateau(o, min_lr=[1]),
            "min_lr has length 1, expected one value, or one for each of the 2",
        ),
        (
            lambda o: lr_scheduler.StepLR(o, 1).load_state_dict({"epoch": 1}),
            r"StepLR\.load_state_dict: keys epoch, expected base_lrs, last_epoch",
        ),
        (
            lambda o: lr_scheduler.StepLR(o, 1).load_state_dict(None),
            r"StepLR\.load_state_dict: got None, expected what state_dict returned",
        ),
        (
            lambda o: lr_scheduler.StepLR(None, 3),
            "StepLR: optimizer is a NoneType, expected an Optimizer",
        ),
        (
            lambda o: lr_scheduler.ReduceLROnPlateau(None),
            "ReduceLROnPlateau: optimizer is a NoneType, expected",
        ),
        (lambda o: lr_scheduler.StepLR(o, "3"), "step_size '3', expected an integer"),
        (lambda o: lr_scheduler.StepLR(o, 2.5), r"step_size 2\.5, expected an integer"),
        (lambda o: lr_scheduler.StepLR(o, 2, None), "gamma None, expected a finite"),
        (
            lambda o: lr_scheduler.MultiStepLR(o, 3),
            "MultiStepLR: milestones 3, expected a list of epochs",
        ),
        (
            lambda o: lr_scheduler.MultiStepLR(o, [1.5]),
            r"milestone 1\.5, expected an integer >= 0",
        ),
        (
            lambda o: lr_scheduler.LambdaLR(o, 0.5),
            r"lr_lambda 0\.5, expected a function of the epoch",
        ),
        (
            lambda o: lr_scheduler.ReduceLROnPlateau(o).step(None),
            r"ReduceLROnPlateau\.step: metrics None, expected a number",
        ),
    ],
)
def test_wrong_arguments_get_a_sentence(make, message):
    with pytest.raises(ArgumentError, match=message):
        make(make_optimizer())


@pytest.mark.parametrize(
    ("make", "rates"),
    [
        (lambda o: lr_scheduler.StepLR(o, 2, gamma=0.5), [0.05, 0.15, 4.0]),
        (lambda o: lr_scheduler.CosineAnnealingLR(o, 4), [0.05, 0.15, 4.0]),
        (lambda o: lr_scheduler.LambdaLR(o, lambda epoch: 0.5), [0.05, 0.15, 4.0]),
    ],
)
def test_group_that_is_added_later_starts_from_its_own_rate(make, rates):
    optimizer = make_optimizer()
    schedule = make(optimizer)
    schedule.step()
    optimizer.add_param_group({"params": tensor([1.0]), "lr": 8.0})
    schedule.step()
    assert_allclose(schedule.get_last_lr(), rates)


def test_functions_for_each_group_do_not_fit_one_group_more():
    optimizer = make_optimizer()
    schedule = lr_scheduler.LambdaLR(optimizer, [lambda epoch: 0.5] * 2)
    optimizer.add_param_group({"params": tensor([1.0])})
    with pytest.raises(ArgumentError, match="one for each of the 3 groups"):
        schedule.step()
