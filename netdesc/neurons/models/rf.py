"""Resonate-and-fire neurons: by phase, and with Izhikevich's reset."""

import math
from collections.abc import Mapping
from types import ModuleType
from typing import Annotated, Any, Literal

from pydantic import Field

from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.models import fields
from netdesc.neurons.models.base import Equations, NeuronSection
from netdesc.sections import OrPair

Period = OrPair[Annotated[float, Field(ge=4)]]

PERIODS = 4.0, 2 * math.pi / math.asin(1 / 4096)
DECAYS = 1 / 4096, 1.0
"""Periods and decays of which a device holds the sine and the cosine."""

ROTATION = (
    (
        "re = scaled(re, cosine) - scaled(im, sine) + x",
        "The state turns and decays. Its real part gains x.",
    ),
    ("im = scaled(before(re), sine) + scaled(im, cosine) + y", "Its imaginary part gains y."),
)
_PHASE_TEXT = "The neuron spikes where im rises through 0 and re is at least the threshold."


def _clamp(
    value: float | tuple[float, float], lowest: float, highest: float
) -> float | tuple[float, ...]:
    if isinstance(value, tuple):
        return tuple(min(max(each, lowest), highest) for each in value)
    return min(max(value, lowest), highest)


class Resonator(NeuronSection):
    """Base class of resonators: a complex state that turns by 2π/period per step and decays.

    slayer clamps sines and cosines, learnt or not, to sine ≥ 1/4096, cosine ≥ 0 and a length of at
    most 4095/4096. ``PERIODS`` and ``DECAYS`` are these bounds, except that the sine may be smaller
    where the period is long and the decay is large.
    """

    net_options = ()
    input_names = ("x", "y")
    log_spaced = ("period",)

    threshold: fields.Threshold = fields.threshold_field(
        "Real or imaginary part at which the neuron spikes."
    )
    period: Period = fields.parameter_field(
        "real",
        "Steps in which the state turns once. The device holds the sine "
        "round(4096·(1 - decay)·sin(2π/period)), and the cosine likewise. With per_channel also "
        "[low, high], which the neurons divide by equal ratios, from high to low.",
        learnt_range=PERIODS,
        unit="steps",
        example=10.0,
    )
    decay: fields.Decay = fields.parameter_field(
        "real",
        "Share of the state lost per step, at least 1/4096." + fields.RANGE_TEXT,
        learnt_range=DECAYS,
        unit="share per step",
        example=0.1,
    )

    def values(self) -> dict[str, Any]:
        period, decay = _clamp(self.period, *PERIODS), _clamp(self.decay, *DECAYS)
        return super().values() | {"period": period, "decay": decay}

    def parameter_kinds(self) -> dict[str, ParameterKind]:
        kinds = super().parameter_kinds()
        del kinds["period"], kinds["decay"]
        kinds["sine"] = kinds["cosine"] = "factor"
        return kinds

    def derive(self, functions: ModuleType, values: Mapping[str, Any]) -> dict[str, Any]:
        """Sine and cosine are those of 2π/period, times 1 - decay."""
        others = dict(values)
        angle, kept = 2 * math.pi / others.pop("period"), 1 - others.pop("decay")
        sine, cosine = kept * functions.sin(angle), kept * functions.cos(angle)
        return others | {"sine": sine, "cosine": cosine}


class Rf(Resonator):
    """Resonate-and-fire neuron that spikes by phase.

    It spikes where the imaginary part of its state rises through 0 while the real part is at least
    the threshold. A spike does not change the state.
    """

    surrogate_factors = (0.5, 10.0)
    source = "lava-dl, slayer.neuron.rf; Frady et al. 2022"

    type: Literal["rf"]

    def equations(self) -> Equations:
        spike = ("phase_spike(re, im, threshold)", _PHASE_TEXT)
        return Equations(ROTATION, spike, output=self.payload("re"))


class RfIz(Resonator):
    """Resonate-and-fire neuron with Izhikevich's reset.

    It spikes where the imaginary part of its state reaches the threshold, and a spike sets the
    state to just below the threshold, with a real part of 0.
    """

    source = "lava-dl, slayer.neuron.rf_iz; Izhikevich 2001"

    type: Literal["rf_iz"]

    def equations(self) -> Equations:
        spike = ("im >= threshold", "The neuron spikes at the threshold.")
        reset = (
            ("re = 0", "A spike sets the real part to 0."),
            (
                "im = threshold - 0.000244140625",
                "It sets the imaginary part to 1/4096 below the threshold.",
            ),
        )
        return Equations(ROTATION, spike, reset, self.payload("im"))
