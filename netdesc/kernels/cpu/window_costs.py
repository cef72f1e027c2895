"""What a step costs by the spikes in its window, for Numba: what all walks have in common."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from numpy.typing import NDArray

from netdesc.kernels.cpu.arrays import scalar
from netdesc.kernels.cpu.sums import total
from netdesc.kernels.reference.windows import HALF_A_SPIKE

SQUARES, SOFTMAX, LIKELIHOOD = range(3)
KINDS = {"squares": SQUARES, "softmax": SOFTMAX, "likelihood": LIKELIHOOD}


class Costs(NamedTuple):
    """See ``reference.windows.window_loss``."""

    window: int
    kind: str
    true_rate: float
    false_rate: float


def sum_of_costs(sums: np.ndarray) -> torch.Tensor:
    """Of all samples, a float32 scalar."""
    return scalar(total(sums))


def flat_labels(labels_TB: torch.Tensor, neurons: int) -> tuple[NDArray[np.int64], int]:
    """Labels one after the other, and how far apart those of two steps are: 0 where all agree.

    ValueError where one is no neuron: a walk would read and write elsewhere.
    """
    labels: NDArray[Any] = labels_TB.numpy()
    apart = 0 if labels.strides[0] == 0 else labels.shape[1]
    labels = np.ascontiguousarray(labels if apart else labels[0]).reshape(-1)
    for label in (labels.min(), labels.max()):
        if not 0 <= label < neurons:
            raise ValueError(
                f"a label is {label}; with {neurons} neurons, labels are 0 to {neurons - 1}"
            )
    return labels, apart


@numba.njit(inline="always")
def costs_of_step(others, own, count, neurons, kind, share, true_rate, false_rate):
    """A step's costs by what was summed up over ``others`` than the label's ``own`` neuron.

    ``count`` is that neuron's, and ``share`` a spike's of a rate. And the costs' gradient by rates:
    the first number times the weights, and for the own neuron the second on top. A neuron's weight
    is its exponential, or its distance from ``false_rate``, of which the sum is of squares; with a
    likelihood it is 1, and what is summed up are counts.
    """
    if kind == SQUARES:
        right = count * share - true_rate
        return others + right * right, 2.0, 2 * (false_rate - true_rate)
    total = others + own
    if kind == SOFTMAX:
        # Its own neuron's is p − 1: what the weight will bring is taken away, to the bit.
        by_weight = np.float32(1 / total)
        brought = float(np.float32(own) * by_weight)
        return math.log1p(others / own), float(by_weight), -others / total - brought
    if own < HALF_A_SPIKE:
        own = HALF_A_SPIKE
        if total < HALF_A_SPIKE * neurons:
            total = HALF_A_SPIKE * neurons
    return math.log(total / own), 1 / (share * total), -1 / (share * own)
