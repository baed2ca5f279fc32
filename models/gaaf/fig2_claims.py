"""What Fig. 2 and section 3.2 state of saturated nets, and what decides it."""

from models.experiments.claims import Claim, Ordered, Quantity
from models.gaaf.common import DECISIVE, LAYERS

SHAKEN = ("layer2", "layer3")
"""Layers with dropout below them; nets of layer1 do not move."""
VARIANCE = 1.07
"""Of nets of layer2 and layer3, Table 3."""
AT = (0, 1, 2, 3, 4)
"""Nets for which the schematic is tabled."""


def of(metric: str, label: str = "", arm: str = "dropout") -> Quantity:
    """A number of the dropout network; see models.gaaf.fig2.measure."""
    return Quantity(arm, metric, label)


def _rises(group: str, product: str, *, falls: bool = False) -> Ordered:
    """With masks a product is larger than without, or falls, in layer2 and layer3."""
    pairs = tuple(
        (
            of(f"still.{layer}.{group}.{product}", f"{layer} without"),
            of(f"masked.{layer}.{group}.{product}", f"{layer} with"),
        )
        for layer in SHAKEN
    )
    if falls:
        pairs = tuple((larger, smaller) for smaller, larger in pairs)
    return Ordered(pairs, (1.0,) * len(pairs), logarithmic=True)


def _schematic(places: tuple[int, ...]) -> Ordered:
    pairs = tuple(
        (
            of(f"schematic.still.{z}", f"z = {z}"),
            of(f"schematic.shaken.{z}", "with variance"),
        )
        for z in places
    )
    return Ordered(pairs, (1.0,) * len(pairs), logarithmic=True)


def _larger_part(of_slope: str, of_others: str, layers: tuple[str, ...]) -> Ordered:
    pairs = tuple(
        (
            of(of_others.format(layer), f"{layer} others"),
            of(of_slope.format(layer), "slope"),
        )
        for layer in layers
    )
    return Ordered(pairs, (0.0,) * len(pairs))


def _falls_with_rate(metric: str) -> Ordered:
    """A number with masks is smaller with less dropout, in layer2 and layer3."""
    pairs = tuple(
        (
            of(f"masked.{layer}.{metric}", f"{layer} p x 0.4", arm="less_dropout"),
            of(f"masked.{layer}.{metric}", "p"),
        )
        for layer in SHAKEN
    )
    return Ordered(pairs, (1.0,) * len(pairs), logarithmic=True)


CLAIMS = (
    Claim(
        f"by calculation, a variance of {VARIANCE} raises the slope of a saturated net "
        "(mean tanh')",
        "Fig. 2, a sketch; variance 1.07 in Table 3",
        "Fig. 2",
        _schematic((2, 3, 4)),
        form=".4f",
    ),
    Claim(
        "in the trained network, masks raise the slope of saturated units, |z| > 2 "
        "without masks (mean tanh')",
        "in words: `the variance generates gradient flow even on the saturated areas`",
        "section 3.2, Fig. 2",
        _rises("saturated", "slope"),
        **DECISIVE,
        form=".4f",
    ),
    Claim(
        "they do so especially at the boundary: the mean slope gains more just before "
        "it, 1 < |z| < 2, than beyond",
        "in words: `especially around the boundary of saturation areas`",
        "section 3.2",
        Ordered(
            tuple(
                (
                    of(f"gain.{layer}.saturated", f"{layer} beyond"),
                    of(f"gain.{layer}.bent", "boundary"),
                )
                for layer in SHAKEN
            ),
            (0.0, 0.0),
        ),
        **DECISIVE,
        form=".4f",
    ),
    Claim(
        "masks let more gradient through saturated units, |z| > 2 without masks (mean "
        "|dL/dz|)",
        "in words: `gradient information can flow even for z_j in the figure`",
        "section 3.2, Fig. 2",
        _rises("saturated", "gradient"),
        **DECISIVE,
        form=".1e",
    ),
    Claim(
        "saturated units get their slope when masks move them inwards: share of the "
        "slope above a half",
        "in words: gradient when z moves to the left, none to the right",
        "section 3.2, Fig. 2",
        Ordered(
            tuple((0.5, of(f"inward.{layer}", layer)) for layer in SHAKEN), (0.0, 0.0)
        ),
        **DECISIVE,
    ),
    Claim(
        "with a smaller dropout rate the net variance is smaller, in layer2 and layer3",
        "in words: `if the rate of dropout decreases, then the net variance would "
        "decrease`",
        "section 4",
        _falls_with_rate("variance"),
        **DECISIVE,
        form=".3f",
    ),
    Claim(
        "with a smaller dropout rate there is less gradient at saturated units, "
        "|z| > 2 without masks (mean |dL/dz|)",
        "in words: `which in turn decreases the amount of gradient on the saturation "
        "areas`",
        "section 4",
        _falls_with_rate("saturated.gradient"),
        **DECISIVE,
        form=".1e",
    ),
    Claim(
        "masks increase the total gradient flow (mean |dL/dz| of all units, ln with / "
        "without > 0)",
        "in words: `so that the total gradient flow is increased`; Table 2",
        "section 3.2",
        Ordered(
            tuple((0.0, of(f"split.{layer}.total", layer)) for layer in LAYERS),
            (0.0,) * len(LAYERS),
        ),
        **DECISIVE,
        form=".3f",
    ),
    Claim(
        "this explains the increase: slopes have the larger part of ln with / without, "
        "against all other causes, in every layer",
        "in words: `this phenomenon can explain the dropout effect`",
        "section 3.2",
        _larger_part("split.{}.slope", "split.{}.other", LAYERS),
        **DECISIVE,
        form=".3f",
    ),
    Claim(
        "control: the same for the units that are saturated without masks alone",
        "not in the paper; units for which Fig. 2 is drawn",
        "control of Fig. 2",
        _larger_part("parts.{}.saturated.slope", "parts.{}.saturated.arriving", SHAKEN),
        **DECISIVE,
        form=".3f",
    ),
    Claim(
        "control: a variance lowers the slope where tanh is steep, z = 0 (mean tanh')",
        "not in the paper",
        "control of Fig. 2",
        Ordered(
            (
                (
                    of("schematic.shaken.0", "with variance"),
                    of("schematic.still.0", "z = 0"),
                ),
            ),
            (1.0,),
            logarithmic=True,
        ),
        form=".3f",
    ),
    Claim(
        "control: masks lower the slope of units in the linear region, |z| < 1 without "
        "masks (mean tanh')",
        "not in the paper",
        "control of Fig. 2",
        _rises("linear", "slope", falls=True),
        **DECISIVE,
        form=".4f",
    ),
    Claim(
        "control: over all units, masks raise the mean slope",
        "not in the paper; needed if slopes are to explain the increase",
        "control of Fig. 2",
        _rises("all", "slope"),
        **DECISIVE,
        form=".4f",
    ),
)
