"""Convolution as a product of spectra: its cost does not grow with the kernel.

    c[j] = sum over k of x[j + k * dilation] w[k]    y[i] = c[i * stride - padding]

A correlation c is, at every frequency, the product of the spectra of x and of the
kernel laid out backwards, w[k] at place -k * dilation. Places count modulo a size that
input, kernel and padding fit into, so that nothing wraps onto something else. Products
of large numbers cancel in the way back: about 1e-6 of the largest result in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable

from minigrad.backend import array_module
from minigrad.kernels._convolution.geometry import Geometry
from minigrad.typing import Array, Shape

Places = list[list[int]]
"""Per spatial axis, where in the cyclic range each entry lies."""

Task = Callable[[Array, Array, Geometry, Array], None]


def _by_parts(task: Task) -> Task:
    """Let a real bilinear task take complex arrays, by real and imaginary parts.

    A complex transform would mix the rounding of the real parts into imaginary parts of
    1e-30, which the complex-step check stands on.
    """

    @functools.wraps(task)
    def run(a: Array, b: Array, g: Geometry, result: Array) -> None:
        if result.dtype.kind != "c":
            task(a, b, g, result)
            return
        xp = array_module(result)
        other = xp.empty_like(result.real)
        for part, crossed, sign in ((result.real, False, -1), (result.imag, True, 1)):
            one, two = (b.imag, b.real) if crossed else (b.real, b.imag)
            task(a.real, one, g, part)
            task(a.imag, two, g, other)
            part += sign * other

    return run


@_by_parts
def forward(x: Array, w: Array, g: Geometry, y: Array) -> None:
    """Fill y with the correlation of x and w, read where the outputs are."""
    size = _size(g)
    kernel = _spectrum(_laid_out(w, _taps(g, -1), size))
    c = _inverse(_spectrum(_laid_out(x, _inputs(g), size)) @ kernel, size)
    y[...] = _read(c, _outputs(g, 1), size)


@_by_parts
def input_gradient(dy: Array, w: Array, g: Geometry, dx: Array) -> None:
    """Fill dx with the convolution of dy, laid out at its places, and w."""
    size = _size(g)
    # (*K, C, O) -> (*K, O, C)
    kernel = _spectrum(_laid_out(w.swapaxes(-1, -2), _taps(g, 1), size))
    sent = _spectrum(_laid_out(dy, _outputs(g, 1), size))
    dx[...] = _read(_inverse(sent @ kernel, size), _inputs(g), size)


@_by_parts
def weight_gradient(x: Array, dy: Array, g: Geometry, dw: Array) -> None:
    """Fill dw with the correlation of x and dy, read where the taps are."""
    size = _size(g)
    sent = _spectrum(_laid_out(dy, _outputs(g, -1), size))
    # (*S, N, C) -> (*S, C, N)
    turned = _spectrum(_laid_out(x.swapaxes(-1, -2), _inputs(g), size))
    dw[...] = _read(_inverse(turned @ sent, size), _taps(g, 1), size)


def _size(g: Geometry) -> Shape:
    """Return a size within which no sum wraps onto another."""
    reach = [d * (k - 1) for d, k in zip(g.dilation, g.kernel, strict=True)]
    rows = zip(g.size, reach, g.padding, strict=True)
    return tuple(size + far + sum(pair) for size, far, pair in rows)


def _inputs(g: Geometry) -> Places:
    return [list(range(size)) for size in g.size]


def _taps(g: Geometry, sign: int) -> Places:
    pairs = zip(g.kernel, g.dilation, strict=True)
    return [[sign * k * step for k in range(taps)] for taps, step in pairs]


def _outputs(g: Geometry, sign: int) -> Places:
    rows = zip(g.out, g.stride, g.padding, strict=True)
    return [
        [sign * (i * step - before) for i in range(count)]
        for count, step, (before, _) in rows
    ]


def _index(places: Places, size: Shape, like: Array) -> tuple[Array, ...]:
    """Turn places into an index of the cyclic range, one array per axis."""
    xp = array_module(like)
    axes = len(size)
    return tuple(
        xp.asarray([place % length for place in row]).reshape(
            (1,) * axis + (-1,) + (1,) * (axes - axis - 1)
        )
        for axis, (row, length) in enumerate(zip(places, size, strict=True))
    )


def _laid_out(values: Array, places: Places, size: Shape) -> Array:
    """Put values (*P, A, B) at places of zeros (*size, A, B)."""
    xp = array_module(values)
    cyclic = xp.zeros((*size, *values.shape[-2:]), values.dtype)
    cyclic[_index(places, size, values)] = values
    return cyclic


def _read(cyclic: Array, places: Places, size: Shape) -> Array:
    return cyclic[_index(places, size, cyclic)]


def _spectrum(values: Array) -> Array:
    """Transform all axes but the last two; real input needs half the frequencies."""
    xp = array_module(values)
    return xp.fft.rfftn(values, axes=tuple(range(values.ndim - 2)))


def _inverse(spectrum: Array, size: Shape) -> Array:
    """Undo _spectrum."""
    xp = array_module(spectrum)
    return xp.fft.irfftn(spectrum, s=size, axes=tuple(range(len(size))))
