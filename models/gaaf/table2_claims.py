"""What Table 2 and sections 2.3, 3.2, 5.1 state of gradients, and what decides it."""

from collections.abc import Callable
from dataclasses import dataclass

from models.experiments.claims import Claim, Near, Ordered, Quantity, Record
from models.gaaf.arms import LABELS
from models.gaaf.common import DECISIVE, LAYERS
from models.gaaf.measures.curves import at_loss

PUBLISHED = {
    "base": {"layer1": 1.07e-4, "layer2": 1.40e-4, "layer3": 9.35e-5},
    "dropout": {"layer1": 5.93e-4, "layer2": 6.52e-4, "layer3": 5.83e-4},
    "gaaf": {"layer1": 1.15e-3, "layer2": 6.43e-4, "layer3": 1.78e-4},
}
NOISES = ("noisy", "drop_connect", "weight_noise")
"""Noise of which the paper speaks without numbers."""
NOTICEABLE = 1.5
"""For them: a smaller ratio to the base counts against a claim."""


def common_loss(record: Record) -> float:
    """The lowest training loss that all networks of a seed have reached, in nats."""
    return max(min(arm["by_epoch"]["train_loss"]) for arm in record["arms"].values())


@dataclass(frozen=True)
class AtCommonLoss(Quantity):
    """G of the layer that metric names, where all networks have the same loss.

    It is nan if a network's loss was lower in its first epoch already.
    """

    def of(self, record: Record) -> float:
        """Read G, or its ratio to that of `per`, from one seed's record."""
        value = self._read(record, self.arm)
        return value if self.per is None else value / self._read(record, self.per)

    def _read(self, record: Record, arm: str) -> float:
        points = record["arms"][arm]["by_epoch"]
        return at_loss(points, self.metric, common_loss(record))


def ratio(arm: str, layer: str) -> Quantity:
    """G of an arm over that of the base, both averaged over training."""
    return Quantity(arm, f"gradient_batch.{layer}", layer, per="base")


def ratio_in_control_epoch(arm: str, layer: str) -> Quantity:
    """The same in one and the same epoch."""
    return Quantity(arm, f"gradient_batch_control.{layer}", layer, per="base")


def ratio_at_common_loss(arm: str, layer: str) -> Quantity:
    """The same where all networks have the same training loss."""
    return AtCommonLoss(arm, layer, layer, per="base")


def gradient(arm: str, layer: str) -> Quantity:
    """G of an arm, averaged over training."""
    return Quantity(arm, f"gradient_batch.{layer}", f"{LABELS[arm]} {layer}")


def published_ratio(arm: str, layer: str) -> float:
    """What ratio is in the paper."""
    return PUBLISHED[arm][layer] / PUBLISHED["base"][layer]


def _more_than_base(
    arm: str, measure: Callable[[str, str], Quantity] = ratio
) -> Ordered:
    published = arm in PUBLISHED
    return Ordered(
        tuple((1.0, measure(arm, layer)) for layer in LAYERS),
        tuple(published_ratio(arm, x) if published else NOTICEABLE for x in LAYERS),
        logarithmic=True,
    )


def _ratios_text(arm: str) -> str:
    return ", ".join(f"{layer} {published_ratio(arm, layer):.1f}" for layer in LAYERS)


def _noise(arm: str, words: str) -> Claim:
    return Claim(
        f"control: {LABELS[arm]} lets more gradient through than the base, in every "
        "layer (G / G of the base)",
        words,
        "beyond the paper",
        _more_than_base(arm),
        **DECISIVE,
    )


def _as_large_as_dropout(layer: str) -> Claim:
    """The paper's own numbers contradict it in layer3, by a factor of 3."""
    numbers = PUBLISHED["gaaf"][layer], PUBLISHED["dropout"][layer]
    over_dropout = Quantity(
        "gaaf", f"gradient_batch.{layer}", f"GAAF / dropout {layer}", per="dropout"
    )
    return Claim(
        f"GAAF's gradients are as large as dropout's in {layer}, or larger: two thirds "
        "of them at least",
        f"{numbers[0]:.2e} against {numbers[1]:.2e}",
        "section 5.1, `as large as by dropout`",
        Ordered(
            ((2 / 3, over_dropout),), (1.5 * numbers[0] / numbers[1],), logarithmic=True
        ),
        **DECISIVE,
    )


def _controls(arm: str, name: str) -> tuple[Claim, Claim]:
    published, source = _ratios_text(arm), "beyond the paper"
    return (
        Claim(
            f"control: in one and the same epoch {name}'s G is larger than the base's, "
            "in every layer (G / G of the base)",
            published,
            source,
            _more_than_base(arm, ratio_in_control_epoch),
            **DECISIVE,
        ),
        Claim(
            f"control: at equal training loss {name}'s G is still larger than the "
            "base's, in every layer (G / G of the base)",
            published,
            source,
            _more_than_base(arm, ratio_at_common_loss),
            **DECISIVE,
        ),
    )


CLAIMS = (
    Claim(
        "dropout lets more gradient through than the base, in every layer "
        "(G / G of the base)",
        _ratios_text("dropout"),
        "Table 2",
        _more_than_base("dropout"),
        **DECISIVE,
    ),
    Claim(
        "GAAF lets more gradient through than the base, in every layer "
        "(G / G of the base)",
        _ratios_text("gaaf"),
        "section 5.1 and Table 2",
        _more_than_base("gaaf"),
        **DECISIVE,
    ),
    Claim(
        "dropout's gradient is around five times the base's (layer2, within 2.5)",
        "4.7 in layer2, 5.5 in layer1, 6.2 in layer3",
        "Table 2; section 3.2, `around five times larger`",
        Near(ratio("dropout", "layer2"), 5.0, 2.5),
        presets=("full",),
        datasets=("mnist",),
    ),
    Claim(
        "GAAF raises the gradient most in layer1, least in layer3 (G / G of the base)",
        "10.7 > 4.6 > 1.9; the order of the layers is not printed",
        "section 5.1",
        Ordered(
            (
                (ratio("gaaf", "layer3"), ratio("gaaf", "layer2")),
                (ratio("gaaf", "layer2"), ratio("gaaf", "layer1")),
            ),
            (2.4, 2.3),
            logarithmic=True,
        ),
        **DECISIVE,
    ),
    *(_as_large_as_dropout(layer) for layer in LAYERS),
    _noise("noisy", "in words: noise `allows gradients to flow easily`, section 3.2"),
    _noise("drop_connect", "not in the paper, which names it in section 2.3"),
    _noise("weight_noise", "not in the paper, which names it in section 2.3"),
    *_controls("dropout", "dropout"),
    *_controls("gaaf", "GAAF"),
)
