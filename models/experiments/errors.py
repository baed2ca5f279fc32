"""What can go wrong on purpose; each carries the exit status of the command.

A message is one sentence: what happened, where, and what to do about it.
"""


class CommandError(Exception):
    """Base of the errors that end the command with a sentence on stderr."""

    status = 1


class RunError(CommandError):
    """The run cannot be done, or failed: exit status 1."""


class UsageError(CommandError):
    """The command line asks for something that does not exist: exit status 2."""

    status = 2


class InterruptionError(CommandError):
    """Ctrl-C: exit status 130; the same command goes on."""

    status = 130
