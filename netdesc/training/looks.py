"""What a network makes of some samples, for who wants to see it and not only to measure it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from netdesc.graph.one_go import Wiring
from netdesc.losses.rates import rates
from netdesc.modules import Network
from netdesc.training.data import Batch
from netdesc.training.examples import BatchExamples
from netdesc.training.one_way import OneWay
from netdesc.training.rasters import runs_of


@dataclass(frozen=True, eq=False)
class Look:
    """What became of a batch."""

    spikes: dict[str, NDArray[np.float64]]
    """By layer how often each neuron has spiked, over all steps and samples."""
    rates_BN: Tensor
    """Spikes a step of each output neuron."""
    found: Tensor | None
    """What the classifier has found, if there is one."""
    output_of: Callable[[int], Iterator[NDArray]]
    """A sample's output in runs of steps, [steps, neurons], not 0 where there is a spike."""


Viewer = Callable[[Batch], Look]


def viewer_of(network: Network, wiring: Wiring | None, classifier: nn.Module | None) -> Viewer:
    """Looks at the network, which is not in training, with its weights of then.

    For ``wiring`` see ``training.direct.direct_wiring``.
    """
    if wiring is None:
        return lambda batch: _by_network(network, classifier, batch)
    from netdesc.kernels.cpu.trains import SpikeSum  # loads Numba: others do without
    from netdesc.training import by_labels

    one_way, examples = OneWay(network, wiring), BatchExamples(None, wiring, network)

    def look(batch: Batch) -> Look:
        walked, output = one_way.walked(examples.of(batch))
        spikes = {name: each.counts_BN.sum(0, dtype=np.float64) for name, each in walked.items()}
        if isinstance(output, np.ndarray):
            return _of_floats(spikes, torch.from_numpy(output), classifier)
        if isinstance(output, SpikeSum) and not by_labels.are_exact(output):
            return _of_floats(spikes, by_labels.floats_of(output), classifier)
        trains = output if isinstance(output, SpikeSum) else output.trains
        found = None
        if classifier is not None:
            found = by_labels.classes_of(classifier, trains, output.rates_BN)
        return Look(spikes, output.rates_BN, found, trains.runs_of_sample)

    return look


def _by_network(network: Network, classifier: nn.Module | None, batch: Batch) -> Look:
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
    return _of_floats(spikes, output_TBN, classifier)


def _of_floats(
    spikes: dict[str, NDArray[np.float64]], output_TBN: Tensor, classifier: nn.Module | None
) -> Look:
    found = None if classifier is None else classifier(output_TBN)
    return Look(spikes, rates(output_TBN), found, lambda sample: runs_of(output_TBN, sample))
