"""Current-based leaky integrate-and-fire neurons."""

from typing import Literal

from netdesc.neurons.models.base import Equations, NeuronSection
from netdesc.neurons.models.fields import Decay, Threshold, decay_field, threshold_field

CURRENT = ("u = decay(u, current_decay) + x", "The current leaks and gains the input.")
VOLTAGE = ("v = decay(v, voltage_decay) + norm(u)", "The voltage leaks and gains u.")


class Cuba(NeuronSection):
    """Current-based leaky integrate-and-fire neuron.

    Each step the current loses the share current_decay and gains the weighted spikes, the voltage
    loses the share voltage_decay and gains the current, and a voltage above the threshold emits a
    spike and is reset to 0.
    """

    net_options = ()
    wrapped = ("u",)
    source = "lava-dl, slayer.neuron.cuba; Davies et al. 2018 (Loihi)"

    type: Literal["cuba"]
    threshold: Threshold = threshold_field("Voltage above which the neuron spikes.")
    current_decay: Decay = decay_field(
        "Share of the current lost per step: 0 keeps it, 1 drops it at once.", example=1.0
    )
    voltage_decay: Decay = decay_field(
        "Share of the voltage lost per step: 0 keeps it, 1 drops it at once."
    )

    def equations(self) -> Equations:
        return Equations(
            step=(CURRENT, VOLTAGE),
            spike=("v > threshold", "The neuron spikes above the threshold."),
            reset=(("v = 0", "A spike sets the voltage to 0."),),
            output=self.payload("v"),
        )
