"""What cai.propagation shows: two tables with a row for each start, and six panels."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.conv_aware_init.propagation_arms import ARMS, SHOWN
from models.conv_aware_init.propagation_claims import of
from models.conv_aware_init.propagation_measures import SHARES
from models.experiments.claims import Record
from models.experiments.data import of_copies
from models.experiments.figures import COLOURS
from models.experiments.tables import Table
from models.experiments.verdicts import mean_std_of

SIGNALS = (
    ("noise.first", ".3g", "N(0, 1): variance, first layer"),
    ("noise.last", ".2g", "last layer"),
    ("noise.gradient_ratio", ".2g", "gradient, first / last"),
    ("images.first", ".3g", "images: variance, first layer"),
    ("images.last", ".2g", "last layer"),
    ("images.gradient_ratio", ".2g", "gradient, first / last"),
    ("noise_norm.gradient_ratio", ".2g", "N(0, 1), batch norm: gradient, first / last"),
    ("constant_share", ".2f", "energy of kernels at frequency 0, %"),
)
JACOBIANS = (
    ("layer.square", ".3f", "layer: mean s^2"),
    ("layer.spread", ".2f", "mean s^4 / (mean s^2)^2"),
    ("layer.least", ".2g", "least s"),
    ("layer.greatest", ".2f", "greatest s"),
    ("network.square", ".2g", "network: mean s^2"),
    ("network.spread", ".3g", "mean s^4 / (mean s^2)^2"),
    ("network.greatest", ".2g", "greatest s"),
    ("network.rank", ".0f", "s that are not 0, %"),
)
PANELS = (
    ("noise", "variance", "(a) N(0, 1): variance before each relu"),
    ("images", "variance", "(b) images: variance before each relu"),
    ("noise", "gradient", "(d) N(0, 1): gradient's mean square"),
    ("noise_norm", "gradient", "(e) the same with batch norm"),
)
STYLES = ("-", "--", "-.", ":")


# -- tables ----------------------------------------------------------------------------


def signals(records: Sequence[Record]) -> Table:
    """Make the table of variances and gradients."""
    title = (
        "Signals before relus and their gradients (mean squares): mean (std) over n = "
        f"{len(records)}; of 64 channels to 64, LeCun's laws are Glorot's, and normal "
        "starts are one draw, scaled"
    )
    return _table(title + of_copies(records), SIGNALS, "", records)


def jacobians(records: Sequence[Record]) -> Table:
    """Make the table of singular values."""
    title = (
        "Singular values s of dy/dx, of the middle layer and of the whole network: "
        f"mean (std) over n = {len(records)}"
    )
    return _table(title, JACOBIANS, "spectra.", records)


def _table(
    title: str,
    columns: Sequence[tuple[str, str, str]],
    prefix: str,
    records: Sequence[Record],
) -> Table:
    rows = tuple(
        (
            start.label,
            *(
                mean_std_of(of(arm, prefix + metric), records, form)
                for metric, form, _ in columns
            ),
        )
        for arm, start in ARMS.items()
    )
    return Table(title, ("start", *(words for _, _, words in columns)), rows)


# -- figure ----------------------------------------------------------------------------


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw variances, gradients and singular values of some of the starts."""
    (a, b, c), (d, e, f) = figure.subplots(2, 3)
    for axes, (name, what, title) in zip((a, b, d, e), PANELS, strict=True):
        for number, arm in enumerate(SHOWN):
            histories = [record["arms"][arm]["history"] for record in records]
            curves = [history[name][what] for history in histories]
            layers = range(1, len(curves[0]) + 1)
            _line(axes, number, arm, layers, curves)
        axes.set_xlabel("layer")
        axes.set_ylabel("log10 of the variance or mean square")
        axes.set_title(title)
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes, name, title in (
        (c, "layer", "(c) the middle layer's singular values"),
        (f, "network", "(f) the whole network's"),
    ):
        for number, arm in enumerate(SHOWN):
            spectra = [record["arms"][arm]["history"][name] for record in records]
            _line(axes, number, arm, SHARES, spectra)
        axes.set_xlabel("share of singular values that are larger")
        axes.set_ylabel("log10 of a singular value")
        axes.set_title(title)
    figure.legend(
        *a.get_legend_handles_labels(),
        loc="outside lower center",
        ncols=len(SHOWN) // 2,
        title=f"geometric means, n = {len(records)}",
    )


def _line(
    axes: Any, number: int, arm: str, places: Any, curves: Sequence[Sequence[float]]
) -> None:
    """Draw the mean of curves as powers of ten; what is 0 in one leaves a gap."""
    values = np.array(curves, "float64")
    powers = np.full(values.shape, np.nan)
    np.log10(values, out=powers, where=values > 0)
    axes.plot(
        places,
        powers.mean(axis=0),
        STYLES[number % len(STYLES)],
        color=COLOURS[number],
        label=ARMS[arm].label,
    )
