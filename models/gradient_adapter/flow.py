"""Beyond the paper: which gradient does each estimator send, layer by layer?

Section 3 argues about it in words: STE is biased and gets signs wrong through hidden
layers, Htanh blocks units, g' brings scale back. Networks of four hidden layers of
signs are trained with STE, SSTE and BPGA; then each of the three networks is given the
three adapters in turn, which changes no output, and what they send is compared.

The true gradient below a sign is 0, so they are held against the slope of the smoothed
loss: of its mean over Gaussian noise on the nets of one layer, all signs above it hard
(measures/smoothed.py). Nets, not weights, get the noise: they are fewer, and what a net
gets decides what its weights get. Noise of standard deviation 0.5 is the main case;
0.25, nearer to the hard loss, and 1 are controls, as each adapter is itself the exact
slope for a noise of its own: E sign(z + noise) is Htanh(z) for uniform noise on
[-1, 1], tanh(z) for logistic noise of scale 1/2, of standard deviations 0.58 and 0.91.

A sign is right if it is that of the smoothed slope, where that is known; 0 never is.
The variance is that of the weights' gradient over minibatches of training images.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad.random import generator
from models.experiments.config import Preset
from models.experiments.data import Part
from models.experiments.experiment import Experiment, Explanation
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Job
from models.experiments.trained import record_flow, train_and_measure
from models.gradient_adapter import common
from models.gradient_adapter.arms import LABELS
from models.gradient_adapter.common import PAPER, MnistConfig, prepare
from models.gradient_adapter.depth import reach, with_depth
from models.gradient_adapter.flow_claims import (
    CLAIMS,
    ESTIMATORS,
    LAYERS,
    PAIRS,
    SCALES,
)
from models.gradient_adapter.flow_panels import draw
from models.gradient_adapter.flow_tables import tables
from models.gradient_adapter.measures.estimators import (
    Sent,
    adapted,
    cosine,
    results_of,
    sent,
    spread,
)
from models.gradient_adapter.measures.smoothed import (
    compare,
    reference_of,
    smoothed_slopes,
)

MINIBATCHES = 100
"""So many give the variance, or as many as there are."""


@dataclass(frozen=True, kw_only=True)
class FlowConfig(MnistConfig):
    """One scale of the experiment.

    Attributes:
        width: of each of the hidden layers, as many as LAYERS.
        images: the first so many test images give the gradients of nets.
        pairs: of opposite noise for each image, layer and scale of noise.
    """

    width: int
    images: int
    pairs: int


PRESETS = {
    "tiny": Preset(
        FlowConfig(
            "digits",
            epochs=8,
            width=32,
            images=32,
            pairs=480,
            max_examples=1415,
            batch_size=32,
            learning_rate=1e-3,
        ),
        3,
        "seconds, offline",
    ),
    "small": Preset(
        FlowConfig(
            "mnist", epochs=10, width=100, images=64, pairs=8000, max_examples=10_000
        ),
        3,
        "10,000 images of MNIST, minutes",
    ),
    "full": Preset(
        FlowConfig("mnist", epochs=200, width=500, images=64, pairs=8000),
        5,
        "all of MNIST, hours",
    ),
}


def build(config: FlowConfig, arm: str, seed: int) -> Training:
    """Build the network of an arm and its optimiser, untrained."""
    return common.build(with_depth(config, len(LAYERS)), arm, seed)


def train(job: Job, hooks: Hooks) -> dict[str, Any]:
    """Train a network, and look at what each estimator sends through it."""
    return train_and_measure(job, hooks, build, measure)


def measure(training: Training, job: Job) -> dict[str, Any]:
    """Give a trained network each adapter, and compare what they send.

    Returns by name of SCALES what _against says; "between", cosines between
    estimators, as "ste_sste", by layer; "gain", "blocked", "units_blocked" (see Sent)
    and "spread" by estimator and layer; "forward_difference", the greatest difference
    of logits between adapters.
    """
    images, labels = training.examples.test
    part = Part(images[: job.config.images], labels[: job.config.images])
    weights = {name: getattr(training.model, name).weight for name in LAYERS}
    found: dict[str, dict[str, Sent]] = {}
    spreads: dict[str, dict[str, float]] = {}
    logits: list[Any] = []
    for name, adapter in ESTIMATORS.items():
        with adapted(training.model, adapter):
            found[name] = sent(training, part, LAYERS)
            spreads[name] = spread(training, weights, MINIBATCHES)
            logits.append(results_of(training, part.images)[-1])
    return {
        **{scale: _against(training, part, found, scale, job) for scale in SCALES},
        "between": {
            f"{a}_{b}": {
                layer: cosine(found[a][layer].gradient, found[b][layer].gradient)
                for layer in LAYERS
            }
            for a, b in PAIRS
        },
        **{
            what: {
                name: {layer: getattr(one, what) for layer, one in by_layer.items()}
                for name, by_layer in found.items()
            }
            for what in ("gain", "blocked", "units_blocked")
        },
        "spread": spreads,
        "forward_difference": max(float(np.abs(x - logits[0]).max()) for x in logits),
    }


def _against(
    training: Training,
    part: Part,
    found: Mapping[str, Mapping[str, Sent]],
    scale: str,
    job: Job,
) -> dict[str, Any]:
    """Hold estimators against the slope of the loss smoothed with a scale of noise.

    Returns "reference": its "norm", "error" and "clear", the share of elements, by
    layer; and by each name that smoothed.compare gives: {estimator: {layer: number}}.
    """
    parts: list[Any] = list(training.model)  # type: ignore[arg-type]
    results = results_of(training, part.images)
    facts: dict[str, dict[str, float]] = {"norm": {}, "error": {}, "clear": {}}
    compared: dict[str, Any] = {}
    for index, layer in enumerate(LAYERS):
        # Layers and activations alternate.
        slopes = smoothed_slopes(
            parts[2 * index + 1 :],
            results[2 * index],
            part.labels,
            scale=SCALES[scale],
            pairs=job.config.pairs,
            rng=generator(job.seed, f"bpga.flow.{scale}.{layer}"),
        )
        reference = reference_of(slopes)
        facts["norm"][layer] = reference.norm
        facts["error"][layer] = reference.error
        facts["clear"][layer] = float(reference.clear.mean())
        for name in ESTIMATORS:
            numbers = compare(found[name][layer].gradient, reference)
            for what, number in numbers.items():
                compared.setdefault(what, {}).setdefault(name, {})[layer] = number
    return {"reference": facts, **compared}


def explain(config: FlowConfig, checkpoints: Mapping[str, Path]) -> Explanation:
    """Record the gradient of BPGA's network with each adapter; tanh's is kept whole."""
    training = common.restore(
        with_depth(config, len(LAYERS)), "bpga", checkpoints["bpga"]
    )
    texts: list[str] = []
    listed: list[str] = []
    flow = None
    for name, adapter in ESTIMATORS.items():
        with adapted(training.model, adapter):
            flow = record_flow(training, config.images)
        training.optimizer.zero_grad()
        title = f"Gradient flow of BPGA's network with the adapter of {LABELS[name]}"
        texts.append(common.flow_text(title, flow))
        listed.append(f"{LABELS[name]} {100 * reach(flow)['ratio']:.0f} %")
    assert flow is not None
    return Explanation(
        "\n\n".join(texts),
        "In one and the same network the norm of the gradient at the first hidden nets "
        f"is of that at the last: {', '.join(listed)}.",
        flow,
    )


FLOW = Experiment(
    id="bpga.flow",
    recipe="bpga.flow",
    title="the gradient that STE, SSTE and BPGA send, against that of a smoothed loss",
    paper=PAPER,
    presets=PRESETS,
    datasets=("digits", "mnist"),
    published_datasets=("mnist",),
    arms=tuple(ESTIMATORS),
    claims=CLAIMS,
    prepare=prepare,
    train=train,
    tables=tables,
    draw=draw,
    figure_size=(12, 10),
    explain=explain,
)
