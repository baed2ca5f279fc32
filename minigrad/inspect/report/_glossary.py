"""What the columns of a report mean; the definitions are those of `Measures`."""

from __future__ import annotations

from typing import Final

from minigrad.inspect.record.measures import NOISE
from minigrad.inspect.report._facts import Scale

_TERMS: Final = {
    "gradient": "∂L/∂x of a parameter, or of the result of a kernel call: "
    "<code>module/kernel#n</code> is the n-th call of kernel in module.",
    "edge (input)": "What one consumer of the tensor sent back, and over which of its "
    "inputs. The edges sum to the gradient.",
    "term": "A named part of what a kernel sends back. The terms sum to the edge.",
    "norm": "Euclidean norm of the part. A module's is that of all its parameters' "
    "gradients together; without parameters, of its last result.",
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
    "conservation error": "|sum of all terms - gradient| / sum of |term|, the greatest "
    "of all passes: a few rounding errors if every part is accounted for.",
    "update / weight": "|change of the values| / |values| in the optimizer's step.",
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
