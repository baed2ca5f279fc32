"""The tables of cai.bounds: a row for each size, or for each arm."""

import math
from collections.abc import Sequence

from models.conv_aware_init.bounds_arms import ARMS, OWN, RANDOM, SIZES, dimension
from models.conv_aware_init.bounds_claims import of
from models.experiments.claims import Record
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std_of

AT = "3x3"
"""The size at which arms are compared."""


def tables(records: Sequence[Record]) -> list[Table]:
    """Bounds, orthogonality, noise and means by size; arms at one size."""
    return [
        _bounds(records),
        _orthogonality(records),
        _noise(records),
        _means(records),
        _arms(records),
    ]


def _mean(records: Sequence[Record], arm: str, metric: str, form: str = ".3f") -> str:
    return mean_std_of(of(arm, metric), records, form)


def _greatest(
    records: Sequence[Record], arms: Sequence[str], metric: str, form: str
) -> str:
    found = (of(arm, metric).of(record) for arm in arms for record in records)
    return format(max(found), form)


def _bounds(records: Sequence[Record]) -> Table:
    header = (
        "kernel",
        "D",
        "|B B^T - I|",
        "|Q|",
        "|a| before noise",
        "|a| / mean |A|",
        "mean |A| / max |A|",
        "|variance fan_in / 2 - 1|",
    )
    metrics = (
        ("row_error", ".0e"),
        ("entry", ".4f"),
        ("tap", ".4f"),
        ("tap_per_mean", ".4f"),
        ("mean_per_max", ".4f"),
        ("off_variance", ".0e"),
    )
    rows = tuple(
        (
            key,
            str(dimension(size)),
            *(
                _greatest(records, RANDOM, f"sizes.{key}.{metric}", form)
                for metric, form in metrics
            ),
        )
        for key, size in SIZES.items()
    )
    title = (
        f"Theorem 1 and eqs. 9-11: greatest over {len(RANDOM)} decompositions and "
        f"n = {len(records)}"
    )
    return Table(title, header, rows)


def _orthogonality(records: Sequence[Record]) -> Table:
    header = (
        "kernel",
        "half spectrum: before noise",
        "CAI",
        "He normal",
        "space: before noise",
        "CAI",
        "He normal",
        "energy kept, %",
        "rank before noise",
        "effective rank: before noise",
        "CAI",
        "He normal",
    )
    columns = tuple(
        (arm, prefix + metric, form)
        for metric, form in (("half", ".3f"), ("space", ".3f"), ("effective", ".2f"))
        for arm, prefix in (("cai", "clean_"), ("cai", ""), ("he_normal", ""))
    )

    def row(key: str) -> tuple[str, ...]:
        cells = [
            _mean(records, arm, f"sizes.{key}.{metric}", form)
            for arm, metric, form in columns
        ]
        kept = [of("cai", f"sizes.{key}.kept").of(record) for record in records]
        share = f"{100 * math.fsum(kept) / len(kept):.2f}"
        rank = _mean(records, "cai", f"sizes.{key}.clean_rank", ".1f")
        return (key, *cells[:6], share, f"{rank} of {_rows(key)}", *cells[6:])

    title = (
        "Are the D kernels of a block orthogonal? Mean |cos|, and ranks, mean (std) "
        f"over n = {len(records)}"
    )
    return Table(title, header, tuple(map(row, SIZES)))


def _rows(key: str) -> int:
    return dimension(SIZES[key])


def _noise(records: Sequence[Record]) -> Table:
    header = (
        "kernel",
        "noise in the variance, %",
        "formula, %",
        "energy in even kernels, %",
        "He normal, %",
    )
    columns = (
        ("cai", "noise"),
        ("cai", "noise_formula"),
        ("cai", "even"),
        ("he_normal", "even"),
    )

    def row(key: str) -> tuple[str, ...]:
        means = [
            math.fsum(of(arm, f"sizes.{key}.{metric}").of(one) for one in records)
            / len(records)
            for arm, metric in columns
        ]
        return (key, *(f"{100 * mean:.1f}" for mean in means))

    title = f"Noise of std 0.05 beside the transform, means over n = {len(records)}"
    return Table(title, header, tuple(map(row, SIZES)))


def _means(records: Sequence[Record]) -> Table:
    arms = ("cai", "qr", *OWN)
    header = ("kernel", *(ARMS[arm].label for arm in arms), "CAI, standard errors")
    rows = tuple(
        (
            key,
            *(_mean(records, arm, f"sizes.{key}.clean_tap_mean") for arm in arms),
            _mean(records, "cai", f"sizes.{key}.clean_tap_z", ".1f"),
        )
        for key in SIZES
    )
    title = (
        "Eq. 12: greatest |mean| of a tap before noise, in its standard deviations, "
        f"mean (std) over n = {len(records)}"
    )
    return Table(title, header, rows)


def _arms(records: Sequence[Record]) -> Table:
    header = (
        "kernels",
        "block, half spectrum",
        "block, space",
        "two blocks, space",
        "whole filters",
        "even, %",
        "effective rank",
        "variance fan_in",
    )
    metrics = (
        ("half", ".3f"),
        ("space", ".3f"),
        ("two_space", ".3f"),
        ("filters", ".3f"),
    )

    def row(arm: str) -> tuple[str, ...]:
        even = [of(arm, f"sizes.{AT}.even").of(record) for record in records]
        return (
            ARMS[arm].label,
            *(_mean(records, arm, f"sizes.{AT}.{key}", form) for key, form in metrics),
            f"{100 * math.fsum(even) / len(even):.1f}",
            _mean(records, arm, f"sizes.{AT}.effective", ".2f"),
            _mean(records, arm, f"sizes.{AT}.variance", ".3f"),
        )

    title = (
        f"Kernels {AT}: mean |cos|, mean (std) over n = {len(records)}; blocks of "
        f"{_rows(AT)}, of whole spectra {math.prod(SIZES[AT])}; the orthogonal matrix "
        "is so by filters or by columns, whichever are fewer"
    )
    return Table(title, header, tuple(map(row, ARMS)))
