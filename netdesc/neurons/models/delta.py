"""Delta encoders: they send changes."""

from typing import Literal

from netdesc.neurons.models.base import Equations, Line, NeuronSection
from netdesc.neurons.models.fields import Threshold, threshold_field
from netdesc.sections import field

SENT = ("y - before(y)", "The output is the change of what was sent.")
CUMULATIVE_TEXT = (
    "True compares the sum of the differences since the last one that was sent with the threshold; "
    "false compares the present difference."
)


def hold(value: str, is_cumulative: bool) -> tuple[Line, ...]:
    """Returns the equations that set y, what was sent so far, to ``value`` where y is too far."""
    error = f"e + {value} - y" if is_cumulative else f"{value} - y"
    sends = (
        f"y = straight_through(where(abs({error}) >= threshold, {value}, y), {value})",
        "What was sent so far becomes the new value where the difference reaches the threshold.",
    )
    if not is_cumulative:
        return (sends,)
    sums = (
        f"e = where(abs(y - before(y)) > 0, 0, e + {value} - before(y))",
        "Differences add up, and start again at 0 where one is sent.",
    )
    return sends, sums


class Delta(NeuronSection):
    """Encoder that sends the differences of its input as graded spikes.

    A difference is sent when it reaches the threshold. A smaller one is kept for later steps.
    """

    sends_changes = True
    net_options = (("cumulative_error", False),)
    source = "lava-dl, slayer.axon.delta.Delta; lava.proc.sdn.Delta"

    type: Literal["delta"]
    threshold: Threshold = threshold_field(
        "Smallest difference that is sent; 0 sends all.", learnt_range=None
    )
    cumulative_error: bool = field(CUMULATIVE_TEXT, default=False)

    def equations(self) -> Equations:
        return Equations(hold("x", self.cumulative_error), output=SENT)
