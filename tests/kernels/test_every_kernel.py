"""Every kernel holds to every law, and every bug planted into it is found.

The test file of a kernel draws its cases; here each stands at hand-picked ones, so that
no kernel can be added without being checked.
"""

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.backend import _elementwise, registered
from minigrad.errors import ArgumentError, DTypeError, GradientCheckError
from minigrad.inspect import along, gradient_flow
from minigrad.kernels import KERNELS, NOT_A_GRADIENT, adapters
from minigrad.tape import apply, tensor
from minigrad.testing import (
    Case,
    away_from_zero,
    between,
    booleans,
    check_kernel,
    fake_device,
    integers,
    mutants,
    normal,
    positive,
)


def case(params=None, /, **inputs):
    return Case.draw(12, params=params, **inputs)


X = case(x=normal(3, 4))
PAIR = [case(a=normal(2, 3, 4), b=normal(3, 1)), case(a=normal(), b=normal(3))]
REDUCED = [case({"axis": 1}, x=normal(3, 4)), case({"keepdims": True}, x=normal(2, 3))]
LOSS = [
    case({"reduction": reduction}, x=normal(3, 4), t=between(3, 4, low=0.1, high=0.9))
    for reduction in ("mean", "sum", "none")
]
SIGNS = [
    replace(c, arrays=(c.arrays[0], np.where(c.arrays[1] < 0, -1, 1)), recipe={})
    for c in (
        case({"margin": 0.5, "reduction": reduction}, x=normal(3, 4), t=normal(3, 4))
        for reduction in ("mean", "none")
    )
]
HEADS = {"q": normal(2, 3, 5), "k": normal(2, 4, 5), "v": normal(2, 4, 2)}


def recurrent(gates, *states, factor=False, mask=False, **params):
    """Draw a recurrent layer of 2 units over 3 inputs, 4 steps and 2 sequences."""
    rows = 2 * gates
    inputs = {"x": normal(4, 2, 3), **dict.fromkeys(states, normal(2, 2))}
    inputs |= {"w_ih": normal(rows, 3), "w_hh": normal(rows, 2)}
    inputs |= {"b_ih": normal(rows), "b_hh": normal(rows)}
    if factor:
        inputs["factor"] = normal(2, 2)
    point = case(params, **inputs)
    if not mask:
        return point
    # The second sequence has no step: its state is carried through.
    seen = np.array([[True, False], [False, False], [True, False], [True, False]])
    return replace(point, arrays=(*point.arrays, seen), recipe={})


LABELS = case({"label_smoothing": 0.1}, x=normal(3, 4), t=integers(3, high=4))


def conv(axes, params, *, bias=True):
    """Draw a small convolution with two groups."""
    size, kernel = (5, 4, 3)[:axes], (3, 2, 2)[:axes]
    inputs = {"x": normal(2, 4, *size), "w": normal(6, 2, *kernel), "b": normal(6)}
    if not bias:
        del inputs["b"]
    return case({"groups": 2, "padding": 1, **params}, **inputs)


def conv_transpose(axes, *, bias=True):
    """Draw a small transposed convolution."""
    inputs = {
        "x": normal(2, 3, *(4, 3)[:axes]),
        "w": normal(3, 2, *(3, 2)[:axes]),
        "b": normal(2),
    }
    if not bias:
        del inputs["b"]
    return case({"stride": 2, "output_padding": 1}, **inputs)


NORMALISED = {"x": normal(3, 4, 2), "w": normal(4), "b": normal(4)}


CASES = {
    "abs": [X],
    "adaptive_avg_pool": [case({"output_size": (3, 1)}, x=normal(2, 3, 5, 4))],
    "adaptive_max_pool": [case({"output_size": (3, 1)}, x=normal(2, 3, 5, 4))],
    "add": PAIR,
    "additive_noise": [case({"std": 0.5}, x=normal(3, 4), noise=normal(3, 4))],
    "attention": [
        case({"scale": 0.5}, **HEADS, mask=booleans(), keep=booleans()),
        # The mask of this seed leaves every query a key.
        case(
            {"scale": 0.5, "keep_prob": 0.5},
            **HEADS,
            mask=booleans(3, 4),
            keep=booleans(2, 3, 4),
        ),
    ],
    "attention_with_bias": [
        case({"scale": 0.5}, **HEADS, b=normal(3, 4), keep=booleans())
    ],
    "avg_pool": [
        case({"kernel_size": 2}, x=normal(2, 3, 4, 6)),
        case(
            {"kernel_size": 3, "stride": 2, "padding": 1, "count_include_pad": False},
            x=normal(2, 2, 7, 5),
        ),
    ],
    "batch_norm_eval": [
        case(**NORMALISED, mean=normal(4), var=positive(4)),
        case(x=normal(3, 2), w=normal(2), b=normal(2), mean=normal(2), var=positive(2)),
    ],
    "batch_norm_train": [
        case(**NORMALISED),
        case(x=normal(3, 2), w=normal(2), b=normal(2)),
    ],
    "bce_with_logits": LOSS,
    # A cast to what x is already: other ones are no function of one dtype.
    "cast": [case({"dtype": "float64"}, x=normal(3, 4))],
    "concat": [case({"axis": 1}, x0=normal(2, 3), x1=normal(2, 1), x2=normal(2, 2))],
    "conv1d": [conv(1, {"padding": "causal", "dilation": 2})],
    "conv1d_no_bias": [conv(1, {}, bias=False)],
    "conv2d": [
        conv(2, {"algorithm": name, "stride": (2, 1)})
        for name in (None, "direct", "im2col", "shifted_gemm", "fft")
    ],
    "conv2d_no_bias": [conv(2, {"padding": "same"}, bias=False)],
    "conv3d": [conv(3, {})],
    "conv3d_no_bias": [conv(3, {"stride": 2}, bias=False)],
    "conv_transpose1d": [conv_transpose(1)],
    "conv_transpose1d_no_bias": [conv_transpose(1, bias=False)],
    "conv_transpose2d": [conv_transpose(2)],
    "conv_transpose2d_no_bias": [conv_transpose(2, bias=False)],
    "cos": [X],
    "cosine_similarity": [case(a=normal(3, 4), b=normal(3, 4))],
    "div": [case(a=normal(2, 3, 4), b=away_from_zero(3, 1))],
    "drop_connect": [
        case({"keep_prob": 0.5}, x=normal(3, 4), w=normal(2, 4), mask=booleans(3, 2, 4))
    ],
    "dropout": [
        case({"keep_prob": 0.5}, x=normal(3, 4), mask=booleans(3, 4)),
        case({"keep_prob": 0.5}, x=normal(3, 4, 2), mask=booleans(3, 4, 1)),
    ],
    "elu": [X, case({"alpha": 0.5}, x=normal(5))],
    "embedding": [
        case(x=integers(2, 6, high=4), w=normal(4, 3)),
        case({"padding_idx": -1}, x=integers(6, high=4), w=normal(4, 3)),
    ],
    "exp": [X],
    "expand": [case({"shape": (2, 3, 4)}, x=normal(3, 1))],
    # Of its rules those that are linear in dy.
    "feasible_target": [
        case({"loss": loss}, x=normal(3, 4))
        for loss in ("soft_hinge", "truncated_hinge")
    ],
    "gaaf": [X, case({"k": 10.0, "mode": "backward_only"}, x=normal(7))],
    "gate": [
        case(a=normal(3, 4, 2), b=normal(3, 4, 2), u=between(3, low=0.0, high=1.0)),
        case(a=normal(3, 4), b=normal(3, 4), u=booleans(3)),
    ],
    "gelu": [X],
    "gelu_tanh": [X],
    "getitem": [
        case({"index": (slice(None), [0, 2, 2])}, x=normal(3, 4)),
        case({"index": (1, slice(None, None, -1))}, x=normal(3, 4)),
    ],
    "group_norm": [case({"num_groups": 2}, **NORMALISED)],
    "gru": [recurrent(3, "h0"), recurrent(3, "h0", reverse=True)],
    "gru_masked": [recurrent(3, "h0", mask=True)],
    "hardtanh": [case({"min_val": -0.5}, x=normal(3, 4))],
    "hinge_embedding_loss": SIGNS,
    "hinge_loss": SIGNS,
    "huber_loss": [*LOSS, case({"delta": 0.5}, x=normal(6), t=normal(6))],
    "kl_div": [
        *LOSS,
        case({"reduction": "batchmean"}, x=normal(3, 4), t=positive(3, 4)),
    ],
    "kl_div_log_target": LOSS,
    "l2_normalize": [X],
    "layer_norm": [case(x=normal(2, 3, 5), w=normal(5), b=normal(5))],
    "leaky_relu": [case({"negative_slope": 0.2}, x=normal(3, 4))],
    "linear": [case(x=normal(2, 5, 3), w=normal(4, 3), b=normal(4))],
    "linear_no_bias": [case(x=normal(5, 3), w=normal(4, 3))],
    "local_response_norm": [
        case({"size": 3, "alpha": 0.5, "beta": 0.6, "k": 2.0}, x=normal(3, 4, 2))
    ],
    "log": [case(x=positive(3, 4))],
    "log1p": [case(x=positive(3, 4))],
    "log_softmax": [X, case({"axis": 0}, x=normal(3, 2, 2))],
    "logsumexp": REDUCED,
    "lstm": [recurrent(4, "h0", "c0"), recurrent(4, "h0", "c0", reverse=True)],
    "lstm_dropped": [
        recurrent(4, "h0", "c0", factor=True),
        recurrent(4, "h0", "c0", factor=True, reverse=True),
    ],
    "lstm_dropped_masked": [recurrent(4, "h0", "c0", factor=True, mask=True)],
    "lstm_masked": [recurrent(4, "h0", "c0", mask=True)],
    "matmul": [
        case(a=normal(2, 3, 4), b=normal(4, 5)),
        case(a=normal(4), b=normal(2, 4, 3)),
    ],
    "max": REDUCED,
    "max_pool": [
        case({"kernel_size": 2}, x=normal(2, 3, 4, 6)),
        case({"kernel_size": 3, "stride": 2, "padding": 1}, x=normal(2, 2, 7, 5)),
    ],
    "maximum": PAIR,
    "mean": REDUCED,
    "minimum": PAIR,
    "mse_loss": LOSS,
    "mul": PAIR,
    "multi_margin_loss": [
        case({"p": 2}, x=normal(3, 4), t=integers(3, high=4), w=positive(4)),
        case({"margin": 0.5}, x=normal(3, 4), t=integers(3, high=4), w=positive(4)),
    ],
    "multiplicative_noise": [case({"std": 0.5}, x=normal(3, 4), noise=normal(3, 4))],
    "neg": [case(a=normal(3, 4))],
    "nll_loss": [
        case(x=normal(3, 4), t=integers(3, high=4), w=positive(4)),
        case(
            {"reduction": "none", "ignore_index": 0},
            x=normal(6, 4),
            t=integers(6, high=4),
            w=positive(4),
        ),
    ],
    "noisy_activation": [
        case(
            {"function": function, "alpha": alpha, "c": 2.0},
            x=between(3, 4, low=-5.0, high=5.0),
            p=normal(size),
            noise=normal(3, 4),
        )
        for function, alpha, size in (("tanh", 0.8, 4), ("sigmoid", 1.2, 1))
    ],
    "pad": [case({"widths": ((1, 0), (2, 1)), "value": 0.5}, x=normal(3, 4))],
    "policy_loss": [
        case(
            {"entropy_weight": 0.5},
            q=between(3, 4, low=0.1, high=0.9),
            u=booleans(3, 4),
            advantage=normal(3),
            mask=between(4, low=0.5, high=1.5),
        )
    ],
    "power": [case(a=positive(3, 4), b=normal(4))],
    "prod": REDUCED,
    "quantize": [
        case({"low": -1.0, "bits": 3, "adapter": name}, x=normal(3, 4))
        for name in ("identity", "hardtanh", "tanh", "softsign")
    ],
    "reciprocal": [case(x=away_from_zero(3, 4))],
    "relu": [X],
    "reshape": [case({"shape": (2, -1)}, x=normal(3, 4))],
    "rnn": [recurrent(1, "h0"), recurrent(1, "h0", nonlinearity="relu")],
    "rnn_masked": [recurrent(1, "h0", mask=True, reverse=True)],
    "sigmoid": [X],
    "sign": [case({"adapter": name}, x=normal(3, 4)) for name in adapters.ADAPTERS],
    "silu": [X],
    "sin": [X],
    "softmax": [X, case({"axis": 0}, x=normal(3, 2, 2))],
    "softmax_cross_entropy": [LABELS],
    "softmax_cross_entropy_soft": [case(x=normal(3, 4), t=positive(3, 4))],
    "softplus": [case({"beta": 2.0}, x=normal(3, 4))],
    "sqrt": [case(x=positive(3, 4))],
    "square": [X],
    "sub": PAIR,
    "sum": REDUCED,
    "take": [case({"axis": 1}, x=normal(3, 4), index=integers(2, 2, high=4))],
    "tanh": [X],
    "transpose": [case({"axes": (1, 2, 0)}, x=normal(2, 3, 4))],
    "upsample_linear": [
        case({"size": (8, 3)}, x=normal(2, 3, 4, 5)),
        case({"size": 7, "align_corners": True}, x=normal(2, 3, 4)),
    ],
    "upsample_nearest": [case({"size": (7, 3)}, x=normal(2, 3, 3, 5))],
}

OPTIONS = {"cast": {"single": False}}
"""Why not float32: cast gives the dtype that it is told."""


def by_name(kernel):
    return kernel.name


def test_the_table_names_every_kernel_and_no_other():
    assert sorted(CASES) == sorted(kernel.name for kernel in KERNELS)


@pytest.mark.parametrize("kernel", KERNELS, ids=by_name)
def test_kernel_holds_to_every_law(kernel):
    for point in CASES[kernel.name]:
        report = check_kernel(kernel, point, **OPTIONS.get(kernel.name, {}))
        is_none = kernel.gradient_of is NOT_A_GRADIENT
        how = "not a gradient" if is_none else "complex step"
        assert set(report.methods.values()) == {how}
        assert not report.said


@pytest.mark.parametrize("kernel", KERNELS, ids=by_name)
def test_kernel_holds_to_every_law_where_formulas_run_in_blocks(kernel, monkeypatch):
    monkeypatch.setattr(_elementwise, "THRESHOLD", 1)
    monkeypatch.setattr(_elementwise, "BLOCK", 5)
    for point in CASES[kernel.name]:
        check_kernel(kernel, point, **OPTIONS.get(kernel.name, {}))


MIXABLE = [k for k in KERNELS if k.variadic or len([*filter(None, k.rules)]) > 1]
"""Kernels of several inputs that a gradient passes through."""


def pulled(kernel, point, arrays):
    """Return the outputs, and by position the gradients of inputs that have a rule."""
    y, record = kernel.run(*arrays, **point.params)
    dy = point.cotangent(y)
    rules = kernel.rules * len(arrays) if kernel.variadic else kernel.rules
    places = [at for at, rule in enumerate(rules) if rule is not None]
    outputs = y if isinstance(y, tuple) else (y,)
    return outputs, {at: kernel.gradient(at, dy, record) for at in places}


@pytest.mark.parametrize("kernel", MIXABLE, ids=by_name)
def test_floats_beside_a_complex_input_are_widened(kernel):
    point = CASES[kernel.name][0]
    narrow = [a.astype("float32") if a.dtype == float else a for a in point.arrays]
    wide = [a.astype(complex) if a.dtype.kind == "f" else a for a in narrow]
    expected, exact = pulled(kernel, point, wide)
    for place in exact:
        mixed = [wide[at] if at == place else a for at, a in enumerate(narrow)]
        found, gradients = pulled(kernel, point, mixed)
        for y, right in zip(found, expected, strict=True):
            np.testing.assert_array_equal(y, right)
        for at, dx in gradients.items():
            right = exact[at] if at == place else exact[at].real
            assert dx.dtype == mixed[at].dtype
            # Terms are rounded to float32 one by one.
            np.testing.assert_allclose(dx, right, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("float32", "float64"),
        ("complex64", "float64"),
        ("complex64", "complex128"),
        ("complex128", "int64"),
        ("float32", "int64"),
    ],
)
def test_other_dtypes_do_not_mix(one, other):
    kernel = next(kernel for kernel in KERNELS if kernel.name == "linear")
    said = rf"linear: x has dtype {one} and \w {other}, expected one float dtype"
    for dtypes in ((one, other, one), (one, one, other)):
        shapes = zip(((2, 3), (4, 3), 4), dtypes, strict=True)
        with pytest.raises(DTypeError, match=said):
            kernel.run(*(np.ones(shape, dtype) for shape, dtype in shapes))


def results(kernel, point, record, dy):
    """Return all that the rules make of record, as bytes."""
    found = []
    for name in kernel.inputs(len(point.arrays)):
        if kernel.variadic or kernel.terms[name] is not None:
            terms = kernel.backward_terms(name, dy, record)
            found += [kernel.backward(name, dy, record), *terms.values()]
    return [np.asarray(array).tobytes() for array in found]


def altered(saved, at):
    """Replace one array of saved by other numbers of its sign and size."""
    parts = list(saved)
    parts[at] = 1.5 * parts[at].reshape(-1)[::-1].reshape(parts[at].shape)
    return type(saved)(*parts) if hasattr(saved, "_fields") else type(saved)(parts)


@pytest.mark.parametrize("kernel", KERNELS, ids=by_name)
def test_every_array_that_is_saved_is_read(kernel):
    held, read = set(), set()
    for point in CASES[kernel.name]:
        y, record = kernel.run(*point.arrays, **point.params)
        dy = point.cotangent(y)
        before = results(kernel, point, record, dy)
        for at, value in enumerate(record.saved):
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                held.add(at)
                other = record._replace(saved=altered(record.saved, at))
                # Saved arrays that do not belong together divide by zero.
                with np.errstate(all="ignore"):
                    if results(kernel, point, other, dy) != before:
                        read.add(at)
    assert held == read


@pytest.mark.parametrize(
    "kernel",
    [
        # Those of conv1d and conv2d are the same bugs in a tenth of the time.
        pytest.param(
            kernel, marks=[pytest.mark.slow] * kernel.name.startswith("conv3d")
        )
        for kernel in KERNELS
    ],
    ids=by_name,
)
def test_every_planted_bug_is_found_and_named(kernel):
    options = OPTIONS.get(kernel.name, {})
    planted = [m for m in mutants(kernel, CASES[kernel.name][0]) if m.kernel]
    if "single" in options:
        planted = [m for m in planted if m.name != "promoted_to_float64"]
    # Wrong gradients cannot be told from what is none.
    least = 10 if kernel.gradient_of is NOT_A_GRADIENT else 12
    assert len({mutant.name for mutant in planted}) >= least
    for mutant in planted:
        with pytest.raises(GradientCheckError) as caught:
            check_kernel(mutant.kernel, CASES[kernel.name][0], **options)
        sentence = str(caught.value).split("\n")[0]
        assert re.search(mutant.said, sentence), f"{mutant.name}: {sentence}"


NUMBERS = {
    "attention": {"scale": 0.5, "keep_prob": 0.5},
    "attention_with_bias": {"scale": 0.5, "keep_prob": 0.5},
    "elu": {"alpha": 0.5},
    "gaaf": {"k": 10.0},
    "hardtanh": {"min_val": -0.5, "max_val": 0.5},
    "hinge_embedding_loss": {"margin": 0.5},
    "hinge_loss": {"margin": 0.5},
    "huber_loss": {"delta": 0.5},
    "multi_margin_loss": {"margin": 0.5},
    "leaky_relu": {"negative_slope": 0.2},
    "softmax_cross_entropy": {"label_smoothing": 0.1},
    "softmax_cross_entropy_soft": {"label_smoothing": 0.1},
    "softplus": {"beta": 2.0, "threshold": 1.0},
    "additive_noise": {"std": 0.5},
    "drop_connect": {"keep_prob": 0.5},
    "dropout": {"keep_prob": 0.5},
    "multiplicative_noise": {"std": 0.5},
    "noisy_activation": {"alpha": 1.2, "c": 2.0},
    "quantize": {"low": -0.5, "high": 0.5},
    "pad": {"widths": ((1, 0), (2, 1)), "value": 0.5},
    "policy_loss": {"entropy_weight": 0.5},
    "batch_norm_eval": {"eps": 0.1},
    "cosine_similarity": {"eps": 0.1},
    "group_norm": {"eps": 0.1},
    "l2_normalize": {"eps": 0.1},
    "layer_norm": {"eps": 0.1},
    "local_response_norm": {"alpha": 0.5, "beta": 0.6, "k": 2.0},
}


@pytest.mark.parametrize("kernel", KERNELS, ids=by_name)
def test_a_numpy_scalar_as_parameter_keeps_float32(kernel):
    # Only a Python float leaves the dtype alone.
    numbers = NUMBERS.get(kernel.name, {})
    for point in CASES[kernel.name]:
        given = [*numbers, *(k for k, v in point.params.items() if type(v) is float)]
        assert set(given) <= set(numbers), "name it in NUMBERS"
        if not given:
            continue
        params = point.params | {
            name: np.float64(value) if type(value) is float else value
            for name, value in numbers.items()
        }
        arrays = [a.astype("float32") if a.dtype == float else a for a in point.arrays]
        y, record = kernel.run(*arrays, **params)
        dx = kernel.backward_terms(next(iter(kernel.terms)), np.ones_like(y), record)
        held = [v for v in record.saved if isinstance(v, np.ndarray)]
        found = [y, *dx.values(), *(v for v in held if v.dtype.kind == "f")]
        assert {value.dtype.name for value in found} == {"float32"}


def formulas_on_a_device(kernel, dtype):
    """Run a kernel on a device and list its formulas, each with its arguments."""
    calls = []

    def recording(on_device):
        def call(*values):
            calls.append((on_device.__wrapped__, values))
            return on_device(*values)

        return call

    with fake_device() as fake:
        # A name of its own, as each formula is kept by the name of the backend.
        device = fake._replace(name=f"{kernel.name} {dtype}", fuse=recording)
        with registered(device):
            for point in CASES[kernel.name]:
                arrays = [
                    device.from_host(a.astype(dtype) if a.dtype == float else a)
                    for a in point.arrays
                ]
                y, record = kernel.run(*arrays, **point.params)
                for name in kernel.inputs(len(arrays)):
                    if kernel.variadic or kernel.terms[name]:
                        kernel.backward_terms(name, y, record)
                        kernel.backward(name, y, record)
    return calls


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kernel", KERNELS, ids=by_name)
def test_cupy_compiles_formulas_to_one_dtype(kernel, dtype):
    # What CuPy traces shows its dtypes without a GPU.
    cupy = pytest.importorskip("cupy")
    fusion = pytest.importorskip("cupy._core.fusion")
    local = pytest.importorskip("cupy._core._fusion_thread_local").thread_local
    for formula, values in formulas_on_a_device(kernel, dtype):
        history = fusion._FusionHistory()
        history.ndim = 4
        given = []
        for value in values:
            if hasattr(value, "dtype"):
                variable = history._fresh_premap_param(value.dtype)
                given.append(fusion._FusionVarArray(variable, value.ndim, False))
            else:
                kind = type(value)
                variable = history._fresh_premap_param(np.dtype(kind))
                given.append(fusion._FusionVarScalar(variable, -1, False, kind))
        local.history, local.is_old_fusing = history, True
        try:
            result = formula(cupy, *given)
        finally:
            local.history, local.is_old_fusing = None, False
        steps = {np.dtype(d) for op in history.op_list for d in op.submodule.dtypes}
        assert {d.name for d in steps if d.kind == "f"} <= {dtype}
        assert result.dtype == dtype


@pytest.mark.parametrize(
    ("name", "param"),
    [(n, p) for n, ps in NUMBERS.items() for p in ps if p != "widths"],
)
@pytest.mark.parametrize("value", ["a", None, [1.0]], ids=repr)
def test_a_parameter_that_is_no_number_is_refused(name, param, value):
    (kernel,) = [kernel for kernel in KERNELS if kernel.name == name]
    point = CASES[name][0]
    with pytest.raises(ArgumentError, match=rf"{name}: {param} .+, expected "):
        kernel.run(*point.arrays, **point.params | {param: value})


def tensors_of(kernel, point):
    """Make leaves of the inputs that have a rule, tensors of the others."""
    rules = kernel.rules * len(point.arrays) if kernel.variadic else kernel.rules
    return [
        tensor(array, requires_grad=rule is not None and array.dtype.kind == "f")
        for array, rule in zip(point.arrays, rules, strict=True)
    ]


def weighted(y, rng):
    """Sum the elements of all results with random weights, one term a result."""
    parts = y if isinstance(y, tuple) else (y,)
    sums = [
        (part * rng.standard_normal(part.shape)).sum()
        for part in parts
        if part.requires_grad
    ]
    return parts, sum(sums[1:], sums[0])


@pytest.mark.parametrize("kernel", KERNELS, ids=by_name)
def test_terms_edges_and_sources_sum_to_the_gradient(kernel):
    @settings(max_examples=3)
    @given(seed=st.integers(0, 2**32 - 1))
    def hold(seed):
        for point in CASES[kernel.name]:
            inputs = tensors_of(kernel, point)
            names = dict(zip(kernel.inputs(len(inputs)), inputs, strict=True))
            y = apply(kernel, *inputs, **point.params)
            parts, loss = weighted(y, np.random.default_rng(seed))
            tracked = [part for part in parts if part.requires_grad]
            sources = {
                f"y{at}": along(part) if part.ndim else part
                for at, part in enumerate(tracked)
            }
            with gradient_flow(names=names, sources=sources) as flow:
                # Every input is used twice, so that there are two edges to it.
                (
                    loss + sum((x * x).sum() for x in inputs if x.requires_grad)
                ).backward()
            flow.assert_conserved(1e-9)
            for name, x in names.items():
                if x.requires_grad:
                    expect_shares_of_one(flow.into(name), len(tracked))

    hold()


def expect_shares_of_one(target, results):
    assert [edge.kernel for edge in target.edges][-2:] == ["mul", "mul"]
    if target.measures.share is None:
        return
    for parts in (
        target.edges,
        [term for edge in target.edges for term in edge.terms],
        target.sources,
    ):
        # Sums of parts that cancel carry their roundings.
        spread = sum(part.measures.norm for part in parts) / target.measures.norm
        total = sum(part.measures.share for part in parts)
        assert total == pytest.approx(1, abs=1e-12 * (1 + spread) ** 2)
    assert "rest" in [source.name for source in target.sources]
