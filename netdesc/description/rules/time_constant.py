"""A time constant longer than the loss's filter."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.models import SpikeTime
from netdesc.description.rules.rule import Context, Finding
from netdesc.description.source_map import RelatedPath


def check(context: Context) -> Iterator[Finding]:
    loss = context.document.loss
    if not isinstance(loss, SpikeTime):
        return
    length_ms = loss.filter_steps * context.document.time.step_ms
    if loss.time_constant_ms > length_ms:
        yield Finding(
            ("loss", "time_constant_ms"),
            f"the time constant of {loss.time_constant_ms:g} ms is longer than the filter of "
            f"{length_ms:g} ms",
            hint="raise filter_steps",
            related=(
                RelatedPath(("loss", "filter_steps"), f"{length_ms:g} ms"),
                RelatedPath(("time", "step_ms"), "the length of a step"),
            ),
        )


ENTRY = Entry(
    code="ND213",
    title="the time constant is longer than the filter",
    cause=(
        "The filter of the loss is cut off after filter_steps steps. With a longer time "
        "constant most of the exponential is cut away."
    ),
    fix="Make filter_steps larger or the time constant shorter.",
    at="/loss",
    wrong='{"type": "spike_time", "time_constant_ms": 200}',
    right='{"type": "spike_time", "time_constant_ms": 200, "filter_steps": 1000}',
    severity="warning",
)
