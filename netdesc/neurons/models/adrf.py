"""Resonate-and-fire neurons with an adaptive threshold."""

from typing import Literal

from netdesc.neurons.models.alif import ADAPT, RAISE, RECOVER, REFRACT
from netdesc.neurons.models.base import Equations
from netdesc.neurons.models.fields import Decay, Threshold, decay_field, threshold_field
from netdesc.neurons.models.rf import ROTATION, Resonator

_STEP = (*ROTATION, ADAPT, RECOVER)
_LEVEL = "threshold + a + r"
_PHASE_TEXT = "The neuron spikes where im rises through 0 and re is at least the raised threshold."


class AdaptiveResonator(Resonator):
    """Base class of the resonators whose threshold rises with each spike, as that of "alif"."""

    threshold_step: Threshold = threshold_field(
        "What a spike adds to the threshold.", learnt_range=(0.0, 2047.0)
    )
    threshold_decay: Decay = decay_field("Share of the threshold's rise lost per step.")
    refractory_decay: Decay = decay_field("Share of the refractory state lost per step.")


class Adrf(AdaptiveResonator):
    """Adaptive resonate-and-fire neuron that spikes by phase.

    It is "rf" with the adaptive threshold and the refractory state of "alif". A spike does not
    change its complex state.
    """

    surrogate_factors = (0.5, 10.0)
    source = "lava-dl, slayer.neuron.adrf, with the surrogate gradient of rf"

    type: Literal["adrf"]

    def equations(self) -> Equations:
        spike = (f"phase_spike(re, im, {_LEVEL})", _PHASE_TEXT)
        return Equations(_STEP, spike, (RAISE, REFRACT), self.payload("re"))


class AdrfIz(AdaptiveResonator):
    """Adaptive resonate-and-fire neuron that spikes where its imaginary part is large.

    It is "rf_iz" with the adaptive threshold and the refractory state of "alif". A spike does not
    change its complex state.
    """

    source = "lava-dl, slayer.neuron.adrf_iz: its functions dynamics and spike"

    type: Literal["adrf_iz"]

    def equations(self) -> Equations:
        spike = (f"im >= {_LEVEL}", "The neuron spikes at the raised threshold.")
        return Equations(_STEP, spike, (RAISE, REFRACT), self.payload("im"))
