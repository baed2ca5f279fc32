"""What the columns of a report mean; the definitions are those of `Measures`."""

from __future__ import annotations

from typing import Final

from minigrad.inspect.explain.reasons import HUGE, TINY
from minigrad.inspect.explain.tables import number
from minigrad.inspect.record.measures import NOISE
from minigrad.inspect.report._facts import Scale

_TERMS: Final = {
    "passes": "How often backward() ran. Numbers are means over all passes.",
    "module, gradient": "A module unfolds to what it owns and made, a gradient to its "
    "edges and terms.",
    "gradients": "∂L/∂x of a parameter, or of the result of a kernel call: "
    "<code>module/kernel#n</code> is the n-th call of kernel in module.",
    "edge (input) term": "An edge is what one consumer of the tensor sent back, over "
    "one of its inputs: the edges sum to the gradient. A term is a named part of what "
    "a kernel sends back: the terms sum to the edge.",
    "edges, terms": "How many of them all gradients have.",
    "shape": "Of the tensor and its gradient; of a module, how many gradients are in "
    "it.",
    "norm": "Euclidean norm of the part. A module's is that of all its parameters' "
    "gradients together; without parameters, of its last result.",
    "log scale": "The norm as a bar; the scale is given below.",
    "over time": "The norm in each pass, from the first to the last, on a log scale of "
    "its own: zeros lie below it, what is not finite interrupts the line.",
    "first, last": "Norms in the first and the last of the passes.",
    "least, median, greatest": "Of the norms in all passes in which they are finite.",
    "not finite": "Gradients, or passes, with an element that is infinite or NaN.",
    "verdict": "What is wrong with the gradient, in its first pass that was not "
    f"healthy: not finite; exactly zero; tiny or huge, an rms below {number(TINY)} or "
    f"above {number(HUGE)}; rounding noise, terms that cancel but for rounding; no "
    "gradient, or frozen, where that is on purpose. A module's is the worst inside.",
    "share": "⟨part, total⟩ / ⟨total, total⟩. The shares of the terms sum to 1; a part "
    "below 0, whose bar goes left, works against the rest.",
    "cosine": "Of the angle between the part and the total: 1 same way, 0 at right "
    "angles, -1 opposite.",
    "cancel": "Cancellation: 1 - |sum of t| / sum of |t| over the terms t of the part. "
    "0 if all point one way, 1 if nothing is left of them.",
    "gain": "Norm of the part / norm of the gradient that arrived at the kernel.",
    "dead %": "Elements that are exactly 0.",
    "idle %": "Elements of the kernel in a state that passes little or nothing on, "
    "such as units of a relu that are off.",
    "finite": "Whether no element is infinite or NaN, in any pass.",
    "line": "The line of code that called the kernel, if the recording saw it.",
    "rms": "Root mean square of the elements; verdicts look at it.",
    "mean |.|": "Mean of the absolute values of the elements. Of a weight that is "
    "G_batch, the gradient information of the batch.",
    "conservation error": "|sum of all terms - gradient| / sum of |term|, the greatest "
    "of all passes: a few rounding errors if every part is accounted for.",
    "weight norm": "Euclidean norm of the values before the optimizer's step.",
    "update / weight": "|change of the values| / |values| in the optimizer's step, the "
    "mean over all steps that were seen.",
    "G_sample": "Gradient information of the examples: the mean, over them, of mean "
    "|.| of the gradient of each one's own loss. Never below that of the batch.",
    "source": "What of the gradient comes from this loss term, example or time step.",
    "-": "Not defined: a cosine with zero, or a share of what is not finite or, below "
    f"{NOISE} machine epsilons of its terms, mere rounding noise.",
}


def glossary(scale: Scale) -> str:
    """Return the definitions; scale is that of the bars of norms."""
    bars = f"Bars of norms go from 1e{scale.low} to 1e{scale.high} on a log scale."
    items = "".join(
        f"<div><dt>{name}</dt><dd>{words}</dd></div>" for name, words in _TERMS.items()
    )
    return f'<dl class="glossary">{items}</dl><p class="unit">{bars}</p>'
