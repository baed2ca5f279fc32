"""`python -m models`: see models.experiments.cli."""

import sys

if __name__ == "__main__":
    # Imported here, so that Ctrl-C during the imports leaves no traceback either, and
    # that worker processes, which run this file too, import only what they need.
    try:
        from models.experiments.cli import main
        from models.registry import EXPERIMENTS

        sys.exit(main(sys.argv[1:], EXPERIMENTS))
    except KeyboardInterrupt:
        print("interrupted; run the same command to go on", file=sys.stderr)
        sys.exit(130)
