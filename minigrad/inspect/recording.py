"""The block inside which backward passes are recorded."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from minigrad.errors import ArgumentError, got
from minigrad.inspect.flow import Flow
from minigrad.inspect.record.names import Names
from minigrad.inspect.record.recorder import Recorder
from minigrad.inspect.record.selection import Globs, Selection
from minigrad.inspect.record.sources import Origin, Sources
from minigrad.inspect.record.trace import Trace
from minigrad.tape import Tensor, modes


@contextmanager
def gradient_flow(
    model: Any = None,
    *,
    names: Mapping[str, Tensor] | None = None,
    name: Globs = None,
    kernel: Globs = None,
    module: Globs = None,
    sources: Mapping[str, Origin] | None = None,
    keep: str = "scalars",
    passes: int = 16,
) -> Generator[Flow]:
    """Record every edge and term of the backward passes inside the block.

    Looking changes no gradient: the tape sums what it would sum anyway. It costs the
    terms, float64 sums over each of them, and the memory of the terms of all leaves
    until a pass ends; many passes need no more memory than a few. If the forward pass
    runs inside the block, too, the lines of the caller's code are known, and each
    result is looked at for NaN. If the step does, so is how far it moves the weights,
    of which a copy is kept meanwhile. Blocks may be nested: the outer one sees
    the inner one's passes.

    Args:
        model: its parameters and modules give gradients and calls their names.
        names: more tensors to name, leaves or results.
        name: a shell pattern, or several; only gradients of such names are recorded.
        kernel: the same for the kernels that gradients come from, over one of their
            edges at least.
        module: the same for the paths of the modules that called those kernels.
        sources: results between the parameters and the loss by name, or
            `along(result, axis)`: what of each gradient comes from each of them. Costs
            one backward more for each.
        keep: "arrays" also keeps a copy of every gradient, term and source.
        passes: how many of the last passes are kept whole.

    >>> from minigrad import inspect, tensor
    >>> x = tensor([3.0, 4.0], requires_grad=True)
    >>> with inspect.gradient_flow(names={"x": x}) as flow:
    ...     (x * x).sum().backward()
    >>> flow.into("x").edges[0].measures.share
    0.5
    """
    who = "gradient_flow"
    if keep not in ("scalars", "arrays"):
        rule = "'scalars' or 'arrays'"
        raise ArgumentError(got(who, "keep", repr(keep), rule))
    if isinstance(passes, bool) or not isinstance(passes, int) or passes < 1:
        raise ArgumentError(got(who, "passes", repr(passes), "at least 1"))
    known = Names(model, names)
    recorder = Recorder(
        known,
        Selection.of(who, name, kernel, module),
        Sources(sources) if sources else None,
        Trace(known, look=True),
        passes,
        keep == "arrays",
    )
    # This frame is not to keep the sources' graph alive: it locks what it needs.
    del sources
    with modes.traced(recorder.trace), modes.observed(recorder):
        try:
            yield Flow(recorder)
        finally:
            recorder.close()
    recorder.expect_choice()
