"""Neurons of a layer, of any kind: their values, norm and dropout."""

from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor, nn

from netdesc.graph.nodes import SynapticNode
from netdesc.kernels.fixed_point import MAX_BIAS, STATE_UNIT, WEIGHT_UNIT
from netdesc.modules.delay import SignalDelay
from netdesc.modules.equations import KernelEquations, SurrogateWidth
from netdesc.modules.norm import NORMS, MeanVarianceNorm, round_bias
from netdesc.modules.prepared_neurons import PreparedNeurons
from netdesc.modules.recording import LayerRecording
from netdesc.modules.values import NeuronValues, initial_value, name_in_state_dicts, places
from netdesc.neurons.compile import split_at_norm


class NeuronModule(nn.Module):
    """The neurons of a layer, of any kind.

    ``neuron`` is their section of the document. Its values, such as decays, have the shape [], or
    [channels] with ``per_channel``. Learnt values are parameters, others are buffers. A threshold
    that is neither learnt nor drawn is not in the state dict, because the document says it. The
    layer's ``bias`` is one of the parameters.

    The names of values may come from a document, and may be those of attributes. Therefore they
    are the parts of a module of their own, ``values``.
    """

    def __init__(self, layer: SynapticNode, generator: torch.Generator | None) -> None:
        super().__init__()
        self.section, self.delay = layer.neuron, layer.delay
        channels = layer.channels
        self._per_channel = layer.neurons // channels
        """The number of neurons in a channel."""
        self.dropout = self.section.dropout
        self._bias_unit = STATE_UNIT if layer.bits is None else WEIGHT_UNIT
        self._names = list(self.section.values())
        self._limits = {name: self.section.learnable()[name] for name in self.section.learn}
        kinds = self.section.value_kinds()
        self.values = NeuronValues()
        name_in_state_dicts(self, "values")
        # Torch's compiler cannot trace the section's fields.
        self._is_derived = kinds.keys() != self.section.parameter_kinds().keys()
        for name, initial in self.section.values().items():
            count = channels if self.section.per_channel else None
            is_spaced = name in self.section.log_spaced
            value = initial_value(initial, count, generator, is_log_spaced=is_spaced)
            if name in self.section.learn:
                self.values.learn(name, value)
                continue
            is_stored = kinds[name] != "threshold" or isinstance(initial, tuple)
            self.values.register_buffer(self.values.attribute_for(name), value, is_stored)
        if layer.section.learns_bias:  # the equations have a norm(…): no value has this name
            self._limits["bias"] = (-MAX_BIAS, MAX_BIAS)
            self.values.learn("bias", torch.full((channels,), layer.section.bias_init))
        definition = self.section.definition()
        self.equations = KernelEquations.of(definition)
        self._spikes = definition.spike is not None
        self.is_graded = definition.output is not None
        """Whether the output has other values than 0 and 1."""
        levels = {} if self.is_graded else self.section.parameter_kinds()
        self._thresholds = [name for name, kind in levels.items() if kind == "threshold"]
        """Those that can take over the division of a norm."""
        self._is_foldable = self.section.type_name() != "equations"
        """Whether thresholds or inputs can take over the division of a norm."""
        self.halves: list[KernelEquations] = []
        """The equations before and behind a norm."""
        if (norm := self.section.norm) is not None:
            self.halves = [KernelEquations.of(half) for half in split_at_norm(definition)]
        self.norm = None if norm is None else NORMS[norm](channels)
        self.surrogate = SurrogateWidth(self.section)
        later = layer.section.delay
        self.axonal = None if later is None else SignalDelay(later, channels, generator)
        """The delay of the output beside the axonal step."""
        self.recorder: Callable[[LayerRecording], None] | None = None
        """Called in each forward pass."""
        self.kept_states: list[Tensor] = []
        """States after the last call outside training, of neurons that keep them."""

    def __getattr__(self, name: str) -> Any:
        """Returns a value that has no name of an attribute."""
        if name != "values" and name in self.values.attributes:
            return self.values[name]
        return super().__getattr__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        """Assigns a tensor to a value also if this has the name of an attribute."""
        values = getattr(self, "values", None)
        if values is not None and name in values.attributes:
            kind = type(value)
            is_number = issubclass(kind, Real) and kind is not bool
            if isinstance(value, Tensor) or (is_number and name not in vars(self)):
                return setattr(values, values.attributes[name], value)  # refuses numbers
        return super().__setattr__(name, value)

    def value(self, name: str) -> Tensor:
        """Returns a value of the neurons by its name in the document."""
        return self.values[name]

    @property
    def learns(self) -> bool:
        """Whether training changes values of the neurons."""
        return bool(self._limits) or (self.axonal is not None and self.axonal.delay is not None)

    @property
    def follows_equations(self) -> bool:
        """Whether the inputs and the equations alone determine the output.

        Otherwise it also depends on dropout, statistics of the batch, or states of an earlier call.
        """
        norm = self.norm
        if self.training:
            return norm is None and not self.dropout
        return not self.section.persistent_state and (norm is None or norm.is_bias)

    def parameters_of(self, equations: KernelEquations) -> tuple[bool, list[Tensor], Tensor | None]:
        """Returns whether parameters are learnt, the parameters, and a factor [] of the inputs.

        The factor is None unless the inputs take over the division of a norm.
        """
        values, factor = self._kernel_parameters(), None
        if (norm := self._folded_norm) is not None:
            values, factor = norm.fold_parameters(values, self._thresholds)
        tensors, count = [values[name] for name in equations.parameters], self._per_channel
        if count > 1:
            tensors = [t.repeat_interleave(count) if t.dim() else t for t in tensors]
        is_read = self._is_derived or any(name in self._limits for name in equations.parameters)
        return bool(self._limits) and is_read, tensors, factor

    def forward(
        self, *inputs_TBN: Tensor, recurrent_NN: Sequence[Tensor] = ()
    ) -> tuple[Tensor, Tensor]:
        """Returns output [steps, batch, units] and counts (see ``kernels.layer_neurons``).

        ``inputs_TBN`` are the synaptic inputs, one for each input of the equations. Dropout
        multiplies them by 0 or 1 / (1 − dropout), the same number for all steps of a sample.
        ``recurrent_NN`` are weights from the neurons' own outputs, if they have any (see
        ``kernels.layer_neurons``); dropout leaves alone what they add.
        """
        run, _ = PreparedNeurons(self).run(inputs_TBN, recurrent_NN, ())
        return run.out_TBN, run.counts

    @property
    def is_split(self) -> bool:
        """Whether the equations are computed up to the norm, and then behind it.

        Outside training, that is so where a division cannot be folded: equations of a document may
        be non-linear. What the first part hands on is rounded down to a multiple of 1/4096.
        """
        if self.norm is None or self.training:
            return self.norm is not None
        return not (self.norm.is_bias or self._is_foldable)

    @property
    def _folded_norm(self) -> MeanVarianceNorm | None:
        """The norm whose division thresholds or inputs take over."""
        norm = self.norm
        return norm if isinstance(norm, MeanVarianceNorm) and not self.is_split else None

    def folded_scales(self) -> tuple[Tensor, Tensor] | None:
        """Returns the factors of thresholds and inputs that replace a division (see ``fold``)."""
        if (norm := self._folded_norm) is None:
            return None
        values = self._kernel_parameters()
        return norm.fold([values[name].detach() for name in self._thresholds])

    def normalise(self, values_TBN: Tensor) -> Tensor:
        """Returns ``values_TBN`` [steps, batch, units] behind the norm."""
        assert self.norm is not None
        values_TBSC = values_TBN.unflatten(2, (-1, self._per_channel)).movedim(2, 3)
        return self.norm(values_TBSC, self._learnt_bias()).movedim(3, 2).flatten(2)

    @property
    def level(self) -> Tensor | None:
        """The threshold, if the neurons have one."""
        return self.value("threshold") if "threshold" in self._names else None

    def _learnt_bias(self) -> Tensor:
        """Returns the layer's bias on its grid, [channels]; 0 [] if it has none."""
        if "bias" not in self._limits:
            return torch.zeros_like(self.surrogate.width)
        return round_bias(self.value("bias"), self._bias_unit)

    def _kernel_parameters(self) -> dict[str, Tensor]:
        values = {name: self.value(name) for name in self._names}
        parameters = values
        if self._is_derived:
            exact = {name: value.double() for name, value in values.items()}
            derived = self.section.derive(torch, exact)
            parameters = {name: value.float() for name, value in derived.items()}
        bias, norm = self._learnt_bias(), self.norm
        if norm is not None and not self.training:
            bias = norm.bias(norm.running_mean, bias)
        surrogate = self.surrogate.parameters_at(self.level) if self._spikes else {}
        return {"bias": bias, **surrogate, **parameters}

    @torch.no_grad()
    def dither(self, generator: torch.Generator) -> None:
        """Moves a learnt bias, and learnt delays, as ``Network.dither`` says."""
        if "bias" in self._limits:
            bias, unit = self.value("bias"), self._bias_unit
            if bias.requires_grad and torch.equal(round_bias(bias, unit), bias):
                bias += places(bias, generator) / unit
        if self.axonal is not None:
            self.axonal.dither(generator)

    def project(self) -> None:
        """Clamps learnt values to their ranges."""
        values = vars(self)["_modules"]["values"]  # torch looks it up slowly
        for name, (lowest, highest) in self._limits.items():
            values[name].detach().clamp_(lowest, highest)
        if self.axonal is not None:
            self.axonal.project()

    def extra_repr(self) -> str:
        return f"{self.section.type_name()}, dropout={self.dropout}"
