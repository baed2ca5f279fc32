"""What can go wrong on purpose; each carries the exit status of the command.

A message is one sentence: what happened, where, and what to do about it.
"""


class CommandError(Exception):
    """Base of the errors that end the command with a sentence on stderr."""

    status = 1


class RunError(CommandError):
    """The run cannot be done, or failed: exit status 1."""


class Terminated(KeyboardInterrupt):
    """SIGTERM: answered like Ctrl-C, but for the exit status."""


class InterruptionError(CommandError):
    """Ctrl-C, exit status 130, or SIGTERM, 143; the same command goes on."""

    def __init__(self, sentence: str, cause: KeyboardInterrupt) -> None:
        """Word what happened; cause tells one from the other."""
        super().__init__(sentence)
        self.status = 143 if isinstance(cause, Terminated) else 130
