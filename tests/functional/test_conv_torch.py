"""Convolutions beside PyTorch's, over random layers, degenerate ones included."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import minigrad as mg
from minigrad import functional as F
from minigrad.errors import MinigradError

torch = pytest.importorskip("torch")
# PyTorch's remark on its own speed.
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same':UserWarning")


def drawn(seed):
    """Draw a function's name, the shapes of its arrays and its options."""
    rng = np.random.default_rng(seed)
    axes = int(rng.integers(1, 4))
    transposed = axes < 3 and rng.random() < 0.3
    groups, inner, outer = (int(n) for n in rng.integers(1, 4, 3))
    if rng.random() < 0.2:
        groups, inner, outer = 5, 1, 1
    kernel = tuple(int(n) for n in rng.integers(1, 5, axes))
    options = {
        "stride": tuple(int(n) for n in rng.integers(1, 4, axes)),
        "padding": tuple(int(n) for n in rng.integers(0, 3, axes)),
        "dilation": tuple(int(n) for n in rng.integers(1, 3, axes)),
        "groups": groups,
    }
    if axes == 2 and seed % 3 == 0:
        # What Winograd's algorithm takes.
        kernel, options["stride"], options["dilation"] = (3, 3), 1, 1
    if not transposed and seed % 5 == 0:
        options.update(padding=("same", "valid")[seed % 2], stride=1)
    batch = int(rng.choice([0, 1, 2, 5]))
    size = tuple(int(n) for n in rng.integers(1, 10, axes))
    filters, channels = groups * outer, groups * inner
    if transposed:
        filters, channels = channels, filters
        # PyTorch's rule, which not all of its own ways of computing check.
        several = min(np.atleast_1d(options["stride"])) > 1
        options["output_padding"] = int(several and rng.integers(0, 2))
    x = (batch, filters if transposed else channels, *size)
    w = (filters, (channels if transposed else groups * inner) // groups, *kernel)
    b = (channels if transposed else filters,)
    return f"conv{'_transpose' * transposed}{axes}d", (x, w, b), options


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("seed", range(90))
def test_result_and_gradients_are_pytorchs(seed, dtype):
    name, shapes, options = drawn(seed)
    rng = np.random.default_rng(seed)
    arrays = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    if seed % 7 == 0:
        arrays = arrays[:2]
    theirs = [torch.from_numpy(array).requires_grad_() for array in arrays]
    ours = [mg.tensor(array, requires_grad=True) for array in arrays]
    try:
        expected = getattr(torch.nn.functional, name)(*theirs, **options)
    except RuntimeError:
        # A kernel larger than the padded input, or an output padding too large.
        with pytest.raises(MinigradError):
            getattr(F, name)(*ours, **options)
        return
    found = getattr(F, name)(*ours, **options)
    dy = rng.standard_normal(found.shape).astype(dtype)
    found.backward(mg.tensor(dy))
    expected.backward(torch.from_numpy(dy))
    pairs = [(found.numpy(), expected.detach().numpy())]
    pairs += [
        (o.grad.numpy(), t.grad.numpy()) for o, t in zip(ours, theirs, strict=True)
    ]
    tolerance = 1e-4 if dtype == "float32" else 1e-11
    for our, their in pairs:
        assert our.dtype == their.dtype == dtype
        largest = max(1, np.abs(their).max(initial=0))
        assert_allclose(our, their, rtol=0, atol=tolerance * largest)
