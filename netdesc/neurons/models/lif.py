"""Leaky integrate-and-fire neurons."""

from typing import Literal

from netdesc.neurons.models.base import Equations, NeuronSection
from netdesc.neurons.models.fields import Decay, Threshold, decay_field, threshold_field
from netdesc.sections import field

_STEP = "v = decay(v, voltage_decay) + norm(x)"
_RESETS = {
    "zero": (("v = 0", "A spike sets the voltage to 0."),),
    "subtract": (("v = v - threshold", "A spike lowers the voltage by the threshold."),),
    "subtract_delayed": (),
}


class Lif(NeuronSection):
    """Leaky integrate-and-fire neuron.

    Each step the voltage loses the share voltage_decay and gains the weighted spikes, and a voltage
    above the threshold emits a spike and is reset.
    """

    net_options = (("reset", "zero"),)
    source = "Lapicque 1907; with subtract_delayed the default of snnTorch's Leaky"

    type: Literal["lif"]
    threshold: Threshold = threshold_field("Voltage above which the neuron spikes.")
    voltage_decay: Decay = decay_field(
        "Share of the voltage lost per step: 0 keeps it, 1 drops it at once."
    )
    reset: Literal["zero", "subtract", "subtract_delayed"] = field(
        'What a spike does to the voltage: it sets it to 0 ("zero"), lowers it by the threshold '
        'after the spike ("subtract") or in the next step, after the leak ("subtract_delayed").',
        default="zero",
    )

    def equations(self) -> Equations:
        step = (_STEP, "The voltage leaks and gains the input.")
        if self.reset == "subtract_delayed":
            line = f"{_STEP} - where(before(spike), threshold, 0)"
            step = (line, step[1] + " A spike of the step before lowers it by the threshold.")
        spike = ("v > threshold", "The neuron spikes above the threshold.")
        return Equations((step,), spike, _RESETS[self.reset], self.payload("v"))
