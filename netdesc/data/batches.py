"""Divides samples into batches of tensors, in order or shuffled."""

from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.data.randomness import sample_order, sample_rngs
from netdesc.data.read_ahead import read_ahead
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

Tensors = tuple[torch.Tensor, torch.Tensor]
Load = tuple[Any, tuple[int, int | None, int, int]]
"""What a shard is built from: its samples (or their indices, if samples are on the GPU), and the
fields ``shard``, ``whole_size``, ``epoch`` and ``number`` of its ``Batch``."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Inputs and targets of a batch, or of one shard of it, a part that is computed for itself.

    ``input_TBN`` is float32 [steps, size, *input shape]. ``target`` is float32
    [steps, size, *output shape] if targets are spikes or values of steps, [1, size, *output shape]
    if they are values of samples, otherwise int64 labels [size] or [steps, size].
    """

    input_TBN: torch.Tensor
    target: torch.Tensor
    shard: int = 0
    whole_size: int | None = None
    """The number of samples in all shards of the batch; None if this is all of it."""
    epoch: int = 0
    number: int = 0
    """The number of the batch in its epoch. Random draws depend on epoch, number and shard."""

    @property
    def size(self) -> int:
        """The number of samples here."""
        return self.input_TBN.shape[1]

    def copied(self, device: torch.device) -> "Batch":
        """Copies the batch to the device by way of pinned memory, without waiting for the copy."""
        inputs, target = self.input_TBN.pin_memory(), self.target.pin_memory()
        input_TBN = inputs.to(device, non_blocking=True)
        return replace(self, input_TBN=input_TBN, target=target.to(device, non_blocking=True))

    @property
    def share(self) -> float:
        """The share of these samples in the whole batch."""
        return 1.0 if self.whole_size is None else self.size / self.whole_size

    def loss_weight(self, reduction: str, samples: int) -> float:
        """Returns the factor of this loss in that of all ``samples``: 1 for sums."""
        return self.size / samples if reduction == "mean" else 1.0


@dataclass(frozen=True, eq=False)
class Batches:
    """Divides samples into batches of at most ``batch_size`` (None: all samples) on ``device``.

    If one batch holds all samples, it is built once and reused (``shuffled`` builds it again if
    inputs are random). Smaller batches are built when they are needed. On a GPU, samples that are
    not random stay on the device if they fit in ``MAX_RESIDENT_SHARE`` of its free memory; then
    batches are selected there. ``augmentation`` changes the inputs of shuffled batches at random.

    A shuffled batch is cut into ``shards``: shard i of n samples has those from n·i//shards up to
    n·(i+1)//shards. Only those in ``own`` are built, in this process.
    """

    samples: Samples
    batch_size: int | None
    device: torch.device
    seed: int
    augmentation: Augmentation = ()
    shards: int = 1
    own: range = range(1)

    def __len__(self) -> int:
        """Returns the number of batches in an epoch."""
        return -(-len(self.samples) // self._size)

    def in_order(self, numbers: range | None = None) -> Iterator[Batch]:
        """Yields batches of all samples in order, or only those with some numbers.

        Random inputs depend on seed and row only.
        """
        numbers = range(len(self)) if numbers is None else numbers
        if len(self) == 1:
            yield from [self._single_batch] * len(numbers)
            return
        for (batch,) in self._batches(np.arange(len(self.samples)), numbers, None):
            yield batch

    def shuffled(self, epoch: int, first: int = 0) -> Generator[tuple[Batch, ...]]:
        """Yields batches of all samples in random order, from batch number ``first`` on.

        Yields the own shards of a batch; shards without samples are left out. The order depends
        only on seed and epoch, random inputs and augmentation on these and the row of the sample.
        If one batch holds all samples, it is not shuffled, because its gradient does not depend on
        the order. ``close`` ends the thread that builds batches.
        """
        if len(self) == 1 and not self._is_random:
            for _ in range(first, 1):
                yield tuple(replace(shard, epoch=epoch) for shard in self._single_shards)
            return
        yield from self._batches(self._order(epoch), range(first, len(self)), epoch)

    def example(self) -> Batch:
        """Returns a shard that has samples, of batch 0 of epoch 0: the same in each process."""
        if len(self) == self.shards == 1 and not self._is_random:
            return self._single_batch
        order = self._on_device(self._order(0))
        (shard,) = self._build_shards(self._load(order, 0, 0, range(self.shards)[-1:]), 0)
        return shard

    def _order(self, epoch: int) -> Indices:
        count = len(self.samples)
        return sample_order(count, self.seed, epoch + 1) if len(self) > 1 else np.arange(count)

    @property
    def _is_random(self) -> bool:
        return self.samples.is_random or bool(self.augmentation)

    @property
    def _size(self) -> int:
        return min(self.batch_size or len(self.samples), len(self.samples))

    @cached_property
    def _single_batch(self) -> Batch:
        return Batch(*self._build(self.samples))

    @cached_property
    def _single_shards(self) -> tuple[Batch, ...]:
        if self.shards == 1:
            return (self._single_batch,)
        return self._build_shards(self._load(np.arange(len(self.samples)), 0, 0, self.own), 0)

    def _on_device(self, order: Indices) -> Any:
        """Returns the order as a tensor on the device if the samples are there."""
        return torch.from_numpy(order).to(self.device) if self._is_resident else order

    def _batches(
        self, order: Indices, numbers: range, epoch: int | None
    ) -> Generator[tuple[Batch, ...]]:
        """Yields this process's shards of each batch of ``epoch``; if that is None, whole batches.

        A thread reads files ahead. If a GPU trains, the thread also builds the tensors, but does
        not call CUDA, because a graph may be captured meanwhile. If the CPU trains, it builds none:
        that would take cores and caches from the kernels.
        """
        cut = (range(1), 1) if epoch is None else (self.own, self.shards)
        at, is_copied = self._on_device(order), self.device.type == "cuda" and not self._is_resident
        host = replace(self, device=torch.device("cpu")) if is_copied else self
        build = partial(host._build_shards, epoch=epoch)
        loads = (self._load(at, number, epoch, *cut) for number in numbers)
        items: Any = map(build, loads) if is_copied else loads
        if len(numbers) > 1 and (is_copied or self.samples.reads_files):
            items = read_ahead(items)
        yield from self._copy(items) if is_copied else map(build, items)

    def _copy(self, batches: Iterable[tuple[Batch, ...]]) -> Iterator[tuple[Batch, ...]]:
        """Copies batches to the GPU; a batch is copied while the GPU computes the one before.

        Copies from pinned memory in another stream run beside the kernels of the current stream
        (PyTorch, "CUDA semantics", use pinned memory buffers; ``Tensor.record_stream``).
        """
        stream, current = torch.cuda.Stream(self.device), torch.cuda.current_stream(self.device)
        for shards in batches:
            with torch.cuda.stream(stream):
                copies = tuple([shard.copied(self.device) for shard in shards])
            current.wait_stream(stream)
            for copy in copies:
                copy.input_TBN.record_stream(current)
                copy.target.record_stream(current)
            del shards
            yield copies
            del copies  # before the next ones take as much memory

    def _load(
        self, order: Any, number: int, epoch: int | None, own: range, shards: int | None = None
    ) -> list[Load]:
        """Reads the samples of the shards ``own`` of batch ``number``; chooses those on the GPU.

        ``order`` is what ``_on_device`` returns. ``shards`` is the number of shards of the batch,
        by default ``self.shards``.
        """
        rows = order[number * self._size :][: self._size]
        count, shards, loads = len(rows), shards or self.shards, list[Load]()
        for shard in own:
            part = rows[count * shard // shards : count * (shard + 1) // shards]
            if len(part):
                samples = part if self._is_resident else self.samples[part].loaded()
                whole_size = None if len(part) == count else count
                loads.append((samples, (shard, whole_size, epoch or 0, number)))
        return loads

    def _build_shards(self, loads: Iterable[Load], epoch: int | None) -> tuple[Batch, ...]:
        return tuple([Batch(*self._select(samples, epoch), *numbers) for samples, numbers in loads])

    def _select(self, samples: Any, epoch: int | None) -> Tensors:
        if not self._is_resident:
            return self._build(samples, epoch)
        input_TBN, target = self._resident
        target = target.index_select(_sample_axis(target), samples)
        return input_TBN.index_select(1, samples), target

    @cached_property
    def _is_resident(self) -> bool:
        if self.device.type != "cuda" or self._is_random:
            return False
        input_TBN, target = self.samples[:1].dense(())
        needed = (input_TBN.nbytes + target.nbytes) * len(self.samples)
        free, _ = torch.cuda.mem_get_info(self.device)
        return needed <= MAX_RESIDENT_SHARE * free

    @cached_property
    def _resident(self) -> Tensors:
        """All samples, copied batch by batch: dense, they may not fit the host's memory."""
        whole: list[torch.Tensor] = []
        for start in range(0, len(self.samples), self._size):
            tensors = self._build(self.samples[start : start + self._size])
            for number, part in enumerate(tensors):
                axis = _sample_axis(part)
                if not start:
                    shape = (*part.shape[:axis], len(self.samples), *part.shape[axis + 1 :])
                    whole.append(part.new_empty(shape))
                whole[number].narrow(axis, start, part.shape[axis]).copy_(part)
        input_TBN, target = whole
        return input_TBN, target

    def _build(self, samples: Samples, epoch: int | None = None) -> Tensors:
        """Builds the tensors of a batch of an epoch or, without augmentation, for ``in_order``."""
        purpose = "in order" if epoch is None else f"epoch {epoch}"
        input_TBN, target = samples.dense(sample_rngs(self.seed, purpose, samples.rows))
        if epoch is not None and self.augmentation:
            rngs = sample_rngs(self.seed, f"augmentation of {purpose}", samples.rows)
            augment(input_TBN, self.augmentation, rngs)
        return self._tensor(input_TBN), self._tensor(target)

    def _tensor(self, array: NDArray) -> torch.Tensor:
        if array.dtype.kind != "f":  # torch would start more threads in the thread that reads
            array = array.astype(np.int64, copy=False)
        return torch.from_numpy(array).to(self.device)


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
