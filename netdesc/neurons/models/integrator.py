"""Integrators: voltages that are read out."""

from __future__ import annotations

from typing import Literal

from netdesc.neurons.models.base import Equations, NeuronSection
from netdesc.neurons.models.cuba import CURRENT, VOLTAGE
from netdesc.neurons.models.fields import Decay, decay_field


class Integrator(NeuronSection):
    """Voltage that is handed on in every step, without spikes: a readout.

    With the default decays it is the running sum of what arrives. Products of weights and graded
    values are cut to 1/4096 as they arrive; the sum of lava-dl's netx is 64 times finer, and its
    range, of ±32, 64 times smaller.
    """

    net_options = ()
    wrapped = ("u",)
    source = "lava-dl, slayer.block.cuba.Affine and lava.proc.sdn.Sigma"

    type: Literal["integrator"]
    current_decay: Decay = decay_field("Share of the current lost per step.", default=1.0)
    voltage_decay: Decay = decay_field("Share of the voltage lost per step.", default=0.0)

    def equations(self) -> Equations:
        return Equations((CURRENT, VOLTAGE), output=("v", "The voltage is handed on."))


IDENTITY = Integrator(type="integrator", current_decay=1.0, voltage_decay=1.0)
"""Hands on what arrives, in the step in which it arrives."""
