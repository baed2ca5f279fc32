"""In what sense the kernels of each filter are orthogonal.

A filter f of a convolution is a sum over input channels s of a kernel W[f, s] with that
channel. Convolution Aware Initialization draws the half spectra of these kernels as
orthonormal rows, D of them in a block, and transforms them back. Two kernels are
compared here

    in "half" spectrum, Re sum_k A[k] conj(B[k]) over the frequencies of the real FFT:
        what CAI makes orthogonal;
    in "space", sum_m a[m] b[m]: by Parseval's theorem this is, up to a factor, the
        product of whole spectra, in which the frequencies that the real FFT leaves out
        count, too.

Half spectra that CAI draws are real. Of those the inverse transform keeps what belongs
to real kernels, which are then even, a[m] = a[-m mod k], and this is fewer numbers than
D in two and more dimensions: 5 of 6 for 3x3. So "even" is about tap 0, the origin of
the transform, and not about the middle of a kernel: (1, 2, 2) is even, (1, 2, 1) not.

Source: Aghajanyan 2017, "Convolution Aware Initialization", arXiv:1702.06295, section
2; for the inverse transform the paper claims more than holds in two dimensions.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from numpy import ndarray

from minigrad.errors import ArgumentError, BadIndexError, got
from minigrad.files import PathLike
from minigrad.inspect.explain import tables
from minigrad.inspect.explain.tables import number
from minigrad.inspect.filters import picture
from minigrad.inspect.filters._cosines import Cosines, directions
from minigrad.inspect.filters._kernels import SENSES, WORDS
from minigrad.typing import Shape

BETWEEN: Final = {
    "within": "kernels of a block",
    "across": "kernels of two blocks",
    "filters": "whole filters",
}
"""What is compared, in words."""

MEASURES: Final = (
    "rows",
    "dimension",
    "even_dimension",
    "kept_share",
    "even_share",
    "noise_share",
    "rank",
    "effective_rank",
    "mean",
    "variance",
    "fan_in_variance",
)
"""Numbers of the whole weight, as records name them."""


class Relation(NamedTuple):
    """|cos| of what stands to each other as `between` says, in a sense.

    Attributes:
        between: a key of BETWEEN.
        sense: "half" or "space".
        cosines: of all such pairs.
    """

    between: str
    sense: str
    cosines: Cosines


@dataclass(frozen=True, eq=False)
class FilterSpectrum:
    """What filter_spectrum measures; print it.

    Attributes:
        shape: (F, S, *k): F filters, each a sum over S channels, kernels of size k.
        rows: how many kernels of a filter make a block; the last may have fewer.
        dimension: D, how many frequencies a half spectrum has.
        even_dimension: how many numbers an even kernel has.
        within: |cos| of kernels of the same block, in "half" spectrum and in "space".
        across: |cos| of kernels of one block with those of the next, likewise.
        filters: |cos| of whole filters, S kernels each, in space: what an orthogonal
            matrix (F, S * taps) makes 0. Of more than 1024, in runs of 1024.
        even_share: part of the energy, the sum of squares, in kernels that are even
            about tap 0, a[m] = a[-m mod k], 0 to 1; their spectra are real. 0 if all
            weights are.
        rank: numerical rank of a block in space, mean over whole blocks (over the
            filters if there are none).
        effective_rank: (sum s^2)^2 / sum s^4 of its singular values s, likewise: `rows`
            where all are equal, less where the block leans to few directions.
        mean, variance: of all weights; the variance is that of the population.
        kernels: (F, S, *k), the weights in float64 on the host.
    """

    shape: Shape
    rows: int
    dimension: int
    even_dimension: int
    within: Mapping[str, Cosines]
    across: Mapping[str, Cosines]
    filters: Cosines
    even_share: float
    rank: float
    effective_rank: float
    mean: float
    variance: float
    kernels: ndarray = field(repr=False)

    @property
    def taps(self) -> int:
        """Weights of a kernel."""
        return math.prod(self.shape[2:])

    @property
    def kept_share(self) -> float:
        """Energy that the inverse transform keeps of a real half spectrum, 0 to 1.

        The mean over directions, even_dimension / dimension: 1 in one dimension, 5 / 6
        for 3x3.
        """
        return self.even_dimension / self.dimension

    @property
    def noise_share(self) -> float | None:
        """Part of the energy in isotropic noise, if all the rest is in even kernels.

        About 0 for CAI without noise, about 1 for Gaussian kernels. Above 1, kernels
        are less even than noise is, and are no such sum: those with a single 1 in the
        middle, say. None if every kernel of this size is even, or all weights are 0.
        """
        if self.even_dimension == self.taps or not self.kernels.any():
            return None
        return (1 - self.even_share) / (1 - self.even_dimension / self.taps)

    @property
    def fan_in_variance(self) -> float:
        """The variance times fan_in = S * taps: 2 in He et al. 2015, and in CAI."""
        return self.variance * self.shape[1] * self.taps

    def gram(self, filter: int, block: int = 0, sense: str = "half") -> ndarray:
        """Return the cosines (R, R) of the R kernels of one block of a filter.

        sense is "half" or "space". Rows and columns of kernels of zeros are 0. Raises
        ArgumentError for another sense, BadIndexError where there is no such block.
        """
        if sense not in SENSES:
            rule = f"one of {', '.join(map(repr, SENSES))}"
            raise ArgumentError(got("gram", "sense", repr(sense), rule))
        filters, channels = self.shape[:2]
        blocks = -(-channels // self.rows)
        for what, at, count in ("filter", filter, filters), ("block", block, blocks):
            if not 0 <= at < count:
                raise BadIndexError(got("gram", what, at, f"0 <= {what} < {count}"))
        chosen = slice(block * self.rows, (block + 1) * self.rows)
        vectors = SENSES[sense](self.kernels[filter : filter + 1, chosen])
        unit = directions(vectors[0])
        return unit @ unit.T

    def table(self) -> str:
        """Lay out |cos| of kernels, blocks and filters, then the other measures."""
        header = ["|cos| between", "in", "mean", "max", "by chance", "pairs"]
        rows = [
            [
                BETWEEN[relation.between],
                WORDS[relation.sense],
                number(relation.cosines.mean),
                number(relation.cosines.max),
                number(relation.cosines.chance),
                f"{relation.cosines.pairs:,}",
            ]
            for relation in self.relations()
        ]
        return "\n".join([tables.layout(self._title(), header, rows), *self._notes()])

    def relations(self) -> list[Relation]:
        """Return all |cos|: within blocks, across them, and of whole filters."""
        found = [
            Relation(between, sense, cosines)
            for between, by_sense in (("within", self.within), ("across", self.across))
            for sense, cosines in by_sense.items()
        ]
        return [*found, Relation("filters", "space", self.filters)]

    def to_records(self) -> list[dict[str, Any]]:
        """Return dicts of JSON values: one of the whole, and one for each relation.

        Keys: level ("whole" or "relation"); of the whole shape, rows, dimension,
        even_dimension, kept_share, even_share, noise_share, rank, effective_rank, mean,
        variance, fan_in_variance; of a relation between ("within", "across" or
        "filters"), sense ("half" or "space"), mean, max, pairs and chance, see Cosines.
        What there is not is None.
        """
        whole = {name: getattr(self, name) for name in MEASURES}
        relations = [
            {
                "level": "relation",
                "between": relation.between,
                "sense": relation.sense,
                **relation.cosines._asdict(),
            }
            for relation in self.relations()
        ]
        return [{"level": "whole", "shape": list(self.shape), **whole}, *relations]

    def plot(self, path: PathLike | None = None) -> Any:
        """Draw |cos| in blocks, as distributions and as a mean matrix.

        Args:
            path: of an image to write, .png, .svg or .pdf; without one the Figure is
                returned.

        Raises ArgumentError for another ending, BackendError without matplotlib,
        FileFormatError if path cannot be written.
        """
        weight = picture.Drawn(self.kernels, self.rows, self.within)
        return picture.plot({"weight": weight}, path)

    def _title(self) -> str:
        filters, channels, *size = self.shape
        last = channels % self.rows
        short = f", the last of {last}" if last and channels > self.rows else ""
        size_word = "x".join(map(str, size))
        return (
            f"{filters} filters over {channels} channels, kernels {size_word}\n"
            f"blocks of {min(self.rows, channels)}{short}; D = {self.dimension}, "
            f"{self.even_dimension} of {self.taps} taps free in an even kernel"
        )

    def _notes(self) -> list[str]:
        noise = self.noise_share
        of_noise = ""
        if noise is not None and noise <= 1:
            of_noise = f", as with {100 * noise:.1f} % of noise"
        return [
            f"even kernels (about tap 0, not the middle) have "
            f"{100 * self.even_share:.1f} % of the energy{of_noise}",
            f"rank of a block {self.rank:.3g}, effective {self.effective_rank:.3g}",
            f"variance {self.fan_in_variance:.4g} / fan_in, mean {number(self.mean)}",
        ]

    def __str__(self) -> str:
        return self.table()
