"""Integrators: voltages that are read out."""

from dataclasses import replace
from typing import Literal

from netdesc.neurons.definition import Definition
from netdesc.neurons.models.base import Equations, NeuronSection
from netdesc.neurons.models.cuba import CURRENT, VOLTAGE
from netdesc.neurons.models.fields import Decay, decay_field
from netdesc.neurons.models.sigma_delta import UNIT_BITS
from netdesc.sections import field


class Integrator(NeuronSection):
    """Readout: its output is its voltage, by default the sum of its inputs over time."""

    net_options = ()
    wrapped = ("u",)
    source = "lava-dl, slayer.block.cuba.Affine and lava.proc.sdn.Sigma"

    type: Literal["integrator"]
    current_decay: Decay = decay_field("Share of the current lost per step.", default=1.0)
    voltage_decay: Decay = decay_field("Share of the voltage lost per step.", default=0.0)
    fine_units: bool = field(
        "True adds up the graded values of a sigma-delta network exactly, as netx does, up to 32 "
        "on the device; false cuts the input of a step to 1/4096, up to 2048 on the device. "
        "The output is cut to 1/4096.",
        default=False,
    )

    def equations(self) -> Equations:
        return Equations((CURRENT, VOLTAGE), output=("v", "The output is the voltage."))

    def definition(self) -> Definition:
        return replace(super().definition(), unit_bits=UNIT_BITS if self.fine_units else 12)


IDENTITY = Integrator(type="integrator", current_decay=1.0, voltage_decay=1.0)
"""Its output is its input of the same step."""
