"""`python -m models`: see models.experiments.cli."""

import signal
import sys
from typing import Any, NoReturn

from models.experiments.errors import InterruptionError, Terminated


def _terminate(*_: Any) -> NoReturn:
    raise Terminated


if __name__ == "__main__":
    # Imported here, so that Ctrl-C during the imports leaves no traceback either, and
    # that worker processes, which run this file too, import only what they need.
    try:
        signal.signal(signal.SIGTERM, _terminate)
        from models.experiments.cli import main
        from models.registry import EXPERIMENTS

        sys.exit(main(sys.argv[1:], EXPERIMENTS))
    except KeyboardInterrupt as cause:
        error = InterruptionError("interrupted; run the same command to go on", cause)
        print(error, file=sys.stderr)
        sys.exit(error.status)
