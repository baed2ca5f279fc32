"""Table 5: what the paper states about texts, and controls."""

from collections.abc import Mapping
from typing import Any

from models.conv_aware_init.common import SPEED, faster
from models.conv_aware_init.text_arms import ARMS, CAI, NETWORKS, RIVALS, name_of
from models.experiments.claims import Claim, Near, Ordered, Quantity

ACCURACY: Mapping[str, float] = {
    "embed_lstm.orthogonal_03": 90.02,
    "embed_lstm.uniform_005": 89.78,
    "embed_lstm.normal_03": 89.00,
    "embed_conv.orthogonal_03": 89.63,
    "embed_conv.uniform_005": 89.20,
    "embed_conv.normal_03": 89.18,
    "embed_conv.cai_orthogonal": 90.88,
    "embed_conv_lstm.orthogonal_03": 90.31,
    "embed_conv_lstm.uniform_005": 89.78,
    "embed_conv_lstm.normal_03": 90.16,
    "embed_conv_lstm.cai_orthogonal": 91.40,
}
"""Arm -> published accuracy in percent, the median of five runs."""
IMDB: Any = {"presets": ("small", "full"), "datasets": ("imdb",)}
FULL: Any = {"presets": ("full",), "datasets": ("imdb",)}
LEAST = 80.0
"""Test accuracy in percent that the public example of Embed-LSTM surpasses."""


def accuracy(arm: str) -> Quantity:
    """Test accuracy in percent of the epoch with the lowest validation loss."""
    return Quantity(arm, "test_accuracy", ARMS[arm].label)


def _more_accurate(network: str, better: str, worse: str) -> Claim:
    one, other = name_of(network, better), name_of(network, worse)
    return Claim(
        f"{NETWORKS[network].label}: {ARMS[one].start_label} is more accurate than "
        f"{ARMS[other].start_label} (test %, epoch of the lowest validation loss)",
        f"{ACCURACY[one]:.2f} > {ACCURACY[other]:.2f} %",
        "Table 5",
        Ordered(
            ((accuracy(other), accuracy(one)),), (ACCURACY[one] - ACCURACY[other],)
        ),
        **IMDB,
    )


def _reaches(arm: str) -> Claim:
    return Claim(
        f"{ARMS[arm].label} reaches {ACCURACY[arm]:.2f} % (within 0.5 points)",
        f"{ACCURACY[arm]:.2f} %",
        "Table 5",
        Near(accuracy(arm), ACCURACY[arm], 0.5),
        **FULL,
    )


def _control(words: str, relation: Ordered) -> Claim:
    return Claim(f"control: {words}", "-", "beyond the paper", relation, **IMDB)


def _guess(arm: str) -> Quantity:
    return Quantity(arm, "majority_accuracy", "guess")


def _speed(arm: str) -> Quantity:
    return Quantity(arm, SPEED, ARMS[arm].start_label)


CLAIMS = (
    *(
        _more_accurate(network, CAI, rival)
        for network in NETWORKS
        if "conv" in network
        for rival in RIVALS
    ),
    *(
        _more_accurate("embed_lstm", "orthogonal_03", rival)
        for rival in RIVALS
        if rival != "orthogonal_03"
    ),
    *(_reaches(arm) for arm in ACCURACY),
    *(
        faster(
            f"{NETWORKS[network].label}: ",
            *(_speed(name_of(network, start)) for start in (CAI, rival)),
            **IMDB,
        )
        for network in NETWORKS
        if "conv" in network
        for rival in RIVALS
    ),
    *(
        _control(
            f"{network.label} is more accurate than a guess of the more frequent "
            "label, from every initialization (test %)",
            Ordered(
                tuple(
                    (_guess(arm), accuracy(arm))
                    for arm, made in ARMS.items()
                    if made.network == name
                ),
                tuple(0.0 for made in ARMS.values() if made.network == name),
            ),
        )
        for name, network in NETWORKS.items()
    ),
    _control(
        f"Embed-LSTM has more than {LEAST:.0f} % on the test reviews, as the public "
        "example it comes from, from orthogonal matrices",
        Ordered(((LEAST, accuracy("embed_lstm.orthogonal_03")),), (0.0,)),
    ),
)
