"""The neurons of one layer, and the results of their forward and backward pass, for all engines.

An engine has two functions::

    neurons(inputs_TBN, neurons, states, keep) -> NeuronsOutput
    neurons_backward(grad_out_TBN, neurons, saved) -> NeuronsGradients

``inputs_TBN`` are one float32 tensor [steps, batch, neurons] for each input of the program, in
threshold units. An input becomes a state as ``trunc(state_unit · input)``, saturated; NaN
becomes 0.

**Output** [steps, batch, neurons], float32: 0 or 1 for spikes. A graded output is in threshold
units, rounded down to a multiple of 1/4096 (which changes only states of a smaller unit). If the
neuron has a spike, too, the graded output is 0 where it does not fire.

**Delay**: with a delay of 1 the output of a step is handed on in the next step. The first step then
hands on what the run before left, or 0. The output of the last step gets no gradient.

**States**: without ``states``, all states are 0 before the first step, and no states are returned.
Otherwise ``states`` are int32 tensors [batch, neurons], and so are those that are returned for the
next run: the states after the last step and its reset, in the program's order; then 1 where the
neuron fired in the last step, else 0 (0 for neurons that do not spike); then, with a delay, the
output of the last step: 0 or 1 for spikes, in units of 1/4096 for a graded output. The output of
consecutive runs is the same as of one long run. A backward pass needs neurons that begin at 0.

**Counts**, int64 [states + 2], are the numbers that ``LayerCounts`` names.

**Saved tensors** are what the engine's backward pass reads; ``saved_shapes`` says their shapes.

**Gradients** are in threshold units. The gradient of a parameter is that of the real number, not of
the number on the grid: a decay has minus the gradient of its share.

**Neurons that read their own outputs** of the step before have two functions more::

    recurrent(inputs_TBN, weights_NN, neurons, states, keep) -> NeuronsOutput
    recurrent_backward(grad_out_TBN, before_TBN, weights_NN, neurons, saved, want_weights)
        -> NeuronsGradients

``weights_NN`` are a float32 matrix [neurons, neurons] for each input of the program. In step t,
this input is ``inputs_TBN[t] + s[t - 1] @ weights_NN.T``, computed in float32. ``s`` is the output
before its delay: spikes, or graded values in threshold units. ``states`` always end with the output
of the last step, also if there is no delay. ``before_TBN`` is ``s[t - 1]`` of all steps.
"""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from netdesc.kernels.checks import check_device, check_float32, check_signal, check_weight
from netdesc.kernels.fixed_point import STATE_UNIT
from netdesc.kernels.grid import parameter_vector
from netdesc.kernels.packing import NEURONS_PER_BITMASK
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition
from netdesc.neurons.program import Program

PRODUCT, EVENTS = 0, 1
"""How a layer's input was computed: as a matrix product, or from the events of spikes."""


class LayerCounts(NamedTuple):
    """What a forward pass counts of a layer, on the device of its tensors."""

    numbers: Tensor
    """Int64 [states + 2]: ``peaks``, ``path``, ``spikes``."""

    @property
    def peaks(self) -> Tensor:
        """The largest magnitude of each state before its reset, in state units, over all values."""
        return self.numbers[:-2]

    @property
    def path(self) -> Tensor:
        """How the layer's input was computed: ``PRODUCT`` or ``EVENTS``, []."""
        return self.numbers[-2]

    @property
    def spikes(self) -> Tensor:
        """The number of outputs that are not 0, []."""
        return self.numbers[-1]


@dataclass(eq=False)  # a frozen class takes microseconds for each new layer
class KernelNeurons:
    """The neurons of one layer: their program and their parameters. Nobody may write to it."""

    definition: Definition
    program: Program
    learn: bool
    """Whether the backward pass returns gradients of the learnable parameters."""
    count: int
    real_parameters: Sequence[Tensor]
    """Float32, [] or [count] each, in the program's order."""
    delay: int
    """0 or 1 steps, of the output."""
    is_recurrent: bool = False
    """Whether they read their own outputs (``recurrent``)."""
    fixed_arrays: dict[int, Any] = field(default_factory=dict[int, Any])
    """Place of a parameter that does not learn -> its array, which renewed neurons share."""
    engine_form: Any = None
    """What an engine has derived from them for its kernels."""

    def renewed(self) -> "KernelNeurons":
        """Returns the same neurons, whose learnt parameters an engine reads again."""
        neurons = object.__new__(KernelNeurons)
        vars(neurons).update(vars(self), engine_form=None)
        vars(neurons).pop("parameters", None)
        return neurons

    @functools.cached_property
    def state_unit(self) -> int:
        """The number of state units in a threshold unit."""
        return 1 << self.definition.unit_bits

    @property
    def is_graded(self) -> bool:
        """Whether the output has other values than 0 and 1."""
        return self.program.forward.output is not None

    @functools.cached_property
    def parameters(self) -> list[Tensor]:
        """Vectors [count] of all parameters: int32 on the grid, float32 those of kind ``real``.

        They are computed when an engine first reads them, and must not be written to.
        """
        kinds = self.program.parameters.values()
        return [
            parameter_vector(kind, value, self.count, self.state_unit)
            for kind, value in zip(kinds, self.real_parameters, strict=True)
        ]

    @functools.cached_property
    def learnable_values(self) -> list[Tensor]:
        """The real parameters at the places ``learnable``."""
        return [self.real_parameters[place] for place in self.learnable]

    @property
    def learnable(self) -> list[int]:
        """Places of the parameters with gradients among all parameters; none unless ``learn``."""
        kinds = self.program.parameters.values()
        return [place for place, kind in enumerate(kinds) if self.learn and kind != "real"]


class NeuronsOutput(NamedTuple):
    """The result of a forward pass. The module explains each part."""

    out_TBN: Tensor
    counts: Tensor
    states: list[Tensor]
    saved: list[Tensor]
    """Empty if no backward pass follows."""


class NeuronsGradients(NamedTuple):
    """The result of a backward pass."""

    inputs_TBN: list[Tensor]
    weights_NN: list[Tensor]
    """Of neurons that read their own outputs (``recurrent``); empty unless wanted."""
    parameters: list[Tensor]
    """Float32 [neurons], in the order of ``KernelNeurons.learnable``."""


@functools.lru_cache(maxsize=256)
def compile_text(definition: str, learn: bool) -> tuple[Definition, Program]:
    """Returns the definition that a text describes, and its program."""
    parsed = Definition.from_text(definition)
    return parsed, compile_neuron(parsed, learn)


def make_neurons(
    definition: str,
    learn: bool,
    parameters: Sequence[Tensor],
    count: int,
    delay: int,
    is_recurrent: bool = False,
) -> KernelNeurons:
    """Returns the neurons of a layer. Raises ValueError if parameters are missing.

    The forward pass checks the parameters themselves (see ``check_parameters``).
    """
    parsed, program = compile_text(definition, learn)
    names = program.parameters
    if len(parameters) != len(names):
        raise ValueError(
            f"{len(parameters)} parameters do not fit; the neuron has {', '.join(names) or 'none'}"
        )
    if delay not in (0, 1):
        raise ValueError(f"a delay of {delay} steps is not possible; only 0 and 1 are")
    return KernelNeurons(parsed, program, learn, count, parameters, delay, is_recurrent)


def check_neurons(
    inputs_TBN: Sequence[Tensor], neurons: KernelNeurons, states: Sequence[Tensor], keep: bool
) -> None:
    """Raises ValueError if inputs, parameters and states do not fit together.

    The first input must have been checked before.
    """
    names = neurons.program.inputs
    if len(inputs_TBN) != len(names):
        raise ValueError(f"{len(inputs_TBN)} inputs do not fit; the neuron has {', '.join(names)}")
    first, device = inputs_TBN[0], inputs_TBN[0].device
    for name, input_TBN in zip(names, inputs_TBN, strict=True):
        check_device(f"the input '{name}'", input_TBN, device)
        if input_TBN is not first:
            check_signal(f"the input '{name}'", input_TBN)
        if input_TBN.shape != first.shape:
            shapes = f"{list(first.shape)} and {list(input_TBN.shape)}"
            raise ValueError(f"the inputs have different shapes, {shapes}")
    check_parameters(neurons, device)
    if states and keep:
        raise ValueError("neurons that continue from given states have no backward pass")
    if states:
        _check_states(states, neurons, first)


def _check_states(states: Sequence[Tensor], neurons: KernelNeurons, first_TBN: Tensor) -> None:
    names = state_names(neurons)
    if len(states) != len(names):
        raise ValueError(f"{len(states)} states do not fit; the neuron has {', '.join(names)}")
    shape = first_TBN.shape[1:]
    for name, state_BN in zip(names, states, strict=True):
        if state_BN.dtype != torch.int32 or state_BN.shape != shape:
            kind = f"{state_BN.dtype} {list(state_BN.shape)}".removeprefix("torch.")
            raise ValueError(f"the state '{name}' is {kind}; int32 {list(shape)} is needed")
        check_device(f"the state '{name}'", state_BN, first_TBN.device)


def check_parameters(neurons: KernelNeurons, device: torch.device) -> None:
    """Raises ValueError unless all parameters are float32 [] or [neurons], on ``device``."""
    shape = (neurons.count,)
    for name, value in zip(neurons.program.parameters, neurons.real_parameters, strict=True):
        label = f"the parameter '{name}'"
        check_float32(label, value)
        check_device(label, value, device)
        if value.dim() and value.shape != shape:
            given = f"{label} has shape {list(value.shape)}"
            raise ValueError(f"{given}; [] or [{neurons.count}] is needed")


def state_names(neurons: KernelNeurons) -> list[str]:
    """Returns names of the tensors ``states``: the program's states and what follows them."""
    keeps_output = bool(neurons.delay or neurons.is_recurrent)
    return [*neurons.program.states, "fired before", *["output of the last step"] * keeps_output]


def saved_shapes(
    neurons: KernelNeurons, shape: Sequence[int], engine: str
) -> list[tuple[int, ...]]:
    """Returns shapes of the int32 tensors that a forward pass saves for the backward pass.

    ``shape`` is [steps, batch, neurons]. The reference, which also computes the backward pass of
    recurrent neurons on CUDA, saves each input in state units. The other engines save one tensor of
    ``Forward.stored``: CUDA as [slots, steps, batch, neurons], the CPU as [batch, vectors of 32
    neurons, steps, slots, 32], seen as one axis.
    """
    steps, batch, count = shape
    slots = len(neurons.program.forward.stored)
    if engine == "reference" or (engine == "cuda" and neurons.is_recurrent):
        return [(steps, batch, count)] * len(neurons.program.inputs)
    if engine == "cuda":
        return [(slots, steps, batch, count)]
    lanes = -(-count // NEURONS_PER_BITMASK) * NEURONS_PER_BITMASK
    return [(batch * lanes * steps * slots,)]


def check_weights(weights_NN: Sequence[Tensor], neurons: KernelNeurons, input_TBN: Tensor) -> None:
    """Raises ValueError if recurrent weights do not fit the neurons and their first input."""
    names, count = neurons.program.inputs, neurons.count
    if len(weights_NN) != len(names):
        known = ", ".join(names)
        raise ValueError(
            f"{len(weights_NN)} recurrent weights do not fit; the neuron has the inputs {known}"
        )
    for weight_NN in weights_NN:
        check_weight(weight_NN, input_TBN.shape, input_TBN.device)
        if len(weight_NN) != count:
            shape = list(weight_NN.shape)
            raise ValueError(f"recurrent weights have shape {shape}; [{count}, {count}] is needed")


def outputs_before(
    out_TBN: Tensor, delay: int, is_graded: bool, states: Sequence[Tensor] = ()
) -> Tensor:
    """Returns the output of the step before each step, undelayed.

    ``out_TBN`` is the output of a run that began with ``states``, or from 0 if there are none.
    """
    if delay:
        return out_TBN
    first_BN = to_values(states[-1], is_graded) if states else torch.zeros_like(out_TBN[0])
    return torch.cat([first_BN.unsqueeze(0), out_TBN[:-1]])


def arrivals(
    inputs_TBN: Sequence[Tensor], weights_NN: Sequence[Tensor], before_TBN: Tensor
) -> list[Tensor]:
    """Returns what arrived at neurons in a run, from their inputs and ``outputs_before``."""
    pairs = zip(inputs_TBN, weights_NN, strict=True)
    return [each_TBN + before_TBN @ weight_NN.T for each_TBN, weight_NN in pairs]


def to_values(output: Tensor, is_graded: bool) -> Tensor:
    """Converts the output of the last step, as it stands in ``states``, to float32."""
    return output.to(torch.float32) / (STATE_UNIT if is_graded else 1)
