"""The arms of Table 5: three networks, each from three or four initializations.

The paper's arm of convolution-aware initialization has it in the convolution, and
orthogonal matrices elsewhere; a network without a convolution has no such arm.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from minigrad import nn, optim
from minigrad.random import Streams
from models.conv_aware_init.initializers import INITIALIZERS, start
from models.conv_aware_init.search import Setting, Space
from models.conv_aware_init.texts import TextTraining, load_texts
from models.experiments.data import Examples
from models.networks.text import embed_conv, embed_conv_lstm, embed_lstm

EVALUATION_BATCH = 250
"""Texts that are evaluated at once: more of them leave the cache."""


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """One scale of Table 5.

    Attributes:
        dataset: "imdb" or "digits".
        epochs: so many; the one with the lowest validation loss counts.
        vocabulary: word numbers, those of padding and unknown words among them.
        length: words of a text, its last.
        width: of the embedding.
        units: of the LSTM of Embed-LSTM.
        filters: of Embed-Conv.
        mixed_filters, mixed_units: of Embed-Conv-LSTM.
        trials: settings that are tried for each network; see search.
        search_epochs, search_examples: how long and on how many texts, the first; None
            for all.
        space: where random settings lie.
        max_examples, max_test: take only so many texts, the first; None for all.
        validation_share: of the training texts, their end.
        patience: None: all epochs are trained.
    """

    dataset: str
    epochs: int
    vocabulary: int = 20_000
    length: int = 80
    width: int = 128
    units: int = 128
    filters: int = 250
    mixed_filters: int = 64
    mixed_units: int = 70
    trials: int = 10
    search_epochs: int = 2
    search_examples: int | None = None
    space: Space = field(default_factory=Space)
    max_examples: int | None = None
    max_test: int | None = None
    validation_share: float = 1 / 10
    patience: None = None

    @property
    def learning_rate(self) -> float:
        """The highest that a search may choose."""
        return self.space.learning_rates[1]


# -- networks --------------------------------------------------------------------------

Make = Callable[[TextConfig, Setting, Streams, int], nn.Sequential]


@dataclass(frozen=True)
class Network:
    """One of the three networks.

    Attributes:
        label: in tables.
        make: (config, setting, streams, seed) -> the network.
        example: the setting of the example of Keras that it comes from.
    """

    label: str
    make: Make
    example: Setting


def _embed_lstm(
    config: TextConfig, setting: Setting, streams: Streams, seed: int
) -> nn.Sequential:
    return embed_lstm(
        config.vocabulary,
        width=config.width,
        units=config.units,
        drop_prob=setting.drop_prob,
        recurrent_drop_prob=setting.recurrent_drop_prob,
        streams=streams,
        seed=seed,
    )


def _embed_conv(
    config: TextConfig, setting: Setting, streams: Streams, seed: int
) -> nn.Sequential:
    return embed_conv(
        config.vocabulary,
        width=config.width,
        filters=config.filters,
        drop_prob=setting.drop_prob,
        streams=streams,
        seed=seed,
    )


def _embed_conv_lstm(
    config: TextConfig, setting: Setting, streams: Streams, seed: int
) -> nn.Sequential:
    return embed_conv_lstm(
        config.vocabulary,
        width=config.width,
        filters=config.mixed_filters,
        units=config.mixed_units,
        drop_prob=setting.drop_prob,
        recurrent_drop_prob=setting.recurrent_drop_prob,
        streams=streams,
        seed=seed,
    )


NETWORKS: Mapping[str, Network] = {
    "embed_lstm": Network("Embed-LSTM", _embed_lstm, Setting(1e-3, 32, 0.2, 0.2)),
    "embed_conv": Network("Embed-Conv", _embed_conv, Setting(1e-3, 32, 0.2, 0.0)),
    "embed_conv_lstm": Network(
        "Embed-Conv-LSTM", _embed_conv_lstm, Setting(1e-3, 30, 0.25, 0.0)
    ),
}
RIVALS = ("orthogonal_03", "uniform_005", "normal_03")
CAI = "cai_orthogonal"


@dataclass(frozen=True)
class Arm:
    """A network to train, and its initialization; both are keys of their tables."""

    network: str
    initializer: str

    @property
    def start_label(self) -> str:
        """How tables call the initialization."""
        return (
            "CAI" if self.initializer == CAI else INITIALIZERS[self.initializer].label
        )

    @property
    def label(self) -> str:
        """How tables call both."""
        return f"{NETWORKS[self.network].label}, {self.start_label}"


def name_of(network: str, initializer: str) -> str:
    """Name an arm: "embed_conv.normal_03", for example."""
    return f"{network}.{initializer}"


ARMS: Mapping[str, Arm] = {
    name_of(network, initializer): Arm(network, initializer)
    for network in NETWORKS
    for initializer in (*RIVALS, CAI)
    if initializer != CAI or "conv" in network
}


# -- training --------------------------------------------------------------------------


def examples_of(config: TextConfig) -> Examples:
    """Load the texts of a configuration."""
    return load_texts(
        config.dataset,
        config.vocabulary,
        config.length,
        config.validation_share,
        config.max_examples,
        config.max_test,
    )


def build(config: TextConfig, arm: str, seed: int, setting: Setting) -> TextTraining:
    """Build the network of an arm, and what trains it as setting says, untrained.

    Under one seed and setting, arms of a network differ in their first weights alone.
    """
    streams, made = Streams(seed), ARMS[arm]
    model = NETWORKS[made.network].make(config, setting, streams, seed)
    start(model, INITIALIZERS[made.initializer], seed)
    given: dict[str, Any] = {"streams": streams, "examples": examples_of(config)}
    return TextTraining(
        model=model,
        optimizer=optim.Adam(model.parameters(), lr=setting.learning_rate),
        batch_size=setting.batch_size,
        seed=seed,
        evaluation_batch=EVALUATION_BATCH,
        **given,
    )
