"""Looking at gradients: what each is the sum of, and why it is what it is."""

from minigrad.inspect.diff import Diff, Divergence
from minigrad.inspect.flow import Flow, Information, gradient_flow
from minigrad.inspect.history import OverTime
from minigrad.inspect.measures import Measures
from minigrad.inspect.records import Edge, Source, Target, Term
from minigrad.inspect.sources import along

__all__ = [
    "Diff",
    "Divergence",
    "Edge",
    "Flow",
    "Information",
    "Measures",
    "OverTime",
    "Source",
    "Target",
    "Term",
    "along",
    "gradient_flow",
]
