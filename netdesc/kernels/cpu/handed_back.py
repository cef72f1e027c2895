"""What a layer hands back to those that it read: the gradient of its current, and its weights.

By the weights it becomes the gradient of what the layer read: of all of it, of some steps, or of
some samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from netdesc.kernels.cpu import product
from netdesc.kernels.cpu.buffers import scratch, take
from netdesc.kernels.cpu.by_samples import samples_at_once
from netdesc.kernels.cpu.carried import Carried
from netdesc.kernels.cpu.constants import Shares
from netdesc.kernels.cpu.folds import Added, add_up
from netdesc.kernels.cpu.layer import Layer
from netdesc.kernels.cpu.places import sample_first, time_first
from netdesc.kernels.cpu.walker import Signal

_RUN = 1 << 18
"""Numbers of gradients that are added to others at a time: 1 MB."""

_PARTS = 4
"""Of a batch, in which a gradient that is whole is added to itself."""


@dataclass(eq=False)
class HandedBack:
    """The gradient of a layer's current, and the weights by which the current came.

    Given ``shares`` it is but the gradient's drive, which becomes the gradient after these weights
    (see ``carried``); it may have gaps (see ``gaps``).
    """

    grad_z: Signal
    layer: Layer
    shares: Shares | None = None
    has_gaps: bool = False

    @property
    def inputs(self) -> int:
        return self.layer.inputs

    @property
    def rows(self) -> np.ndarray:
        return self.grad_z[0].reshape(-1, self.layer.outputs)

    @property
    def is_sample_first(self) -> bool:
        """Whether a sample's steps follow one another, as they do where there is one sample."""
        return self.grad_z[1][1] == 1

    def by_input(self, batch: int) -> Signal:
        """The gradient by the layer's input."""
        room = take((len(self.rows), self.layer.inputs), np.float32)
        rows, places = self._product(self.rows, room), self.grad_z[1]
        if self.shares is not None:
            Carried(self.shares, batch, self.layer.inputs).back(rows, places)
        return rows.reshape(-1), places

    def run_by_input(self, batch: int) -> Callable[[int, int], Signal]:
        """The same of the steps from one to before another; good until those before are asked for.

        The gradient of the current lies time-first.
        """
        assert self.grad_z[1][:2] == time_first(batch)[:2]
        room: list[np.ndarray] = []
        carried = self.shares and Carried(self.shares, batch, self.layer.inputs)

        def of_run(first: int, last: int) -> Signal:
            rows = self.rows[first * batch : last * batch]
            if not room or len(room[0]) < len(rows):
                room[:] = [scratch((len(rows), self.layer.inputs), np.float32)]
            part = self._product(rows, room[0][: len(rows)])
            if carried is not None:
                carried.back(part, time_first(batch))
            return part.reshape(-1), (-first * batch, batch, 1)

        return of_run

    def samples_by_input(
        self, steps: int, samples: tuple[int, int]
    ) -> Callable[[int, int], Signal]:
        """As ``run_by_input``, for the samples from one to before another; of several, all steps.

        The gradient of the current lies sample-first.
        """
        assert self.is_sample_first
        start, end = samples
        carried = self.shares and Carried(self.shares, end - start, self.layer.inputs)

        def of_run(first: int, last: int) -> Signal:
            length = last - first
            assert end - start == 1 or length == steps, "rows follow one another"
            rows = self.rows[start * steps + first : (end - 1) * steps + last]
            part = self._product(rows, scratch((len(rows), self.layer.inputs), np.float32))
            if carried is not None:
                carried.back(part, sample_first(length))
            return part.reshape(-1), (-first - start * length, 1, length)

        return of_run

    def _product(self, rows: np.ndarray, out: np.ndarray) -> np.ndarray:
        weights, bits = self.layer.weights, self.layer.bits
        return product.matmul(rows, weights, out, bits=bits, has_gaps=self.has_gaps)


class OfSum:
    """The gradient of a sum, for all ``layers`` that are in it: so many, and each takes it once.

    It comes for some samples after the other (see ``BySamples``).
    """

    def __init__(
        self,
        gradient: Callable[[int, int], torch.Tensor],
        at_once: int,
        shape: tuple[int, int, int],
        layers: int,
    ) -> None:
        self._gradient, self._at_once, self._shape, self._left = gradient, at_once, shape, layers
        self.is_for_one = layers == 1
        self._grad_TBN: torch.Tensor | None = None

    @property
    def inputs(self) -> int:
        return self._shape[2]

    def whole(self) -> torch.Tensor:
        """[steps, batch, neurons], not to be written to; or one number for all steps."""
        self._left -= 1
        assert self._left >= 0, "it was asked for more often than there are layers"
        if self._grad_TBN is None:
            self._grad_TBN = self._gradient(0, self._shape[1])
        return self._grad_TBN

    def expect_another(self) -> None:
        """One more takes it, for a sum of its own."""
        self._left += 1

    def by_samples(self) -> tuple[Callable[[int, int], torch.Tensor], int]:
        """The gradient of samples from one to before another, and for how many it is asked at once.

        It may be written to, unless it is one number for all steps.
        """
        if self.is_for_one:
            return self._gradient, self._at_once
        grad_TBN = self.whole()
        if grad_TBN.stride(0) == 0:
            return lambda first, last: grad_TBN[:, first:last], self._shape[1]

        def of_samples(first: int, last: int) -> torch.Tensor:
            return grad_TBN[:, first:last].clone(memory_format=torch.contiguous_format)

        return of_samples, samples_at_once(self._shape, _PARTS)

    def by_input(self, batch: int) -> Signal:
        """See ``HandedBack``. Others may be added to it, so the last one gets the memory itself."""
        grad_TBN = self.whole()
        if self._left == 0 and grad_TBN.is_contiguous():
            return grad_TBN.numpy().reshape(-1), time_first(batch)
        part = take(self._shape, np.float32)
        part[:] = grad_TBN.numpy()
        return part.reshape(-1), time_first(batch)

    def run_by_input(self, batch: int) -> Callable[[int, int], Signal]:
        """See ``HandedBack``."""
        grad_TBN = self.whole()

        def of_run(first: int, last: int) -> Signal:
            part = scratch((last - first, batch, self.inputs), np.float32)
            part[:] = grad_TBN[first:last].numpy()
            return part.reshape(-1), (-first * batch, batch, 1)

        return of_run


class Joined(Added["HandedBack | OfSum"]):
    """What several layers hand back to one that all of them read: the sum, in their order.

    Each lies time-first. What a view hands back is the sum of what it got.
    """

    @property
    def inputs(self) -> int:
        (first, *_) = self.times
        return first.inputs

    @property
    def of_sum(self) -> OfSum | None:
        """All that it is of, if that is the gradient of one sum, however often."""
        (first, *others) = self.times
        return first if isinstance(first, OfSum) and not others else None

    def by_samples(self) -> tuple[Callable[[int, int], torch.Tensor], int]:
        """See ``OfSum``."""
        of_sum = self.of_sum
        assert of_sum is not None, "it is handed back by layers, too"
        gradient, at_once = of_sum.by_samples()

        def of_samples(first: int, last: int) -> torch.Tensor:
            grad_TBN = gradient(first, last)
            if grad_TBN.stride(0):
                return torch.from_numpy(add_up(self, {of_sum: grad_TBN.numpy()}))
            step = add_up(self, {of_sum: grad_TBN[0].clone().numpy()})
            return torch.from_numpy(step).expand(grad_TBN.shape)

        return of_samples, at_once

    def by_input(self, batch: int) -> Signal:
        """See ``HandedBack``."""
        first, *others = self.times
        # Who asks an ``OfSum`` last may get its memory.
        runs = [(other, other.run_by_input(batch)) for other in others]
        total, places = first.by_input(batch)
        rows = total.reshape(-1, self.inputs)
        steps = len(rows) // batch
        length = max(1, _RUN // (max(1, len(others)) * batch * self.inputs))
        for end in range(steps, 0, -length):
            start = max(0, end - length)
            # Some may come of what the first is: all are made before any is added.
            values = {other: of_run(start, end)[0] for other, of_run in runs}
            add_up(self, {first: rows[start * batch : end * batch].reshape(-1), **values})
        return total, places

    def run_by_input(self, batch: int) -> Callable[[int, int], Signal]:
        """See ``HandedBack``."""
        runs = {each: each.run_by_input(batch) for each in self.times}

        def of_run(start: int, end: int) -> Signal:
            found = {each: of_run(start, end) for each, of_run in runs.items()}
            ((_, places), *_) = found.values()
            return add_up(self, {each: flat for each, (flat, _) in found.items()}), places

        return of_run
