"""Blocks, which are the torch modules of layers: those with synapses and neurons."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import _has_any_global_hook

from netdesc.caller import warn
from netdesc.graph import INPUT, LayerNode, SynapticNode, layers
from netdesc.kernels import operators
from netdesc.kernels.engines import engine_name, use_engine
from netdesc.kernels.kernel_shape import KernelShape
from netdesc.kernels.layer_neurons import LayerCounts
from netdesc.modules.neuron import NeuronModule
from netdesc.modules.plain import PLAIN_BLOCKS, Block
from netdesc.modules.prepared_neurons import PreparedNeurons
from netdesc.modules.synapse import DRIVE, RECURRENT, Synapse, make_synapse


def hook_tables(module: nn.Module) -> tuple[dict[Any, Any], ...]:
    """Returns the tables of a module's hooks, without those of its parts."""
    return (
        module._forward_hooks,
        module._forward_pre_hooks,
        module._backward_hooks,
        module._backward_pre_hooks,
    )


def _is_hooked(module: nn.Module) -> bool:
    return any(hook_tables(module))


def _dense(
    _layer: SynapticNode, signal_TBI: Tensor, weight_OI: Tensor, is_checked: bool
) -> tuple[Tensor, Tensor]:
    linear = operators.linear.unchecked if is_checked else operators.linear
    return linear(signal_TBI, weight_OI)


def _neurons(
    layer: SynapticNode, signal: Tensor, weights: Tensor, _is_checked: bool
) -> tuple[Tensor, Tensor]:
    """Scales and shifts each value. The input of the network is rounded to the weights' grid."""
    if INPUT in layer.inputs:
        signal = operators.quantize_weight(signal, 8)
    weight, bias = weights.unbind()
    return (signal * weight + bias).flatten(2), signal.new_empty(0, dtype=torch.int32)


def _convolution(
    layer: SynapticNode, signal_TBCHW: Tensor, weight: Tensor, is_checked: bool
) -> tuple[Tensor, Tensor]:
    section: Any = layer.section
    channels = signal_TBCHW.shape[2]
    if weight.dim() == 1:  # one weight for all synapses of a pool
        weight = weight.expand(channels, 1, *section.kernel_size)
    numbers = KernelShape.of_section(section, channels).to_numbers()
    convolve = operators.convolution.unchecked if is_checked else operators.convolution
    return convolve(signal_TBCHW, weight, numbers)


ARRIVE: dict[type[layers.LayerSection], Callable[..., tuple[Tensor, Tensor]]] = {
    **dict.fromkeys((layers.Dense, layers.Recurrent, layers.WinnerTakeAll), _dense),
    **dict.fromkeys(
        (layers.Conv, layers.ConvTranspose, layers.SumPool, layers.Upsample), _convolution
    ),
    layers.Neurons: _neurons,
}
"""Maps the class of a section to what computes its synapses.

It takes the layer, the signal [steps, batch, *input shape], the weights, and whether such tensors
were checked before. It returns what arrives at the neurons, float32 [steps, batch, neurons], and
the packed spikes of the signal (see ``operators.linear``), which are empty if the kind of synapses
packs none.
"""

FUSED = (layers.Dense,)
"""Sections of the layers that the operator ``segment`` can compute."""


class SynapticBlock(Block):
    """Synapses into neurons.

    Neurons with two inputs have two synapses, which read the same spikes. ``engine`` is the name of
    the engine that computed the last forward pass, or empty if torch compiled that pass. ``counts``
    are those of the pass. In training on the CPU, the block
    warns of NaN weights unless ``warns`` is False. On a GPU it does not check weights, because the
    check would have to wait for the device.
    """

    has_states = True

    def __init__(self, layer: SynapticNode, generator: torch.Generator | None) -> None:
        super().__init__(layer.section)
        self._name = layer.name
        self.cells = layer.neurons * layer.steps
        """The number of output values of a sample."""
        self._output_shape = layer.output_shape
        self._layer = layer
        self._arrive_by = ARRIVE[type(layer.section)]
        self._is_fusable = isinstance(layer.section, FUSED)
        self.synapse = make_synapse(layer, generator)
        kind = type(layer.section)
        make_recurrent = RECURRENT.get(kind)
        self.recurrent = None if make_recurrent is None else make_recurrent(layer, generator)
        self._drive = DRIVE.get(kind)
        self.neuron = NeuronModule(layer, generator)
        self.warns = True
        self.engine = ""
        self.counts: LayerCounts | None = None
        self.read_states: tuple[str, ...] = ()
        """States of the neurons that losses read."""

    def forward(self, signal: Tensor) -> Tensor:
        if self.is_fused and not (_is_hooked(self.synapse) or _is_hooked(self.neuron)):
            return run_segment([self], signal)
        self.begin_forward(signal.device)
        inputs_TBN, packed = self.arrive(signal)
        out_TBN, counts = self.neuron(*inputs_TBN, recurrent_NN=self._recurrent_weights())
        self._set_counts(counts, packed)
        return self._shaped(out_TBN)

    def run(
        self, signal: Tensor, neurons: PreparedNeurons, names: Sequence[str], *, is_checked: bool
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Computes with prepared neurons, as after ``begin_forward``, without hooks.

        Returns the output and states, [steps, batch, *shape] each; ``names`` are those of states.
        ``is_checked`` says that an input of this kind was checked before.
        """
        inputs_TBN, packed = self.arrive(signal, is_checked=is_checked)
        run, states = neurons.run(inputs_TBN, self._recurrent_weights(), names)
        self._set_counts(run.counts, packed)
        shaped = {name: self._shaped(state_TBN) for name, state_TBN in states.items()}
        return self._shaped(run.out_TBN), shaped

    def states(self, signal: Tensor, names: Sequence[str]) -> dict[str, Tensor]:
        """Returns states by their ``names``, of neurons that begin at 0, outside training."""
        inputs_TBN, _ = self.arrive(signal)
        return PreparedNeurons(self.neuron).states(inputs_TBN, self._recurrent_weights(), names)

    def stream(self, signal: Tensor, states: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        self.warn_of_hooks("stream()")
        self.begin_forward(signal.device)
        inputs_TBN, packed = self.arrive(signal)
        neurons = PreparedNeurons(self.neuron)
        run = neurons.resume(inputs_TBN, states, self._recurrent_weights())
        self._set_counts(run.counts, packed)
        return self._shaped(run.out_TBN), run.states

    def warn_of_hooks(self, where: str) -> None:
        if _is_hooked(self) or _is_hooked(self.neuron):
            warn(f'hooks of layer "{self._name}" do not run in {where}')

    def _shaped(self, out_TBN: Tensor) -> Tensor:
        shape = self._output_shape
        return out_TBN if len(shape) == 1 else out_TBN.unflatten(2, shape)

    def arrive(self, signal: Tensor, *, is_checked: bool = False) -> tuple[list[Tensor], Tensor]:
        """Returns the synaptic inputs of the neurons, and the packed spikes of ``signal``."""
        compute, weights = self._arrive_by, self.synapse.weights()
        arrived = [compute(self._layer, signal, weight, is_checked) for weight in weights]
        inputs_TBN = [z_TBN for z_TBN, _ in arrived]
        if self._drive is not None:
            drive = self._drive(self._layer.section, self.neuron.value("threshold"))
            inputs_TBN = [each_TBN + drive for each_TBN in inputs_TBN]
        return inputs_TBN, arrived[0][1]

    def _recurrent_weights(self) -> list[Tensor]:
        return [] if self.recurrent is None else self.recurrent.weights()

    @torch.enable_grad()
    def connections(self) -> tuple[Tensor, Tensor]:
        """Returns how many weights other than 0 each value of the input meets, [*input shape], and
        each of the layer's own outputs, [neurons].
        """
        weights = self.synapse.weights()
        shape = 1, 1, *self._layer.input_shape
        ones = torch.ones(shape, device=weights[0].device, requires_grad=True)
        with use_engine("reference"):  # compiles nothing
            exist = [(weight != 0).float() for weight in weights]
            sums = [self._arrive_by(self._layer, ones, each, False)[0].sum() for each in exist]
            (counts,) = torch.autograd.grad(sums, ones)
        own = counts.new_zeros(self._layer.neurons)
        for weight in self._recurrent_weights():
            own += (weight != 0).sum(0)
        return counts[0, 0], own

    @property
    def synapses(self) -> dict[str, Synapse]:
        """All trained synapses, by the paths of their tensors in the state dict of the layer."""
        found: dict[str, Synapse] = dict(zip(self.synapse.paths, self.synapse.parts, strict=True))
        if self.recurrent is not None:
            for path, part in zip(self.recurrent.paths, self.recurrent.parts, strict=True):
                found[path.replace("synapse", "recurrent")] = part
        return found

    def _set_counts(self, numbers: Tensor, packed: Tensor) -> None:
        counts = LayerCounts(numbers)
        if packed.numel():  # its first number is 1 if the inputs were computed from events
            by_events = packed[:1].to(torch.int64)
            counts = LayerCounts(torch.cat([counts.peaks, by_events, counts.spikes.view(1)]))
        self.counts = counts

    @property
    def is_fused(self) -> bool:
        """Whether the operator ``segment`` can compute synapses and neurons together."""
        neuron, synapse = self.neuron, self.synapse
        return (
            self._is_fusable
            and not self.read_states
            and synapse.bits is not None
            and len(synapse.paths) == 1
            and neuron.follows_equations
            and neuron.recorder is None
        )

    @property
    def has_hooks(self) -> bool:
        """Whether a hook is registered on this block, on one of its parts, or on all modules."""
        return bool(_has_any_global_hook()) or any(map(_is_hooked, self.modules()))

    def begin_forward(self, device: torch.device) -> None:
        """Records the engine of a forward pass on ``device``, and warns of NaN weights.

        NaN weights count as 0, so the loss does not reveal them. ValueError if the block is on
        another device, EngineError if no engine can run there.
        """
        neuron, recurrent = self.neuron, self.recurrent
        parts = neuron.values, neuron.surrogate, neuron.norm, neuron.axonal, *self.synapse.parts
        parts += () if recurrent is None else tuple(recurrent.parts)
        modules = [part for part in parts if part is not None]
        tables = [table for part in modules for table in (part._parameters, part._buffers)]
        tensors = [tensor for table in tables for tensor in table.values() if tensor is not None]
        if any(tensor.device != device for tensor in tensors):
            devices = "' and '".join(sorted({str(tensor.device) for tensor in tensors}))
            raise ValueError(f"the input is on device '{device}', the network on '{devices}'")
        # Torch's compiler cannot trace ``engine_name``.
        is_compiling = torch.compiler.is_compiling()
        # A module looks up where a new attribute belongs, which is slow.
        object.__setattr__(self, "engine", "" if is_compiling else engine_name(device))
        if not is_compiling and self.warns_of_nan(device):
            self.warn_of_nan()

    def warns_of_nan(self, device: torch.device) -> bool:
        """Whether forward passes on ``device`` look for NaN weights."""
        return self.training and self.warns and device.type == "cpu"

    def warn_of_nan(self) -> None:
        # Numpy adds on one thread. The sum is also NaN if it holds infinities of both signs.
        with np.errstate(invalid="ignore", over="ignore"):
            weights = [each.weight.detach() for each in self.synapses.values()]
            # The operator refuses weights of other types.
            total = sum(float(w.numpy().sum()) for w in weights if w.dtype is torch.float32)
        if math.isnan(total):
            warn(
                f'a weight of layer "{self._name}" is NaN, or several are infinite: the network '
                "has diverged, or its input held NaN"
            )


def run_segment(blocks: Sequence[SynapticBlock], spikes_TBI: Tensor) -> Tensor:
    """Computes consecutive blocks with one operator, ``segment``. Returns the last block's output.

    The first block reads ``spikes_TBI`` [steps, batch, inputs]; the result is [steps, batch,
    units]. All blocks must be fused (see ``SynapticBlock.is_fused``), and only the last may hand on
    a graded output or have a delay.
    """
    weights: list[Tensor] = []
    parameters: list[Tensor] = []
    definitions: list[str] = []
    numbers: list[int] = []
    for block in blocks:
        block.begin_forward(spikes_TBI.device)
        neuron, synapse = block.neuron, block.synapse
        assert synapse.bits is not None, "the weights of a segment are on the grid"
        text = neuron.equations.text
        learns, values, _ = neuron.parameters_of(neuron.equations)
        weights.append(synapse.parts[0].on_segment_grid())
        parameters += values
        definitions.append(text)
        numbers += [neuron.delay, int(learns)]
    keep = torch.is_grad_enabled() and any(
        tensor.requires_grad for tensor in (spikes_TBI, *weights, *parameters)
    )
    out, counts, _ = operators.segment(
        spikes_TBI, weights, parameters, "\n".join(definitions), numbers, keep
    )
    for block, layer_counts in zip(blocks, counts, strict=True):
        object.__setattr__(block, "counts", LayerCounts(layer_counts))
    axonal = blocks[-1].neuron.axonal
    return out if axonal is None else axonal(out)


def make_block(layer: LayerNode, generator: torch.Generator | None) -> Block:
    """Builds the block of a layer. ``generator`` draws initial weights and values of neurons."""
    if isinstance(layer, SynapticNode):
        return SynapticBlock(layer, generator)
    return PLAIN_BLOCKS[type(layer.section)](layer.section)
