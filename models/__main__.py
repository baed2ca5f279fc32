"""`python -m models`: see models.experiments.cli."""

import sys

from models.experiments.cli import main
from models.registry import EXPERIMENTS

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], EXPERIMENTS))
