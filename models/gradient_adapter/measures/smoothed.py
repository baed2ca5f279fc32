"""The slope of a smoothed loss: what estimators of a sign's gradient are held against.

The loss J of a network of signs is flat almost everywhere in the nets z of a layer: its
true gradient is 0, and says nothing. With noise added to z it is not: by Stein's
identity, for xi of independent standard normal numbers,

    d/dz E[J(z + s xi)] = E[J(z + s xi) xi] / s
                        = E[(J(z + s xi) - J(z - s xi)) xi] / (2 s),

for any J, however it jumps. The second form, of pairs of opposite noise, varies less.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from minigrad import functional as F
from minigrad import nn, no_grad, tensor
from minigrad.errors import ArgumentError, got

Floats = npt.NDArray[np.floating]

CHUNKS = 16
"""Independent means that a slope is the mean of: they tell its standard error."""
CLEAR = 3.0
"""A slope of so many standard errors has a sign that is known."""


class Reference(NamedTuple):
    """A slope that is known up to noise.

    Attributes:
        slope: its estimate (N, D).
        norm: Euclidean norm of the true slope, without bias; the noise's where the
            slope drowns in it.
        error: standard error of slope, root of the sum over elements, by norm; 1 where
            it drowns, 0 where both are 0.
        clear: (N, D), whether an element is CLEAR of 0.
    """

    slope: Floats
    norm: float
    error: float
    clear: npt.NDArray[np.bool_]


def losses(
    above: Sequence[nn.Module], nets: Floats, labels: npt.NDArray[np.int64]
) -> Floats:
    """Cross-entropy (M, N) in nats, of nets (M, N, D) of a layer; labels are (N,).

    above is what stands above the layer: its activation, and all that follows.
    """
    count, batch, width = nets.shape
    with no_grad():
        x = tensor(nets.reshape(count * batch, width))
        for part in above:
            x = part(x)
        targets = tensor(np.tile(labels, count))
        found = F.cross_entropy(x, targets, reduction="none")
    return found.numpy().reshape(count, batch)


def smoothed_slopes(
    above: Sequence[nn.Module],
    nets: Floats,
    labels: npt.NDArray[np.int64],
    *,
    scale: float,
    pairs: int,
    rng: np.random.Generator,
) -> Floats:
    """Estimate the slope of each example's smoothed loss at nets (N, D), CHUNKS times.

    Args:
        above: see losses.
        nets: (N, D).
        labels: (N,).
        scale: standard deviation of the noise, s.
        pairs: so many pairs of opposite noise, for all CHUNKS together.
        rng: the noise is drawn from it.

    Returns (CHUNKS, N, D). Raises ArgumentError for fewer pairs than CHUNKS.
    """
    if pairs < CHUNKS:
        raise ArgumentError(
            got("smoothed_slopes", "pairs", pairs, f"at least {CHUNKS}")
        )
    size = pairs // CHUNKS
    found: list[Floats] = []
    for _ in range(CHUNKS):
        xi = rng.standard_normal((size, *nets.shape), dtype=np.float32)
        move = np.float32(scale) * xi
        rise = losses(above, nets + move, labels) - losses(above, nets - move, labels)
        found.append(np.einsum("mn,mnd->nd", rise, xi) / (2 * scale * size))
    return np.stack(found).astype(np.float64)


def reference_of(slopes: Floats) -> Reference:
    """Combine independent estimates (CHUNKS, N, D) of equal size."""
    count, slope = len(slopes), slopes.mean(axis=0)
    variance = slopes.var(axis=0, ddof=1) / count
    noise = float(variance.sum())
    # E |slope|^2 = |true slope|^2 + noise.
    squared = float((slope * slope).sum()) - noise
    norm = math.sqrt(squared if squared > 0 else noise)
    error = math.sqrt(noise) / norm if norm else 0.0
    return Reference(slope, norm, error, np.abs(slope) > CLEAR * np.sqrt(variance))


def compare(estimate: Floats, reference: Reference) -> dict[str, float]:
    """Hold an estimate (N, D) against a reference; noise of the reference drops out.

    Returns "cosine"; "bias", the norm of the difference by that of the reference;
    "scaled_bias", the same after the best scaling of the estimate; "signs", the share
    of equal signs among elements where the reference's is known; "norm", the
    estimate's norm by the reference's. A cosine with 0, and a share of none, are 0.
    Raises ArgumentError if the reference is 0.
    """
    if not reference.norm:
        raise ArgumentError(
            got("compare", "reference.norm", 0, "a slope that is not 0 everywhere")
        )
    size = float(np.linalg.norm(estimate)) / reference.norm
    # Products with the reference are without bias; its square is, in norm.
    product = float((estimate * reference.slope).sum()) / reference.norm**2
    cosine = product / size if size else 0.0
    clear = reference.clear
    equal = np.sign(estimate[clear]) == np.sign(reference.slope[clear])
    return {
        "cosine": cosine,
        "bias": math.sqrt(max(0.0, size * size - 2 * product + 1)),
        "scaled_bias": math.sqrt(max(0.0, 1 - cosine * cosine)),
        "signs": float(equal.mean()) if equal.size else 0.0,
        "norm": size,
    }
