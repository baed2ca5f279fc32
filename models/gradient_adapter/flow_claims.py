"""What section 3 states of the gradient that adapters send, and what decides it."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from itertools import combinations
from typing import Any

from models.experiments.claims import Claim, Ordered, Quantity, Record
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.common import DECISIVE

ESTIMATORS = {"ste": "identity", "sste": "hardtanh", "bpga": "tanh"}
"""Estimators, which are also the arms: networks trained with them; their adapters."""
PAIRS = tuple(combinations(ESTIMATORS, 2))
LAYERS = ("layer1", "layer2", "layer3", "layer4")
SCALES = {"main": 0.5, "narrow": 0.25, "wide": 1.0}
"""Standard deviations of the noise that smooths the loss; nets have about 1."""
RIGHT = 0.95
"""Share of right signs that counts as retrieving the sign."""
BIASED = 0.1
"""Part of the reference's norm by which an estimator is off that counts as biased."""
ONE_UNIT = 0.01
"""Of a hundred units: fewer than that counts against units being disabled."""
NONE = 1e-9
"""What counts as nothing."""


@dataclass(frozen=True)
class OverLayers(Quantity):
    """The least, or greatest, over the layers of an estimator's metric.

    Attributes:
        estimator: whose metric it is, at the network that was trained as arm says.
        less: if given, that of this estimator is subtracted in each layer.
        choose: min or max.
    """

    estimator: str = "bpga"
    less: str | None = None
    choose: Callable[..., float] = min

    def of(self, record: Record) -> float:
        """Read the number from one seed's record."""
        path = self.metric.split(".")
        values: Any = reduce(operator.getitem, path, record["arms"][self.arm])
        found = dict(values[self.estimator])
        if self.less is not None:
            found = {layer: found[layer] - values[self.less][layer] for layer in found}
        return self.choose(found.values())


def in_layer(arm: str, metric: str, estimator: str, layer: str) -> Quantity:
    """A metric of an estimator in one layer of the network of an arm."""
    label = f"{LABELS[estimator]}, {layer}, {_network(arm)}"
    return Quantity(arm, f"{metric}.{estimator}.{layer}", label)


def _network(arm: str) -> str:
    return f"network of {LABELS[arm]}"


def _lead(metric: str, better: str, worse: str) -> Ordered:
    """In each network the first estimator is above the second in every layer."""
    pairs = tuple(
        (0.0, OverLayers(arm, metric, _network(arm), estimator=better, less=worse))
        for arm in ESTIMATORS
    )
    return Ordered(pairs, (0.0,) * len(pairs))


def _all_above(
    bound: float, metric: str, estimator: str, effect: float = 0.0
) -> Ordered:
    """In each network an estimator's metric is above a bound in every layer."""
    pairs = tuple(
        (bound, OverLayers(arm, metric, _network(arm), estimator=estimator))
        for arm in ESTIMATORS
    )
    return Ordered(pairs, (effect,) * len(pairs))


def _grows(metric: str) -> Ordered:
    """In each network STE's metric is higher in the last layer than in the first."""
    pairs = tuple(
        (
            in_layer(arm, metric, "ste", LAYERS[0]),
            in_layer(arm, metric, "ste", LAYERS[-1]),
        )
        for arm in ESTIMATORS
    )
    return Ordered(pairs, (0.0,) * len(pairs))


def _sign_of_one_layer() -> Ordered:
    pairs = tuple(
        (RIGHT, in_layer(arm, "main.signs", "ste", LAYERS[-1])) for arm in ESTIMATORS
    )
    return Ordered(pairs, (0.0,) * len(pairs))


def _all_equal_forward() -> Ordered:
    pairs = tuple(
        (Quantity(arm, "forward_difference", _network(arm)), NONE) for arm in ESTIMATORS
    )
    return Ordered(pairs, (0.0,) * len(pairs))


def _none_blocked() -> Ordered:
    pairs = tuple(
        (OverLayers(arm, "blocked", _network(arm), choose=max), NONE)
        for arm in ESTIMATORS
    )
    return Ordered(pairs, (0.0,) * len(pairs))


def _disabled() -> Ordered:
    pairs = tuple(
        (
            0.0,
            OverLayers(
                arm, "units_blocked", _network(arm), estimator="sste", choose=max
            ),
        )
        for arm in ESTIMATORS
    )
    return Ordered(pairs, (ONE_UNIT,) * len(pairs))


_SIGN = (
    "section 3.3: `clearly biased, but correctly retrieves the sign when considering a "
    "single layer. However, this condition is not guaranteed when backpropagating "
    "through hidden layers`"
)
_SCALE = (
    "section 3.1: `To compensate this information loss, g' considers the scale for "
    "adapting the gradients`"
)
_UNITS = (
    "section 3.3: `the gradient of some units may be unable to undergo backpropagation "
    "to previous layers`"
)
_BEYOND = "beyond the paper"


def _claim(name: str, source: str, relation: Ordered, form: str = ".2f") -> Claim:
    return Claim(name, "-", source, relation, form=form, **DECISIVE)


def _at_scale(name: str) -> Claim:
    return _claim(
        f"control: with noise of standard deviation {SCALES[name]:g}, too, tanh's "
        "cosine is above STE's in every layer (least lead)",
        _BEYOND,
        _lead(f"{name}.cosine", "bpga", "ste"),
    )


CLAIMS = (
    _claim(
        "the adapter changes no output of the network (greatest difference of logits)",
        "section 3.1: `the neural network remains unchanged`",
        _all_equal_forward(),
        ".1g",
    ),
    _claim(
        "STE retrieves the sign in the last hidden layer (share of known signs, above "
        f"{RIGHT:g})",
        _SIGN,
        _sign_of_one_layer(),
        ".3f",
    ),
    _claim(
        "STE's sign is right more often in the last hidden layer than in the first",
        _SIGN,
        _grows("main.signs"),
        ".3f",
    ),
    _claim(
        "STE's cosine with the smoothed slope is higher in the last hidden layer than "
        "in the first",
        _SIGN,
        _grows("main.cosine"),
    ),
    _claim(
        "STE is biased in every layer, also when scaled best (least bias, above "
        f"{BIASED:g} of the norm)",
        _SIGN,
        _all_above(BIASED, "main.scaled_bias", "ste"),
    ),
    _claim(
        "g' restores scale: tanh's cosine with the smoothed slope is above STE's in "
        "every layer (least lead)",
        _SCALE,
        _lead("main.cosine", "bpga", "ste"),
    ),
    _claim(
        "g' restores scale: without scaling, STE's bias is above tanh's in every layer "
        "(least lead)",
        _SCALE,
        _lead("main.bias", "ste", "bpga"),
    ),
    _claim(
        "Htanh stops gradient in every layer (least share of elements)",
        _UNITS,
        _all_above(0.0, "blocked", "sste"),
    ),
    _claim(
        "Htanh disables whole units, for all images looked at (greatest share "
        "of a layer)",
        f"{_UNITS}, `thus disabling these units`",
        _disabled(),
        ".3f",
    ),
    _claim(
        "tanh stops none (greatest share of elements)",
        "section 3.3: `with no dead units`",
        _none_blocked(),
        ".1g",
    ),
    _claim(
        "tanh's cosine with the smoothed slope is above Htanh's in every layer (least "
        "lead)",
        _BEYOND,
        _lead("main.cosine", "bpga", "sste"),
    ),
    _at_scale("narrow"),
    _at_scale("wide"),
)
