"""Sums of large arrays, block by block, against sums of the whole."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from minigrad.inspect.record.sums import BLOCK, fetch, of_parts, square

SHAPE = (3, 4, 5, BLOCK // 10)


def layouts(array):
    memory = np.moveaxis(array, (0, 1), (-2, -1)).copy()
    return {
        "dense": array,
        "column order": np.asfortranarray(array),
        "spatial axes first": np.moveaxis(memory, (-2, -1), (0, 1)),
        "reversed": array[::-1, :, ::-1],
        "strided": np.repeat(array, 2, axis=3)[..., ::2],
    }


def plain(gradient, edges, sources):
    """Compute what of_parts promises, array by array."""

    def sums(a):
        inner = np.vdot(a, gradient).real
        return [np.vdot(a, a).real, inner, np.abs(a).sum(), np.count_nonzero(a)]

    row = sums(gradient)
    for terms in edges:
        row += sums(sum(terms))
        for term in terms:
            row += sums(term)
    for source in sources:
        row += sums(source)
    rest = gradient - sum(sum(terms) for terms in edges)
    left = gradient - sum(sources)
    return [*row, np.vdot(rest, rest).real, np.vdot(left, left).real]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128"])
@pytest.mark.parametrize("name", layouts(np.zeros((2, 2, 2, 2))))
def test_blocks_add_up_to_the_whole(name, dtype):
    rng = np.random.default_rng(0)
    one, two, three = (rng.normal(size=SHAPE).astype(dtype) for _ in range(3))
    one[one.real > 1] = 0
    gradient = layouts(one + two)[name]
    # Others lie in memory as they were made: not as the gradient does.
    found = fetch(of_parts(gradient, [[one, two], [three]], [one, three]))
    wide = [
        a.astype("complex128" if a.dtype.kind == "c" else "float64")
        for a in (one, two, three)
    ]
    gradient = gradient.astype(wide[0].dtype)
    expected = plain(gradient, [wide[:2], wide[2:]], [wide[0], wide[2]])
    assert_allclose(found, expected, rtol=1e-10, atol=1e-6)


def test_a_lone_term_that_is_the_gradient_leaves_nothing_over():
    gradient = np.random.default_rng(0).normal(size=SHAPE).astype("float32")
    *_, rest, _ = fetch(of_parts(gradient, [[gradient]], []))
    assert rest == 0
    assert fetch([square(gradient)])[0] == pytest.approx(
        np.sum(gradient.astype(float) ** 2)
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_shows_in_every_sum_without_a_warning(bad):
    gradient = np.zeros(SHAPE, "float32")
    gradient[1, 2, 3, 4] = bad
    total, inner, magnitude, alive, *_ = fetch(of_parts(gradient, [[gradient]], []))
    assert not np.isfinite([total, inner, magnitude]).any()
    assert alive == 1


@pytest.mark.parametrize("shape", [(), (0,), (3, 0)])
def test_small_and_empty_arrays(shape):
    gradient = np.ones(shape, "float32")
    assert fetch([square(gradient)])[0] == gradient.size
    assert fetch(of_parts(gradient, [[gradient]], []))[0] == gradient.size
