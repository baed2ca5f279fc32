"""An experiment: one table or figure of a paper, ready to be run."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minigrad.inspect import Flow
from models.experiments.claims import Claim, Record
from models.experiments.config import Preset
from models.experiments.pool import Hooks, Job
from models.experiments.tables import Table

WriteExtra = Callable[[Any, Mapping[str, Path], Path], None]
"""(config, path of seed 0's checkpoint by arm, path) -> None: writes a file at path."""


@dataclass(frozen=True)
class Explanation:
    """Where the gradient of a trained network comes from: words, and the recording."""

    table: str
    sentence: str
    flow: Flow


@dataclass(frozen=True)
class Experiment:
    """One table or figure of a paper.

    Attributes:
        id: `<paper>.<table or figure>`.
        recipe: names how the arms are trained; experiments of one recipe share the
            networks that they train with equal configurations.
        title: what it shows, in one line.
        paper: authors, title, year.
        presets: by name, smallest first; the first is the default.
        datasets: the data sets that it runs on.
        published_datasets: those that the paper's numbers are of.
        arms: what is compared; every seed trains each of them.
        claims: what is to be shown.
        prepare: config -> None; raises if data are missing, before anything is trained.
        train: trains one network and measures it, in a process of its own.
        tables: one record a seed -> published beside measured numbers.
        draw: (figure, full records with histories) -> None.
        figure_size: inches.
        explain: (config, path of seed 0's checkpoint by arm) -> Explanation.
    """

    id: str
    recipe: str
    title: str
    paper: str
    presets: Mapping[str, Preset]
    datasets: tuple[str, ...]
    published_datasets: tuple[str, ...]
    arms: tuple[str, ...]
    claims: tuple[Claim, ...]
    prepare: Callable[[Any], None]
    train: Callable[[Job, Hooks], dict[str, Any]]
    tables: Callable[[Sequence[Record]], list[Table]]
    draw: Callable[[Any, Sequence[Record]], None]
    figure_size: tuple[float, float]
    explain: Callable[[Any, Mapping[str, Path]], Explanation]
    aliases: tuple[str, ...] = ()
    """Further ids: of a figure that shows the same numbers, say."""
    extras: Mapping[str, WriteExtra] = field(default_factory=dict[str, WriteExtra])
    """File name -> what writes it, for files of a run that others do not have."""

    @property
    def family(self) -> str:
        """The paper's short name: the part of the id before the dot."""
        return self.id.partition(".")[0]

    @property
    def folder(self) -> str:
        """The paper's folder in models/: the package that its train is in."""
        return self.train.__module__.split(".")[-2]
