"""Adaptive leaky integrate-and-fire neurons."""

from typing import Literal

from netdesc.neurons.models.base import Equations, NeuronSection
from netdesc.neurons.models.cuba import CURRENT, VOLTAGE
from netdesc.neurons.models.fields import Decay, Threshold, decay_field, threshold_field
from netdesc.sections import field

ADAPT = ("a = decay(a, threshold_decay)", "The threshold's rise fades.")
RECOVER = ("r = decay(r, refractory_decay)", "The refractory state fades.")
RAISE = ("a = a + threshold_step", "A spike raises the threshold.")
REFRACT = ("r = r + 2 * (threshold + a)", "It adds twice the threshold before the spike to r.")

_RESETS = {
    "refractory": (RAISE, REFRACT),
    "subtract": (RAISE, ("v = v - (threshold + a)", "It lowers v by the threshold it reached.")),
    "zero": (RAISE, ("v = 0", "It sets the voltage to 0.")),
}


class Alif(NeuronSection):
    """Adaptive leaky integrate-and-fire neuron.

    Current and voltage are those of "cuba". A spike raises the threshold by threshold_step, and the
    rise loses the share threshold_decay per step. With the reset "refractory", a spike also adds
    twice the raised threshold to a refractory state, and the voltage must reach the sum of both.
    """

    wrapped = ("u",)
    net_options = (("reset", "refractory"),)
    source = "lava-dl, slayer.neuron.alif; Bellec et al. 2018"

    type: Literal["alif"]
    threshold: Threshold = threshold_field("Voltage at which the neuron spikes, at rest.")
    threshold_step: Threshold = threshold_field(
        "What a spike adds to the threshold.", learnt_range=(0.0, 2047.0)
    )
    current_decay: Decay = decay_field("Share of the current lost per step.", example=1.0)
    voltage_decay: Decay = decay_field("Share of the voltage lost per step.")
    threshold_decay: Decay = decay_field("Share of the threshold's rise lost per step.")
    refractory_decay: Decay | None = decay_field(
        'Share of the refractory state lost per step. The reset "refractory" needs it, the others '
        "have no such state.",
        default=None,
    )
    reset: Literal["refractory", "subtract", "zero"] = field(
        'What a spike does: it raises the refractory state ("refractory"), lowers the voltage by '
        'the threshold that it reached ("subtract") or sets it to 0 ("zero").',
        default="refractory",
    )

    def idle_reasons(self) -> dict[str, str]:
        reason = f'the reset "{self.reset}" has no refractory state'
        is_idle = self.reset != "refractory"
        return super().idle_reasons() | ({"refractory_decay": reason} if is_idle else {})

    def missing_fields(self) -> dict[str, str]:
        is_missing = self.reset == "refractory" and self.refractory_decay is None
        return {"refractory_decay": 'the reset "refractory" needs it'} if is_missing else {}

    def equations(self) -> Equations:
        is_refractory = self.reset == "refractory"
        level = "threshold + a + r" if is_refractory else "threshold + a"
        return Equations(
            step=(CURRENT, VOLTAGE, ADAPT, *([RECOVER] if is_refractory else [])),
            spike=(f"v >= {level}", "The neuron spikes at the raised threshold."),
            reset=_RESETS[self.reset],
            output=self.payload("v"),
        )
