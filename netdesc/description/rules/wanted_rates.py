"""A label whose neuron should spike no more than the others."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import SpikeRate
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    loss = context.document.loss
    if isinstance(loss, SpikeRate) and loss.true_rate <= loss.false_rate:
        yield Finding(
            ("loss", "true_rate"),
            f"the label's neuron should spike at {loss.true_rate:g}, the others at "
            f"{loss.false_rate:g}, so that the label's never spikes most",
            related=(RelatedPath(("loss", "false_rate"), "the rate of the others"),),
        )


ENTRY = Entry(
    code="ND232",
    title="the label's neuron should not spike more than the others",
    cause=(
        "spike_rate brings the label's neuron to true_rate and the others to false_rate. The "
        "class is then the neuron that spikes most, which must be the label's."
    ),
    fix="Make true_rate larger than false_rate.",
    at="/loss",
    wrong='{"type": "spike_rate", "true_rate": 0.02, "false_rate": 0.03}',
    right='{"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03}',
    is_labelled=True,
)
