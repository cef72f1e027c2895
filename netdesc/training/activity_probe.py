"""What a network does with a batch: spikes by layer, output, rates and predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netdesc.losses.rates import rates
from netdesc.modules import Network
from netdesc.training.batches import Batch


@dataclass(frozen=True, eq=False)
class ActivitySnapshot:
    """The activity of a network for one batch."""

    spikes: dict[str, NDArray[np.float64]]
    """By layer, how often each neuron has spiked, over all steps and samples: [neurons]."""
    output_TBN: Tensor
    rates_BN: Tensor
    """Spikes a step of each output neuron."""
    predictions: Tensor | None
    """What the classifier makes of the output, [batch] or [steps, batch], if there is one."""


def probe_activity(
    network: Network, classifier: nn.Module | None, batch: Batch
) -> ActivitySnapshot:
    """Runs ``network`` on ``batch`` and observes its layers with forward hooks."""
    spikes: dict[str, NDArray[np.float64]] = {}

    def count(name: str):
        def count_layer(_block: nn.Module, _inputs: object, spikes_TBN: Tensor) -> None:
            counts = spikes_TBN.flatten(2).sum((0, 1)).to(torch.float64)
            spikes[name] = counts.cpu().numpy()

        return count_layer

    hooks = [block.register_forward_hook(count(name)) for name, block in network.blocks()]
    output_TBN = network(batch.input_TBN)
    for hook in hooks:
        hook.remove()
    predictions = None if classifier is None else classifier(output_TBN)
    return ActivitySnapshot(spikes, output_TBN, rates(output_TBN), predictions)
