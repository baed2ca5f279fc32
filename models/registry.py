"""The list of all experiments; a new one is a line."""

from models.gaaf.table2 import TABLE2
from models.gaaf.table4 import TABLE4

EXPERIMENTS = (TABLE2, TABLE4)
