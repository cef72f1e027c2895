"""A training step of dense layers without torch's autograd in between.

On a CPU a small network computes for three milliseconds an epoch, and torch's bookkeeping, of which
operator gave what to which, takes another half, and needs whole tensors between layers. What comes
after what is known, and the CPU engine computes it in one go: the same numbers, to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from torch import nn

from netdesc.graph import Graph
from netdesc.graph.one_go import Wiring, wiring_in_one_go
from netdesc.kernels.engine import engine_for, engine_name
from netdesc.kernels.operators.decays import decay_gradients, learns
from netdesc.kernels.parameters import dynamics
from netdesc.losses import SpikeMax, SpikeRate, SpikeTime
from netdesc.modules import Network
from netdesc.modules.block import DenseBlock
from netdesc.modules.norm import BIAS_BITS
from netdesc.training.data import Batch
from netdesc.training.examples import BatchExamples, distance_of
from netdesc.training.measure import loss_share
from netdesc.training.metrics import Figures
from netdesc.training.score import Tally

if TYPE_CHECKING:
    from netdesc.kernels.cpu.chain import Distance, Layer, OfRates, OfSums, OfTrains, Passed
    from netdesc.training.job import Job


def direct_wiring(graph: Graph, device: torch.device) -> Wiring | None:
    """What layers read where steps can be direct, None where they cannot.

    EngineError where the engine cannot be loaded.
    """
    if engine_name(device) != "cpu":
        return None
    engine_for(device)  # what is wrong with it is told here, and not where Numba is first needed
    return wiring_in_one_go(graph)


class _Part:
    """A block, and what of it each step asks for: a module's own look-up is slow.

    Parameters may change in place, but are not exchanged for others.
    """

    def __init__(self, block: DenseBlock) -> None:
        neuron, synapse = block.neuron, block.synapse
        self.block, self.neuron, self.synapse = block, neuron, synapse
        self.weight = synapse.weight if synapse.gain is None else None
        self.learns = learns(neuron.current_decay, neuron.voltage_decay)
        acts = neuron.norm is not None or neuron.dropout > 0
        self.is_alike = self.weight is not None and not self.learns and not acts
        """Whether only weights, where they are, and the surrogate's width change in training."""
        self.kept: Layer | None = None

    def real_weights(self) -> torch.Tensor:
        """The weights, a norm folded in."""
        if self.weight is not None:
            return self.weight
        with torch.enable_grad():
            return self.synapse.folded()


class Chain:
    """A network and its loss on the CPU engine."""

    def __init__(self, network: Network, loss: nn.Module, wiring: Wiring) -> None:
        from netdesc.kernels.cpu import chain, repeated  # loads Numba: others do without
        from netdesc.training import by_labels

        self._chain, self._by_labels = chain, by_labels
        self._passes, self._wiring = repeated.Passes(wiring.reads, wiring.idle), wiring
        self.names = [name for name, _ in network.blocks()]
        self._parts = [_Part(block) for _, block in network.blocks()]
        self._loss = loss
        self._examples = BatchExamples(loss, wiring, network)

    @torch.no_grad()
    def differentiate(
        self, batch: Batch, tally: Tally | None = None
    ) -> tuple[torch.Tensor, list[Passed]]:
        """The batch's loss, and what each layer's passes left; gradients are in the parameters.

        ``tally`` gets the output and the labels.
        """
        weights = [part.real_weights() for part in self._parts]
        layers = [
            self._layer(part, weight_OI, batch.size)
            for part, weight_OI in zip(self._parts, weights, strict=True)
        ]
        of_output = self._of_output(batch, tally)
        examples, placed = self._examples.of(batch), self._wiring.placed(layers)
        loss, by_number = self._passes.differentiate(examples, placed, of_output)
        passed = self._wiring.by_graph(by_number)
        for part, weight_OI, layer, of_layer in zip(
            self._parts, weights, layers, passed, strict=True
        ):
            _hand_over(part, weight_OI, layer, of_layer)
        return loss, passed

    def _of_output(
        self, batch: Batch, tally: Tally | None
    ) -> Distance | OfRates | OfTrains | OfSums:
        """What the output is worth."""
        loss = self._loss
        if isinstance(loss, SpikeTime):
            return distance_of(loss)
        assert isinstance(loss, SpikeRate | SpikeMax), "there are no other losses"
        if self._wiring.ends_with_sum:
            return self._by_labels.of_sum(loss, batch.target, tally)
        return self._by_labels.of_output(loss, batch.target, batch.inputs.shape[0], tally)

    def _layer(self, part: _Part, weight_OI: torch.Tensor, batch: int) -> Layer:
        """The layer for one pass, as it was made for the last one where nothing has changed."""
        kept = part.kept
        if (
            kept is None
            or kept.neurons.tau_grad != part.neuron.tau_grad
            or kept.weight_OI.data_ptr() != weight_OI.data_ptr()
            or kept.weight_OI.stride() != weight_OI.stride()
        ):
            kept = self._made(part.block, weight_OI.detach(), batch)
            part.kept = kept if part.is_alike else None
        return kept

    def _made(self, block: DenseBlock, weight_OI: torch.Tensor, batch: int) -> Layer:
        """The layer for one pass there and back, with what dropout has drawn for it."""
        assert block.training, "afterwards there is neither a norm nor dropout"
        neuron, units = block.neuron, len(weight_OI)
        current_decay, norm, gain_BN = neuron.current_decay, None, None
        if neuron.norm is not None:
            norm = self._chain.MeanNorm(current_decay, BIAS_BITS, current_decay.requires_grad)
            current_decay = torch.ones_like(current_decay)
        if neuron.dropout > 0:
            gain_BN = neuron.gain(weight_OI.new_empty(1, batch, units))[0]
        decays = current_decay, neuron.voltage_decay
        neurons = dynamics(units, *decays, weight_OI.new_empty(0), *neuron.scalars())
        between = self._chain.Between(norm, gain_BN) if neuron.acts_on_current else None
        return self._chain.Layer(weight_OI, block.synapse.bits, neurons, learns(*decays), between)


def _hand_over(part: _Part, weight_OI: torch.Tensor, layer: Layer, passed: Passed) -> None:
    """Leaves the gradients of a layer's parameters in them, and what was seen in the layer."""
    neuron, between = part.neuron, layer.between
    if part.weight is not None:
        part.weight.grad = passed.grad_OI
    elif passed.grad_OI is not None:  # a norm is folded in
        torch.autograd.backward(weight_OI, passed.grad_OI)
    if part.learns and passed.grad_decays is not None:
        decays = neuron.current_decay, neuron.voltage_decay
        grads = decay_gradients(passed.grad_decays, *decays)
        for decay, grad in zip(decays, grads, strict=True):
            decay.grad = grad
    if between is not None and between.norm is not None:
        assert neuron.norm is not None
        assert between.mean_N is not None, "the way there has found it"
        neuron.norm.note(between.mean_N)
    part.block.observe("cpu", passed.notes)


class DirectStep:
    """See the module; ``update`` changes the weights along the gradients."""

    def __init__(
        self, job: Job, figures: Figures, wiring: Wiring, update: Callable[[], None]
    ) -> None:
        self._job, self._figures = job, figures
        self._chain = Chain(job.network, job.loss, wiring)
        self._samples = len(job.train.samples)
        self.update = update

    def differentiate(self, batch: Batch) -> None:
        """Leaves the gradients of the batch's loss in the parameters, and adds up its figures."""
        job, figures = self._job, self._figures
        job.optimizer.zero_grad()  # their memory serves again
        loss, passed = self._chain.differentiate(batch, figures.tally)
        for name, layer in zip(self._chain.names, passed, strict=True):
            figures.note(name, layer.notes, layer.outputs)
        share = batch.size / self._samples
        figures.add(loss, share, loss_share(job.graph, batch, self._samples))
