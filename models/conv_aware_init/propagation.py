"""Beyond the paper: what first weights make of signals, gradients and Jacobians.

The paper scales filters to He's variance, `to insure that the activations of the
convolutional network will not explode`, and keeps them orthogonal in Fourier space, but
shows neither at work. Here a plain chain of convolutions and relus, with edges that
meet, is started in every way that the paper compares and in some more. Nothing is
trained. Measured are, for N(0, 1) images and real ones, the variance before each relu
and the mean square of the gradient there, for N(0, 1) with batch norm, too; and for one
small image of N(0, 1) the singular values of dy/dx of a layer and of the whole network,
which are all 1 where lengths are kept (dynamical isometry).
"""

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datasets import augment
from minigrad import tensor
from minigrad.backend import use_backend
from minigrad.inspect import Propagation, signal_propagation
from models.conv_aware_init import propagation_panels as panels
from models.conv_aware_init.common import PAPER
from models.conv_aware_init.propagation_arms import ARMS
from models.conv_aware_init.propagation_claims import CLAIMS
from models.conv_aware_init.propagation_measures import (
    constant_share,
    noise,
    spectra,
    started,
    through,
)
from models.experiments.claims import Record
from models.experiments.config import Preset
from models.experiments.data import Examples, load_examples, warn_of_copies
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table


@dataclass(frozen=True)
class PropagationConfig:
    """One scale of the experiment.

    Attributes:
        dataset: where real images come from.
        hidden: filters of each layer.
        image_size: height and width of images.
        max_examples: images of a batch, real ones or of N(0, 1).
        spectrum_width: filters of each layer where Jacobians are computed.
        epochs: none, as nothing is trained.
    """

    dataset: str = "digits"
    hidden: tuple[int, ...] = (64,) * 15
    image_size: int = 8
    max_examples: int = 8
    spectrum_width: int = 8
    epochs: int = 0


PRESETS = {
    "tiny": Preset(PropagationConfig(), 3, "seconds, offline"),
    "small": Preset(
        PropagationConfig(dataset="cifar10", image_size=16, spectrum_width=32),
        5,
        "8 images of CIFAR-10, halved, and Jacobians of 512 rows; minutes",
    ),
    "full": Preset(
        PropagationConfig(
            dataset="cifar10", image_size=32, max_examples=64, spectrum_width=64
        ),
        5,
        "64 images of CIFAR-10, and Jacobians of 1024 rows",
    ),
}


def prepare(config: PropagationConfig) -> None:
    """Load the images; raises datasets.DataError if they are missing or damaged."""
    warn_of_copies(config.dataset, _examples(config))


def _examples(config: PropagationConfig) -> Examples:
    return load_examples(
        config.dataset,
        config.image_size,
        0.0,
        config.max_examples,
        max_test=1,
        any_files=True,
    )


def _images(config: PropagationConfig) -> Any:
    """The first images, (N, C, H, W) float32, each channel of mean 0 and variance 1."""
    images = _examples(config).train.images
    return augment.normalise(images, *augment.channel_stats(images))


def _noise(config: PropagationConfig, seed: int) -> Any:
    count, size = config.max_examples, config.image_size
    return noise(seed, count, config.hidden[0], size)


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Start a network as an arm says, and look at it; nothing is trained.

    Returns what through gives for "noise", "images" and, with batch norm, "noise_norm";
    "constant_share", of the network for noise, and "spectra", see there;
    "official_files". Their curves are in "history", which summaries leave out.
    """
    begin, config = time.process_time(), job.config
    random, seed = _noise(config, job.seed), job.seed
    inputs = {"noise": random, "noise_norm": random, "images": _images(config)}
    found: dict[str, Any] = {"official_files": _examples(config).official}
    with use_backend(job.backend):
        for name, x in inputs.items():
            norm = name == "noise_norm"
            model = started(job.arm, x, config.hidden, seed, batch_norm=norm)
            found[name] = through(model, x, seed)
            if name == "noise":
                found["constant_share"] = constant_share(model)
        width, depth = config.spectrum_width, len(config.hidden)
        found["spectra"] = spectra(job.arm, width, depth, seed)
    parts = {**{name: found[name] for name in inputs}, **found["spectra"]}
    history = {name: part.pop("curves") for name, part in parts.items()}
    return {
        **found,
        "training_seconds": 0.0,
        "measuring_seconds": time.process_time() - begin,
        "history": history,
    }


def tables(records: Sequence[Record]) -> list[Table]:
    """Signals and gradients through depth, then Jacobians: a row for each start."""
    return [panels.signals(records), panels.jacobians(records)]


def explain(config: PropagationConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Look at one backward pass through the network with batch norm, started by CAI."""
    x = _noise(config, 0)
    model = started("cai", x, config.hidden, 0, batch_norm=True)
    found = signal_propagation(model, tensor(x))
    kinds = ("CircularConv2d", "BatchNorm2d", "ReLU")
    conv, norm, relu = (_gain(found, kind) for kind in kinds)
    return Explanation(
        found.table(),
        "On the way back through a layer started by CAI the gradient's mean square "
        f"becomes {conv * norm * relu:.2f} times as large: {conv:.2f} times in the "
        f"convolution, {norm:.2f} in batch norm, {relu:.2f} in relu (geometric means "
        f"over {len(config.hidden)} layers).",
        found.flow,
    )


def _gain(found: Propagation, kind: str) -> float:
    """Geometric mean of what layers of a kind make of a gradient's mean square."""
    gains = [one.gradient_gain for one in found.layers if one.kind == kind]
    return statistics.geometric_mean([gain for gain in gains if gain])


PROPAGATION = Experiment(
    id="cai.propagation",
    recipe="cai.propagation",
    title="signals, gradients and Jacobians at the first weights",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist", "cifar10"),
    published_datasets=("digits", "mnist", "cifar10"),
    arms=tuple(ARMS),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=panels.draw,
    figure_size=(14, 8),
    explain=explain,
)
