"""A network on the CPU engine that is looked at and not trained: there only, a bit for each spike.

The numbers are those of the network's operators, to the bit, without their tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from netdesc.graph.one_go import Wiring
from netdesc.kernels.operators.decays import learns
from netdesc.kernels.parameters import dynamics
from netdesc.losses import SpikeMax, SpikeRate, SpikeTime
from netdesc.modules import Network
from netdesc.modules.block import DenseBlock
from netdesc.training.data import Batch
from netdesc.training.examples import BatchExamples, distance_of
from netdesc.training.score import Tally

if TYPE_CHECKING:
    from netdesc.kernels.cpu.ahead import Walked
    from netdesc.kernels.cpu.chain import Examples, Layer
    from netdesc.kernels.cpu.one_way import Output


class OneWay:
    """A network that is not in training."""

    def __init__(self, network: Network, wiring: Wiring) -> None:
        from netdesc.kernels.cpu import chain, one_way  # loads Numba: others do without

        self._layer_type, self._walk, self._wiring = chain.Layer, one_way.walk, wiring
        self._blocks = dict(network.blocks())

    def walked(self, given: Examples) -> tuple[dict[str, Walked], Output]:
        """Each layer's spikes, by name, and the output.

        Each block has observed what it would have by itself.
        """
        wiring, blocks = self._wiring, self._blocks
        layers = wiring.placed(self._layer(block) for block in blocks.values())
        found, output = self._walk(given, layers, wiring.reads, wiring.idle)
        walked = dict(zip(blocks, wiring.by_graph(found), strict=True))
        for name, of_block in walked.items():
            blocks[name].observe("cpu", of_block.notes)
        return walked, output

    def _layer(self, block: DenseBlock) -> Layer:
        synapse, neuron = block.synapse, block.neuron
        assert not neuron.acts_on_current, "what is looked at is not in training"
        decays, weight_OI = (neuron.current_decay, neuron.voltage_decay), synapse.folded().detach()
        neurons = dynamics(len(weight_OI), *decays, neuron.bias(), *neuron.scalars())
        return self._layer_type(weight_OI, synapse.bits, neurons, learns(*decays))


class DirectJudge:
    """What the loss makes of batches."""

    def __init__(self, network: Network, loss: nn.Module, wiring: Wiring) -> None:
        from netdesc.kernels.cpu import one_way
        from netdesc.training import by_labels

        self._loss_of, self._by_labels, self._loss = one_way.loss_of, by_labels, loss
        self._network = OneWay(network, wiring)
        self._examples = BatchExamples(loss, wiring, network)

    def __call__(self, batch: Batch, tally: Tally | None) -> torch.Tensor:
        """A batch's loss; predictions are added to ``tally``, if there is one."""
        loss = self._loss
        if isinstance(loss, SpikeTime):
            of_output = distance_of(loss)
        else:
            assert isinstance(loss, SpikeRate | SpikeMax), "there are no other losses"
            of_output = self._by_labels.LabelJudge(loss, batch.target, tally)
        given = self._examples.of(batch)
        _, output = self._network.walked(given)
        return self._loss_of(of_output, output, given.target)
