"""What sections 1 and 5.2 state of flat regions, and what decides it."""

from models.experiments.claims import Claim, Near, Ordered, Quantity
from models.gaaf.arms import LABELS
from models.gaaf.common import DECISIVE

RADIUS = 0.5
"""Rises of loss and error are compared at this relative length of a step."""
CURVES = {
    "filter_train": ("filter", "train"),
    "filter_test": ("filter", "test"),
    "layer_train": ("layer", "train"),
}
"""Name -> what a step is relative to, and on which images the loss is taken."""


def of(arm: str, metric: str, label: str = "") -> Quantity:
    """A number of a network; see models.gaaf.flatness.measure."""
    return Quantity(arm, metric, label or LABELS[arm])


def _below_base(arm: str, metric: str) -> Ordered:
    pair = (of(arm, metric), of("base", metric))
    return Ordered((pair,), (1.0,), logarithmic=True)


def _rises_less(arm: str, kind: str, *names: str) -> Ordered:
    """Not by ratios: a rise may be below zero."""
    pairs = tuple(
        (
            of(arm, f"{kind}.{name}", f"{LABELS[arm]} {CURVES[name][1]}"),
            of("base", f"{kind}.{name}", f"base {CURVES[name][1]}"),
        )
        for name in names
    )
    return Ordered(pairs, (0.0,) * len(pairs))


WORDS = {
    "gaaf": (
        "GAAF",
        "in words: `GAAF converges on a flat region`",
        "section 5.2; abstract",
    ),
    "dropout": (
        "dropout",
        "in words: `models can become more robust after converging on a flat region`",
        "section 1",
    ),
}


def _claims_of(arm: str) -> tuple[Claim, ...]:
    name, published, source = WORDS[arm]
    return (
        Claim(
            f"{name}'s minimum is flatter than the base's: greatest eigenvalue of the "
            "Hessian of the training loss",
            published,
            source,
            _below_base(arm, "curvature.top"),
            **DECISIVE,
            form=".3g",
        ),
        Claim(
            f"{name}'s minimum is flatter than the base's: rise of the loss along "
            f"random directions, by {RADIUS} of each filter",
            published,
            source,
            _rises_less(arm, "loss_rise", "filter_train", "filter_test"),
            **DECISIVE,
            form=".3f",
        ),
        Claim(
            f"{name}'s minimum is flatter than the base's: the same by {RADIUS} of "
            "each layer's weights",
            published,
            source,
            _rises_less(arm, "loss_rise", "layer_train"),
            **DECISIVE,
            form=".3f",
        ),
        Claim(
            f"control: the loss does not explain it: {name}'s greatest eigenvalue is "
            "smaller than the base's when divided by the training loss",
            "not in the paper",
            "control",
            _below_base(arm, "curvature.top_per_loss"),
            **DECISIVE,
            form=".3g",
        ),
        Claim(
            f"control: the scale of the logits does not explain it: {name}'s error "
            f"rate rises less than the base's, by {RADIUS} of each filter (points)",
            "not in the paper",
            "control",
            _rises_less(arm, "error_rise", "filter_train", "filter_test"),
            **DECISIVE,
        ),
    )


CLAIMS = (
    *_claims_of("gaaf"),
    *_claims_of("dropout"),
    Claim(
        "control: GAAF and base fit their training images alike, as where the paper "
        "infers flatness (training error %, within 0.5 points)",
        "98.2, 99.6, 99.9 % of CIFAR100, CIFAR10, SVHN: `almost the same`",
        "section 5.2",
        Near(of("gaaf", "train_error"), of("base", "train_error"), 0.5),
        **DECISIVE,
    ),
    Claim(
        "control: their training losses are alike, too (ratio within a factor of e, "
        "ln of it)",
        "not in the paper",
        "control",
        Near(of("gaaf", "curvature.log_loss"), of("base", "curvature.log_loss"), 1.0),
        **DECISIVE,
    ),
)
