"""Divides samples into batches of tensors, in order or shuffled."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.data.randomness import sample_order, sample_rngs
from netdesc.data.samples import Indices, Rngs, Samples
from netdesc.description.models.augmentation import (
    Augmentation,
    DropEvents,
    SpatialShift,
    TimeJitter,
    TimeShift,
)

MAX_RESIDENT_SHARE = 0.25
"""Largest share of a GPU's free memory that the samples of one split may take."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and targets of ``size`` samples.

    ``input_TBN`` is float32 [steps, size, *input shape]. ``target`` is float32
    [steps, size, *output shape] if targets are spikes or values of steps, [1, size, *output shape]
    if they are values of samples, otherwise int64 labels [size] or [steps, size].
    """

    input_TBN: torch.Tensor
    target: torch.Tensor

    @property
    def size(self) -> int:
        """The number of samples."""
        return self.input_TBN.shape[1]

    def loss_weight(self, reduction: str, samples: int) -> float:
        """Returns the factor of this batch's loss in that of all ``samples``: 1 for sums."""
        return self.size / samples if reduction == "mean" else 1.0


@dataclass(frozen=True, eq=False)
class Batches:
    """Divides samples into batches of at most ``batch_size`` (None: all samples) on ``device``.

    If one batch holds all samples, it is built once and reused (``shuffled`` builds it again if
    inputs are random). Smaller batches are built when they are needed. On a GPU, samples that are
    not random stay on the device if they fit in ``MAX_RESIDENT_SHARE`` of its free memory; then
    batches are selected there. ``augmentation`` changes the inputs of shuffled batches at random.
    """

    samples: Samples
    batch_size: int | None
    device: torch.device
    seed: int
    augmentation: Augmentation = ()

    def in_order(self) -> Iterator[Batch]:
        """Yields batches of all samples in order. Random inputs depend on seed and row only."""
        if self._size == len(self.samples):
            yield self._single_batch
        else:
            yield from self._chunks(np.arange(len(self.samples)))

    def shuffled(self, epoch: int) -> Iterator[Batch]:
        """Yields batches of all samples in random order.

        The order depends only on seed and epoch, random inputs and augmentation on these and the
        row of the sample. If one batch holds all samples, it is not shuffled, because its gradient
        does not depend on the order.
        """
        if self._size == len(self.samples) and not self._is_random:
            yield self._single_batch
            return
        if self._size < len(self.samples):
            yield from self._chunks(sample_order(len(self.samples), self.seed, epoch + 1), epoch)
        else:
            yield self._build(self.samples, epoch)

    @property
    def _is_random(self) -> bool:
        return self.samples.is_random or bool(self.augmentation)

    @property
    def _size(self) -> int:
        return min(self.batch_size or len(self.samples), len(self.samples))

    @cached_property
    def _single_batch(self) -> Batch:
        return self._build(self.samples)

    def _chunks(self, order: Indices, epoch: int | None = None) -> Iterator[Batch]:
        if self._is_resident:
            whole = self._resident
            axis = _sample_axis(whole.target)
            for indices in torch.from_numpy(order).to(self.device).split(self._size):
                target = whole.target.index_select(axis, indices)
                yield Batch(whole.input_TBN.index_select(1, indices), target)
            return
        for start in range(0, len(order), self._size):
            yield self._build(self.samples[order[start : start + self._size]], epoch)

    @cached_property
    def _is_resident(self) -> bool:
        if self.device.type != "cuda" or self._is_random:
            return False
        input_TBN, target = self.samples[:1].dense(())
        needed = (input_TBN.nbytes + target.nbytes) * len(self.samples)
        free, _ = torch.cuda.mem_get_info(self.device)
        return needed <= MAX_RESIDENT_SHARE * free

    @cached_property
    def _resident(self) -> Batch:
        """All samples, copied batch by batch: dense, they may not fit the host's memory."""
        whole: list[torch.Tensor] = []
        for start in range(0, len(self.samples), self._size):
            batch = self._build(self.samples[start : start + self._size])
            for number, part in enumerate((batch.input_TBN, batch.target)):
                axis = _sample_axis(part)
                if not start:
                    shape = (*part.shape[:axis], len(self.samples), *part.shape[axis + 1 :])
                    whole.append(part.new_empty(shape))
                whole[number].narrow(axis, start, batch.size).copy_(part)
        return Batch(*whole)

    def _build(self, samples: Samples, epoch: int | None = None) -> Batch:
        """Builds a batch of an epoch or, without augmentation, one for ``in_order``."""
        purpose = "in order" if epoch is None else f"epoch {epoch}"
        input_TBN, target = samples.dense(sample_rngs(self.seed, purpose, samples.rows))
        if epoch is not None and self.augmentation:
            rngs = sample_rngs(self.seed, f"augmentation of {purpose}", samples.rows)
            augment(input_TBN, self.augmentation, rngs)
        return Batch(self._tensor(input_TBN), self._tensor(target))

    def _tensor(self, array: NDArray) -> torch.Tensor:
        tensor = torch.from_numpy(array)
        if not tensor.is_floating_point():
            tensor = tensor.to(torch.int64)
        return tensor.to(self.device)


def _sample_axis(tensor: torch.Tensor) -> int:
    """Returns the axis of the samples: 1 if there is a time axis before, 0 for labels [samples]."""
    return min(1, tensor.dim() - 1)


Sample = NDArray[np.float32]
"""The inputs of one sample, [steps, *input shape]."""


def augment(input_TBN: NDArray[np.float32], augmentation: Augmentation, rngs: Rngs) -> None:
    """Changes inputs [steps, samples, *input shape] in place; ``rngs`` draw, one a sample."""
    for number, rng in enumerate(rngs):
        sample = input_TBN[:, number]
        for each in augmentation:
            sample = _CHANGES[type(each)](sample, each, rng)
        input_TBN[:, number] = sample


def _shift(sample: Sample, axis: int, steps: int) -> Sample:
    """Moves a sample along an axis; what leaves it is lost, and zeros follow."""
    moved = np.zeros_like(sample)
    kept = max(0, sample.shape[axis] - abs(steps))
    at: list[list[slice]] = [[slice(None)] * sample.ndim, [slice(None)] * sample.ndim]
    at[steps < 0][axis] = slice(abs(steps), abs(steps) + kept)
    at[steps >= 0][axis] = slice(0, kept)
    moved[tuple(at[0])] = sample[tuple(at[1])]
    return moved


def _spatial_shift(sample: Sample, section: Any, rng: np.random.Generator) -> Sample:
    for axis in range(max(1, sample.ndim - 2), sample.ndim):
        sample = _shift(sample, axis, _draw(section.max_pixels, rng))
    return sample


def _drop_events(sample: Sample, section: Any, rng: np.random.Generator) -> Sample:
    values = sample.flatten()
    events = np.flatnonzero(values != 0)
    values[events[rng.random(len(events)) < section.probability]] = 0
    return values.reshape(sample.shape)


def _time_jitter(sample: Sample, section: Any, rng: np.random.Generator) -> Sample:
    moved = sample.flatten()
    at = np.flatnonzero(moved != 0)
    value, steps = moved[at], (-section.max_steps, section.max_steps)
    at += rng.integers(*steps, len(at), endpoint=True) * (moved.size // len(sample))
    # The largest magnitude is assigned last, so that it stays where values meet.
    order = np.argsort(np.abs(value), kind="stable")
    order = order[(at[order] >= 0) & (at[order] < moved.size)]
    moved[:] = 0
    moved[at[order]] = value[order]
    return moved.reshape(sample.shape)


def _draw(limit: int, rng: np.random.Generator) -> int:
    return int(rng.integers(-limit, limit, endpoint=True))


_CHANGES: dict[type, Callable[[Sample, Any, np.random.Generator], Sample]] = {
    TimeShift: lambda sample, section, rng: _shift(sample, 0, _draw(section.max_steps, rng)),
    SpatialShift: _spatial_shift,
    DropEvents: _drop_events,
    TimeJitter: _time_jitter,
}
