"""SoftTarget: what the network says of an example is mixed into its label.

After a burn-in of burn_in epochs on labels Y, and then every so many epochs, the
network's probabilities p of all N training examples enter a running average S; the
epochs from there train with cross-entropy against targets T:

    S = p the first time, then beta S + (1 - beta) p
    T = gamma S + (1 - gamma) Y

What the paper leaves open is decided so: S begins as the first p; p are those of the
network in evaluation mode, of examples that are not augmented.

Source: Aghajanyan 2016, "SoftTarget Regularization: An Effective Technique to Reduce
Over-Fitting in Neural Networks", arXiv:1609.06693.
"""

from __future__ import annotations

from typing import Any

import numpy

from minigrad.backend import array_module, current_backend, to_backend, to_host
from minigrad.errors import ArgumentError, BadIndexError, DTypeError, ShapeError, got
from minigrad.kernels._arguments import is_real, per_axis
from minigrad.nn._freezing_draws import whole
from minigrad.nn._state import on_host
from minigrad.nn.module import Buffer, Module
from minigrad.typing import Array


class SoftTarget(Module):
    """Training targets of N examples that follow the network's own predictions.

    Rows belong to examples by their number, in whichever order an epoch visits them. S
    is kept in buffers, so a checkpoint of this module holds it; labels are not saved.
    Cross-entropy against T has the gradient (softmax - T) / batch.

    Args:
        labels: (N,) integers in [0, classes), of the training examples in order.
        classes: their number C.
        burn_in: so many epochs, at first, train on labels.
        beta: weight in [0, 1] of the old S in the new.
        gamma: weight in [0, 1] of S in the targets; 0 is training on labels.
        every: epochs from one update of S to the next, at least 1.

    Attributes:
        average: S (N, C) float32; zeros until the first update.
        updates: how many predictions S has taken up, () int64.

    Raises ShapeError, DTypeError or BadIndexError for wrong labels, and ArgumentError
    for what is out of range.

    >>> import numpy
    >>> from minigrad import nn
    >>> soft = nn.SoftTarget(numpy.array([0, 1]), 2, burn_in=1, gamma=0.5)
    >>> for epoch in range(2):
    ...     if soft.due(epoch):
    ...         soft.update(numpy.array([[0.75, 0.25], [0.5, 0.5]]))
    ...     print(soft.targets(epoch).tolist())
    [0, 1]
    [[0.875, 0.125], [0.25, 0.75]]
    """

    def __init__(
        self,
        labels: Any,
        classes: int,
        *,
        burn_in: int = 5,
        beta: float = 0.05,
        gamma: float = 0.5,
        every: int = 1,
    ) -> None:
        (self.classes,) = per_axis("SoftTarget", "classes", classes, 1, 1)
        (self.every,) = per_axis("SoftTarget", "every", every, 1, 1)
        self.burn_in = whole("SoftTarget", "burn_in", burn_in)
        for name, weight in (("beta", beta), ("gamma", gamma)):
            # Written so that what is not a number fails, too.
            if not (is_real(weight) and 0 <= weight <= 1):
                rule = f"0 <= {name} <= 1"
                raise ArgumentError(got("SoftTarget", name, repr(weight), rule))
        self.beta, self.gamma = float(beta), float(gamma)
        self.labels = _checked(on_host(labels), self.classes)
        xp = current_backend().module
        average = xp.zeros((len(self.labels), self.classes), "float32")
        self.average = Buffer(average, "average")
        self.updates = Buffer(xp.zeros((), "int64"), "updates")

    def due(self, epoch: int) -> bool:
        """Tell whether update comes before epoch, counted from 0.

        It does at burn_in, burn_in + every, and so on; never if gamma is 0.
        """
        past = whole("SoftTarget.due", "epoch", epoch) - self.burn_in
        return self.gamma > 0 and past >= 0 and past % self.every == 0

    def update(self, probabilities: Any) -> None:
        """Take up the network's probabilities (N, C) of all examples, in order.

        Raises ShapeError, DTypeError unless they are real, and ArgumentError unless
        rows are >= 0 and sum to 1.
        """
        who = "SoftTarget.update"
        host = on_host(probabilities)
        if host.dtype.kind not in "fiub":
            rule = "real numbers"
            raise DTypeError(got(who, "probabilities have dtype", host.dtype, rule))
        given = to_backend(host, self.average.backend)
        if given.shape != self.average.shape:
            found, rule = given.shape, self.average.shape
            raise ShapeError(got(who, "probabilities have shape", found, rule))
        _expect_distributions(who, given)
        p = given.astype("float32", copy=False)
        if int(self.updates):
            p = self.beta * self.average.data + (1 - self.beta) * p
        self.average.data[...] = p
        self.updates.data += 1

    def targets(self, epoch: int) -> numpy.ndarray:
        """Return what the examples train on in epoch, counted from 0; on the host.

        That is the labels (N,) int64, not to be written to, as long as nothing is mixed
        in: in the burn-in, and always if gamma is 0. Then it is T (N, C) float32, anew
        at every call. Raises ArgumentError if S is still missing then.
        """
        who = "SoftTarget.targets"
        if whole(who, "epoch", epoch) < self.burn_in or self.gamma == 0:
            return self.labels
        if not int(self.updates):
            rule = f"at least one after the burn-in of {self.burn_in} epochs"
            remedy = "call update before an epoch that is due"
            raise ArgumentError(got(who, "the updates were", "none", rule, remedy))
        mixed = self.gamma * to_host(self.average.data)
        mixed[numpy.arange(len(mixed)), self.labels] += 1 - self.gamma
        return mixed

    def extra_repr(self) -> str:
        """Describe the sizes and the options."""
        options = f"burn_in={self.burn_in}, beta={self.beta}, gamma={self.gamma}"
        return f"{len(self.labels)}, {self.classes}, {options}, every={self.every}"


def _checked(labels: numpy.ndarray, classes: int) -> numpy.ndarray:
    """Return a copy of labels (N,) as int64 that cannot be written to."""
    if labels.ndim != 1:
        raise ShapeError(got("SoftTarget", "labels have shape", labels.shape, "(N,)"))
    if labels.dtype.kind not in "iu":
        rule = "integers, the numbers of the classes"
        raise DTypeError(got("SoftTarget", "labels have dtype", labels.dtype, rule))
    outside = numpy.flatnonzero((labels < 0) | (labels >= classes))
    if outside.size:
        found = f"{labels[outside[0]]} at {outside[0]}"
        rule = f"0 <= label < {classes}"
        raise BadIndexError(got("SoftTarget", "labels have", found, rule))
    copied = labels.astype("int64")
    copied.flags.writeable = False
    return copied


def _expect_distributions(who: str, p: Array) -> None:
    """Raise ArgumentError unless rows of p (N, C) are >= 0 and sum to 1.

    By 1e-3, for softmax in float16 rounds each probability by up to 2**-11 of it.
    """
    xp = array_module(p)
    sums = p.sum(axis=1, dtype="float32")
    # Written so that what is not a number fails, too.
    fit = (p >= 0).all(axis=1) & (xp.abs(sums - 1) <= 1e-3)
    wrong = numpy.flatnonzero(~to_host(fit))
    if wrong.size:
        row = int(wrong[0])
        found = f"the sum {float(sums[row]):g} and the minimum {float(p[row].min()):g}"
        rule, remedy = "1 and at least 0", "pass softmax(logits, 1)"
        raise ArgumentError(got(who, f"row {row} has", found, rule, remedy))
