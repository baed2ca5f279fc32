"""Arithmetic, elementary functions, products and reductions of tensors.

Operands are Tensors, arrays or Python numbers; two operands broadcast as in NumPy. What
is also an operator or a method is the same kernel: `add(a, b)` is `a + b`.
"""

from __future__ import annotations

from typing import Any

from minigrad.kernels import arithmetic, elementary, reductions
from minigrad.kernels import matmul as matmul_kernel
from minigrad.tape import Tensor, apply
from minigrad.typing import Axis


def add(a: Any, b: Any) -> Tensor:
    """Add a and b.

    >>> from minigrad.tape import tensor
    >>> add(tensor([1.0, 2.0]), 1.0).tolist()
    [2.0, 3.0]
    """
    return apply(arithmetic.ADD_KERNEL, a, b)


def sub(a: Any, b: Any) -> Tensor:
    """Subtract b from a.

    >>> from minigrad.tape import tensor
    >>> sub(tensor([1.0, 2.0]), 1.0).tolist()
    [0.0, 1.0]
    """
    return apply(arithmetic.SUB_KERNEL, a, b)


def mul(a: Any, b: Any) -> Tensor:
    """Multiply a by b, element by element.

    >>> from minigrad.tape import tensor
    >>> mul(tensor([1.0, 2.0]), 3.0).tolist()
    [3.0, 6.0]
    """
    return apply(arithmetic.MUL_KERNEL, a, b)


def div(a: Any, b: Any) -> Tensor:
    """Divide a by b; integers give floats.

    >>> from minigrad.tape import tensor
    >>> div(tensor([1.0, 2.0]), 4.0).tolist()
    [0.25, 0.5]
    """
    return apply(arithmetic.DIV_KERNEL, a, b)


def power(a: Any, b: Any) -> Tensor:
    """Raise a to b; a negative a with a fractional b gives NaN.

    Where a is 0 the derivative with respect to b is 0.

    >>> from minigrad.tape import tensor
    >>> power(tensor([1.0, 3.0]), 2.0).tolist()
    [1.0, 9.0]
    """
    return apply(arithmetic.POWER_KERNEL, a, b)


def maximum(a: Any, b: Any) -> Tensor:
    """Take the greater of a and b; at a tie each gets half the gradient.

    >>> from minigrad.tape import tensor
    >>> maximum(tensor([-1.0, 2.0]), 0.0).tolist()
    [0.0, 2.0]
    """
    return apply(arithmetic.MAXIMUM_KERNEL, a, b)


def minimum(a: Any, b: Any) -> Tensor:
    """Take the smaller of a and b; at a tie each gets half the gradient.

    >>> from minigrad.tape import tensor
    >>> minimum(tensor([-1.0, 2.0]), 0.0).tolist()
    [-1.0, 0.0]
    """
    return apply(arithmetic.MINIMUM_KERNEL, a, b)


def neg(x: Any) -> Tensor:
    """Negate x.

    >>> from minigrad.tape import tensor
    >>> neg(tensor([1.0, -2.0])).tolist()
    [-1.0, 2.0]
    """
    return apply(arithmetic.NEG_KERNEL, x)


def exp(x: Any) -> Tensor:
    """Compute e to the power of x.

    >>> from minigrad.tape import tensor
    >>> exp(tensor([0.0, -float("inf")])).tolist()
    [1.0, 0.0]
    """
    return apply(elementary.EXP_KERNEL, x)


def log(x: Any) -> Tensor:
    """Compute the natural logarithm of x; NaN below 0, -inf at 0.

    >>> from minigrad.tape import tensor
    >>> log(tensor([1.0, float("inf")])).tolist()
    [0.0, inf]
    """
    return apply(elementary.LOG_KERNEL, x)


def log1p(x: Any) -> Tensor:
    """Compute ln(1 + x), exact also where x is tiny.

    >>> from minigrad.tape import tensor
    >>> log1p(tensor([0.0, 1e-20])).tolist()
    [0.0, 9.999999682655225e-21]
    """
    return apply(elementary.LOG1P_KERNEL, x)


def sqrt(x: Any) -> Tensor:
    """Compute the square root of x; its derivative at 0 is infinite.

    >>> from minigrad.tape import tensor
    >>> sqrt(tensor([0.0, 9.0])).tolist()
    [0.0, 3.0]
    """
    return apply(elementary.SQRT_KERNEL, x)


def square(x: Any) -> Tensor:
    """Compute x times x.

    >>> from minigrad.tape import tensor
    >>> square(tensor([-3.0, 2.0])).tolist()
    [9.0, 4.0]
    """
    return apply(elementary.SQUARE_KERNEL, x)


def abs(x: Any) -> Tensor:
    """Take the absolute value of x; its derivative at 0 is 0.

    >>> from minigrad.tape import tensor
    >>> abs(tensor([-3.0, 2.0])).tolist()
    [3.0, 2.0]
    """
    return apply(elementary.ABS_KERNEL, x)


def sin(x: Any) -> Tensor:
    """Compute the sine of x in radians.

    >>> from minigrad.tape import tensor
    >>> sin(tensor([0.0, 1.5707964])).tolist()
    [0.0, 1.0]
    """
    return apply(elementary.SIN_KERNEL, x)


def cos(x: Any) -> Tensor:
    """Compute the cosine of x in radians.

    >>> from minigrad.tape import tensor
    >>> cos(tensor([0.0, 3.1415927])).tolist()
    [1.0, -1.0]
    """
    return apply(elementary.COS_KERNEL, x)


def reciprocal(x: Any) -> Tensor:
    """Compute 1 / x; inf at 0.

    >>> from minigrad.tape import tensor
    >>> reciprocal(tensor([4.0, -2.0])).tolist()
    [0.25, -0.5]
    """
    return apply(elementary.RECIPROCAL_KERNEL, x)


def matmul(a: Any, b: Any) -> Tensor:
    """Multiply matrices a (..., M, K) and b (..., K, N) to (..., M, N).

    The axes in front broadcast; a 1-D operand is a row on the left, a column on the
    right. Raises ShapeError if the inner axes disagree.

    >>> from minigrad.tape import tensor
    >>> matmul(tensor([[1.0, 2.0]]), tensor([[3.0], [4.0]])).tolist()
    [[11.0]]
    """
    return apply(matmul_kernel.KERNEL, a, b)


def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Add the elements of x over axis (an int, a tuple, or None: all).

    Nothing sums to 0. Raises ShapeError for an axis that x lacks.

    >>> from minigrad.tape import tensor
    >>> sum(tensor([[1.0, 2.0], [3.0, 4.0]]), axis=0).tolist()
    [4.0, 6.0]
    """
    return apply(reductions.SUM_KERNEL, x, axis=axis, keepdims=keepdims)


def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Average the elements of x over axis (an int, a tuple, or None: all).

    Raises ShapeError for an axis that x lacks or that is empty.

    >>> from minigrad.tape import tensor
    >>> mean(tensor([[1.0, 2.0], [3.0, 4.0]]), axis=-1).tolist()
    [1.5, 3.5]
    """
    return apply(reductions.MEAN_KERNEL, x, axis=axis, keepdims=keepdims)


def max(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Take the greatest element of x over axis (an int, a tuple, or None: all).

    Ties share the gradient equally; NaN counts as the greatest. Raises ShapeError for
    an axis that x lacks or that is empty.

    >>> from minigrad.tape import tensor
    >>> max(tensor([[1.0, 2.0], [3.0, 4.0]]), keepdims=True).tolist()
    [[4.0]]
    """
    return apply(reductions.MAX_KERNEL, x, axis=axis, keepdims=keepdims)


def prod(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Multiply the elements of x over axis (an int, a tuple, or None: all).

    Zeros need no care: the gradient never divides by x. The product of nothing is 1.
    Raises ShapeError for an axis that x lacks.

    >>> from minigrad.tape import tensor
    >>> prod(tensor([[1.0, 2.0], [3.0, 4.0]]), axis=(0, 1)).tolist()
    24.0
    """
    return apply(reductions.PROD_KERNEL, x, axis=axis, keepdims=keepdims)


def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Compute ln sum e**x over axis (an int, a tuple, or None: all), in nats.

    It does not overflow; all -inf give -inf, with gradient 0. Raises ShapeError for an
    axis that x lacks or that is empty.

    >>> from minigrad.tape import tensor
    >>> logsumexp(tensor([1000.0, float("-inf")])).tolist()
    1000.0
    """
    return apply(reductions.LOGSUMEXP_KERNEL, x, axis=axis, keepdims=keepdims)
