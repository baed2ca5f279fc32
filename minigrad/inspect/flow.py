"""What a recording knows: every gradient, the edges into it and their terms."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

from minigrad.errors import ArgumentError, GradientCheckError, GraphError
from minigrad.inspect import checks, reasons
from minigrad.inspect.means import mean_of
from minigrad.inspect.names import Names
from minigrad.inspect.recorder import Recorder
from minigrad.inspect.records import Pass, Target, overview
from minigrad.tape import Tensor, modes


class Information(NamedTuple):
    """Gradient information G_k of a layer's weights (Hahn & Choi, GAAF, eq. 5).

    Attributes:
        batch: G_batch = mean_ij |dE/dW_ij| of the batch's mean loss E.
        sample: G_sample = mean_n mean_ij |dE_n/dW_ij| of each example's loss E_n, never
            below batch. None unless the weight is that of one dense layer, used once,
            on x (N, I).
    """

    batch: float
    sample: float | None


class Flow:
    """The gradients of the backward passes that ran in a `gradient_flow` block.

    Gradients are called by the path of the parameter, the name given to the recording,
    the tensor's own name, or `module/kernel#n` for the result of the n-th call of
    kernel in module. After several passes tables show means over them (see
    `means.mean_of`); `passes` and `to_records` keep them apart.
    """

    def __init__(self, recorder: Recorder) -> None:
        """Show what recorder has measured."""
        self._recorder = recorder
        self._names = recorder.names
        self._mean: tuple[int, Pass] = (0, {})

    @property
    def passes(self) -> list[Pass]:
        """One dict for each backward pass: name -> Target, in forward order."""
        return self._recorder.passes

    @property
    def targets(self) -> Pass:
        """The gradients by name in forward order, as means over the passes."""
        passes = self.passes
        if self._mean[0] != len(passes):
            self._mean = (len(passes), mean_of(passes))
        return self._mean[1]

    # -- seeing ------------------------------------------------------------------------

    def into(self, name: str) -> Target:
        """Return the gradient called name; `.table()` lays out its edges and terms.

        Raises GraphError if nothing bears the name, or it received no gradient.
        """
        found = _find(self._title(name), self.targets)
        if found is None:
            raise GraphError(f"into: {self._absence(name)}")
        return found

    def why(self, name: str) -> str:
        """Say in one sentence why the gradient called name is what it is.

        The verdict is one of: none, not finite, zero, rounding noise, tiny, huge,
        healthy; `reasons.TINY` and `reasons.HUGE` are the thresholds. After several
        passes it is on the first that is not healthy, else on the last. Raises
        GraphError if nothing bears the name.
        """
        title = self._title(name)
        passes = self.passes
        known = [
            (at, one, target)
            for at, one in enumerate(passes, 1)
            if (target := _find(title, one)) is not None
        ]
        if not known:
            return self._absence(name)
        ill = (case for case in known if reasons.verdict(case[2]) != "healthy")
        at, one, target = next(ill, known[-1])
        prefix = "" if len(passes) == 1 else f"in pass {at} of {len(passes)} "
        return prefix + reasons.explain(name, target, one)

    def table(self) -> str:
        """Lay out one row for each gradient, in forward order.

        Columns: gradient, shape, edges and terms (how many), then norm, mean_abs,
        cancellation (over all terms of all edges), dead and finite of `Measures`.
        """
        targets = self.targets
        if not targets:
            return (
                "gradient flow: no backward pass was recorded, expected one inside the "
                "with block; call loss.backward() there"
            )
        count = len(self.passes)
        table = overview(
            "1 pass" if count == 1 else f"means over {count} passes", targets.values()
        )
        missing = ", ".join(self._missing())
        return f"{table}\nwithout gradient: {missing}" if missing else table

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Flow: {len(self.passes)} passes, {len(self.targets)} gradients>"

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict of JSON values for each total, edge and term of each pass.

        Keys: pass (from 1), target, kind ("parameter", "named", "leaf", "result"),
        level ("total", "edge", "term"), consumer, kernel, module, input, term (None
        above their level), shape, dtype and conservation_error of the target, and the
        fields of `Measures`. What is undefined or not finite is None.
        """
        return [
            {"pass": at, **row}
            for at, one in enumerate(self.passes, 1)
            for target in one.values()
            for row in target.rows()
        ]

    def gradient_information(self) -> dict[str, Information]:
        """Return G_k of every weight, averaged over the passes, in forward order.

        Weights are the model's parameters and named leaves of two axes or more, so
        biases and scales are left out. E is taken to be a mean over examples; divide a
        summed loss by N first. Where examples meet (batch norm), sample is the part of
        the batch's gradient that goes through example n, times N.

        Raises GraphError if no backward pass was recorded.
        """
        self._expect_passes("gradient_information")
        return {
            name: Information(target.measures.mean_abs, target.sample_information)
            for name, target in self.targets.items()
            if target.kind in ("parameter", "named")
            and target.number is None
            and len(target.shape) > 1
        }

    # -- checking ----------------------------------------------------------------------

    def assert_conserved(self, tolerance: float | None = None) -> None:
        """Check that the terms of every gradient sum to it.

        Args:
            tolerance: greatest conservation error (see `Weighed.error`); default: the
                square root of the dtype's machine epsilon.

        Raises GradientCheckError naming the first gradient that fails and its edges.
        """
        checks.conserved(self._expect_passes("assert_conserved"), tolerance)

    def assert_finite(self) -> None:
        """Raise GradientCheckError at the first infinite or NaN gradient of a pass."""
        checks.finite(self._expect_passes("assert_finite"))

    def assert_no_dead(self, limit: float = 1.0) -> None:
        """Check that no parameter or named tensor has zeros for a gradient.

        Args:
            limit: fraction of exact zeros, in (0, 1], from which on it counts as dead.

        Raises GradientCheckError naming the first one. A trainable parameter that
        received no gradient at all is dead; a frozen one is not.
        """
        checks.no_dead(self._expect_passes("assert_no_dead"), limit)
        for name in self._missing():
            if self._names.tensors[name].requires_grad:
                raise GradientCheckError(f"assert_no_dead: {self.why(name)}")

    # -- finding -----------------------------------------------------------------------

    def _expect_passes(self, who: str) -> list[Pass]:
        passes = self.passes
        if not passes:
            raise GraphError(
                f"{who}: no backward pass was recorded, expected one inside the with "
                "block; call loss.backward() there"
            )
        return passes

    def _title(self, name: str) -> str:
        """Return the name that a tensor of several names is recorded under."""
        return self._names.title(name) or name

    def _missing(self) -> list[str]:
        """List the named tensors that no pass sent a gradient to, each once."""
        titles = dict.fromkeys(self._title(name) for name in self._names.tensors)
        return [title for title in titles if title not in self.targets]

    def _absence(self, name: str) -> str:
        """Say why there is no gradient called name; raise GraphError if nothing is."""
        tensor = self._names.tensors.get(name)
        if tensor is None:
            known = {*self._names.tensors, *self.targets}
            close = difflib.get_close_matches(name, known, 3, 0.4)
            listed = " or ".join(f"`{one}`" for one in close)
            raise GraphError(
                f"nothing in this recording is called `{name}`, expected "
                + (listed or "a name that print(flow) lists")
            )
        return f"`{name}` has no gradient: {self._reason(tensor)}."

    def _reason(self, tensor: Tensor) -> str:
        """Say in a clause why no pass came to tensor."""
        if not tensor.requires_grad:
            frozen = id(tensor) in self._names.parameters
            return "it is frozen, requires_grad is False" if frozen else tensor.origin
        if not self.passes:
            return "backward() did not run inside the block"
        every = (target for one in self.passes for target in one.values())
        roots = dict.fromkeys(target.name for target in every if not target.edges)
        return f"it is on no path to what backward() was called on, {', '.join(roots)}"


def _find(title: str, one: Pass) -> Target | None:
    """Look a gradient up by its name, else by the call that made it."""
    if title in one:
        return one[title]
    return next((target for target in one.values() if target.call == title), None)


@contextmanager
def gradient_flow(
    model: Any = None,
    *,
    names: Mapping[str, Tensor] | None = None,
    keep: str = "scalars",
) -> Generator[Flow]:
    """Record every edge and term of the backward passes inside the block.

    Looking changes no gradient: the tape sums what it would sum anyway. It costs the
    terms, float64 sums over each of them, and the memory of the terms of all leaves
    until a pass ends. Blocks may be nested: the outer one sees the inner one's passes.

    Args:
        model: its parameters and modules give gradients and calls their names.
        names: more tensors to name, leaves or results.
        keep: "arrays" also keeps a copy of every gradient and term, as `array`.

    >>> from minigrad import inspect, tensor
    >>> x = tensor([3.0, 4.0], requires_grad=True)
    >>> with inspect.gradient_flow(names={"x": x}) as flow:
    ...     (x * x).sum().backward()
    >>> flow.into("x").edges[0].measures.share
    0.5
    """
    if keep not in ("scalars", "arrays"):
        raise ArgumentError(
            f"gradient_flow: keep {keep!r}, expected 'scalars' or 'arrays'"
        )
    recorder = Recorder(Names(model, names), modes.observer.get(), keep == "arrays")
    token = modes.observer.set(recorder)
    try:
        yield Flow(recorder)
    finally:
        modes.observer.reset(token)
