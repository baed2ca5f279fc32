"""Progress on stderr: one bar with ETA in a terminal, plain lines elsewhere."""

import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class EpochDone:
    """What a training reports after an epoch, counted from 1."""

    arm: str
    seed: int
    epoch: int
    epochs: int
    train_loss: float
    validation_accuracy: float


class Progress:
    """Counts epochs over all trainings of a run.

    Early stopping may end it below its total, which assumes that no training stops.
    """

    LINES = 5
    """Lines a training prints, where there is no terminal."""

    def __init__(self, title: str, total: int, *, done: int = 0) -> None:
        """Start with done of total epochs."""
        self.title = title
        self.reached: dict[tuple[str, int], int] = {}
        """(arm, seed) -> epochs that are done and saved."""
        self._bar = self._make_bar(total, done) if sys.stderr.isatty() else None

    def _make_bar(self, total: int, done: int) -> Any:
        from tqdm import tqdm  # only for terminals, and slow to import

        return tqdm(
            total=total, initial=done, desc=self.title, unit="epoch", file=sys.stderr
        )

    def epoch(self, event: EpochDone) -> None:
        """Show that a training has finished an epoch."""
        self.reached[event.arm, event.seed] = event.epoch
        if self._bar is not None:
            self._bar.set_postfix_str(f"{event.arm} seed {event.seed}", refresh=False)
            self._bar.update()
        elif event.epoch % -(-event.epochs // self.LINES) == 0:
            print(
                f"{self.title}: {event.arm}, seed {event.seed}: epoch {event.epoch} of "
                f"{event.epochs}, train loss {event.train_loss:.4f}, "
                f"validation {event.validation_accuracy:.2f} %",
                file=sys.stderr,
                flush=True,
            )

    def close(self) -> None:
        """End the bar's line."""
        if self._bar is not None:
            self._bar.close()
