"""How many operations a kernel call takes, counted from the shapes of its arrays.

Two kinds are counted. *Multiply-adds* are the products that are summed in linear,
matmul, convolution, recurrent and attention kernels, by their formulas: padding counts,
and no fast algorithm is taken into account. They are what papers list as MACs. *Other*
operations are those for each element: one for every addition, product, comparison and
elementary function (exp, tanh, ...) of the formula; biases and scales are among them.
Moving numbers (reshape, concat, embedding, ...) is free. FLOPs = 2 * multiply-adds +
other.

Pooling counts one operation for each element of its input, as if no windows overlapped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from minigrad.kernels._spec import Kernel
from minigrad.typing import Array


class Cost(NamedTuple):
    """Operations of a forward pass; see the module."""

    multiply_adds: int
    other: int

    @property
    def flops(self) -> int:
        """A multiply-add is two floating-point operations."""
        return 2 * self.multiply_adds + self.other


Rule = Callable[[Sequence[Array], Any], Cost]
"""(arrays, y) -> cost; y is a NamedTuple where a kernel has several results."""


def cost(kernel: Kernel, arrays: Sequence[Array], y: Any) -> Cost:
    """Count the operations of one call of kernel on arrays that gave y.

    A kernel that is not listed here counts as one operation for each element of y.
    """
    return RULES.get(kernel.name, _per_result(1))(arrays, y)


def _main(y: Any) -> Array:
    return y[0] if isinstance(y, tuple) else y


def _per_result(count: int) -> Rule:
    """So many operations for each element of y, of the first if there are several."""
    return lambda arrays, y: Cost(0, count * _main(y).size)


def _per_input(count: int) -> Rule:
    """So many operations for each element of the first input."""
    return lambda arrays, y: Cost(0, count * arrays[0].size)


def _linear(arrays: Sequence[Array], y: Array) -> Cost:
    return Cost(y.size * arrays[0].shape[-1], y.size if len(arrays) > 2 else 0)


def _matmul(arrays: Sequence[Array], y: Array) -> Cost:
    return Cost(y.size * arrays[0].shape[-1], 0)


def _drop_connect(arrays: Sequence[Array], y: Array) -> Cost:
    """Every example's weights are masked, and y is scaled."""
    return Cost(y.size * arrays[0].shape[-1], arrays[2].size + y.size)


def _conv(arrays: Sequence[Array], y: Array) -> Cost:
    """Each element of y reads a filter w[o] (C / groups, *K)."""
    filter_size = math.prod(arrays[1].shape[1:])
    return Cost(y.size * filter_size, y.size if len(arrays) > 2 else 0)


def _conv_transpose(arrays: Sequence[Array], y: Array) -> Cost:
    """Each element of x is spread by w[c] (O / groups, *K)."""
    filter_size = math.prod(arrays[1].shape[1:])
    return Cost(arrays[0].size * filter_size, y.size if len(arrays) > 2 else 0)


def _recurrent(weights: int, other: int) -> Rule:
    """Products with w_ih (G H, I) and w_hh (G H, H) for each step of each sequence.

    weights is the place of w_ih among the inputs, other what is done for each unit.
    """

    def count(arrays: Sequence[Array], y: Any) -> Cost:
        w_ih, w_hh = arrays[weights], arrays[weights + 1]
        steps = math.prod(arrays[0].shape[:-1])
        products = math.prod(w_ih.shape) + math.prod(w_hh.shape)
        return Cost(steps * products, other * steps * w_hh.shape[-1])

    return count


_LSTM: Final = _recurrent(3, 21)
"""Per unit: 8 biases, 4 sums of two products, 5 curves, 3 for c, 1 for h."""
_DROPPED_LSTM: Final = _recurrent(3, 22)
"""Those of an LSTM, and 1 for the factor."""
_GRU: Final = _recurrent(2, 17)
"""Per unit: 6 biases, 3 sums of two products, 3 curves, 1 for the reset, 4 for h."""
_RNN: Final = _recurrent(2, 4)
"""Per unit: 2 biases, a sum of two products, a curve."""


def _attention(arrays: Sequence[Array], y: Array) -> Cost:
    """Scores of q (..., L, E) and k (..., S, E), softmax, and what they read of v."""
    queries, width = arrays[0].shape[-2:]
    keys = arrays[1].shape[-2]
    scores = math.prod(y.shape[:-2]) * queries * keys
    # Scale, mask or bias, and the five of a softmax.
    return Cost(scores * (width + y.shape[-1]), 7 * scores)


_FREE: Final = _per_result(0)
_ONE: Final = _per_result(1)

RULES: Final[Mapping[str, Rule]] = {
    **dict.fromkeys(("linear", "linear_no_bias"), _linear),
    **dict.fromkeys(
        [f"conv{n}d{bias}" for n in (1, 2, 3) for bias in ("", "_no_bias")], _conv
    ),
    **dict.fromkeys(
        [f"conv_transpose{n}d{bias}" for n in (1, 2) for bias in ("", "_no_bias")],
        _conv_transpose,
    ),
    "matmul": _matmul,
    "drop_connect": _drop_connect,
    **dict.fromkeys(("lstm", "lstm_masked"), _LSTM),
    **dict.fromkeys(("lstm_dropped", "lstm_dropped_masked"), _DROPPED_LSTM),
    **dict.fromkeys(("gru", "gru_masked"), _GRU),
    **dict.fromkeys(("rnn", "rnn_masked"), _RNN),
    **dict.fromkeys(("attention", "attention_with_bias"), _attention),
    # Moving numbers.
    **dict.fromkeys(
        ("cast", "concat", "embedding", "expand", "getitem", "pad", "reshape", "take",
         "transpose", "upsample_nearest"),
        _FREE,
    ),
    # One for each element of y.
    **dict.fromkeys(
        ("abs", "add", "cos", "div", "dropout", "exp", "feasible_target", "log",
         "log1p", "maximum", "minimum", "mul", "neg", "power", "reciprocal", "relu",
         "sigmoid", "sign", "sin", "sqrt", "square", "sub", "tanh"),
        _ONE,
    ),
    # Two: two bounds, a product and an addition, a curve and its product.
    **dict.fromkeys(
        ("additive_noise", "hardtanh", "leaky_relu", "multiplicative_noise", "silu"),
        _per_result(2),
    ),
    "softplus": _per_result(3),
    # A product with each of two inputs, and their sum.
    "gate": _per_result(3),
    # Cut, shift, scale, round, and back.
    "quantize": _per_result(7),
    "elu": _per_result(4),
    "gelu": _per_result(3),
    # x * 0.5 * (1 + tanh(ROOT * (x + c * x**3)))
    "gelu_tanh": _per_result(9),
    # phi(x) + (kx - floor(kx) - 0.5) / k * s(x), where s takes three.
    "gaaf": _per_result(11),
    # alpha * h + (1 - alpha) * u + d * (h - u) * sigma**2 * noise, h and u by clipping.
    "noisy_activation": _per_result(14),
    # Mean, centre, square, sum; scale by 1 / std, by w, shift.
    **dict.fromkeys(("batch_norm_train", "group_norm", "layer_norm"), _per_result(7)),
    "batch_norm_eval": _per_result(4),
    # A running sum of squares over the window, its power, the quotient.
    "local_response_norm": _per_result(7),
    "l2_normalize": _per_result(3),
    # Max, subtract, exp, sum, divide or subtract.
    **dict.fromkeys(("softmax", "log_softmax"), _per_result(5)),
    # Three products of vectors.
    "cosine_similarity": _per_input(6),
    # One for each element that is read.
    **dict.fromkeys(
        ("adaptive_avg_pool", "adaptive_max_pool", "avg_pool", "max", "max_pool",
         "mean", "prod", "sum"),
        _per_input(1),
    ),
    "logsumexp": _per_input(4),
    # Losses, for each element of x, with the sum over them.
    "nll_loss": lambda arrays, y: Cost(0, 2 * arrays[1].size),
    "mse_loss": _per_input(3),
    "kl_div": _per_input(4),
    "kl_div_log_target": _per_input(4),
    "hinge_loss": _per_input(4),
    "hinge_embedding_loss": _per_input(4),
    "multi_margin_loss": _per_input(4),
    "huber_loss": _per_input(6),
    "bce_with_logits": _per_input(7),
    # Two logarithms, what each weighs, and the mask.
    "policy_loss": _per_input(17),
    "softmax_cross_entropy": _per_input(5),
    "softmax_cross_entropy_soft": _per_input(7),
    # Three products of a step and two sums for each axis of space.
    "upsample_linear": lambda arrays, y: Cost(0, 3 * (y.ndim - 2) * y.size),
}  # fmt: skip
"""By name of the kernel."""
