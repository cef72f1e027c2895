"""What the loss makes of a batch that is not trained on.

On a CPU that is computed as direct steps are: the same numbers as by the network's operators, to
the bit, without their tensors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from netdesc.graph.one_go import Reads
from netdesc.kernels.operators.decays import learns
from netdesc.kernels.parameters import dynamics
from netdesc.losses import SpikeMax, SpikeRate, SpikeTime
from netdesc.modules import Network
from netdesc.modules.block import DenseBlock
from netdesc.training.data import Batch
from netdesc.training.direct import direct_reads
from netdesc.training.examples import BatchExamples, distance_of
from netdesc.training.job import Job
from netdesc.training.measure import Judge, by_network
from netdesc.training.score import Tally

if TYPE_CHECKING:
    from netdesc.kernels.cpu.chain import Layer


def build_judge(job: Job) -> Judge:
    reads = direct_reads(job.graph, job.device)
    if reads is None:
        return by_network(job.network, job.loss)
    return DirectJudge(job.network, job.loss, reads)


class DirectJudge:
    """See the module; for ``reads`` see ``graph.one_go``."""

    def __init__(self, network: Network, loss: nn.Module, reads: Reads) -> None:
        from netdesc.kernels.cpu import chain, one_way  # loads Numba: others do without
        from netdesc.training import by_labels

        self._chain, self._one_way, self._by_labels = chain, one_way, by_labels
        self._blocks = [block for _, block in network.blocks()]
        self._loss, self._reads = loss, reads
        neurons = sum(len(block.synapse.weight) for block in self._blocks)
        self._examples = BatchExamples(loss, reads, neurons)

    def __call__(self, batch: Batch, tally: Tally | None) -> torch.Tensor:
        """The batch's loss; each block has observed what it would have by itself."""
        loss = self._loss
        if isinstance(loss, SpikeTime):
            of_output = distance_of(loss)
        else:
            assert isinstance(loss, SpikeRate | SpikeMax), "there are no other losses"
            of_output = self._by_labels.judged(loss, batch.target, tally)
        layers = [self._layer(block) for block in self._blocks]
        value, notes = self._one_way.judge(self._examples.of(batch), layers, of_output, self._reads)
        for block, of_block in zip(self._blocks, notes, strict=True):
            block.observe("cpu", of_block)
        return value

    def _layer(self, block: DenseBlock) -> Layer:
        synapse, neuron = block.synapse, block.neuron
        assert not neuron.acts_on_current, "what is measured is not in training"
        decays, weight_OI = (neuron.current_decay, neuron.voltage_decay), synapse.folded().detach()
        neurons = dynamics(len(weight_OI), *decays, neuron.bias(), *neuron.scalars())
        return self._chain.Layer(weight_OI, synapse.bits, neurons, learns(*decays))
