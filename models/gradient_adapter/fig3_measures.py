"""What bpga.fig3 measures of adapters, as the engine computes them.

Points and results are NumPy arrays, whatever the backend.
"""

import math
from typing import Any

import numpy as np

from minigrad import functional as F
from minigrad import tensor
from minigrad.backend import to_host
from minigrad.kernels.adapters import ADAPTERS, is_gradient_adapter
from minigrad.random import generator
from models.gradient_adapter.fig3_claims import LARGEST, NEAR_ZERO

SMALLEST = 1e-4
"""Of |x|, at random points."""
EDGES = (-2.0, -1.0, -0.0, 0.0, 1.0, 2.0)
"""Points beside the random ones: kinks, and zero."""
KINKS = (1.0, 2.0)
ROOM = 1e-3
"""Differences are taken farther from kinks than this."""
STEP = 1e-5
"""Half of what differences are taken over, in parts of max(1, |x|)."""
GRID = np.concatenate([np.arange(0, 256, 1 / 64), 2.0 ** np.arange(8, 127)])
"""|x| at which the first slope of 0 is looked for."""


def value_of(arm: str, x: Any) -> Any:
    """Return g(x), as the engine computes it."""
    return to_host(ADAPTERS[arm].value(tensor(x).data))


def slope_of(arm: str, x: Any, dy: Any = None) -> Any:
    """Return the gradient that a dy (default: 1) leaves below sign(x)."""
    leaf = tensor(x, requires_grad=True)
    F.sign(leaf, arm).backward(tensor(np.ones_like(x) if dy is None else dy))
    return leaf.grad.numpy()  # type: ignore[union-attr]


def random_points(seed: int, count: int) -> Any:
    """Draw x (count,): |x| log-uniform in [SMALLEST, LARGEST], random sign."""
    rng = generator(seed, "points")
    size = SMALLEST * (LARGEST / SMALLEST) ** rng.random(count)
    return np.where(rng.random(count) < 0.5, -size, size)


def differences(arm: str, x: Any) -> Any:
    """Slopes of g at x by central differences, in float64."""
    x = x.astype("float64")
    step = STEP * np.maximum(1, np.abs(x))
    above, below = x + step, x - step
    return (value_of(arm, above) - value_of(arm, below)) / (above - below)


def off_kinks(x: Any) -> Any:
    """Keep x farther than ROOM from where slopes of adapters bend or jump."""
    size = np.abs(x)
    far = [np.abs(size - kink) > ROOM for kink in KINKS]
    # Softsign's slope has a kink at 0; differences must not reach across it.
    return x[np.all(far, axis=0) & (size > 2 * STEP)]


def in_dtype(arm: str, x: Any, nets: Any, seed: int) -> dict[str, float]:
    """Measure an adapter at points x and nets, in their dtype.

    Returns numbers of points where F.sign is not the sign, greatest differences (of
    slopes from those of g, of g from sign at |x| >= 1, of slopes from 1 for |x| <= 1
    and 0 beyond, of gradients from those of STE and SSTE), shares in percent of slopes
    that are 0, at nets and at all points, and the mean slope at nets.
    """
    at = np.concatenate([x, nets, np.array(EDGES, x.dtype)])
    dy = generator(seed, "dy").standard_normal(at.shape).astype(x.dtype)
    signs = F.sign(tensor(at), arm).numpy()
    slope, dx, net_slope = (
        slope_of(arm, at),
        slope_of(arm, at, dy),
        slope_of(arm, nets),
    )
    inside, outside = np.abs(at) <= 1, at[np.abs(at) >= 1]
    smooth = off_kinks(at)
    return {
        "wrong_signs": int((signs != np.sign(at)).sum()),
        "slope_error": _gap(slope_of(arm, smooth), differences(arm, smooth)),
        "off_sign_beyond_1": _gap(value_of(arm, outside), np.sign(outside)),
        "off_indicator": _gap(slope, inside),
        "off_ste": _gap(dx, dy),
        "off_sste": _gap(dx, dy * inside),
        "dead": 100 * float((net_slope == 0).mean()),
        "dead_far": 100 * float((slope_of(arm, x) == 0).mean()),
        "mean_slope": float(net_slope.mean(dtype="float64")),
    }


def _gap(found: Any, expected: Any) -> float:
    return float(np.abs(found - expected.astype("float64")).max())


def at_nets(arm: str, nets: Any) -> dict[str, float]:
    """Measure how far g is from sign: mean square over nets, and the least near 0."""
    gap = np.sign(nets) - value_of(arm, nets)
    near = np.abs(gap[(np.abs(nets) < NEAR_ZERO) & (nets != 0)])
    return {"mse": float((gap * gap).mean()), "gap_near_zero": float(near.min())}


def propositions(arm: str) -> dict[str, float | None]:
    """Propositions 3.1 and 3.2, 1 where met, else 0; the limit of |g|, None if none."""
    report = is_gradient_adapter(arm)
    limit = report.limit if math.isfinite(report.limit) else None
    return {
        "keeps_sign": float(report.keeps_sign),
        "saturates": float(report.saturates),
        "limit": limit,
        "limit_gap": None if limit is None else abs(limit - 1),
    }


def of_slope(arm: str) -> dict[str, float | None]:
    """Measure g' at 0, its greatest change over steps of 0.001, and where it ends.

    dead_from is the least |x| of GRID at which the slope is 0 in float32; None: none.
    """
    dense = np.arange(-4000, 4001) / 1000
    dead = GRID[slope_of(arm, GRID.astype("float32")) == 0]
    return {
        "slope_at_zero": float(slope_of(arm, np.zeros(1))[0]),
        "slope_jump": float(np.abs(np.diff(slope_of(arm, dense))).max()),
        "dead_from": float(dead[0]) if len(dead) else None,
    }
