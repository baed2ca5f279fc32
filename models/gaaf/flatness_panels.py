"""The panels of gaaf.flatness."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.experiments.claims import Record
from models.experiments.figures import COLOURS
from models.experiments.verdicts import mean_and_std
from models.gaaf.arms import LABELS
from models.gaaf.common import MAIN
from models.gaaf.flatness_claims import RADIUS, of
from models.gaaf.measures.sharpness import RADII


def draw(figure: Any, records: Sequence[Record]) -> None:
    """Draw eigenvalues by network and by loss, and the loss along directions."""
    (a, b), (c, d) = figure.subplots(2, 2)
    _draw_hessians(a, records)
    _draw_by_loss(b, records)
    _draw_curves(c, "train", records)
    _draw_curves(d, "test", records)


def _numbers(arm: str, metric: str, records: Sequence[Record]) -> list[float]:
    return [of(arm, metric).of(record) for record in records]


def _draw_hessians(axes: Any, records: Sequence[Record]) -> None:
    kinds = (
        ("curvature.top", "o", -0.12, "greatest eigenvalue"),
        ("curvature.trace", "s", 0.12, "trace"),
    )
    for place, (arm, colour) in enumerate(zip(MAIN, COLOURS, strict=False)):
        for metric, marker, shift, _ in kinds:
            found = _numbers(arm, metric, records)
            spots = (
                place + shift + 0.03 * (np.arange(len(found)) - len(found) / 2 + 0.5)
            )
            axes.plot(spots, found, marker, color=colour, markerfacecolor="none")
            mean, _ = mean_and_std(found)
            ends = [place + shift - 0.09, place + shift + 0.09]
            axes.plot(ends, [mean, mean], color=colour)
    for _, marker, _, label in kinds:
        axes.plot([], [], marker, color="black", markerfacecolor="none", label=label)
    axes.plot([], [], color="black", label="mean")
    axes.set_xticks(range(len(MAIN)), [LABELS[arm] for arm in MAIN])
    axes.set_xlim(-0.5, len(MAIN) - 0.5)
    axes.set_yscale("log")
    axes.set_ylabel("curvature (nats per squared unit of weight)")
    axes.set_title(f"(a) Hessian of the training loss, n = {len(records)}")
    axes.legend(fontsize=9)


def _draw_by_loss(axes: Any, records: Sequence[Record]) -> None:
    for arm, colour in zip(MAIN, COLOURS, strict=False):
        losses = _numbers(arm, "curvature.loss", records)
        tops = _numbers(arm, "curvature.top", records)
        axes.plot(losses, tops, "o", color=colour, label=LABELS[arm])
    found = [x for arm in MAIN for x in _numbers(arm, "curvature.loss", records)]
    losses = np.geomspace(min(found), max(found), 2)
    loss, top = (
        np.exp(np.mean(np.log(_numbers("base", f"curvature.{name}", records))))
        for name in ("loss", "top")
    )
    axes.plot(
        losses,
        losses * top / loss,
        ":",
        color="#777777",
        label="eigenvalue / loss as in base",
    )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("training loss (nats)")
    axes.set_ylabel("greatest eigenvalue (nats per squared unit)")
    axes.set_title("(b) control: how well the images are fitted")
    axes.legend(fontsize=9)


def _draw_curves(axes: Any, part: str, records: Sequence[Record]) -> None:
    kinds = (("filter", "-"), ("layer", ":")) if part == "train" else (("filter", "-"),)
    for arm, colour in zip(MAIN, COLOURS, strict=False):
        for kind, style in kinds:
            curves = [
                r["arms"][arm]["curves"][f"{kind}_{part}"]["loss"] for r in records
            ]
            losses = np.array(curves)
            rises = losses - losses[:, :1]
            mean = rises.mean(axis=0)
            label = LABELS[arm] if kind == "filter" else None
            axes.plot(RADII, mean, style, color=colour, label=label)
            if kind == "filter" and len(records) > 1:
                std = rises.std(axis=0, ddof=1)
                axes.fill_between(
                    RADII, mean - std, mean + std, color=colour, alpha=0.2, linewidth=0
                )
    if part == "train":
        axes.plot([], [], ":", color="black", label="relative to each layer")
    axes.axvline(RADIUS, color="#777777", linewidth=0.8, linestyle="--")
    axes.set_xlabel("length of the step, relative to each filter's weights")
    axes.set_ylabel("rise of the loss (nats)")
    place = "(c)" if part == "train" else "(d)"
    axes.set_title(f"{place} random directions, {part} images, band: ± 1 std")
    axes.legend(fontsize=9)
