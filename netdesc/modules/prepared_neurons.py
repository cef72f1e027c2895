"""Neurons of a layer, prepared for calls in one mode: engine, programs and parameters."""

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from netdesc.kernels import operators
from netdesc.kernels.engines import engine_for
from netdesc.kernels.layer_neurons import (
    KernelNeurons,
    LayerCounts,
    arrivals,
    check_neurons,
    check_weights,
    make_neurons,
    outputs_before,
)
from netdesc.kernels.reference.neurons import NeuronTraces, trace
from netdesc.kernels.registration import is_observed
from netdesc.modules.equations import KernelEquations, NeuronsRun, equations_of_state
from netdesc.modules.recording import LayerRecording

Neurons = Any
"""A ``NeuronModule``, whose file imports this one."""

_BYTES = operator.methodcaller("tobytes")


class PreparedEquations:
    """Equations of a layer's neurons, with the parameters of the last call.

    Parameters are computed again if the bytes of the values that decide them have changed. Learnt
    values that are parameters themselves do not count; the engine reads them in each call.
    """

    def __init__(self, neuron: Neurons, equations: KernelEquations, delay: int) -> None:
        self.equations, self.delay = equations, delay
        self.factor: Tensor | None = None
        """What inputs are multiplied by (see ``NeuronModule.parameters_of``)."""
        self.checked: object = None
        """The shape of the inputs that were checked."""
        self._neuron = neuron
        self._form: tuple[int, bool] | None = None
        self._views: list[Any] | None = None
        self._state = b""

    def now(self, count: int, is_recurrent: bool = False) -> KernelNeurons:
        """Returns ``count`` neurons with the present parameters."""
        form, views = (count, is_recurrent), self._views
        if form != self._form or views is None or b"".join(map(_BYTES, views)) != self._state:
            self._form = form
            self._compute()
        elif self._has_learnt:
            self._neurons = self._neurons.renewed()
        return self._neurons

    def _compute(self) -> None:
        neuron, values = self._neuron, self._neuron.values
        learns, parameters, self.factor = neuron.parameters_of(self.equations)
        assert self._form is not None
        count, is_recurrent = self._form
        text, delay = self.equations.text, self.delay
        self._neurons = make_neurons(text, learns, parameters, count, delay, is_recurrent)
        tensors = [*values.parameters(), *values.buffers(), neuron.surrogate.width]
        if neuron.norm is not None and not neuron.training:
            tensors += neuron.norm.buffers()
        learnt = {id(value) for value in parameters if value.requires_grad}
        self._has_learnt, self._views = bool(learnt), None
        is_readable = all(tensor.is_cpu and tensor.dtype is torch.float32 for tensor in tensors)
        if is_readable and not values._modules and learnt <= set(map(id, tensors)):
            learnt.discard(id(neuron.level))  # it decides the surrogate gradient, too
            fixed = [tensor for tensor in tensors if id(tensor) not in learnt]
            self._views = [tensor.detach().numpy() for tensor in fixed]
            self._state = b"".join(map(_BYTES, self._views))


class PreparedNeurons:
    """Runs the neurons of a layer in their present mode, with norm, dropout and delay.

    If a compiler or transform sees the calls, they are torch operators, and the object serves one
    call.
    """

    def __init__(self, neuron: Neurons) -> None:
        self._neuron = neuron
        self._is_split, self._is_observed = neuron.is_split, is_observed()
        self._engine = None if self._is_observed else engine_for(neuron.surrogate.width.device)
        parts = neuron.halves if self._is_split else [neuron.equations]
        delays = [0] * (len(parts) - 1) + [neuron.delay]
        self._parts = [PreparedEquations(neuron, *pair) for pair in zip(parts, delays, strict=True)]
        self._of_states: dict[str, tuple[PreparedEquations, bool]] = {}

    def run(
        self, inputs_TBN: Sequence[Tensor], recurrent_NN: Sequence[Tensor], names: Sequence[str]
    ) -> tuple[NeuronsRun, dict[str, Tensor]]:
        """Does what a call of the module does. Returns the run, and states by their ``names``.

        States [steps, batch, units] are those before their reset, in threshold units, with
        gradient. Each is computed by a program of its own. They begin at 0, also for neurons that
        keep states between calls.
        """
        neuron = self._neuron
        if neuron.training and neuron.dropout > 0:
            factors_1BN = nn.functional.dropout(torch.ones_like(inputs_TBN[0][:1]), neuron.dropout)
            inputs_TBN = [input_TBN * factors_1BN for input_TBN in inputs_TBN]
        if neuron.section.persistent_state and not neuron.training:
            run = self.resume(inputs_TBN, neuron.kept_states, recurrent_NN)
            neuron.kept_states = run.states
        else:
            run = self._run(inputs_TBN, (), recurrent_NN)
        return run, self.states(inputs_TBN, recurrent_NN, names, run)

    def states(
        self,
        inputs_TBN: Sequence[Tensor],
        recurrent_NN: Sequence[Tensor],
        names: Sequence[str],
        run: NeuronsRun | None = None,
    ) -> dict[str, Tensor]:
        """Returns the states of ``run``, which is computed without dropout if it is None."""
        neuron, normalised_TBN = self._neuron, ()
        if names and (recurrent_NN or self._is_split):
            run = run or self._run(inputs_TBN, (), recurrent_NN)
            normalised_TBN = run.normalised_TBN
            if recurrent_NN:
                out_TBN = run.out_TBN if run.emitted_TBN is None else run.emitted_TBN
                before_TBN = outputs_before(out_TBN, neuron.delay, neuron.is_graded)
                inputs_TBN = arrivals(inputs_TBN, recurrent_NN, before_TBN)
        return {name: self._state(name, normalised_TBN, inputs_TBN) for name in names}

    def _state(
        self, name: str, normalised_TBN: Sequence[Tensor], inputs_TBN: Sequence[Tensor]
    ) -> Tensor:
        if name not in self._of_states:
            section = self._neuron.section
            equations, is_behind = equations_of_state(section, name, self._is_split)
            part = PreparedEquations(self._neuron, equations, 0)
            self._of_states[name] = part, is_behind
        part, is_behind = self._of_states[name]
        arrived = normalised_TBN if is_behind else []
        value_TBN = self._compute(part, arrived or inputs_TBN, (), []).out_TBN
        scales = self._neuron.folded_scales()
        return value_TBN if scales is None else value_TBN / scales[0 if is_behind else 1]

    def resume(
        self,
        inputs_TBN: Sequence[Tensor],
        states: Sequence[Tensor],
        recurrent_NN: Sequence[Tensor] = (),
    ) -> NeuronsRun:
        """Goes on from ``states``, which an earlier call returned; from 0 if there are none.

        There is no gradient, and no dropout; a norm adds its bias. Raises ValueError if the states
        are those of another number of samples.
        """
        batch, units = inputs_TBN[0].shape[1:]
        if states and states[0].shape[0] != batch:
            raise ValueError(
                f"the states are those of {states[0].shape[0]} samples, and the input has {batch}: "
                "to begin with other samples, call reset_state(), or stream() without a state"
            )
        if not states:
            keeps_output = self._neuron.delay or len(recurrent_NN) > 0
            count = sum(len(part.equations.states) + 1 for part in self._parts) + keeps_output
            zeros = inputs_TBN[0].new_zeros((count, batch, units), dtype=torch.int32)
            states = list(zeros.unbind())
            if self._neuron.axonal is not None:
                states.append(self._neuron.axonal.new_history(inputs_TBN[0]))
        with torch.no_grad():
            return self._run(inputs_TBN, states, recurrent_NN)

    def _run(
        self, inputs_TBN: Sequence[Tensor], states: Sequence[Tensor], recurrent_NN: Sequence[Tensor]
    ) -> NeuronsRun:
        traces: list[NeuronTraces] = []
        neuron, axonal, history = self._neuron, self._neuron.axonal, states[:0]
        if axonal is not None:
            states, history = states[:-1], states[-1:]
        if self._is_split:
            run = self._run_split(inputs_TBN, states, traces)
        else:
            run = self._compute(self._parts[0], inputs_TBN, states, traces, recurrent_NN)
        if axonal is not None:
            out_TBN, history = axonal.resume(run.out_TBN, history)
            run = run._replace(
                out_TBN=out_TBN, states=[*run.states, *history], emitted_TBN=run.out_TBN
            )
        if neuron.recorder is not None:
            traced = {name: state for part in traces for name, state in part.states.items()}
            states_TBN = {name: traced[name] for name in neuron.equations.states}
            arrived = traces[0].inputs_TBN if recurrent_NN else inputs_TBN
            arrived = [input_TBN.detach() for input_TBN in arrived]
            inputs = dict(zip(neuron.section.definition().inputs, arrived, strict=True))
            output, threshold = run.out_TBN.detach(), traces[-1].threshold
            neuron.recorder(LayerRecording(output, states_TBN, inputs, threshold))
        return run

    def _run_split(
        self, inputs_TBN: Sequence[Tensor], states: Sequence[Tensor], traces: list[NeuronTraces]
    ) -> NeuronsRun:
        """Computes the equations before the norm, the norm, and the equations behind it."""
        before, behind = self._parts
        count = len(before.equations.states) + 1 if states else 0
        first = self._compute(before, inputs_TBN, states[:count], traces)
        normalised = [self._neuron.normalise(first.out_TBN)]
        second = self._compute(behind, normalised, states[count:], traces)
        counts_before, counts_behind = LayerCounts(first.counts), LayerCounts(second.counts)
        peaks = dict(zip(before.equations.states, counts_before.peaks.unbind(), strict=True))
        peaks |= dict(zip(behind.equations.states, counts_behind.peaks.unbind(), strict=True))
        in_order = [peaks[name] for name in self._neuron.equations.states]
        counts = [*in_order, counts_behind.path, counts_behind.spikes]
        states = first.states + second.states
        return NeuronsRun(second.out_TBN, torch.stack(counts), states, normalised)

    def _compute(
        self,
        part: PreparedEquations,
        inputs_TBN: Sequence[Tensor],
        states: Sequence[Tensor],
        traces: list[NeuronTraces],
        recurrent_NN: Sequence[Tensor] = (),
    ) -> NeuronsRun:
        """Runs equations. While neurons are recorded, adds what was traced to ``traces``."""
        if self._is_observed:
            return self._call_operator(part, inputs_TBN, states, recurrent_NN)
        shape = inputs_TBN[0].shape
        neurons = part.now(shape[2], len(recurrent_NN) > 0)
        if part.factor is not None:
            inputs_TBN = [input_TBN * part.factor for input_TBN in inputs_TBN]
        if states or shape != part.checked:
            check_neurons(inputs_TBN, neurons, states, False)
            if recurrent_NN:
                check_weights(recurrent_NN, neurons, inputs_TBN[0])
            part.checked = shape
        out_TBN, counts, after = operators.prepared_neurons(
            self._engine, inputs_TBN, recurrent_NN, neurons, states
        )
        if self._neuron.recorder is not None:
            if recurrent_NN:
                before_TBN = outputs_before(out_TBN, part.delay, neurons.is_graded, states)
                arrived = arrivals(inputs_TBN, recurrent_NN, before_TBN)
                inputs_TBN = [input_TBN.detach() for input_TBN in arrived]
            traces.append(trace(inputs_TBN, neurons, states))
        return NeuronsRun(out_TBN, counts, after)

    def _call_operator(
        self,
        part: PreparedEquations,
        inputs_TBN: Sequence[Tensor],
        states: Sequence[Tensor],
        recurrent_NN: Sequence[Tensor],
    ) -> NeuronsRun:
        learns, parameters, factor = self._neuron.parameters_of(part.equations)
        if factor is not None:
            inputs_TBN = [input_TBN * factor for input_TBN in inputs_TBN]
        used = (*parameters, *inputs_TBN, *recurrent_NN)
        needs_gradient = any(tensor.requires_grad for tensor in used)
        keep = not states and torch.is_grad_enabled() and needs_gradient
        tensors = list(inputs_TBN), list(recurrent_NN), parameters, list(states)
        out_TBN, counts, after, _ = operators.neurons(
            *tensors, part.equations.text, part.delay, learns, keep
        )
        return NeuronsRun(out_TBN, counts, after)
