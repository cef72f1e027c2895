"""Equations of neurons as the operators take them, what they compute, and their surrogate."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import Tensor, nn

from netdesc.kernels.fixed_point import WEIGHT_UNIT
from netdesc.neurons.compile import compile_neuron, split_at_norm
from netdesc.neurons.definition import Definition
from netdesc.neurons.models import NeuronSection
from netdesc.neurons.models.fields import width_at


class KernelEquations(NamedTuple):
    """A definition as the operator ``neurons`` takes it."""

    text: str
    parameters: tuple[str, ...]
    states: tuple[str, ...]

    @classmethod
    def of(cls, definition: Definition) -> "KernelEquations":
        program = compile_neuron(definition, False)
        return cls(definition.to_text(), tuple(program.parameters), program.states)


def equations_of_state(
    section: NeuronSection, name: str, is_split: bool
) -> tuple[KernelEquations, bool]:
    """Returns the equations that hand on a state, and whether it stands behind the norm.

    With ``is_split``, they are those before or behind the norm.
    """
    definition, is_behind = section.definition(), True
    if section.norm is not None:
        before, behind = split_at_norm(definition)
        is_behind = name not in before.states
        if is_split:
            definition = behind if is_behind else before
    return KernelEquations.of(replace(definition, signal=name)), is_behind


class NeuronsRun(NamedTuple):
    """What a layer's neurons computed (see ``kernels.layer_neurons``).

    ``out_TBN`` is float32 [steps, batch, units], ``counts`` are int64 [states + 2]. ``states`` are
    for the next steps; they are empty if none were given.
    """

    out_TBN: Tensor
    counts: Tensor
    states: list[Tensor]
    normalised_TBN: Sequence[Tensor] = ()
    """What the equations behind a norm read; empty if the equations are not split."""
    emitted_TBN: Tensor | None = None
    """The output before the layer's delay; None if it has none."""


class SurrogateWidth(nn.Module):
    """The present width of the surrogate gradient, as the schedule of a neuron says.

    ``width`` is a tensor [] on the device that no state dict has, ``tau_grad`` the same number.
    """

    width: Tensor

    def __init__(self, section: NeuronSection) -> None:
        super().__init__()
        self._section = section
        self.tau_grad = width_at(section.width_schedule, 0.0)
        self.register_buffer("width", torch.tensor(self.tau_grad), persistent=False)

    def set(self, fraction: float) -> None:
        """Sets the width at a ``fraction`` of the run.

        A captured CUDA graph and compiled code read the new width, too.
        """
        self.tau_grad = width_at(self._section.width_schedule, fraction)
        self.width.fill_(self.tau_grad)

    @torch.no_grad()
    def parameters_at(self, threshold: Tensor | None) -> dict[str, Tensor]:
        """Returns peak and width, float32 [] or [units], for the equations.

        ``threshold`` is [] or [units], None if the neurons have none. It is rounded as on the
        device, and at least the smallest threshold.
        """
        if threshold is None:
            level = torch.ones_like(self.width)
        else:
            level = torch.trunc(threshold.abs() * WEIGHT_UNIT).clamp(min=1) / WEIGHT_UNIT
        peak, width = self._section.surrogate_at(level, self.width)
        if not isinstance(peak, Tensor):
            peak = torch.full_like(level, peak)
        return {"peak": peak, "width": width if width is not self.width else width.clone()}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "SurrogateWidth":
        """Moves or converts the module, then writes the width unrounded to the new tensor."""
        super()._apply(fn, recurse)
        if not self.width.is_meta:
            self.width.fill_(self.tau_grad)
        return self
