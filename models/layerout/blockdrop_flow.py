"""Where the gradients of BlockDrop come from: past blocks, from reward and entropy."""

from pathlib import Path

from minigrad.inspect import Flow
from models.experiments import checkpoint
from models.experiments.experiment import Explanation
from models.experiments.trained import record_flow
from models.layerout.blockdrop.training import BlockDropTraining

CHANCES = "add#1"
"""How a recording calls the probabilities that decisions are drawn with."""


def explain(training: BlockDropTraining, path: Path) -> Explanation:
    """Look at the gradient of joint training, and at what made the policy before it."""
    checkpoint.restore(training, path)
    recipe = training.recipe
    behind = recipe.pretraining + recipe.policy
    training.enter(behind - 1)
    policy = record_flow(training, recipe.joint_batch)
    training.enter(behind)
    flow = record_flow(training, recipe.joint_batch)
    parts = (
        "Gradient flow of joint training, at the trained network",
        str(flow),
        "The gradient of the probabilities when the policy alone trains",
        policy.into(CHANCES).table(),
    )
    return Explanation("\n\n".join(parts), _sentence(flow, policy, training), flow)


def _sentence(flow: Flow, policy: Flow, training: BlockDropTraining) -> str:
    past = past_blocks(flow, training)
    listed = ", ".join(f"{100 * share:.0f} % (block {k})" for k, share in past.items())
    (edge,) = policy.into(CHANCES).edges
    norms = {term.name: term.measures.norm for term in edge.terms}
    return (
        "In joint training this much of the gradient at a block's input comes past the "
        f"block, by its gate's term skipped: {listed}. When the policy alone trains, "
        "the gradient of its probabilities is the sum of the terms reward, of norm "
        f"{norms['reward']:.2g}, and entropy, of norm {norms['entropy']:.2g}."
    )


def past_blocks(flow: Flow, training: BlockDropTraining) -> dict[int, float]:
    """Share of the gradient at a block's input that comes by its gate's other side.

    By the block's number, from 1, for blocks whose shortcut is the identity.
    """
    shares: dict[int, float] = {}
    for k, block in enumerate(training.nets.net.blocks):
        if getattr(block, "shortcut", None) is None:
            name = f"gate#{k}" if k else "net.stem.activation/relu#1"
            edges = [edge for edge in flow.into(name).edges if edge.kernel == "gate"]
            shares[k + 1] = sum(edge.measures.share or 0.0 for edge in edges)
    return shares
