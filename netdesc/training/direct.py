"""A training step of a chain of dense layers, without torch's autograd in between.

On a CPU a small network computes for three milliseconds an epoch, and torch's bookkeeping, of which
operator gave what to which, takes another half. Where every layer reads the one before, what comes
after what is known: the engine's own functions are called in that order. They are the functions
that the operators call, so that the numbers are the same to the bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from netdesc.graph.nodes import INPUT, Dense
from netdesc.kernels.engine import engine_for, engine_name
from netdesc.kernels.event_lists import are_listed
from netdesc.kernels.operators.decays import decay_gradients, learns
from netdesc.kernels.packed_spikes import stand_for_output
from netdesc.kernels.parameters import Dynamics, dynamics
from netdesc.losses import SpikeTime
from netdesc.modules.block import DenseBlock
from netdesc.training.data import Batch
from netdesc.training.figures import Figures
from netdesc.training.job import Job
from netdesc.training.measure import loss_share


def is_chain(job: Job) -> bool:
    """Whether a job's steps can be direct.

    That is so where each layer reads the one before, weights are on the grid and stand alone,
    nothing acts between synapses and neurons, and the loss compares spike trains.
    """
    before = INPUT
    for layer in job.graph.layers:
        if layer.inputs != (before,):
            return False
        before = layer.name
    plain = all(
        layer.bits is not None
        and not layer.weight_norm
        and not layer.neuron.norm
        and not layer.neuron.dropout
        for layer in job.graph.layers
        if isinstance(layer, Dense)
    )
    return plain and isinstance(job.loss, SpikeTime)


@dataclass(slots=True)
class _Passed:
    """What the way back through a layer needs; the input is None where its events suffice."""

    block: DenseBlock
    bits: int
    neurons: Dynamics
    input_TBI: Tensor | None
    events: Tensor
    voltage_TBO: Tensor


class DirectStep:
    """See the module; ``update`` changes the weights along the gradients."""

    def __init__(self, job: Job, figures: Figures, update: Callable[[], None]) -> None:
        self._job, self._figures = job, figures
        self._blocks = list(job.network.blocks())
        self._samples = len(job.train.samples)
        self.update = update

    @torch.no_grad()
    def differentiate(self, batch: Batch) -> None:
        """Leaves the gradients of the batch's loss in the parameters, and adds up its figures."""
        self._job.optimizer.zero_grad()
        passed: list[_Passed] = []
        value_TBN = batch.input_TBN
        for name, block in self._blocks:
            value_TBN = self._forward(name, block, value_TBN.flatten(2), passed)
        outputs = [value_TBN]
        del value_TBN
        loss, grad_TBN = self._loss(outputs, batch.target.flatten(2))
        while passed:
            grad_TBN = _back(grad_TBN, passed.pop(), want_input=bool(passed))
        share = batch.size / self._samples
        self._figures.add(loss, share, loss_share(self._job.graph, batch, self._samples))

    def _forward(
        self, name: str, block: DenseBlock, input_TBI: Tensor, passed: list[_Passed]
    ) -> Tensor:
        weight_OI, neuron, bits = block.synapse.weight, block.neuron, block.synapse.bits
        assert bits is not None
        neurons = dynamics(
            len(weight_OI),
            neuron.current_decay,
            neuron.voltage_decay,
            neuron.bias(),
            *neuron.scalars(),
        )
        engine = engine_for(input_TBI.device)
        out_TBO, voltage_TBO, notes, events = engine.dense_cuba(input_TBI, weight_OI, bits, neurons)
        kept = None if are_listed(events) else input_TBI
        passed.append(_Passed(block, bits, neurons, kept, events, voltage_TBO))
        block.engine, block.notes = engine_name(input_TBI.device), notes
        self._figures.note(name, notes, out_TBO.numel())
        return out_TBO

    def _loss(self, outputs: list[Tensor], target_TBN: Tensor) -> tuple[Tensor, Tensor]:
        """The loss, and its gradient by the output, which is taken out of ``outputs``.

        So it is gone when the gradient takes its memory, if nobody else holds it.
        """
        loss = self._job.loss
        assert isinstance(loss, SpikeTime)
        engine, of_filter = engine_for(target_TBN.device), (loss.decay, loss.order, loss.length)
        total, kept = engine.spike_time(outputs[0], target_TBN, *of_filter)
        grad_total = torch.ones_like(total)
        if loss.mean:
            size = target_TBN.numel()
            total, grad_total = total / size, grad_total / size
        output_TBN = None if stand_for_output(kept) else outputs[0]
        outputs.clear()
        return total, engine.spike_time_backward(
            output_TBN, target_TBN, kept, grad_total, *of_filter
        )


def _back(grad_TBO: Tensor, layer: _Passed, want_input: bool) -> Tensor:
    """Leaves the gradients of a layer's parameters in them; returns that of its input."""
    weight_OI, neuron = layer.block.synapse.weight, layer.block.neuron
    decays = neuron.current_decay, neuron.voltage_decay
    grad_input, weight_OI.grad, grad_decays = engine_for(grad_TBO.device).dense_cuba_backward(
        grad_TBO,
        layer.input_TBI,
        layer.events,
        weight_OI,
        layer.bits,
        layer.voltage_TBO,
        layer.neurons,
        learns(*decays),
        want_input,
    )
    for decay, grad in zip(decays, decay_gradients(grad_decays, *decays), strict=True):
        if grad is not None:
            decay.grad = grad
    return grad_input
