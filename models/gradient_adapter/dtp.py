"""Difference target propagation (DTP): layers that learn from targets, not gradients.

| paper | here |
| --- | --- |
| f_l, h_l = f_l(h_(l-1)) | DtpNetwork.hidden(l, below) |
| g_l, its learned inverse | DtpNetwork.inverse(l, above) |
| h_l with a hat | targets |
| eta hat | DtpRates.target |
| sigma | noise_std |

The network is that of the experiment on discrete signals: tanh units, but layer 2 is
given only the sign of h_1, and the inverse that leads back to h_1 only that of h_2, as
if they were far apart. sign(0) is -1. The last hidden layer's target is a step against
the gradient of the loss J; each layer below gets

    h_l + g_(l+1)(target_(l+1)) - g_(l+1)(h_(l+1)),

and moves towards it by the gradient of its own squared distance alone.

Source: Lee, Zhang, Fischer & Bengio 2015, arXiv:1412.7525, section 2 and section 3 on
discrete signals. Rates, noise, first weights, order of batches (never shuffled) and
optimiser are those of the authors' published code. More than two hidden layers, which
that experiment has not, exchange numbers from layer 2 on.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

import numpy

from minigrad import functional as F
from minigrad import nn, no_grad, tensor
from minigrad.errors import ArgumentError
from minigrad.random import Streams, generator, normal_noise
from minigrad.tape import Tensor
from models.experiments.data import examples_of
from models.experiments.loop import Training
from models.experiments.pool import Hooks, Stopped
from models.gradient_adapter.centred_rmsprop import CentredRMSprop
from models.gradient_adapter.common import CLASSES

Function = Callable[[Tensor], Tensor]
"""A layer f_l or an inverse g_l: (N, D) -> (N, D')."""


@dataclass(frozen=True)
class DtpRates:
    """What the authors found by random search, for 500 epochs with batches of 100.

    Attributes:
        target: the last hidden layer's target lies this far against the gradient of J,
            the mean over the batch: with batches of 100, 0.28 times an example's own.
        forward: learning rate of weights and biases.
        inverse: learning rate of the inverses.
    """

    target: float = 27.97
    forward: float = 6.60e-4
    inverse: float = 4.33e-4


def noise_std(epoch: int) -> float:
    """Standard deviation of what the inverses learn to undo, in an epoch from 0 on.

    The authors count epochs from 1.
    """
    return 0.5 / (1 + (epoch + 1) / 50)


# -- the algorithm ---------------------------------------------------------------------


def last_target(h: Tensor, slope: Tensor, rate: float) -> Tensor:
    """Step from h of the last hidden layer against slope, the gradient dJ/dh."""
    return h - rate * slope


def difference_correction(
    h: Tensor, above: Tensor, target_above: Tensor, inverse: Function
) -> Tensor:
    """Hand a target down: h + inverse(target_above) - inverse(above).

    What an inverse does wrong at both cancels. Where the target above is what is there,
    that below is h, bit for bit: hence the brackets.
    """
    return h + (inverse(target_above) - inverse(above))


def targets(
    hiddens: Sequence[Tensor], slope: Tensor, inverses: Sequence[Function], rate: float
) -> list[Tensor]:
    """Targets of h_1, ..., h_L, all constants.

    Args:
        hiddens: h_1, ..., h_L, each (N, D).
        slope: dJ/dh_L.
        inverses: g_2, ..., g_L.
        rate: of the last layer's step.
    """
    with no_grad():
        found = [last_target(hiddens[-1], slope, rate)]
        for level in reversed(range(len(inverses))):
            h, above, inverse = hiddens[level], hiddens[level + 1], inverses[level]
            found.append(difference_correction(h, above, found[-1], inverse))
    return found[::-1]


def layer_loss(h: Tensor, target: Tensor) -> Tensor:
    """Squared distance of h (N, D) from target: sum over D, mean over N."""
    return F.mse_loss(h, target, reduction="sum") * (1 / len(h))


def inverse_loss(layer: Function, inverse: Function, corrupted: Tensor) -> Tensor:
    """How far inverse(layer(corrupted)) is from corrupted; layer is constant."""
    with no_grad():
        above = layer(corrupted)
    return layer_loss(inverse(above), corrupted)


# -- the network -----------------------------------------------------------------------


def _hard(h: Tensor) -> Tensor:
    """Sign of h, as a constant: no gradient passes it, not even an adapter's."""
    return F.sign(h.detach(), zero=-1)


class DtpNetwork(nn.Module):
    """layer1, layer2, ..., output, and inverse2, ... from each h_l to h_(l-1).

    Weights are the orthogonal factor of a uniform random matrix, drawn from seed and
    the layer's name alone; biases are 0. Raises ArgumentError for less than two hidden
    layers.
    """

    output: nn.Linear

    def __init__(
        self, in_features: int, hidden: Sequence[int], classes: int, *, seed: int
    ) -> None:
        if len(hidden) < 2:
            raise ArgumentError(
                f"DtpNetwork: hidden is {tuple(hidden)}, expected two widths or more, "
                "as targets are handed from one hidden layer down to another"
            )
        self.depth = len(hidden)
        widths = (in_features, *hidden)
        for number in range(1, self.depth + 1):
            below, width = widths[number - 1], widths[number]
            self._add(f"layer{number}", below, width, seed)
            if number > 1:
                self._add(f"inverse{number}", width, below, seed)
        self._add("output", widths[-1], classes, seed)

    def _add(self, name: str, width: int, next_width: int, seed: int) -> None:
        layer = nn.Linear(width, next_width, rng=generator(seed, f"{name}.weight"))
        layer.weight.data[...] = _orthogonal(layer.weight.shape, name, seed)
        nn.init.zeros_(cast(Tensor, layer.bias))
        setattr(self, name, layer)

    def hidden(self, number: int, below: Tensor) -> Tensor:
        """h_number (N, D) of what lies below, h_(number-1) or the input."""
        layer = getattr(self, f"layer{number}")
        return F.tanh(layer(_hard(below) if number == 2 else below))

    def inverse(self, number: int, above: Tensor) -> Tensor:
        """Guess h_(number-1) from h_number, above."""
        layer = getattr(self, f"inverse{number}")
        return F.tanh(layer(_hard(above) if number == 2 else above))

    def hiddens(self, x: Tensor, count: int) -> list[Tensor]:
        """h_1, ..., h_count of x (N, in_features), each made of a constant."""
        found = [x]
        for number in range(1, count + 1):
            found.append(self.hidden(number, found[-1].detach()))
        return found[1:]

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of x (N, in_features)."""
        for number in range(1, self.depth + 1):
            x = self.hidden(number, x)
        return self.logits(x)

    def logits(self, last: Tensor) -> Tensor:
        """Logits (N, classes) of h of the last hidden layer."""
        return self.output(last)


def _orthogonal(shape: tuple[int, ...], name: str, seed: int) -> numpy.ndarray:
    """Draw the matrix with orthonormal rows or columns next to a uniform random one."""
    drawn = generator(seed, f"{name}.weight").uniform(-1, 1, shape)
    left, _, right = numpy.linalg.svd(drawn, full_matrices=False)
    return (left @ right).astype("float32")


# -- training --------------------------------------------------------------------------


@dataclass
class DtpTraining(Training):
    """Trains a DtpNetwork: each epoch the inverses first, then the layers."""

    rates: DtpRates = field(default_factory=DtpRates)

    def _train(self, epoch: int, hooks: Hooks) -> float:
        """Return the mean over examples of J in nats, each before its step."""
        self.model.train()
        for images, _ in self._batches(hooks):
            self._descend(self._inverse_losses(images, noise_std(epoch)))
        total = 0.0
        for images, labels in self._batches(hooks):
            loss, losses = self._layer_losses(images, labels)
            self._descend(losses)
            total += loss * len(labels)
        return total / len(self.examples.train.labels)

    def _batches(self, hooks: Hooks) -> Iterator[tuple[Any, Any]]:
        """Give batches in the order of the files, until the training is to stop."""
        images, labels = self.examples.train
        for start in range(0, len(labels), self.batch_size):
            if hooks.stopped():
                raise Stopped
            window = slice(start, start + self.batch_size)
            yield images[window], labels[window]

    def _descend(self, losses: Sequence[Tensor]) -> None:
        """Step down losses; parameters without a gradient stay where they are."""
        for loss in losses:
            loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _inverse_losses(self, images: Any, std: float) -> list[Tensor]:
        """Losses of inverse2, ..., with noise on what they are to find again."""
        net = cast(DtpNetwork, self.model)
        with no_grad():
            hiddens = net.hiddens(tensor(self.as_input(images)), net.depth - 1)
        losses: list[Tensor] = []
        for number, h in enumerate(hiddens, 2):
            noise = normal_noise(self.streams.next(f"inverse{number}"), h.shape)
            corrupted = h + tensor(noise * numpy.float32(std))
            layer, inverse = _functions(net, number)
            losses.append(inverse_loss(layer, inverse, corrupted))
        return losses

    def _layer_losses(self, images: Any, labels: Any) -> tuple[float, list[Tensor]]:
        """J, whose gradient the output has by then, and the losses of layer1, ..."""
        net = cast(DtpNetwork, self.model)
        hiddens = net.hiddens(tensor(self.as_input(images)), net.depth)
        last = Tensor(hiddens[-1].data, requires_grad=True)
        loss = F.cross_entropy(net.logits(last), tensor(labels))
        loss.backward()
        inverses = [_functions(net, number)[1] for number in range(2, net.depth + 1)]
        aims = targets(hiddens, last.grad, inverses, self.rates.target)
        return loss.item(), list(map(layer_loss, hiddens, aims))


def _functions(net: DtpNetwork, number: int) -> tuple[Function, Function]:
    """Layer f_number, and its inverse g_number."""
    return partial(net.hidden, number), partial(net.inverse, number)


def build(config: Any, seed: int) -> DtpTraining:
    """Build the network of a configuration, its optimiser and inverses, untrained.

    config has dataset, hidden, image_size, batch_size, and what examples_of reads.
    """
    rates = DtpRates()
    model = DtpNetwork(config.image_size**2, config.hidden, CLASSES, seed=seed)
    named = list(model.named_parameters())
    groups = [
        {
            "params": [p for name, p in named if name.startswith("inverse") == inverse],
            "lr": rate,
        }
        for inverse, rate in ((False, rates.forward), (True, rates.inverse))
    ]
    return DtpTraining(
        model=model,
        optimizer=CentredRMSprop(groups, lr=rates.forward),
        streams=Streams(seed),
        examples=examples_of(config),
        batch_size=config.batch_size,
        seed=seed,
        rates=rates,
    )
