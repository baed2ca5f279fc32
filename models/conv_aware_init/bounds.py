"""Section 2.1: bounds, means and orthogonality of CAI, by measurement.

The paper states that rows are orthonormal with entries of at most 1 (Theorem 1), that
the inverse transform is bounded by the mean magnitude (eqs. 9-11), that weights have
mean 0 (eq. 12), and that filters are orthogonal in Fourier space. Nothing is trained.
Rows, spectra and kernels are drawn in float64 at ten sizes, in one to three dimensions,
as CAI draws them: by four decompositions, with random signs and with LAPACK's, before
and after noise; beside them kernels from whole spectra, He normal and orthogonal ones.

Two statements need reading. A "filter" in the paper is the kernel of one input channel,
and the D kernels of a block are to be orthogonal, in the half spectrum of the real FFT.
And real half spectra come back from kernels only in one dimension: in more, the inverse
transform drops what belongs to no real kernel, a sixth of the energy for 3x3, and with
it the orthogonality. The bounds hold for every orthogonal matrix; no eigenvalues and no
positive definiteness are needed. E[Q] = 0 does not follow from the paper's argument,
which takes Q and its transpose as independent.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from datasets import as_float, digits
from minigrad import functional as F
from minigrad import tensor
from minigrad.backend import use_backend
from minigrad.inspect import compare_spectra, gradient_flow
from models.conv_aware_init.bounds_arms import ARMS, ONE
from models.conv_aware_init.bounds_claims import CLAIMS
from models.conv_aware_init.bounds_measures import curves, measure, of_points
from models.conv_aware_init.bounds_panels import draw
from models.conv_aware_init.bounds_tables import tables
from models.conv_aware_init.common import PAPER
from models.conv_aware_init.initializers import INITIALIZERS, start
from models.experiments.config import Preset
from models.experiments.experiment import Experiment, Explanation
from models.experiments.pool import Hooks, Job
from models.networks.small_cnn import small_cnn

IMAGES = 64
"""Whose gradient is explained."""
LAYER = "conv3"


@dataclass(frozen=True)
class BoundsConfig:
    """One scale: how many weights.

    Attributes:
        dataset: what the gradient that is explained comes from; else nothing needs it.
        numbers: so many weights are drawn of each size, but 2048 filters at most.
        epochs: none, as nothing is trained.
    """

    dataset: str = "digits"
    numbers: int = 20_000
    epochs: int = 0


PRESETS = {
    "tiny": Preset(BoundsConfig(), 3, "seconds, offline"),
    "small": Preset(BoundsConfig(numbers=200_000), 5, "minutes, up to ten times more"),
    "full": Preset(BoundsConfig(numbers=2_000_000), 10, "up to a hundred times more"),
}


def prepare(config: BoundsConfig) -> None:
    """The digits are bundled."""


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Measure an arm at every size; nothing is trained.

    Returns "sizes": size -> what bounds_measures.at_size gives; "worst" and "worst_1d":
    the greatest of each of these over all sizes, and over those of one dimension;
    "above_1": what "worst" is above 1, 0 if it is not; "points": 1x1 kernels;
    "history": the curves of the figure.
    """
    config: BoundsConfig = job.config
    begin = time.process_time()
    # The numbers are NumPy's, whatever backend the run has.
    with use_backend("numpy"):
        sizes = measure(job.arm, config.numbers, job.seed)
        points = of_points(job.arm, config.numbers, job.seed)
        history = curves(job.arm, config.numbers, job.seed)
    worst = _worst(sizes.values())
    return {
        "sizes": sizes,
        "worst": worst,
        "above_1": {key: max(0.0, value - 1) for key, value in worst.items()},
        "worst_1d": _worst(sizes[size] for size in ONE),
        "points": points,
        "history": history,
        "training_seconds": 0.0,
        "measuring_seconds": time.process_time() - begin,
    }


def _worst(sizes: Any) -> dict[str, float]:
    found = list(sizes)
    return {key: max(one[key] for one in found) for key in found[0]}


def explain(config: BoundsConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Show the first gradient of a network that CAI starts, and how even it is."""
    data = digits.load().train
    images = tensor(as_float(data.images[:IMAGES]))
    labels = tensor(np.asarray(data.labels[:IMAGES]))
    model = small_cnn(image_size=images.shape[-1], seed=0)
    start(model, INITIALIZERS["cai"], 0)
    with gradient_flow(model) as flow:
        F.cross_entropy(model(images), labels).backward()
    weight = dict(model.named_parameters())[f"{LAYER}.weight"]
    spectra = compare_spectra({"weight": weight, "gradient": weight.grad})
    shares = [100 * one.even_share for one in spectra.spectra.values()]
    return Explanation(
        f"{flow.into(f'{LAYER}.weight').table()}\n\n{spectra.table()}",
        f"CAI puts {shares[0]:.0f} % of the energy of {LAYER}'s weight into even "
        f"kernels; of its first gradient {shares[1]:.0f} % is in such, so the rest "
        "leads out of them from the first step on.",
        flow,
    )


BOUNDS = Experiment(
    id="cai.bounds",
    recipe="cai.bounds",
    title="bounds, means and orthogonality of CAI's rows and kernels",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits",),
    published_datasets=("digits",),
    arms=tuple(ARMS),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(13, 7.6),
    explain=explain,
)
