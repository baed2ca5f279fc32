"""Section 2: the gradient by finite differences and by perturbation, without backward.

The paper states in words that finite differences cost N^2 and perturbations, as SPSA, N
for N parameters, and that they "have a comparable efficiency when the perturbation is
not around 0, whereas the perturbation is invalid if it is not sufficiently small". It
trains no network with either. "Efficiency" is open, so it is read in three ways.

Here a network of signs, 64-16-16-10 on images of 8 x 8, is trained with each, by losses
of the same minibatches; and with STE, SSTE and BPGA. Weight differences and adapters
share Adam's rate; perturbations have one of their own, as theirs are noisier. All rates
were chosen by short trials, so accuracies say what order of size to expect.

At the network that BPGA trained, estimators are held against the slope of the loss
smoothed over weights by noise of the size of the step. Those that are random are drawn
N times, which costs 2 N losses, as weight differences do. A backward pass counts as two
losses. Node perturbation is smoothed over nets instead, so its cosine need not be 1.

Controls: SPSA with Spall's own gains in place of Adam; other steps.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.experiments import checkpoint
from models.experiments.config import Preset
from models.experiments.data import examples_of
from models.experiments.experiment import Experiment, Explanation
from models.experiments.metrics import History
from models.experiments.pool import Hooks, Job
from models.experiments.trained import record_flow, train_and_measure
from models.gradient_adapter.common import PAPER, flow_text, gains
from models.gradient_adapter.stochastic_batch import Batch
from models.gradient_adapter.stochastic_claims import CLAIMS, COMMON
from models.gradient_adapter.stochastic_measures import compared, cost
from models.gradient_adapter.stochastic_panels import draw
from models.gradient_adapter.stochastic_tables import tables
from models.gradient_adapter.stochastic_training import (
    ARMS,
    EstimatedTraining,
    StochasticConfig,
    build,
)

RECIPE = "bpga.stochastic"
PRESETS = {
    "tiny": Preset(
        StochasticConfig(
            "digits",
            epochs=2,
            losses=596,
            most_steps=50,
            points=800,
            hidden=(8, 8),
            widths=(4, 8, 12),
            image_size=4,
            batch_size=32,
        ),
        2,
        "seconds, offline",
    ),
    "small": Preset(
        StochasticConfig(
            "mnist",
            epochs=8,
            losses=3 * 2964,
            most_steps=500,
            points=12_000,
            max_examples=6000,
        ),
        3,
        "6,000 images of MNIST at 8 x 8, minutes",
    ),
    "full": Preset(
        StochasticConfig(
            "mnist", epochs=50, losses=10 * 2964, most_steps=500, points=100_000
        ),
        5,
        "all images of MNIST at 8 x 8, hours",
    ),
}


def prepare(config: StochasticConfig) -> None:
    """Raise DataError if the data set is not there."""
    examples_of(config)


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network with the gradients of an arm; count and time one of them.

    The arm "bpga" also compares all estimators at its network.
    """
    result = train_and_measure(job, hooks, build, measure)
    return {**result, **progress(result["history"], result["common"])}


def measure(training: Any, job: Job) -> dict[str, Any]:
    """Measure a trained network; see stochastic_measures."""
    made: EstimatedTraining = training
    size = job.config.batch_size
    images, labels = made.examples.train
    batch = Batch(made.model, made.as_input(images[:size]), labels[:size])
    found = {"common": made.common, "cost": cost(job.arm, batch, job.config)}
    return {**found, **compared(made, job)} if job.arm == COMMON else found


def progress(history: History, common: int) -> dict[str, Any]:
    """Say how many "steps" and "losses" a training took, and its "curve".

    at_common: test accuracy after step number common, in %.
    """
    curve = [point for epoch in history for point in epoch["curve"]]
    return {
        "steps": sum(epoch["steps"] for epoch in history),
        "losses": sum(epoch["losses"] for epoch in history),
        "at_common": dict(curve)[common],
        "curve": curve,
    }


# -- gradient flow ---------------------------------------------------------------------


def explain(config: StochasticConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Say what the signs of the network that BPGA trained let through."""
    training = build(config, COMMON, 0)
    checkpoint.restore(training, checkpoints[COMMON])
    flow = record_flow(training, config.batch_size)
    listed = ", ".join(f"{100 * gain:.0f} %" for gain in gains(flow))
    return Explanation(
        flow_text("Gradient flow of the trained network, BPGA tanh", flow),
        "Of the gradient's norm the signs let through, from the last to the first: "
        f"{listed}.",
        flow,
    )


STOCHASTIC = Experiment(
    id="bpga.stochastic",
    recipe=RECIPE,
    title="gradients without a backward pass: cost, variance and accuracy",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=tuple(ARMS),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(11.5, 8),
    explain=explain,
)
