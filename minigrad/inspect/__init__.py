"""Looking at gradients: what each is the sum of, and why it is what it is."""

from minigrad.inspect.flow import Flow, Information, gradient_flow
from minigrad.inspect.measures import Measures
from minigrad.inspect.records import Edge, Target, Term

__all__ = [
    "Edge",
    "Flow",
    "Information",
    "Measures",
    "Target",
    "Term",
    "gradient_flow",
]
