"""Random search: a few settings are tried in short trainings, the best is taken.

Source: Bergstra & Bengio 2012, "Random search for hyper-parameter optimization", JMLR
13. The paper finds all settings this way and prints none.

The first candidate is the setting of the public example, so that no search ends worse
off by bad luck alone; the others are random. They follow from the seed alone: under one
seed all arms of a network choose among the same candidates.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from minigrad.random import generator
from models.experiments.errors import RunError
from models.experiments.pool import Job
from models.experiments.results import damaged, read_json, write_json

_AGAIN = "; delete it and the checkpoint, and run the same command"
Judge = Callable[["Setting"], float]
"""Setting -> validation loss of a short training; not finite if it diverged."""


@dataclass(frozen=True)
class Setting:
    """What the search is free to choose.

    Attributes:
        learning_rate: of Adam.
        batch_size: texts of a step.
        drop_prob: of the words' embeddings.
        recurrent_drop_prob: of the LSTM's state, where there is one.
    """

    learning_rate: float
    batch_size: int
    drop_prob: float
    recurrent_drop_prob: float


@dataclass(frozen=True)
class Space:
    """Where random settings lie.

    Attributes:
        learning_rates: lowest and highest; their logarithm is uniform.
        batch_sizes: one of these.
        highest_drop_prob: both probabilities are uniform between 0 and this.
    """

    learning_rates: tuple[float, float] = (3e-4, 3e-3)
    batch_sizes: tuple[int, ...] = (32, 64)
    highest_drop_prob: float = 0.5

    def candidates(self, first: Setting, count: int, seed: int) -> list[Setting]:
        """Return count settings: the first is given, the others are random.

        >>> example = Setting(1e-3, 32, 0.2, 0.2)
        >>> for setting in Space().candidates(example, 2, seed=0):
        ...     print(f"{setting.learning_rate:.2g}", setting.batch_size)
        0.001 32
        0.0012 32
        """
        rng = generator(seed, "search")
        low, high = map(math.log, self.learning_rates)
        found = [first]
        while len(found) < count:
            setting = Setting(
                learning_rate=math.exp(rng.uniform(low, high)),
                batch_size=int(rng.choice(self.batch_sizes)),
                drop_prob=rng.uniform(0, self.highest_drop_prob),
                recurrent_drop_prob=rng.uniform(0, self.highest_drop_prob),
            )
            found.append(setting)
        return found[:count]


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        settings: the candidates.
        losses: the validation loss of each, in nats; None if it diverged. Empty if
            there was nothing to choose.
        place: of the candidate that was chosen.
        seconds: of the processor.
    """

    settings: tuple[Setting, ...]
    losses: tuple[float | None, ...]
    place: int
    seconds: float

    @property
    def chosen(self) -> Setting:
        """The candidate with the lowest loss, the first of equal ones."""
        return self.settings[self.place]


def search(known: Found, judge: Judge) -> Iterator[Found]:
    """Judge the settings that are left, and yield what is known behind each.

    The first yielded is what is known already; of a single setting nothing is judged.
    """
    yield known
    left = known.settings[len(known.losses) :]
    for setting in left if len(known.settings) > 1 else ():
        started = time.process_time()
        loss = judge(setting)
        losses = (*known.losses, loss if math.isfinite(loss) else None)
        ranked = [math.inf if one is None else one for one in losses]
        seconds = known.seconds + time.process_time() - started
        known = Found(known.settings, losses, ranked.index(min(ranked)), seconds)
        yield known


def path_of(checkpoint: Path) -> Path:
    """The file beside a checkpoint that holds what its search came to."""
    return checkpoint.with_suffix(".search.json")


def search_once(job: Job, settings: Sequence[Setting], judge: Judge) -> Found:
    """Do the search of a job, or what is left of it.

    It is filed behind every setting, so that a run that goes on trains with the same
    one and loses a short training at most. Raises RunError if the file is damaged or of
    another job.
    """
    path = path_of(job.checkpoint)
    owner = {name: getattr(job, name) for name in ("training_hash", "arm", "seed")}
    known = Found(tuple(settings), (), 0, 0.0)
    if path.exists():
        held = read_json(path)
        known = _parsed(path, held)
        own = {name: held.get(name) for name in owner} == owner
        if not own or known.settings != tuple(settings):
            raise RunError(f"{path} is not the search of {owner}{_AGAIN}")
    for found in search(known, judge):
        write_json(path, owner | asdict(found))
        known = found
    return known


def found_beside(checkpoint: Path) -> Found:
    """Read the search whose result the network of a checkpoint was trained with."""
    path = path_of(checkpoint)
    if not path.exists():
        raise RunError(f"{path} is missing, the search behind {checkpoint}{_AGAIN}")
    return _parsed(path, read_json(path))


def _parsed(path: Path, held: dict[str, Any]) -> Found:
    try:
        settings = tuple(Setting(**setting) for setting in held["settings"])
        losses, place = tuple(held["losses"]), held["place"]
        if place not in range(len(settings)) or len(losses) > len(settings):
            raise ValueError(f"place is {place} of {len(settings)}")
        return Found(settings, losses, place, held["seconds"])
    except (KeyError, TypeError, ValueError) as error:
        raise damaged(path, f"no search: {error}") from None
