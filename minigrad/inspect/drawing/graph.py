"""The picture of a graph: values on the way forward, gradients on the way back."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from minigrad.errors import ArgumentError, GraphError, got
from minigrad.files import PathLike, write_whole
from minigrad.inspect.drawing import dot, svg
from minigrad.inspect.drawing._recorder import GraphRecorder
from minigrad.inspect.drawing.boxes import Box, Link, Picture
from minigrad.inspect.drawing.cards import Sheet, written
from minigrad.inspect.drawing.folding import Fold, fold
from minigrad.tape import Tensor, modes

BOXES = 40
"""A picture of more boxes is folded by module, unless asked otherwise."""


class Graph:
    """What a `graph` block has seen of its last backward pass, or else of forward.

    A box is a tensor that nobody computed, or a kernel call; it shows value and
    gradient. An edge shows the local derivative, that is what the gradient of its end
    is multiplied by, and what this gives: the contribution to the gradient of its
    start. For arrays these are the gain |contribution| / |dy| and the norm; several
    terms are listed by name. Arrays of up to 4 x 5 elements are written out.

    In a notebook the picture shows by itself.
    """

    def __init__(self, recorder: GraphRecorder) -> None:
        """Show what recorder has seen."""
        self._recorder = recorder

    @property
    def boxes(self) -> list[Box]:
        """Tensors and calls in forward order."""
        return self._picture().boxes

    @property
    def links(self) -> list[Link]:
        """The edges, consumer by consumer."""
        return self._picture().links

    def box(self, name: str) -> Box:
        """Return the first box that bears name, or is a call with that label or kernel.

        Raises GraphError if there is none.
        """
        boxes = self.boxes
        for what in ("name", "label", "kernel"):
            for box in boxes:
                if name and getattr(box, what) == name:
                    return box
        known = {text for b in boxes for text in (b.name, b.label, b.kernel) if text}
        close = difflib.get_close_matches(name, known, 3, 0.4)
        listed = " or ".join(f"`{one}`" for one in close)
        raise GraphError(
            f"box: nothing in this graph is called `{name}`, expected "
            + (listed or "a name, label or kernel of its boxes")
        )

    def fold(self, depth: int | None = None, *, boxes: int = BOXES) -> Fold:
        """Join what each module of a depth does to one box.

        Args:
            depth: 1 for `layer1`, 2 for `layer1.conv`, ...; 0 for the model as a whole.
                Calls above that depth stay. None: the greatest depth that leaves at
                most so many boxes, without folding if there are no more; calls outside
                of modules are folded only where they are four times as many.
            boxes: see depth.
        """
        if depth is not None and not _is_count(depth, 0):
            raise ArgumentError(
                got("graph", "depth", repr(depth), "0, 1, 2 ... or None")
            )
        if not _is_count(boxes, 1):
            raise ArgumentError(got("graph", "boxes", repr(boxes), "at least 1"))
        return fold(self._picture(), depth, boxes)

    def to_svg(
        self,
        path: PathLike | None = None,
        *,
        depth: int | None = None,
        boxes: int = BOXES,
        down: bool | None = None,
    ) -> str:
        """Draw the graph as SVG; return it, and write it to path if there is one.

        Args:
            path: of a file to write.
            depth: to which modules are folded; see `fold`.
            boxes: how many there are at most if depth is None.
            down: whether the layers run down the page, not to the right; None: if they
                are many.
        """
        return _out("to_svg", svg.render(self._sheet(depth, boxes), down), path)

    def to_dot(
        self,
        path: PathLike | None = None,
        *,
        depth: int | None = None,
        boxes: int = BOXES,
    ) -> str:
        """Write the graph in the language of Graphviz; arguments are as of to_svg."""
        return _out("to_dot", dot.render(self._sheet(depth, boxes)), path)

    def _repr_svg_(self) -> str:
        return self.to_svg()

    def __repr__(self) -> str:
        picture = self._recorder.picture()
        if picture is None:
            return "<Graph: nothing recorded>"
        return f"<Graph: {len(picture.boxes)} boxes, {len(picture.links)} edges>"

    def _sheet(self, depth: int | None, boxes: int) -> Sheet:
        return written(self.fold(depth, boxes=boxes), self._picture().root)

    def _picture(self) -> Picture:
        found = self._recorder.picture()
        if found is None:
            raise GraphError(
                "graph: nothing was recorded, expected a result that needs a gradient "
                "inside the with block; compute the loss, and call backward(), there"
            )
        return found


def _is_count(value: Any, least: int) -> bool:
    """Tell whether value is an integer, not True or False, from least on."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _out(who: str, text: str, path: PathLike | None) -> str:
    if path is not None:
        write_whole(who, path, text.encode())
    return text


@contextmanager
def graph(
    model: Any = None, *, names: Mapping[str, Tensor] | None = None
) -> Generator[Graph]:
    """Record the graph of a forward and backward pass for a picture.

    After several passes the picture is of the last; without any, of what forward made
    and still lives. A forward pass before the block leaves out the values. Looking
    changes no gradient and keeps no graph once a pass is over. Of large arrays only
    norms are kept, but until a pass ends all contributions to the leaves.

    Args:
        model: its parameters and modules give names, and modules fold large graphs.
        names: more tensors to name, read when a backward pass begins, so results may
            be added inside the block. A tensor's own name will do, too.

    >>> from minigrad import tensor
    >>> from minigrad.inspect.drawing.graph import graph
    >>> w, x = (tensor(value, requires_grad=True) for value in (3.0, 2.0))
    >>> with graph(names={"w": w, "x": x}) as picture:
    ...     (w * x).backward()
    >>> picture.box("mul").value.number, picture.box("w").gradient.number
    (6.0, 2.0)
    >>> picture.to_svg().startswith("<svg")
    True
    """
    if names is not None and not isinstance(names, Mapping):
        kind = f"a {type(names).__name__}"
        rule = "a dict of tensors by name, as {'h': h}"
        raise ArgumentError(got("graph", "names is", kind, rule))
    recorder = GraphRecorder(model, {} if names is None else names)
    with modes.traced(recorder), modes.observed(recorder):
        try:
            yield Graph(recorder)
        finally:
            recorder.close()
