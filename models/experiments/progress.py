"""Progress on stderr: one bar with ETA in a terminal, plain lines elsewhere."""

import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EpochDone:
    """What a training reports after an epoch, or when it goes on from a checkpoint.

    Attributes:
        arm, seed: whose it is.
        epoch: how many epochs are done and saved.
        epochs: how many there will be at most.
        train_loss: of the last of them, in nats.
        validation_accuracy: after it, in %.
        resumed: whether those epochs were done by an earlier run.
    """

    arm: str
    seed: int
    epoch: int
    epochs: int
    train_loss: float
    validation_accuracy: float
    resumed: bool = False


class Progress:
    """Counts epochs over all trainings of a run.

    Early stopping may end it below its total, which assumes that no training stops.
    """

    LINES = 5
    """Lines a training prints, where there is no terminal."""

    def __init__(self, title: str, total: int) -> None:
        """Start at 0 of total epochs."""
        self.title = title
        self.reached: dict[tuple[str, int], int] = {}
        """(arm, seed) -> epochs that are done and saved."""
        self._bar = self._make_bar(total) if sys.stderr.isatty() else None

    def _make_bar(self, total: int) -> Any:
        from tqdm import tqdm  # only for terminals, and slow to import

        # nrows: terminals that report a height of 0 would be shown nothing.
        return tqdm(
            total=total, desc=self.title, unit="epoch", nrows=20, file=sys.stderr
        )

    def epoch(self, event: EpochDone) -> None:
        """Show how far a training has come."""
        before = self.reached.get((event.arm, event.seed), 0)
        self.reached[event.arm, event.seed] = event.epoch
        if self._bar is not None:
            if event.resumed:
                # ETA comes from the epochs of this run alone.
                self._bar.initial += event.epoch - before
            self._bar.set_postfix_str(f"{event.arm} seed {event.seed}", refresh=False)
            self._bar.update(event.epoch - before)
        elif event.resumed or event.epoch % -(-event.epochs // self.LINES) == 0:
            print(self._line(event), file=sys.stderr, flush=True)

    def _line(self, event: EpochDone) -> str:
        return (
            f"{self.title}: {event.arm}, seed {event.seed}: "
            f"epoch {event.epoch} of {event.epochs}"
            f"{' (from its checkpoint)' if event.resumed else ''}, "
            f"train loss {event.train_loss:.4g}, "
            f"validation {event.validation_accuracy:.2f} %"
        )

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.close()
