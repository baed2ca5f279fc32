"""Measuring gradients while a network trains."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from minigrad import nn
from minigrad.backend import array_module
from minigrad.inspect import Flow, gradient_flow


class GradientProbe:
    """Measures G_k, the mean absolute gradient of each layer's weights."""

    def __init__(
        self,
        model: nn.Module,
        weights: Mapping[str, tuple[str, Any]],
        sample_every: int,
    ) -> None:
        """Measure gradient_batch in each iteration, gradient_sample in some.

        Args:
            model: the network.
            weights: layer -> name and weight.
            sample_every: see GaafConfig.
        """
        self._model, self._weights = model, weights
        self._sample_every = sample_every
        self._start_over()

    def _start_over(self) -> None:
        self._batch: dict[str, list[Any]] = {layer: [] for layer in self._weights}
        self._sample: dict[str, list[float]] = {layer: [] for layer in self._weights}

    @contextmanager
    def watch(self, iteration: int) -> Generator[None]:
        """Surround a backward pass."""
        if self._sample_every and iteration % self._sample_every == 0:
            with gradient_flow(self._model) as flow:
                yield
            self._see_samples(flow)
        else:
            yield
        for layer, (_, weight) in self._weights.items():
            xp = array_module(weight.data)
            # Not by BLAS's asum, which adds in an order that depends on the address.
            self._batch[layer].append(xp.mean(xp.abs(weight.grad.data)))

    def _see_samples(self, flow: Flow) -> None:
        information = flow.gradient_information()
        for layer, (name, _) in self._weights.items():
            # None where examples cannot be told apart, as behind a weight's noise.
            found = information.get(name)
            if found is not None and found.sample is not None:
                self._sample[layer].append(found.sample)

    def finish_epoch(self) -> dict[str, Any]:
        """Return {measure: {layer: mean over the epoch's iterations}}."""
        measured = {"gradient_batch": self._batch, "gradient_sample": self._sample}
        means = {
            name: {
                layer: sum(map(float, values)) / len(values)
                for layer, values in by_layer.items()
                if values
            }
            for name, by_layer in measured.items()
        }
        self._start_over()
        return means
