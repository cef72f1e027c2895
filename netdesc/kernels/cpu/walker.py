"""A layer's neurons and their input weights, walked through backward in time, run by run."""

from __future__ import annotations

from copy import copy
from functools import cached_property

import numpy as np
import torch

from netdesc.kernels.cpu import backward
from netdesc.kernels.cpu.arrays import flat
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.buffers import scratch
from netdesc.kernels.cpu.by_source import BY_ROWS, BySource, by_source
from netdesc.kernels.cpu.constants import Constants, Shares
from netdesc.kernels.cpu.lanes import LANES
from netdesc.kernels.cpu.places import Places, alike_in_time, time_first
from netdesc.kernels.cpu.threads import crew_of
from netdesc.kernels.cpu.weight_sums import room_to_turn
from netdesc.kernels.cpu.weights import half_limits, room_by_vectors

_NOTHING = np.empty(0, np.float32)


Signal = tuple[np.ndarray, Places]
"""A number for each step, sample and neuron: flat, and where its rows are."""


def signal(grad_TBN: torch.Tensor) -> Signal:
    """The numbers of a gradient, flat, and where they are.

    That of a loss by labels is often one number for all steps: it is not spread out.
    """
    if grad_TBN.stride(0) == 0 and len(grad_TBN) > 1:
        return flat(grad_TBN[0]), alike_in_time()
    return flat(grad_TBN), time_first(grad_TBN.shape[1])


def of_samples(given: Signal, first: int) -> Signal:
    """The same numbers where the first sample that they are of has that number."""
    numbers, (start, by_step, by_sample) = given
    return numbers, (start - first * by_sample, by_step, by_sample)


def decays_of(by_sample: np.ndarray) -> torch.Tensor:
    """Gradients of both decays [2, neurons], of those by sample [batch, 2 · neurons]."""
    with np.errstate(over="ignore", invalid="ignore"):  # training says it in its own words
        return torch.from_numpy(by_sample.sum(axis=0).reshape(2, -1))


class Walker:
    """The neurons of a layer, and how far back in time they have come.

    Each call takes the run of steps before that of the call before. ``shape`` is steps, samples and
    neurons, ``voltage`` flat.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        voltage: np.ndarray,
        of_voltage: Places,
        constants: Constants,
        learn: bool,
    ) -> None:
        self.shape = shape
        self.steps, self.batch, self.neurons = shape
        self._voltage, self._of_voltage = voltage, of_voltage
        self._constants, self._learn = constants, learn
        self._begin()

    def _begin(self) -> None:
        self._after = np.zeros(3 * self.batch * self.neurons, np.float32)
        self._by_sample = np.zeros((self.batch, 2 * self.neurons), np.float32)

    def again(self) -> Walker:
        """The layer as it was before its first walk; of its decays nothing more is learnt."""
        other = copy(self)
        other._learn = False
        other._begin()
        return other

    @property
    def shares(self) -> Shares | None:
        """Where neurons decay alike; then a walk by events leaves the drive (see ``carried``)."""
        return self._constants.shares

    def walk(
        self,
        first: int,
        last: int,
        grad_out: Signal,
        grad_z: np.ndarray,
        leaves: int = backward.ADJOINT,
        samples: tuple[int, int] | None = None,
    ) -> None:
        """Fills ``grad_z`` [steps, batch, neurons] of the steps ``first`` to before ``last``.

        Or what else the walk ``leaves`` (see ``backward``). Voltages are time-first. Given
        ``samples``, it is for those from one to before another.
        """
        assert self._of_voltage == time_first(self.batch)
        backward.adjoint(
            *grad_out,
            self._voltage,
            *self._constants,
            self._learn,
            self.batch,
            samples or (0, self.batch),
            first,
            last,
            self._after,
            leaves,
            grad_z.reshape(-1),
            self._by_sample,
        )

    def walk_by_events(
        self,
        first: int,
        last: int,
        grad_out: Signal,
        grad_z: Signal | None,
        weights: WeightSums,
        samples: tuple[int, int] | None = None,
    ) -> None:
        """The same, adding the gradient of the weights to ``weights``.

        What is left in ``grad_z`` is the drive where neurons decay alike. Samples come in order.
        """
        samples = samples or (0, self.batch)
        z, of_z = (_NOTHING, (0, 0, 0)) if grad_z is None else grad_z
        left = backward.NOTHING if grad_z is None else backward.left_by_events(self.shares)
        sums, is_all = weights, (first, last) == (0, self.steps)
        ordered = sums.ordered if is_all else BY_ROWS
        room = max(room_to_turn(sums.inputs), ordered.length * LANES)
        backward.adjoint_by_events(
            sums.events,
            sums.weight_OI,
            *half_limits(sums.bits),
            *grad_out,
            self._voltage,
            self._of_voltage,
            *self._constants,
            self._learn,
            samples,
            first,
            last,
            sums.begin(),
            first == 0 and samples[1] == self.batch,
            self._after,
            left,
            z,
            of_z,
            self._by_sample,
            ordered,
            scratch((crew_of(self.neurons), room), np.float32),
            sums.grad_VLI,
        )

    def decays(self) -> torch.Tensor:
        """Gradients of both decays [2, neurons], once all steps were walked."""
        return decays_of(self._by_sample)


class WeightSums:
    """The gradient of weights while it is added up by the events of their input."""

    def __init__(self, events: Events, weight_OI: np.ndarray, bits: int) -> None:
        outputs, inputs = weight_OI.shape
        room = room_by_vectors(outputs, inputs)
        self.events, self.weight_OI, self.bits = events, weight_OI, bits
        self.grad_VLI, self.grad_OI = room.reshape(-1, LANES * inputs), room[:outputs]
        self._has_begun = False

    @property
    def inputs(self) -> int:
        return self.weight_OI.shape[1]

    @cached_property
    def ordered(self) -> BySource:
        """The events by their source, where that pays: for whoever walks through all steps."""
        return by_source(self.events, self.inputs, len(self.weight_OI))

    def begin(self) -> bool:
        """Whether nothing has been added yet; from now on something has."""
        before, self._has_begun = self._has_begun, True
        return not before
