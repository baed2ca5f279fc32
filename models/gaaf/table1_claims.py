"""What Table 1, Fig. 1 and section 3.1 state of correlations, and what decides it."""

from typing import Any

from models.experiments.claims import Claim, Ordered, Quantity
from models.gaaf.arms import LABELS
from models.gaaf.common import DECISIVE, LAYERS
from models.gaaf.measures.nodes import THRESHOLDS, above

PUBLISHED = {
    "base": {
        "layer1": (0, 5, 91, 826, 3939),
        "layer2": (0, 6, 71, 373, 1305),
        "layer3": (1, 123, 676, 1989, 4393),
    },
    "dropout": {
        "layer1": (16, 181, 769, 2510, 6734),
        "layer2": (35, 287, 1016, 2541, 5077),
        "layer3": (174, 618, 1625, 3388, 6037),
    },
}
"""Pairs with |r| above THRESHOLDS, out of PAIRS."""
PAIRS = {"layer1": 130_816, "layer2": 32_640, "layer3": 32_640}
"""All pairs of 512, 256 and 256 nodes; the paper does not print them."""


def count(arm: str, layer: str, threshold: float, values: str = "nodes") -> Quantity:
    """Pairs with |r| > threshold; values: see models.gaaf.table1.VALUES."""
    metric = f"correlations.{values}.{layer}.{above(threshold)}"
    return Quantity(arm, metric, f"{LABELS[arm]} {layer}")


def _published(arm: str, layer: str, threshold: float) -> int:
    return PUBLISHED[arm][layer][THRESHOLDS.index(threshold)]


def _more_with_dropout(threshold: float, values: str = "nodes") -> Ordered:
    # Differences, because counts may be 0.
    return Ordered(
        tuple(
            (
                count("base", layer, threshold, values),
                count("dropout", layer, threshold, values),
            )
            for layer in LAYERS
        ),
        tuple(
            _published("dropout", layer, threshold)
            - _published("base", layer, threshold)
            for layer in LAYERS
        ),
    )


def _more_pairs(threshold: float) -> Claim:
    counts = (
        f"{layer} {_published('base', layer, threshold)} < "
        f"{_published('dropout', layer, threshold)}"
        for layer in LAYERS
    )
    return Claim(
        f"with dropout there are more pairs with |r| > {threshold}, in every layer",
        ", ".join(counts),
        "Table 1",
        _more_with_dropout(threshold),
        **DECISIVE,
        form=".0f",
    )


def _as_published(arm: str) -> Claim:
    """The counts at 0.5, the largest, lie within a factor of 3 of the published."""
    pairs: list[tuple[Any, Any]] = []
    for layer in LAYERS:
        published, found = _published(arm, layer, 0.5), count(arm, layer, 0.5)
        pairs += [(published / 3, found), (found, 3.0 * published)]
    return Claim(
        f"{LABELS[arm]}: the pairs with |r| > 0.5 are as many as published, within a "
        "factor of 3",
        ", ".join(f"{layer} {_published(arm, layer, 0.5)}" for layer in LAYERS),
        "Table 1",
        Ordered(tuple(pairs), (0.0,) * len(pairs)),
        **DECISIVE,
        form=".0f",
    )


def _mean(arm: str, layer: str, values: str) -> Quantity:
    metric = f"correlations.{values}.{layer}.mean"
    return Quantity(arm, metric, f"{LABELS[arm]} {layer}")


def _mean_rises(values: str) -> Ordered:
    # Fig. 1 prints no numbers, so a mean that falls is what counts against it.
    return Ordered(
        tuple(
            (_mean("base", layer, values), _mean("dropout", layer, values))
            for layer in LAYERS
        ),
        (0.0,) * len(LAYERS),
    )


CLAIMS = (
    *(_more_pairs(threshold) for threshold in THRESHOLDS),
    Claim(
        "without dropout |r| > 0.9 is not frequent: fewer than 1 pair in 1,000, in "
        "every layer",
        "layer1 0, layer2 0, layer3 1",
        "section 3.1, `not frequently observed`, and Table 1",
        Ordered(
            tuple((count("base", layer, 0.9), PAIRS[layer] / 1000) for layer in LAYERS),
            tuple(
                PAIRS[layer] / 1000 - _published("base", layer, 0.9) for layer in LAYERS
            ),
        ),
        **DECISIVE,
        form=".0f",
    ),
    Claim(
        "dropout increases the degree of correlation: the mean |r|, in every layer",
        "in words: `the nodes trained with dropout have higher correlations`",
        "section 3.1 and Fig. 1",
        _mean_rises("nodes"),
        **DECISIVE,
        form=".3f",
    ),
    _as_published("base"),
    _as_published("dropout"),
    Claim(
        "control: nets in place of node values, |r| > 0.7",
        "not in the paper; Table 1 has node values",
        "control of Table 1",
        _more_with_dropout(0.7, "nets"),
        **DECISIVE,
        form=".0f",
    ),
    Claim(
        "control: dropout increases the mean |r| among images of one class, too, in "
        "every layer",
        "not in the paper; Fig. 1 is over all images",
        "control of Fig. 1",
        _mean_rises("within_classes"),
        **DECISIVE,
        form=".3f",
    ),
)
