"""Sigma-delta neurons: they sum changes, activate and send changes."""

from typing import Annotated, Literal

from pydantic import Field

from netdesc.neurons.expressions import PARAMETER_LIMIT
from netdesc.neurons.models.base import Equations, NeuronSection
from netdesc.neurons.models.delta import CUMULATIVE_TEXT, SENT, hold
from netdesc.neurons.models.fields import threshold_field
from netdesc.sections import OrPair, field

UNIT_BITS = 18
MAX_DIFFERENCE = PARAMETER_LIMIT >> UNIT_BITS
"""The largest threshold. Units are 64 times finer than those of other neurons."""

_ACTIVATIONS = {"relu": "max(norm(s), 0)", "identity": "norm(s)"}


class SigmaDelta(NeuronSection):
    """Neuron of an analog network whose layers send differences.

    It sums the differences that arrive, activates the sum, and sends the differences of the
    activation that reach the threshold. A smaller one is kept for later steps.
    """

    unit_bits = UNIT_BITS
    sends_changes = True
    net_options = (("cumulative_error", False),)
    source = "lava-dl, slayer.neuron.sigma_delta; lava.proc.sdn.SigmaDelta"

    type: Literal["sigma_delta"]
    threshold: OrPair[Annotated[float, Field(ge=0, le=MAX_DIFFERENCE)]] = threshold_field(
        "Smallest difference that is sent; 0 sends all.", learnt_range=None
    )
    activation: Literal["relu", "identity"] = field(
        'What the sum becomes: "relu" is the larger of it and 0, "identity" is the sum itself.',
        default="relu",
    )
    cumulative_error: bool = field(CUMULATIVE_TEXT, default=False)

    def equations(self) -> Equations:
        step = (
            ("s = s + x", "The differences that arrive add up."),
            (f"a = {_ACTIVATIONS[self.activation]}", "The sum is activated."),
            *hold("a", self.cumulative_error),
        )
        return Equations(step, output=SENT)
