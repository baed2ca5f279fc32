"""Looking at gradients: what each is the sum of, and why it is what it is."""

from minigrad.inspect.backward_work.backward_cost import backward_cost
from minigrad.inspect.backward_work.rows import BackwardCost
from minigrad.inspect.curvature.complex_step import hvp, jvp
from minigrad.inspect.curvature.directions import (
    gradient_direction,
    loss_curve,
    random_direction,
)
from minigrad.inspect.curvature.hessian import Eigenvalues, Hessian, Trace
from minigrad.inspect.drawing.graph import Graph, graph
from minigrad.inspect.explain.diff import Diff, Divergence
from minigrad.inspect.filters._cosines import Cosines
from minigrad.inspect.filters.comparison import SpectrumComparison, compare_spectra
from minigrad.inspect.filters.measure import filter_spectrum
from minigrad.inspect.filters.spectrum import FilterSpectrum
from minigrad.inspect.flow import Flow, Information
from minigrad.inspect.interventions import Intervention, detach, drop, scale
from minigrad.inspect.model_summary.rows import Summary
from minigrad.inspect.model_summary.summary import summary
from minigrad.inspect.propagation.propagation import Propagation
from minigrad.inspect.propagation.signal_propagation import signal_propagation
from minigrad.inspect.propagation.signals import Layer, Moments, Signal
from minigrad.inspect.record.history import OverTime
from minigrad.inspect.record.measures import Measures
from minigrad.inspect.record.records import Edge, Source, Target, Term
from minigrad.inspect.record.sources import Along, along
from minigrad.inspect.recording import gradient_flow
from minigrad.inspect.units.binariness import mse_hlo
from minigrad.inspect.units.correlations import Correlations, node_correlations
from minigrad.inspect.units.outputs import outputs
from minigrad.inspect.units.variances import dropout_net_variance, net_variance
from minigrad.inspect.watch import Seen, detect_nonfinite, watch

__all__ = [
    "Along",
    "BackwardCost",
    "Correlations",
    "Cosines",
    "Diff",
    "Divergence",
    "Edge",
    "Eigenvalues",
    "FilterSpectrum",
    "Flow",
    "Graph",
    "Hessian",
    "Information",
    "Intervention",
    "Layer",
    "Measures",
    "Moments",
    "OverTime",
    "Propagation",
    "Seen",
    "Signal",
    "Source",
    "SpectrumComparison",
    "Summary",
    "Target",
    "Term",
    "Trace",
    "along",
    "backward_cost",
    "compare_spectra",
    "detach",
    "detect_nonfinite",
    "drop",
    "dropout_net_variance",
    "filter_spectrum",
    "gradient_direction",
    "gradient_flow",
    "graph",
    "hvp",
    "jvp",
    "loss_curve",
    "mse_hlo",
    "net_variance",
    "node_correlations",
    "outputs",
    "random_direction",
    "scale",
    "signal_propagation",
    "summary",
    "watch",
]
