"""What a report or plot says of a recording, gathered once and still without a look."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from minigrad.inspect.explain import reasons
from minigrad.inspect.record.history import History, OverTime
from minigrad.inspect.record.records import Pass, Target

SEVERITY: Final = ("not finite", "none", "zero", "huge", "tiny", "noise")
"""Verdicts from the worst on; others follow, then those of HARMLESS."""

HARMLESS: Final = ("frozen", "healthy")
"""Verdicts that are as they should be; "frozen" is no gradient, on purpose."""

WORDS: Final = {"none": "no gradient", "noise": "rounding noise"}
"""What a verdict is called where its own name is too short."""


class Recorded(Protocol):
    """What is read of a `Flow`, whose module cannot be imported here: it imports us."""

    @property
    def count(self) -> int:
        """How many passes there were."""
        ...

    @property
    def targets(self) -> Pass:
        """The gradients by name."""
        ...

    @property
    def _history(self) -> History: ...

    def table(self) -> str:
        """Lay the recording out as text."""
        ...

    def why(self, name: str) -> str:
        """Say why a gradient is what it is."""
        ...

    def into(self, name: str) -> Target:
        """Return the gradient called name."""
        ...

    def _missing(self) -> list[str]: ...

    def _is_frozen(self, name: str) -> bool: ...

    def _expect_passes(self, who: str) -> History: ...


@dataclass(frozen=True)
class Facts:
    """A recording as a report tells it.

    Attributes:
        count: how many passes.
        targets: the gradients by name, in forward order, means over all passes.
        verdicts: of each of them, on its first pass that was not healthy; then of those
            without a gradient.
        sentences: `Flow.why` of all that are not healthy: parameters and named leaves,
            then results, in forward order; last what has no gradient.
        spells: of parameters that were frozen in some passes only: in how many.
        over_time: of each gradient.
        roots: what backward() was called on.
    """

    count: int
    targets: Pass
    verdicts: dict[str, str]
    sentences: dict[str, str]
    spells: dict[str, str]
    over_time: dict[str, OverTime]
    roots: list[str]

    @property
    def stepped(self) -> bool:
        """Whether it is known of any gradient how far a step moved the values."""
        return any(target.update is not None for target in self.targets.values())

    @property
    def error(self) -> float:
        """The greatest conservation error; NaN if one of them is."""
        errors = [target.error for target in self.targets.values()]
        return math.nan if any(map(math.isnan, errors)) else max(errors)

    def tally(self) -> dict[str, int]:
        """Count verdicts, the worst first."""
        found = Counter(self.verdicts.values())
        return {verdict: found[verdict] for verdict in sorted(found, key=severity)}


def gather(flow: Recorded) -> Facts:
    """Read all that a report needs of flow."""
    history, targets = flow._history, flow.targets
    seen = {name: history.ill.get(name, history.last[name]) for name in targets}
    verdicts = {name: reasons.verdict(event.target) for name, event in seen.items()}
    missing = {
        name: "frozen" if flow._is_frozen(name) else "none"
        for name in (flow._missing() if targets else ())
    }
    ill = [name for name in targets if name in history.ill]
    # Stable: what is trained, in forward order, is what one asks about.
    ill.sort(key=lambda name: not is_trained(targets[name]))
    told = [*ill, *missing]
    return Facts(
        count=flow.count,
        targets=targets,
        verdicts={**verdicts, **missing},
        sentences={name: flow.why(name) for name in told},
        spells={name: history.spell(name) for name in history.frozen},
        over_time=dict(history.over_time),
        roots=list(history.roots),
    )


def severity(verdict: str) -> tuple[int, str]:
    """Sort verdicts by it, the worst first."""
    order = [*SEVERITY, "", *HARMLESS]
    return order.index(verdict if verdict in order else ""), verdict


def plural(count: int, noun: str) -> str:
    """Return the count and the noun.

    >>> plural(1, "edge"), plural(2, "edge")
    ('1 edge', '2 edges')
    """
    return f"{count} {noun}{'s' * (count != 1)}"


def worst(verdicts: Iterable[str]) -> str:
    """Return the worst of verdicts."""
    return min(verdicts, key=severity, default="healthy")


# -- modules ---------------------------------------------------------------------------


@dataclass
class Folder:
    """A module, with what it owns and made and the modules inside, in forward order."""

    path: str
    content: list[Folder | Target] = field(default_factory=list["Folder | Target"])
    inner: dict[str, Folder] = field(default_factory=dict[str, "Folder"])

    def folder(self, name: str) -> Folder:
        """Return the module called name directly inside, made when first asked for."""
        if name not in self.inner:
            path = f"{self.path}.{name}" if self.path else name
            self.inner[name] = Folder(path)
            self.content.append(self.inner[name])
        return self.inner[name]

    def targets(self) -> Iterator[Target]:
        """Walk over the gradients in this module and those inside."""
        for one in self.content:
            if isinstance(one, Folder):
                yield from one.targets()
            else:
                yield one


def tree(targets: Iterable[Target]) -> Folder:
    """Sort gradients into their modules; the outermost one has the path ""."""
    root = Folder("")
    for target in targets:
        place = root
        for name in target.module.split(".") if target.module else ():
            place = place.folder(name)
        place.content.append(target)
    return root


def joint_norm(folder: Folder) -> float | None:
    """Return the norm of the gradient for all parameters of a module taken together.

    Without parameters, that of the last result it made; None if it has neither.
    """
    found = list(folder.targets())
    owned = [target.measures.norm for target in found if is_trained(target)]
    if owned:
        return math.hypot(*owned)
    made = [target.measures.norm for target in found if target.number is not None]
    return made[-1] if made else None


def is_trained(target: Target) -> bool:
    """Tell whether target is a parameter, or a leaf that the caller named."""
    return target.kind == "parameter" or (
        target.kind == "named" and target.number is None
    )


# -- depth -----------------------------------------------------------------------------


class Point(NamedTuple):
    """A gradient in a picture of norms by depth.

    Attributes:
        name, verdict: of the gradient.
        weight: whether it is of a tensor of two axes or more.
        norm: the mean over passes; where that is not finite, over those in which it
            was; None if it never was.
        low, high: least and greatest finite norm of all passes.
    """

    name: str
    verdict: str
    weight: bool
    norm: float | None
    low: float | None
    high: float | None


def points(facts: Facts, targets: Iterable[Target]) -> list[Point]:
    """Return a point for each of targets."""
    return [
        _point(target, facts.verdicts[target.name], facts.over_time[target.name])
        for target in targets
    ]


def _point(target: Target, verdict: str, over_time: OverTime) -> Point:
    norm: float | None = target.measures.norm
    sketch = over_time.sketches["norm"]
    if not math.isfinite(target.measures.norm):
        norm = sketch.mean
    return Point(
        target.name,
        verdict,
        len(target.shape) > 1,
        norm,
        sketch.minimum,
        sketch.maximum,
    )


def through_depth(facts: Facts) -> tuple[str, list[Target]]:
    """Choose what a picture of depth shows, and say what that is.

    The parameters and named leaves; if there are none, all gradients.
    """
    trained = [target for target in facts.targets.values() if is_trained(target)]
    if trained:
        return "parameter", trained
    return "gradient", list(facts.targets.values())


def words(what: str, weight: bool) -> str:
    """Return what points are called in a picture of `through_depth`'s what."""
    if what == "parameter":
        return "weights" if weight else "biases, scales"
    return "of two axes or more" if weight else "of one axis or none"


class Scale(NamedTuple):
    """A log scale from 10**low to 10**high."""

    low: int
    high: int

    @classmethod
    def of(cls, norms: Iterable[float | None]) -> Scale:
        """Return the least scale of whole decades that holds all positive norms."""
        logs = [math.log10(n) for n in norms if n and 0 < n < math.inf]
        if not logs:
            return cls(-1, 1)
        low, high = math.floor(min(logs)), math.ceil(max(logs))
        return cls(low, high if high > low else low + 1)

    def place(self, norm: float) -> float:
        """Return where a positive norm lies: 0 at the lower end, 1 at the upper."""
        return self.level(math.log10(norm))

    def level(self, decade: float) -> float:
        """Return where 10**decade lies, which may be beyond the largest float."""
        return (decade - self.low) / (self.high - self.low)

    def decades(self, most: int) -> list[int]:
        """Return at most `most` powers of ten at even distances."""
        span = self.high - self.low
        step = next(
            step
            for size in range(400)
            for step in (10**size, 2 * 10**size, 5 * 10**size)
            if span // step < most
        )
        first = math.ceil(self.low / step) * step
        return list(range(first, self.high + 1, step))
