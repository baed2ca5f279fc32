"""How much dropout's masks make the nets of a trained network vary.

Where the input x of a layer is random itself, the law of total variance splits the
variance of a net z: Var(z) = E[Var(z | x)] + Var(E[z | x]). The first term is eq. 6,
averaged over x; the second is what the layers below hand on.
"""

from typing import Any

import numpy
from numpy import ndarray

from minigrad import no_grad
from minigrad.inspect import dropout_net_variance, net_variance, outputs
from minigrad.random import generator
from models.experiments.loop import Training
from models.experiments.pool import Job

PASSES = 20
"""Forward passes of the same batch: those of Table 3."""
BLOCKS = 25
"""So many times PASSES are made; their spread is the standard error of the mean."""
NODES = 64
"""So many nodes of a layer are kept for the figure, at most."""
INPUTS = {"layer2": "activation1", "layer3": "activation2", "output": "activation3"}
"""Layer -> what dropout masks on the way to it."""


def draw_batch(training: Training, job: Job) -> Any:
    """Draw the images of one training batch, by the seed."""
    images = training.examples.train.images
    rng = generator(job.seed, "gaaf.table3.batch")
    return images[rng.choice(len(images), training.batch_size, replace=False)]


def one_block(training: Training, images: Any, drop_prob: float) -> dict[str, ndarray]:
    """Pass images PASSES times through the network with fresh masks.

    Returns layer -> (3, J): of each node's net the variance over the passes, eq. 6
    averaged over the passes, and the variance of x W'; each the mean over the images.
    Of layer1 it is (1, J): there is no dropout below.
    """
    model: Any = training.model
    model.train()
    with no_grad(), outputs(model, "layer*", "output", *INPUTS.values()) as seen:
        for _ in range(PASSES):
            training.outputs(images)
    found = {"layer1": net_variance(seen["layer1"]).mean(axis=0, keepdims=True)}
    for layer, below in INPUTS.items():
        weight = getattr(model, layer).weight.data
        xs = seen[below]
        parts = (
            net_variance(seen[layer]),
            numpy.mean([dropout_net_variance(x, weight, drop_prob) for x in xs], 0),
            net_variance([x @ weight.T for x in xs]),
        )
        found[layer] = numpy.stack([part.mean(axis=0) for part in parts])
    return found


def all_blocks(training: Training, images: Any, drop_prob: float) -> dict[str, ndarray]:
    """Make BLOCKS blocks: layer -> (BLOCKS, 3, J), or (BLOCKS, 1, J)."""
    blocks = [one_block(training, images, drop_prob) for _ in range(BLOCKS)]
    return {
        layer: numpy.stack([block[layer] for block in blocks]) for layer in blocks[0]
    }


def summarize(blocks: ndarray) -> dict[str, float]:
    """Average (BLOCKS, 3, J), or (BLOCKS, 1, J), over blocks and nodes.

    one_block is the variance over the PASSES of the first block alone, as in Table 3;
    variance that over all blocks, and error its standard error; eq6 and carried are the
    two terms of the law of total variance; eq6_ratio and sum_ratio are eq. 6, and the
    sum of both, divided by the variance; node_error is the root mean square over nodes
    of sum / variance - 1. Of layer1 there are the first three alone.
    """
    by_block = blocks[:, 0].mean(axis=1)
    measured = {
        "one_block": float(by_block[0]),
        "variance": float(by_block.mean()),
        "error": float(by_block.std(ddof=1) / len(blocks) ** 0.5),
    }
    if blocks.shape[1] == 1:
        return measured
    variance, eq6, carried = blocks.mean(axis=0)
    off = (eq6 + carried) / variance - 1
    return measured | {
        "eq6": float(eq6.mean()),
        "carried": float(carried.mean()),
        "eq6_ratio": float(eq6.mean() / variance.mean()),
        "sum_ratio": float((eq6 + carried).mean() / variance.mean()),
        "node_error": float(numpy.sqrt((off * off).mean())),
    }


def some_nodes(blocks: ndarray) -> dict[str, list[float]]:
    """Average (BLOCKS, 3, J) over blocks, for at most NODES nodes, evenly spaced.

    Returns the variance and its two terms, to four digits, each a list over nodes.
    """
    nodes = blocks.mean(axis=0)[:, :: -(-blocks.shape[2] // NODES)]
    names = ("variance", "eq6", "carried")
    return {
        name: [float(f"{value:.4g}") for value in row]
        for name, row in zip(names, nodes, strict=True)
    }
