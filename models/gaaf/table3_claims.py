"""What Table 3, eq. 6 and section 3.2 state of variances, and what decides it."""

from models.experiments.claims import Claim, Near, Ordered, Quantity
from models.gaaf.common import DECISIVE

NAMES = {
    "output": "last layer",
    "layer3": "layer3",
    "layer2": "layer2",
    "layer1": "layer1",
}
"""Layers as the paper calls them, in its order."""
PUBLISHED = {"output": 1.97, "layer3": 1.07, "layer2": 1.07, "layer1": 0.0}
HIGHER = ("layer3", "output")
"""Layers whose input is random itself."""
TOLERANCE = 0.3
"""Of the published variances, which grow in training: 30 %."""


def of(layer: str, metric: str, label: str = "") -> Quantity:
    """A number of a layer; see models.gaaf.measures.variances.summarize."""
    return Quantity("dropout", f"net_variance.{layer}.{metric}", label or NAMES[layer])


def _as_published(layer: str) -> Claim:
    published = PUBLISHED[layer]
    return Claim(
        f"{NAMES[layer]}: the average net variance is the published one, within "
        f"{100 * TOLERANCE:.0f} %",
        f"{published}",
        "Table 3",
        Near(of(layer, "one_block"), published, round(TOLERANCE * published, 2)),
        **DECISIVE,
    )


def _sum_agrees(layer: str) -> Claim:
    return Claim(
        f"control: {NAMES[layer]}: eq. 6 and the variance handed on add up to the "
        "variance (sum / measured, within 0.02)",
        "not in the paper; law of total variance",
        "control of eq. 6",
        Near(of(layer, "sum_ratio"), 1.0, 0.02),
        form=".4f",
    )


CLAIMS = (
    Claim(
        "the variance of layer1 is zero: there is no dropout in the input layer",
        "0",
        "section 3.2, `the variance of Layer1 is zero`",
        Near(of("layer1", "variance"), 0.0, 1e-12),
        form=".3g",
    ),
    Claim(
        "dropout makes a variance in every layer above, the larger the higher the "
        "layer",
        "layer2 1.07, layer3 1.07, last layer 1.97",
        "Table 3; eq. 6, `>> 0`",
        Ordered(
            (
                (0.0, of("layer2", "one_block")),
                (of("layer2", "one_block"), of("layer3", "one_block")),
                (of("layer3", "one_block"), of("output", "one_block")),
            ),
            (1.07, 0.0, 0.9),
        ),
        **DECISIVE,
    ),
    *(_as_published(layer) for layer in ("layer2", "layer3", "output")),
    Claim(
        "eq. 6 gives the variance of layer2 (eq. 6 / measured, within 0.02)",
        "Var(z_j) = p (1 - p) sum_i (W_ij x_i)^2",
        "eq. 6",
        Near(of("layer2", "eq6_ratio"), 1.0, 0.02),
        form=".4f",
    ),
    # Not that Var(E[z | x]) > 0: what is measured of it is a sum of squares.
    Claim(
        "the variance of lower layers is transferred to the higher ones: eq. 6, for "
        "fixed x, falls short in layer3 and in the last layer (eq. 6 / measured < 1)",
        "in words: `the variance of the lower layers can be transferred`",
        "section 3.2; eq. 6",
        Ordered(
            tuple((of(layer, "eq6_ratio"), 1.0) for layer in HIGHER),
            (0.0,) * len(HIGHER),
        ),
        form=".3f",
    ),
    *(_sum_agrees(layer) for layer in HIGHER),
)
