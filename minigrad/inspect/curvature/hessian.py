"""Curvature of a loss: the Hessian's products, greatest eigenvalues and trace.

The Hessian is never formed. A product H v is one forward and one backward pass at
complex parameters w + ihv (see `complex_step`): exact to rounding in float64, whatever
dtype the model has, at the price of about four passes of float64.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import numpy
from numpy import ndarray

from minigrad.backend import to_backend, to_host
from minigrad.errors import ArgumentError, got
from minigrad.inspect.curvature.complex_step import (
    STEP,
    Move,
    complex_pass,
    expect_scalar,
    gradients_of,
)
from minigrad.inspect.curvature.directions import (
    Vector,
    expect_loss,
    holding,
    listed,
    number,
    trained,
    vector,
)
from minigrad.tape import Tensor, enable_grad, no_grad
from minigrad.typing import Array, Shape

REPEATS: Final = 1e-12
"""Relative difference up to which a loss is the same. Not 0, since real parts hold
h**2 v' H v, which tips roundings, and is all there is where the loss is 0."""

RESTARTS: Final = 100
"""Of Lanczos, each of about twenty products, before it is given up."""

ENDS: Final = {
    "LA": "the greatest",
    "SA": "the least",
    "LM": "the greatest in magnitude",
    "BE": "from both ends",
}


class Eigenvalues(NamedTuple):
    """Eigenvalues of a Hessian.

    Attributes:
        values: (k,), in descending order.
        vectors: of length 1, one for each value, as dicts of the parameters' shapes.
        residuals: (k,), |H u - value u|; some eigenvalue lies that close to the value.
        products: how many H v it took.
    """

    values: ndarray
    vectors: list[Vector]
    residuals: ndarray
    products: int


class Trace(NamedTuple):
    """An estimate of a Hessian's trace, its standard error, and from how many v."""

    value: float
    error: float
    samples: int


class Hessian:
    """Second derivatives of a model's loss by all of its trainable parameters.

    Parameters that are frozen are constants; those on no path to the loss have zeros.
    During a product parameters and buffers hold complex copies; afterwards they are
    what they were, and no .grad has changed, also if the loss raises.

    Attributes:
        shapes: name -> shape of each trainable parameter.
        size: number of their elements.
        loss: the mean of the batches' losses, in float64.
        products: how many products have been formed.

    >>> from minigrad import functional as F, nn, tensor
    >>> model = nn.Linear(1, 1)
    >>> x, t = tensor([[1.0], [3.0]]), tensor([[1.0], [2.0]])
    >>> hessian = Hessian(lambda: F.mse_loss(model(x), t), model)
    >>> hessian.product({"weight": [[1.0]]})["weight"]
    array([[10.]])
    >>> hessian.eigenvalues(2).values.round(3)
    array([11.657,  0.343])
    """

    def __init__(
        self,
        loss: Callable[..., Tensor],
        model: Any,
        batches: Iterable[Any] | None = None,
    ) -> None:
        """Run the loss once.

        Args:
            loss: returns a scalar tensor, computed from the model. Called as loss(), or
                loss(*batch) for each of batches.
            model: what has named_parameters() and named_buffers(), as an nn.Module.
            batches: what the loss is averaged over, each batch counting the same; they
                are kept, so that a loader that shuffles is read once.

        Raises ArgumentError without trainable parameters or batches, and if the loss is
        not finite.
        """
        expect_loss("Hessian", loss)
        self._loss = loss
        self._batches = listed("Hessian", batches)
        self._trained = trained("Hessian", model)
        named = (*model.named_parameters(), *model.named_buffers())
        self._constant = [tensor for _, tensor in named if not tensor.requires_grad]
        self.shapes: dict[str, Shape] = {n: p.shape for n, p in self._trained.items()}
        self.size = sum(parameter.size for parameter in self._trained.values())
        self.products = 0
        self._losses = [self._run(batch)[0] for batch in self._batches]
        self.loss = sum(self._losses) / len(self._losses)
        if not math.isfinite(self.loss):
            raise ArgumentError(
                f"Hessian: the loss is {self.loss}, expected a finite one"
            )

    def __repr__(self) -> str:
        return f"<Hessian: {self.size} parameters, loss {self.loss:.4g}>"

    def product(self, v: Mapping[str, Any]) -> Vector:
        """Return H v, name by name; names that v lacks count as zeros.

        Raises ArgumentError for unknown names and values that are not finite,
        ShapeError for shapes, and ArgumentError if the loss is not what it was.
        """
        parts = vector("Hessian.product", v, self.shapes).values()
        return self._split(
            self._times(numpy.concatenate([p.reshape(-1) for p in parts]))
        )

    def matrix(self) -> ndarray:
        """Return the whole Hessian (size, size), by one product a column."""
        columns = [self._times(v) for v in numpy.eye(self.size)]
        return numpy.stack(columns, axis=1)

    def eigenvalues(
        self, k: int = 1, *, which: str = "LA", seed: int = 0, tolerance: float = 1e-6
    ) -> Eigenvalues:
        """Find k eigenvalues and their vectors by SciPy's Lanczos method.

        Args:
            k: how many, from 1 to size.
            which: "LA" the greatest, "SA" the least, "LM" the greatest in magnitude,
                "BE" half from each end.
            seed: of the vector it starts from.
            tolerance: of the values, relative; 0 for all digits.

        Raises ArgumentError if that tolerance is not reached.
        """
        who = "Hessian.eigenvalues"
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= self.size:
            raise ArgumentError(
                got(who, "k", repr(k), f"1 <= k <= {self.size}, the size")
            )
        if which not in ENDS:
            rule = ", ".join(f"{name!r} ({end})" for name, end in ENDS.items())
            raise ArgumentError(got(who, "which", repr(which), rule))
        before = self.products
        if k == self.size:
            values, vectors = numpy.linalg.eigh(self.matrix())
        else:
            values, vectors = self._lanczos(k, which, seed, tolerance)
        order = numpy.argsort(values)[::-1]
        values, vectors = values[order], vectors[:, order].T
        residuals = [
            float(numpy.linalg.norm(self._times(u) - value * u))
            for value, u in zip(values, vectors, strict=True)
        ]
        found = [self._split(u) for u in vectors]
        taken = self.products - before
        return Eigenvalues(values, found, numpy.array(residuals), taken)

    def _lanczos(
        self, k: int, which: str, seed: int, tolerance: float
    ) -> tuple[ndarray, ndarray]:
        sparse: Any = importlib.import_module("scipy.sparse.linalg")
        rng = numpy.random.default_rng(seed)
        start = rng.standard_normal(self.size)
        # SciPy 1.17 draws from rng where it has to start again.
        again = "rng" in inspect.signature(sparse.eigsh).parameters
        operator = sparse.LinearOperator(
            (self.size, self.size), matvec=self._times, dtype=numpy.float64
        )
        before = self.products
        try:
            return sparse.eigsh(
                operator, k, which=which, v0=start, tol=tolerance, maxiter=RESTARTS,
                **({"rng": rng} if again else {}),
            )  # fmt: skip
        except sparse.ArpackNoConvergence as error:
            raise ArgumentError(
                f"Hessian.eigenvalues: {len(error.eigenvalues)} of {k} converged in "
                f"{self.products - before} products, expected all to tolerance "
                f"{tolerance}; raise tolerance"
            ) from error
        except sparse.ArpackError:
            # It takes no operator that is 0.
            if self._times(start).any():
                raise
            return numpy.zeros(k), numpy.eye(self.size, k)

    def trace(self, samples: int = 32, *, seed: int = 0) -> Trace:
        """Estimate the trace by the mean of v' H v over random vectors v of signs.

        Source: Hutchinson 1990, Communications in Statistics 19(2). Needs at least 2
        samples, one product each; the error falls with their root.
        """
        if samples < 2:
            raise ArgumentError(got("Hessian.trace", "samples", samples, "at least 2"))
        rng = numpy.random.default_rng(seed)
        drawn = (2.0 * rng.integers(2, size=self.size) - 1 for _ in range(samples))
        found = numpy.array([v @ self._times(v) for v in drawn])
        error = float(found.std(ddof=1)) / math.sqrt(samples)
        return Trace(float(found.mean()), error, samples)

    # -- one product -------------------------------------------------------------------

    def _times(self, v: ndarray) -> ndarray:
        """Return H v for v (size,)."""
        total = numpy.zeros(self.size)
        for batch, known in zip(self._batches, self._losses, strict=True):
            value, found = self._run(batch, self._split(v.reshape(-1)))
            if not abs(value - known) <= REPEATS * abs(known) + STEP:
                raise ArgumentError(
                    f"Hessian: the loss was {known!r} and is now {value!r}, expected "
                    "the same at each call; call model.eval() or seed what loss() "
                    "draws, and make a new Hessian when parameters or data have changed"
                )
            total += found
        self.products += 1
        return total / len(self._batches)

    def _run(
        self, batch: tuple[Any, ...], v: Vector | None = None
    ) -> tuple[float, ndarray]:
        """Return the loss of a batch, and its H v (size,); without v only the loss."""
        parameters = self._trained
        move = Move.of(
            [parameter.data for parameter in parameters.values()],
            [
                to_backend(numpy.zeros(p.shape) if v is None else v[name], p.backend)
                for name, p in parameters.items()
            ],
        )
        places = dict(zip(parameters.values(), move.points, strict=True))
        places |= {tensor: _widened(tensor.data) for tensor in self._constant}
        recording = no_grad() if v is None else enable_grad()
        with holding(places), complex_pass("Hessian") as first, recording:
            y = expect_scalar("Hessian", "loss", self._loss(*batch))
            if v is None:
                return number(y), numpy.empty(0)
            found = gradients_of(y, list(parameters.values()), first)
        slopes = [
            numpy.zeros(p.size) if dx is None else to_host(move.slope(dx)).reshape(-1)
            for p, dx in zip(parameters.values(), found, strict=True)
        ]
        return number(y), numpy.concatenate(slopes)

    def _split(self, flat: ndarray) -> Vector:
        """Cut a vector (size,) into the parameters' shapes."""
        ends = numpy.cumsum([math.prod(shape) for shape in self.shapes.values()])
        parts = numpy.split(flat, ends[:-1])
        pairs = zip(self.shapes.items(), parts, strict=True)
        return {name: part.reshape(shape) for (name, shape), part in pairs}


def _widened(data: Array) -> Array:
    """Copy data; floats as complex128."""
    return data.astype("complex128") if data.dtype.kind == "f" else data.copy()
