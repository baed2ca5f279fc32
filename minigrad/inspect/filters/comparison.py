"""Several weights of convolutions beside each other: initializers, say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.files import PathLike
from minigrad.inspect.explain import tables
from minigrad.inspect.explain.tables import number
from minigrad.inspect.filters import picture
from minigrad.inspect.filters.measure import filter_spectrum
from minigrad.inspect.filters.spectrum import FilterSpectrum


@dataclass(frozen=True, eq=False)
class SpectrumComparison:
    """What compare_spectra measures; print it.

    Attributes:
        spectra: name -> FilterSpectrum, in the order given.
    """

    spectra: Mapping[str, FilterSpectrum]

    def table(self) -> str:
        """Lay out one row for each weight.

        Columns: mean |cos| of kernels of a block in half spectrum and in space, of
        kernels of two blocks in space and of whole filters; the part of the energy in
        even kernels, in percent; numerical and effective rank of a block and how many
        rows it has; the variance times fan_in. See FilterSpectrum.
        """
        header = ["mean |cos|", "block, half", "space", "two blocks", "filters"]
        header += ["even %", "rank", "effective", "of", "var * fan_in"]
        rows = [
            [
                name,
                number(one.within["half"].mean),
                number(one.within["space"].mean),
                number(one.across["space"].mean),
                number(one.filters.mean),
                f"{100 * one.even_share:.1f}",
                number(one.rank),
                number(one.effective_rank),
                str(min(one.rows, one.shape[1])),
                number(one.fan_in_variance),
            ]
            for name, one in self.spectra.items()
        ]
        sizes = {"x".join(map(str, one.shape[2:])) for one in self.spectra.values()}
        title = f"kernels {', '.join(sorted(sizes))} of {len(rows)} weights"
        return tables.layout(title, header, rows)

    def to_records(self) -> list[dict[str, Any]]:
        """Return the records of each FilterSpectrum, with its name as key "name"."""
        return [
            {"name": name, **record}
            for name, one in self.spectra.items()
            for record in one.to_records()
        ]

    def plot(self, path: PathLike | None = None) -> Any:
        """Draw |cos| in blocks, as distributions and as a mean matrix for each weight.

        Args:
            path: of an image to write, .png, .svg or .pdf; without one the Figure is
                returned.

        Raises ArgumentError for another ending, BackendError without matplotlib,
        FileFormatError if path cannot be written.
        """
        drawn = {
            name: picture.Drawn(one.kernels, one.rows, one.within)
            for name, one in self.spectra.items()
        }
        return picture.plot(drawn, path)

    def __str__(self) -> str:
        return self.table()


def compare_spectra(
    weights: Mapping[str, Any], *, rows: int | None = None
) -> SpectrumComparison:
    """Measure filters of several weights, the same way for each.

    Args:
        weights: name -> weight, as filter_spectrum takes it.
        rows: see filter_spectrum.

    Raises ArgumentError for what is no mapping of names and for an empty one, and what
    filter_spectrum raises.

    >>> import numpy
    >>> from minigrad import inspect
    >>> plain, mirror = numpy.eye(3)[None], numpy.eye(3)[None, :, [0, 2, 1]]
    >>> found = inspect.compare_spectra({"unit": plain, "mirrored": mirror})
    >>> for name, one in found.spectra.items():
    ...     print(name, one.within["space"].mean, round(one.even_share, 3))
    unit 0.0 0.667
    mirrored 0.0 0.667
    """
    who, rule = "compare_spectra", "a mapping of names to weights, with one at least"
    if not isinstance(weights, Mapping) or not weights:
        found = "empty" if isinstance(weights, Mapping) else f"{type(weights).__name__}"
        raise ArgumentError(got(who, "weights is", found, rule))
    for name in weights:
        if not isinstance(name, str):
            raise ArgumentError(got(who, "weights has the key", repr(name), rule))
    return SpectrumComparison(
        {name: filter_spectrum(one, rows=rows) for name, one in weights.items()}
    )
