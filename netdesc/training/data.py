"""Samples as batches: in which order they come, and with which random numbers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.graph import Graph, SpikeTime
from netdesc.kernels.spike_words import SpikeWords
from netdesc.training.errors import DataError

CELLS_AT_ONCE = 1 << 20
"""Values of input and layers, over all steps, that are there together for who looks now and then.

On a CPU, and more where a single sample has more.
"""

RESIDENT_SHARE = 0.25
"""The most of a GPU's free memory that the samples of one part may take."""

Shape = tuple[int, ...]
Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class Frame:
    """What samples must fit: the time axis, the shapes, and the classes where there are labels."""

    steps: int
    step_ms: float
    input_shape: Shape
    output_shape: Shape
    classes: int | None = None
    labels_by_step: bool = False
    """Whether a sample may have a label in every step."""

    @classmethod
    def of(cls, graph: Graph) -> Frame:
        return cls(
            graph.steps,
            graph.step_ms,
            graph.input_shape,
            graph.output_shape,
            graph.classes,
            not isinstance(graph.loss, SpikeTime) and graph.loss.window_steps is not None,
        )


class Samples(Protocol):
    """Samples in a compact form. ``samples[which]`` are some of them, by slice or numbers."""

    @property
    def is_random(self) -> bool:
        """Whether inputs are drawn anew in every epoch."""
        ...

    @property
    def labels(self) -> NDArray | None:
        """Classes [samples] or [samples, steps]; None where targets are output spikes."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, which: slice | Numbers) -> Self: ...

    def dense(self, draws: np.random.Generator) -> tuple[NDArray[np.float32], NDArray]:
        """All of them: inputs [steps, samples, *shape], and what is wanted.

        That is a float32 target of the output's form, or labels [samples] or [steps, samples].
        Random inputs take their numbers from ``draws``, sample by sample.
        """
        ...

    def packed(self, draws: np.random.Generator) -> tuple[SpikeWords, NDArray | SpikeWords] | None:
        """The same with inputs as words, and without floats on the way.

        A target is words, too, where it can be. None, before anything is drawn, where inputs have
        cells with too many spikes.
        """
        ...


AnySamples = TypeVar("AnySamples", bound=Samples)


@dataclass(frozen=True, eq=False)
class Batch:
    """``inputs`` are float32 [steps, size, *shape] or, without floats, words of spikes.

    ``wanted`` is the same of the output, or int64 labels [size] or [steps, size].
    """

    inputs: torch.Tensor | SpikeWords
    wanted: torch.Tensor | SpikeWords
    size: int

    @property
    def input_TBN(self) -> torch.Tensor:
        """The inputs as floats; of words they are made for whoever asks."""
        return _dense(self.inputs)

    @property
    def target(self) -> torch.Tensor:
        """What is wanted as the loss takes it, in the same way."""
        return _dense(self.wanted)


def _dense(given: torch.Tensor | SpikeWords) -> torch.Tensor:
    return torch.from_numpy(given.dense()) if isinstance(given, SpikeWords) else given


def split(samples: AnySamples, share: float, seed: int) -> tuple[AnySamples, AnySamples]:
    """Sets ``share`` of the samples aside for validation: (training, validation).

    The seed decides which ones, always the same. At least one sample goes to validation, and at
    least one must remain for training (DataError).
    """
    count = max(1, round(share * len(samples)))
    if count >= len(samples):
        raise DataError(
            f"a validation split of {share:g} leaves none of the {len(samples)} sample(s) to train "
            "on"
        )
    order = torch.randperm(len(samples), generator=_order_generator(seed, 0)).numpy()
    return samples[np.sort(order[count:])], samples[np.sort(order[:count])]


@dataclass(frozen=True, eq=False)
class Batches:
    """Samples as batches of at most ``batch_size`` (None: all in one) on ``device``.

    One batch of everything is built once and handed out again and again, unless it is drawn anew;
    smaller ones are built when their turn comes. On a GPU, samples that are the same in every epoch
    and take no more than ``RESIDENT_SHARE`` of its free memory are kept there, and batches are
    taken from them.
    """

    samples: Samples
    batch_size: int | None
    device: torch.device
    seed: int
    packs: bool = False
    """Whether inputs are to be words of spikes, where they can be; on a CPU."""

    def in_order(self) -> Iterator[Batch]:
        """All samples as they stand; the seed alone decides what is random in them."""
        if self._size == len(self.samples):
            yield self._everything
        else:
            draws = _draws(self.seed, "in order")
            yield from self._chunks(np.arange(len(self.samples)), draws)

    def shuffled(self, epoch: int) -> Iterator[Batch]:
        """All samples in an order, and with draws, that seed and epoch alone decide.

        A single batch is never shuffled: its gradient is a sum over the samples.
        """
        if self._size == len(self.samples) and not self.samples.is_random:
            yield self._everything
            return
        draws = _draws(self.seed, f"epoch {epoch}")
        if self._size < len(self.samples):
            generator = _order_generator(self.seed, epoch + 1)
            order = torch.randperm(len(self.samples), generator=generator)
            yield from self._chunks(order.numpy(), draws)
        else:
            yield self._build(self.samples, draws)

    def few_at_once(self, graph: Graph) -> Batches:
        """The same in batches so small that who looks now and then takes no memory to speak of.

        They are built anew every time. On a GPU batches are as they were.
        """
        if self.device.type != "cpu":
            return self
        few = max(1, CELLS_AT_ONCE // cells_of(graph))
        return replace(self, batch_size=min(few, self._size))

    @property
    def _size(self) -> int:
        return min(self.batch_size or len(self.samples), len(self.samples))

    @cached_property
    def _everything(self) -> Batch:
        return self._build(self.samples, _draws(self.seed, "in order"))

    def _chunks(self, order: Numbers, draws: np.random.Generator) -> Iterator[Batch]:
        if self._is_resident:
            for numbers in torch.from_numpy(order).to(self.device).split(self._size):
                yield self._taken(numbers)
            return
        for start in range(0, len(order), self._size):
            yield self._build(self.samples[order[start : start + self._size]], draws)

    @cached_property
    def _is_resident(self) -> bool:
        if self.device.type != "cuda" or self.samples.is_random:
            return False
        input_TBN, wanted = self.samples[:1].dense(_draws(self.seed, "in order"))
        needed = (input_TBN.nbytes + wanted.nbytes) * len(self.samples)
        return needed <= RESIDENT_SHARE * _free_bytes(self.device)

    @cached_property
    def _resident(self) -> Batch:
        """All samples on the device, built bit by bit: the host's memory may not hold them."""
        draws = _draws(self.seed, "in order")
        built = (
            self._build(self.samples[start : start + self._size], draws)
            for start in range(0, len(self.samples), self._size)
        )
        whole: list[torch.Tensor] = []
        start = 0
        for batch in built:
            for number, part in enumerate((batch.input_TBN, batch.target)):
                axis = _sample_axis(part)
                if not start:
                    shape = (*part.shape[:axis], len(self.samples), *part.shape[axis + 1 :])
                    whole.append(part.new_empty(shape))
                whole[number].narrow(axis, start, batch.size).copy_(part)
            start += batch.size
        return Batch(*whole, size=start)

    def _taken(self, numbers: torch.Tensor) -> Batch:
        whole = self._resident
        target = whole.target.index_select(_sample_axis(whole.target), numbers)
        return Batch(whole.input_TBN.index_select(1, numbers), target, len(numbers))

    def _build(self, samples: Samples, draws: np.random.Generator) -> Batch:
        inputs, wanted = (self.packs and samples.packed(draws)) or samples.dense(draws)
        return Batch(self._placed(inputs), self._placed(wanted), len(samples))

    def _placed(self, given: NDArray | SpikeWords) -> torch.Tensor | SpikeWords:
        if isinstance(given, SpikeWords):
            return given
        tensor = torch.from_numpy(given)
        if not tensor.is_floating_point():
            tensor = tensor.to(torch.int64)
        return tensor.to(self.device)


def cells_of(graph: Graph) -> int:
    """Values of the input and of all layers over the steps of a sample."""
    shapes = [graph.input_shape, *(layer.output_shape for layer in graph.layers)]
    return graph.steps * sum(map(math.prod, shapes))


def _sample_axis(tensor: torch.Tensor) -> int:
    """Time comes before the samples, where there is one: labels may be one a sample."""
    return min(1, tensor.dim() - 1)


def _free_bytes(device: torch.device) -> int:
    return torch.cuda.mem_get_info(device)[0]


def _order_generator(seed: int, purpose: int) -> torch.Generator:
    """A generator of its own for every purpose (0 the split, epoch + 1 that epoch's order)."""
    return torch.Generator().manual_seed(_mixed(f"{seed} {purpose}"))


def _draws(seed: int, purpose: str) -> np.random.Generator:
    """Random numbers for inputs; the same, however many are drawn at once."""
    return np.random.Generator(np.random.PCG64(_mixed(f"{seed} draws {purpose}") % 2**64))


def _mixed(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little", signed=True)
