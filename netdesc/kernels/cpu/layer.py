"""A dense layer as chains take it: weights, neurons, and what acts between the two."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from netdesc.kernels.cpu.arrays import array_of
from netdesc.kernels.cpu.arrivals import Events
from netdesc.kernels.cpu.between import Between
from netdesc.kernels.cpu.constants import Constants, Shares, constants_of
from netdesc.kernels.cpu.sources import Source
from netdesc.kernels.parameters import Dynamics


@dataclass(frozen=True, eq=False)
class Layer:
    """Weights, their bits, if any, the neurons, and whether a decay of theirs is learnt.

    And what acts between weights and neurons, for a single pass.
    """

    weight_OI: torch.Tensor
    bits: int | None
    neurons: Dynamics
    learn: bool
    between: Between | None = None

    @property
    def is_fused(self) -> bool:
        """Whether the current goes to the neurons as integers, and is never whole."""
        return self.bits is not None and self.between is None

    # What follows is worked out once for a layer that is the same from pass to pass.

    @cached_property
    def constants(self) -> Constants:
        return constants_of(self.neurons)

    @cached_property
    def shares(self) -> Shares | None:
        """See ``Constants``."""
        return self.constants.shares

    def shares_by(self, source: Source) -> Shares | None:
        """Where what the layer hands back is the drive of the gradient of its current.

        That is where neurons that decay alike get integers straight from events.
        """
        return self.shares if self.is_fused and isinstance(source, Events) else None

    @cached_property
    def outputs(self) -> int:
        return self.weight_OI.shape[0]

    @cached_property
    def inputs(self) -> int:
        return self.weight_OI.shape[1]

    @property
    def weights(self) -> np.ndarray:
        """``weight_OI`` as kernels take it; asked for anew, because a tensor's memory may move."""
        return array_of(self.weight_OI)
