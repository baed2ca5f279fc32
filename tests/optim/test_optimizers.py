import numpy
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from minigrad import optim
from minigrad.errors import ArgumentError, DTypeError, GraphError, ShapeError
from minigrad.optim import _blocks
from minigrad.random import generator
from minigrad.tape import tensor
from minigrad.testing.fake_device import fake_device

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.5, "eps": 1e-2}),
    ("RMSprop", {}),
    ("RMSprop", {"lr": 0.1, "alpha": 0.9, "weight_decay": 0.1, "momentum": 0.9}),
    ("RMSprop", {"centered": True, "momentum": 0.5}),
    ("RMSprop", {"centered": True}),
    ("Adadelta", {}),
    ("Adadelta", {"lr": 0.5, "rho": 0.8, "eps": 1e-4, "weight_decay": 0.1}),
]
every_optimizer = pytest.mark.parametrize(("name", "options"), CASES)


def start(*shape, dtype="float64"):
    values = generator(0, "start").normal(size=shape)
    return tensor(values.astype(dtype), requires_grad=True)


def gradients(*shape, steps=20, dtype="float64"):
    return generator(0, "gradients").normal(size=(steps, *shape)).astype(dtype)


def run(optimizer, parameters, steps):
    for step in steps:
        for parameter, gradient in zip(parameters, step, strict=True):
            parameter.grad = gradient
        optimizer.step()


@every_optimizer
def test_twenty_steps_are_those_of_pytorch(name, options):
    torch = pytest.importorskip("torch")
    ours = start(4, 3)
    theirs = torch.nn.Parameter(torch.tensor(ours.data.copy()))
    optimizer = getattr(optim, name)([ours], **options)
    oracle = getattr(torch.optim, name)([theirs], **options)
    for gradient in gradients(4, 3):
        ours.grad = gradient
        theirs.grad = torch.tensor(gradient)
        optimizer.step()
        oracle.step()
        assert_allclose(ours.data, theirs.detach().numpy(), rtol=1e-12, atol=1e-14)


def test_nesterov_takes_a_new_rate_at_once():
    """The velocity holds no rate, as it does in Keras' form of the same steps."""
    w = start(4, 3)
    optimizer = optim.SGD([w], 0.1, momentum=0.9, weight_decay=0.01, nesterov=True)
    expected, v = w.data.copy(), 0.0
    of_keras, v_of_keras = w.data.copy(), 0.0
    for step, gradient in enumerate(gradients(4, 3, steps=6)):
        rate = 0.1 if step < 3 else 0.02
        g = gradient + 0.01 * expected
        v = 0.9 * v + g
        expected = expected - rate * (g + 0.9 * v)
        g = gradient + 0.01 * of_keras
        v_of_keras = 0.9 * v_of_keras - rate * g
        of_keras = of_keras + 0.9 * v_of_keras - rate * g

        optimizer.param_groups[0]["lr"] = rate
        run(optimizer, [w], [[gradient]])

        assert_allclose(w.data, expected, rtol=1e-12, atol=1e-14)
        assert numpy.allclose(w.data, of_keras) == (step < 3)


@every_optimizer
def test_gradients_are_not_written_and_float32_stays(name, options):
    p = start(5, dtype="float32")
    array = p.data
    optimizer = getattr(optim, name)([p], **options)
    for gradient in gradients(5, steps=3, dtype="float32"):
        kept = gradient.copy()
        p.grad = gradient
        optimizer.step()
        assert_array_equal(gradient, kept)
    assert p.data is array
    arrays = [v for v in optimizer.state[p].values() if isinstance(v, numpy.ndarray)]
    assert all(array.dtype == "float32" for array in arrays)


@every_optimizer
def test_parts_on_threads_give_the_same_bits(name, options, monkeypatch):
    shape = (3, 50)
    whole, parted = (start(*shape, dtype="float32") for _ in range(2))
    steps = gradients(1, *shape, steps=4, dtype="float32")
    run(getattr(optim, name)([whole], **options), [whole], steps)
    all_in_parts_of(32, monkeypatch)
    run(getattr(optim, name)([parted], **options), [parted], steps)
    assert_array_equal(parted.data, whole.data)


def all_in_parts_of(size, monkeypatch):
    for bound, value in (("SMALL", 0), ("LONG", 0), ("PART", size), ("THRESHOLD", 0)):
        monkeypatch.setattr(_blocks, bound, value)


@every_optimizer
def test_neighbours_change_no_bit(name, options):
    shapes = (
        (64,),
        (8193,),
        (0, 3),
        (),
        (90, 100),
        (2, 3, 4),
        (5000,),
        (6000,),
        (1100, 500),
    )
    kinds = [(shape, "float32") for shape in shapes] + [((7,), "float64")]
    together, alone = ([start(*s, dtype=d) for s, d in kinds] for _ in range(2))
    steps = [gradients(*shape, steps=3, dtype=dtype) for shape, dtype in kinds]
    many = getattr(optim, name)(together, **options)
    ones = [getattr(optim, name)([p], **options) for p in alone]
    for step in range(3):
        for index, (one, other) in enumerate(zip(together, alone, strict=True)):
            # One in three stands still, so that steps are not the same number.
            moves = (index + step) % 3
            one.grad = other.grad = steps[index][step, ...] if moves else None
        many.step()
        for optimizer in ones:
            optimizer.step()
    for one, other, optimizer in zip(together, alone, ones, strict=True):
        assert_array_equal(one.data, other.data)
        for key, value in many.state[one].items():
            assert_array_equal(value, optimizer.state[other][key])


def test_parameters_that_share_memory_are_updated_in_order():
    memory = numpy.zeros(4, "float32")
    first, second = (tensor(memory, requires_grad=True) for _ in range(2))
    first.data, second.data = memory[:3], memory[1:]
    optimizer = optim.SGD([first, second], lr=1.0)
    first.grad = numpy.ones(3, "float32")
    # What the second step subtracts is what the first one has left.
    second.grad = first.data
    optimizer.step()
    assert_array_equal(memory, [-1, 0, 0, 1])


@every_optimizer
def test_resuming_from_a_state_gives_the_same_bits(name, options):
    steps = gradients(2, 3, steps=10, dtype="float32")

    def make():
        parameters = [start(3, dtype="float32"), start(3, dtype="float32")]
        return parameters, getattr(optim, name)(parameters, **options)

    straight, optimizer = make()
    run(optimizer, straight, steps)

    first, optimizer = make()
    run(optimizer, first, steps[:4])
    state = optimizer.state_dict()
    run(optimizer, first, steps[4:5])

    second, resumed = make()
    run(resumed, second, steps[:4])
    resumed = getattr(optim, name)(second, lr=77)
    resumed.load_state_dict(state)
    run(resumed, second, steps[4:])
    for one, other in zip(straight, second, strict=True):
        assert_array_equal(one.data, other.data)


@pytest.mark.parametrize(
    "layout",
    [
        lambda array: array.T.copy().T,
        lambda array: array.transpose(1, 2, 0).copy().transpose(2, 0, 1),
        lambda array: numpy.repeat(array, 2, axis=1)[:, ::2],
    ],
    ids=["reversed", "permuted", "with gaps"],
)
def test_memory_order_of_parameter_and_gradient_does_not_matter(layout, monkeypatch):
    all_in_parts_of(7, monkeypatch)
    plain, other, third = (start(2, 3, 4) for _ in range(3))
    other.data = layout(other.data)
    third.data = layout(third.data)
    steps = gradients(2, 3, 4, steps=3)
    run(optim.Adam([plain]), [plain], steps[:, None])
    run(optim.Adam([other]), [other], steps[:, None])
    run(optim.Adam([third]), [third], [[layout(step)] for step in steps])
    assert_array_equal(other.data, plain.data)
    assert_array_equal(third.data, plain.data)


def test_parameters_without_a_gradient_are_left_alone():
    used, unused = start(3), start(3)
    before = unused.data.copy()
    optimizer = optim.SGD([used, unused], lr=0.1, momentum=0.9, weight_decay=0.1)
    used.grad = numpy.ones(3)
    optimizer.step()
    assert_array_equal(unused.data, before)
    assert unused not in optimizer.state
    optimizer.zero_grad()
    assert not used.has_grad


def test_groups_have_options_of_their_own():
    slow, fast = start(3), start(3)
    optimizer = optim.SGD([{"params": [slow]}, {"params": fast, "lr": 1.0}], lr=0.1)
    run(optimizer, [slow, fast], [[numpy.ones(3), numpy.ones(3)]])
    assert_allclose(slow.data, start(3).data - 0.1)
    assert_allclose(fast.data, start(3).data - 1.0)
    optimizer.add_param_group({"params": [start(2)], "lr": 2.0})
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 1.0, 2.0]
    assert repr(optimizer).startswith("SGD(1 tensors, lr=0.1, momentum=0")


def test_numpy_number_as_rate_keeps_float32():
    p, q = start(3, dtype="float32"), start(3, dtype="float32")
    steps = gradients(1, 3, dtype="float32")
    run(optim.SGD([p], lr=numpy.float64(0.1)), [p], steps)
    run(optim.SGD([q], lr=0.1), [q], steps)
    assert_array_equal(p.data, q.data)


def test_numpy_numbers_as_betas_keep_float32():
    p, q, r = (start(3, dtype="float32") for _ in range(3))
    betas = numpy.array([0.5, 0.75])
    steps = gradients(1, 3, dtype="float32")
    run(optim.Adam([p], betas=tuple(betas)), [p], steps)
    run(optim.Adam([{"params": q, "betas": betas}]), [q], steps)
    run(optim.Adam([r], betas=(0.5, 0.75)), [r], steps)
    assert p.dtype == "float32"
    assert_array_equal(p.data, r.data)
    assert_array_equal(q.data, r.data)


def test_zero_grad_can_fill_with_zeros_in_place():
    used, unused = start(3), start(3)
    (used * used).sum().backward()
    gradient = used.grad.data
    optimizer = optim.SGD([used, unused])
    optimizer.zero_grad(set_to_none=False)
    assert used.grad.data is gradient
    assert_array_equal(gradient, 0)
    assert not unused.has_grad
    optimizer.zero_grad(set_to_none=True)
    assert not used.has_grad


def test_state_of_another_dtype_is_refused_and_can_be_cast():
    p, q = start(3), start(3)
    optimizer = optim.Adam([p, q])
    run(optimizer, [p, q], [[numpy.ones(3)] * 2])
    before = p.data.copy()
    q.data = q.data.astype("float32")
    p.grad, q.grad = numpy.ones(3), numpy.ones(3, "float32")
    with pytest.raises(DTypeError, match=r"Adam\.step: the state `exp_avg` has dtype "):
        optimizer.step()
    assert_array_equal(p.data, before)
    optimizer.load_state_dict(optimizer.state_dict())
    optimizer.step()
    assert optimizer.state[q]["exp_avg"].dtype == "float32"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: None, "got None, expected the dict of 'state' and 'param_grou"),
        (lambda state: {}, r"got \{\}, expected the dict of 'state'"),
        (lambda state: {**state, "state": {0: None}}, "expected the dict of 'state'"),
        (lambda state: {**state, "param_groups": [{}]}, "expected the dict of 'state'"),
        (
            lambda state: {**state, "state": {1: {}}},
            "state of parameter 1, expected one of 0 to 0",
        ),
        (lambda state: {**state, "state": {-1: {}}}, "state of parameter -1, expected"),
        (
            lambda state: {**state, "state": {0: {"momentum_buffer": "x"}}},
            "the state `momentum_buffer` 'x', expected an array or a number",
        ),
        (
            lambda state: {
                **state,
                "param_groups": [{**state["param_groups"][0], "lr": "fast"}],
            },
            "SGD: lr 'fast', expected a finite number",
        ),
    ],
)
def test_what_is_no_state_gets_a_sentence_and_changes_nothing(change, message):
    p = start(3)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    run(optimizer, [p], [[numpy.ones(3)]])
    with pytest.raises(ArgumentError, match=message):
        optimizer.load_state_dict(change(optimizer.state_dict()))
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert_array_equal(optimizer.state[p]["momentum_buffer"], 1)


@pytest.mark.parametrize("lr", [float("nan"), -0.1, None, "fast"])
def test_an_option_that_became_nonsense_is_refused_and_changes_nothing(lr):
    p = start(3)
    optimizer = optim.SGD([p], lr=0.1)
    p.grad = numpy.ones(3)
    before = p.data.copy()
    optimizer.param_groups[0]["lr"] = lr
    with pytest.raises(ArgumentError, match=r"SGD: lr .+, expected a finite number >="):
        optimizer.step()
    assert_array_equal(p.data, before)


def test_step_is_refused_while_a_graph_needs_the_values_and_changes_nothing():
    first, second = start(3), start(3)
    before = first.data.copy()
    first.grad = second.grad = numpy.ones(3)
    optimizer = optim.SGD([first, second], lr=0.1)
    y = second * start(3)
    with pytest.raises(GraphError, match=r"SGD\.step: the values are needed by mul"):
        optimizer.step()
    assert_array_equal(first.data, before)
    del y
    optimizer.step()
    assert_allclose(first.data, before - 0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: optim.SGD([]), "SGD: there are no parameters"),
        (lambda p: optim.SGD(p), "SGD: params is a Tensor, expected a list"),
        (lambda p: optim.SGD([p, p]), r"shape \(2,\) is given twice"),
        (lambda p: optim.SGD([{"params": [p]}, {"params": [p]}]), "given twice"),
        (lambda p: optim.SGD([p * 2]), "contains a result, expected leaf tensors"),
        (lambda p: optim.SGD([1.0]), r"contains 1\.0, expected leaf"),
        (lambda p: optim.SGD([{"lr": 1}]), "SGD: a group has no key 'params'"),
        (
            lambda p: optim.SGD([{"params": p, "rate": 1}]),
            "option 'rate', expected one",
        ),
        (lambda p: optim.SGD([p], lr=-1), "SGD: lr -1, expected a finite number >= 0"),
        (lambda p: optim.SGD([p], lr=float("nan")), "SGD: lr nan, expected a finite"),
        (lambda p: optim.SGD([p], momentum=-1), "momentum -1, expected a finite"),
        (lambda p: optim.SGD([p], nesterov=True), "nesterov with momentum 0 and damp"),
        (
            lambda p: optim.Adam([p], betas=(1.0, 0.9)),
            r"beta1 1\.0, expected 0 <= beta1",
        ),
        (lambda p: optim.AdamW([p], eps=-1), "AdamW: eps -1, expected a finite"),
        (lambda p: optim.RMSprop([p], alpha=-1), "RMSprop: alpha -1, expected"),
        (
            lambda p: optim.Adadelta([p], rho=2),
            "Adadelta: rho 2, expected 0 <= rho <= 1",
        ),
        (lambda p: optim.SGD([p], lr="0.1"), r"SGD: lr '0\.1', expected a finite"),
        (lambda p: optim.SGD([p], lr=None), "SGD: lr None, expected a finite"),
        (lambda p: optim.SGD([p], lr=True), "SGD: lr True, expected a finite"),
        (lambda p: optim.SGD([p], lr=float("inf")), "SGD: lr inf, expected a finite"),
        (lambda p: optim.SGD([p], lr=tensor(0.1)), r"SGD: lr Tensor\(.*expected a fin"),
        (lambda p: optim.SGD([p], dampening="x"), "SGD: dampening 'x', expected a fin"),
        (lambda p: optim.Adam([p], betas=0.9), r"Adam: betas 0\.9, expected two numb"),
        (
            lambda p: optim.Adam([p], betas=(0, 0, 0)),
            r"betas \(0, 0, 0\), expected two",
        ),
        (lambda p: optim.Adam([p], betas=(0, "a")), "beta2 'a', expected 0 <= beta2"),
        (lambda p: optim.SGD([{"params": None}]), "params is a NoneType, expected a l"),
        (
            lambda p: optim.SGD([{"params": p}, start(2)]),
            "SGD: a group is a Tensor, expected a dict with the key 'params'",
        ),
    ],
)
def test_wrong_arguments_get_a_sentence(make, message):
    with pytest.raises(ArgumentError, match=message):
        make(start(2))


def test_state_that_does_not_fit_changes_nothing():
    p, q = start(3), start(4)
    optimizer = optim.SGD([p], lr=0.1, momentum=0.9)
    run(optimizer, [p], [[numpy.ones(3)]])
    other = optim.SGD([q], lr=0.2, momentum=0.9)
    run(other, [q], [[numpy.ones(4)]])
    with pytest.raises(ShapeError, match=r"momentum_buffer has shape \(4,\), exp"):
        optimizer.load_state_dict(other.state_dict())
    with pytest.raises(
        ArgumentError, match=r"parameters per group \[2\], expected \[1"
    ):
        optimizer.load_state_dict(optim.SGD([p, q]).state_dict())
    with pytest.raises(ArgumentError, match="options betas, eps, lr, weight_decay"):
        optimizer.load_state_dict(optim.Adam([p]).state_dict())
    assert optimizer.param_groups[0]["lr"] == 0.1
    assert_array_equal(optimizer.state[p]["momentum_buffer"], 1)


@every_optimizer
def test_device_gives_the_same_bits_and_resumes(name, options):
    steps = gradients(1, 3, steps=6, dtype="float32")
    on_host = start(3, dtype="float32")
    run(getattr(optim, name)([on_host], **options), [on_host], steps)
    with fake_device() as device:
        p = start(3, dtype="float32").to("fake")
        optimizer = getattr(optim, name)([p], **options)
        uploaded = [[device.from_host(g) for g in step] for step in steps]
        run(optimizer, [p], uploaded[:3])
        state = optimizer.state_dict()
        resumed = getattr(optim, name)([p])
        resumed.load_state_dict(state)
        run(resumed, [p], uploaded[3:])
        assert p.backend == "fake"
        assert_array_equal(p.numpy(), on_host.data)
    values = [value for entry in state["state"].values() for value in entry.values()]
    assert all(isinstance(value, int | numpy.ndarray) for value in values)
