"""Measuring filters: see minigrad.inspect.filters.spectrum for what and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy
from numpy import ndarray

from minigrad.inspect.filters import _kernels
from minigrad.inspect.filters._cosines import (
    Cosines,
    across,
    chance,
    directions,
    within,
)
from minigrad.inspect.filters._kernels import SENSES, blocks_of
from minigrad.inspect.filters.spectrum import FilterSpectrum
from minigrad.kernels._arguments import per_axis

FILTERS: Final = 1024
"""Whole filters that are compared with each other; of more, the next so many, too."""


def filter_spectrum(
    weight: Any,
    *,
    rows: int | None = None,
    transposed: bool = False,
    groups: int = 1,
) -> FilterSpectrum:
    """Measure in what sense the kernels of each filter are orthogonal.

    Args:
        weight: (F, S, *k) with one spatial axis or more, an array, a Tensor or a
            convolution, whose weight is taken.
        rows: how many kernels of a filter, along S, make a block; default: D, as many
            as CAI makes orthogonal to each other.
        transposed: whether an array or a Tensor is the weight of a transposed
            convolution, (S * groups, F / groups, *k); a module tells itself.
        groups: of a transposed convolution, whose weight does not tell.

    All is measured in float64 on the host; the numerical rank has the tolerance of the
    weight's dtype, or of float64. Raises ShapeError for other axes and for empty ones,
    DTypeError for what is not real, ArgumentError where weight is nothing of the above
    or not finite.

    >>> import numpy
    >>> from minigrad import inspect
    >>> ones, turns = numpy.array([1.0, 1.0]), numpy.array([1.0, -1.0])
    >>> found = inspect.filter_spectrum(numpy.stack([ones, turns])[None])
    >>> found.shape, found.dimension, found.within["half"].max, found.rank
    ((1, 2, 2), 2, 0.0, 2.0)
    >>> found.gram(0)
    array([[1., 0.],
           [0., 1.]])
    """
    who = "filter_spectrum"
    kernels, epsilon = _kernels.kernels_of(who, weight, transposed, groups)
    size = kernels.shape[2:]
    dimension = _kernels.half_dimension(size)
    rows = dimension if rows is None else per_axis(who, "rows", rows, 1, 1)[0]
    inside, between = _by_sense(kernels, rows)
    rank, effective = _ranks(kernels, rows, epsilon)
    return FilterSpectrum(
        shape=kernels.shape,
        rows=rows,
        dimension=dimension,
        even_dimension=_kernels.even_dimension(size),
        within=inside,
        across=between,
        filters=_of_filters(kernels),
        even_share=_even_share(kernels),
        rank=rank,
        effective_rank=effective,
        mean=float(kernels.mean()),
        variance=float(kernels.var()),
        kernels=kernels,
    )


def _by_sense(
    kernels: ndarray, rows: int
) -> tuple[Mapping[str, Cosines], Mapping[str, Cosines]]:
    """Return |cos| within and across blocks, in each sense."""
    inside: dict[str, Cosines] = {}
    between: dict[str, Cosines] = {}
    for sense, vectors in SENSES.items():
        parts = blocks_of(directions(vectors(kernels)), rows)
        by_chance = chance(parts[0].shape[-1]) if sense == "space" else None
        inside[sense] = Cosines.of(within(parts), by_chance)
        between[sense] = Cosines.of(across(parts), by_chance)
    return inside, between


def _of_filters(kernels: ndarray) -> Cosines:
    """Compare whole filters, (F, S * taps), in space, in runs of FILTERS."""
    whole = directions(kernels.reshape(1, len(kernels), -1))
    return Cosines.of(within(blocks_of(whole, FILTERS)), chance(whole.shape[-1]))


def _even_share(kernels: ndarray) -> float:
    """Energy of (a[m] + a[-m mod k]) / 2 in that of a; 0 if all is 0."""
    largest = numpy.abs(kernels).max()
    if not largest:
        return 0.0
    # Divided, so that no square leaves float64's range.
    scaled = kernels / largest
    even = (scaled + _kernels.mirrored(scaled)) / 2
    return float((even * even).sum() / (scaled * scaled).sum())


def _ranks(kernels: ndarray, rows: int, epsilon: float) -> tuple[float, float]:
    """Return means over blocks of numerical and effective rank, in space."""
    # Whole blocks, if there are any.
    blocks = blocks_of(_kernels.taps(kernels), rows)[0]
    s = numpy.linalg.svd(blocks, compute_uv=False)
    largest = s[:, :1]
    rank = (s > largest * max(blocks.shape[1:]) * epsilon).sum(axis=1)
    energy = (s / numpy.where(largest > 0, largest, 1)) ** 2
    fourth = (energy * energy).sum(axis=1)
    effective = energy.sum(axis=1) ** 2 / numpy.where(fourth > 0, fourth, 1)
    return float(rank.mean()), float(effective.mean())
