"""What a recording knows: every gradient, the edges into it and their terms."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, NamedTuple

from minigrad.errors import ArgumentError, GradientCheckError, GraphError, got
from minigrad.files import PathLike
from minigrad.inspect.explain import absence, checks, reasons
from minigrad.inspect.explain.diff import Diff
from minigrad.inspect.record.history import History, OverTime
from minigrad.inspect.record.recorder import Recorder
from minigrad.inspect.record.records import Pass, Target, overview
from minigrad.inspect.record.selection import fits
from minigrad.inspect.report import html, plot


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
    kernel in module. After several passes tables show means over all of them (see
    `means.Means`); `passes` and `to_records` keep the last ones apart.
    """

    def __init__(self, recorder: Recorder) -> None:
        """Show what recorder has measured."""
        self._recorder = recorder
        self._names = recorder.names

    @property
    def count(self) -> int:
        """How many backward passes were recorded."""
        return self._history.count

    @property
    def passes(self) -> list[Pass]:
        """The last passes, one dict each: name -> Target, in forward order."""
        return list(self._history.recent)

    @property
    def targets(self) -> Pass:
        """The gradients by name in forward order, as means over all passes."""
        return self._history.mean() if self.count else {}

    @property
    def _history(self) -> History:
        return self._recorder.history

    # -- seeing ------------------------------------------------------------------------

    def into(self, name: str) -> Target:
        """Return the gradient called name; `.table()` lays out its edges and terms.

        Raises GraphError if nothing bears the name, or it received no gradient.
        """
        found = self.targets.get(self._title(name))
        if found is None:
            raise GraphError(f"into: {self._absence(name)}")
        return found

    def over_time(self, name: str) -> OverTime:
        """Return how the gradient called name developed; `.table()` lays it out.

        Raises GraphError as `into` does.
        """
        found = self._history.over_time.get(self._title(name))
        if found is None:
            raise GraphError(f"over_time: {self._absence(name)}")
        return found

    def why(self, name: str) -> str:
        """Say in one sentence why the gradient called name is what it is.

        The verdict is one of: none, not finite, zero, rounding noise, tiny, huge,
        healthy; `reasons.TINY` and `reasons.HUGE` are the thresholds. After several
        passes it is on the first that is not healthy, else on the last. Raises
        GraphError if nothing bears the name.
        """
        title, history = self._title(name), self._history
        if title not in history.last:
            return self._absence(name)
        at, target, sentence = history.ill.get(title, history.last[title])
        prefix = "" if history.count == 1 else f"in pass {at} of {history.count} "
        said = f"{prefix}`{name}` {sentence or reasons.explain(target, {})}"
        return f"{said}{absence.thawed(title, history)}"

    def table(self) -> str:
        """Lay out one row for each gradient, in forward order.

        Columns: gradient, shape, edges and terms (how many), then norm, mean_abs,
        cancellation (over all terms of all edges), dead and finite of `Measures`, and
        update / weight if the block holds steps of an optimizer. Below stand the
        parameters that were frozen, and what else got no gradient.
        """
        targets = self.targets
        if not targets:
            return (
                "gradient flow: no backward pass was recorded, expected one inside the "
                "with block; call loss.backward() there"
            )
        table = overview(
            "1 pass" if self.count == 1 else f"means over {self.count} passes",
            targets.values(),
        )
        cut = self._history.cut_short
        table += f"\ncut short by an error: {cut} of {self.count} passes" if cut else ""
        frozen = ", ".join(self._frozen())
        table += f"\nfrozen: {frozen}" if frozen else ""
        others = (one for one in self._missing() if not self._history.is_frozen(one))
        missing = ", ".join(others)
        return f"{table}\nwithout gradient: {missing}" if missing else table

    def __str__(self) -> str:
        return self.table()

    def __repr__(self) -> str:
        return f"<Flow: {self.count} passes, {len(self.targets)} gradients>"

    def to_records(self) -> list[dict[str, Any]]:
        """Return one dict of JSON values for each total, source, edge and term.

        Of each of the last passes. Keys: pass (from 1), target, kind ("parameter",
        "named", "leaf", "result"), level ("total", "source", "edge", "term"), source,
        consumer, kernel, module, input, idle, line, term (None above their level),
        shape, dtype, conservation_error, weight_norm and update of the target, and the
        fields of `Measures`. What is undefined or not finite is None.
        """
        passes = self.passes
        first = self.count - len(passes) + 1
        return [
            {"pass": at, **row}
            for at, one in enumerate(passes, first)
            for target in one.values()
            for row in target.rows()
        ]

    def to_html(self, path: PathLike) -> None:
        """Write the report to one HTML file that needs nothing else, not even a script.

        It has the verdicts, the norms by depth, and every gradient with its edges,
        terms and sources, folded by module. Raises GraphError without a backward pass,
        FileFormatError if it cannot be written.
        """
        html.write_html(self, path)

    def plot(
        self, path: PathLike | None = None, names: Iterable[str] | None = None
    ) -> Any:
        """Draw norms by depth, shares of terms, and norms over time with matplotlib.

        Args:
            path: of an image to write, .png, .svg or .pdf; without one the Figure is
                returned.
            names: of the gradients to draw; default: the parameters.

        Raises GraphError without a backward pass or for an unknown name, ArgumentError
        for another ending, BackendError without matplotlib, FileFormatError if path
        cannot be written.
        """
        return plot.plot(self, path, names)

    def _repr_html_(self) -> str:
        return html.fragment(self)

    def diff(self, other: Flow) -> Diff:
        """Compare with another recording: a second run, backend or variant.

        `.first_divergence()` finds where, in the order of backward, they part.
        """
        if not isinstance(other, Flow):
            kind = f"a {type(other).__name__}"
            raise ArgumentError(got("diff", "other is", kind, "a Flow"))
        for who, flow in (("diff", self), ("diff: other", other)):
            flow._expect_passes(who)
        return Diff(self._history, other._history)

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
        """Check that the terms, and the sources, of every gradient sum to it.

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
            if not self._is_frozen(name):
                raise GradientCheckError(f"assert_no_dead: {self.why(name)}")

    # -- finding -----------------------------------------------------------------------

    def _expect_passes(self, who: str) -> History:
        if not self.count:
            raise GraphError(
                f"{who}: no backward pass was recorded, expected one inside the with "
                "block; call loss.backward() there"
            )
        return self._history

    def _title(self, name: str) -> str:
        """Return the name that a tensor of several names is recorded under."""
        if not isinstance(name, str):
            rule = "the name of a gradient"
            raise ArgumentError(got("flow", "name", repr(name), rule))
        return self._names.title(name) or self._recorder.calls.get(name, name)

    def _missing(self) -> list[str]:
        """List the named tensors that no pass sent a gradient to, each once."""
        titles = dict.fromkeys(self._title(name) for name in self._names.tensors)
        history = self._history
        known = {*history.last, *history.left_out}
        return [title for title in titles if title not in known]

    def _is_frozen(self, name: str) -> bool:
        """Tell whether what is called name has no gradient since it needed none."""
        if name in self._history.frozen:
            return self._history.is_frozen(name)
        return not self._names.tensors[name].requires_grad

    def _frozen(self) -> list[str]:
        """List the selected parameters that were frozen, with the passes if not all."""
        history, wanted = self._history, self._recorder.selection.name
        names = (name for name in history.frozen if fits(wanted, name))
        spells = ((name, history.spell(name)) for name in names)
        return [f"{name} ({spell})" if spell else name for name, spell in spells]

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
        return absence.sentence(
            self._title(name),
            tensor,
            self._names,
            self._history,
            self._recorder.selection,
        )
