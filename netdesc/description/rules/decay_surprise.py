"""Warns if a decay between 0 and 1 rounds to 0 or to 1 on the device (ND212)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for each in context.neuron_parameters():
        for place, end in each.ends if each.kind == "decay" else ():
            grid = round(4096 * end)
            if 0 < end < 1 and grid in (0, 4096):
                effect = "never fades" if grid == 0 else "is dropped in one step"
                yield RuleDiagnostic(
                    place,
                    f"the decay {end:g} becomes round(4096·decay) = {grid}: the state {effect}",
                    hint=f"write {grid // 4096} if you mean this",
                )


ENTRY = Entry(
    code="ND212",
    title="a decay that rounds to 0 or to 1",
    cause=(
        "The device stores a decay as round(4096·decay), and netdesc trains with that value. A "
        "decay below 1/8192 becomes 0, so the state never fades. A decay above 1 - 1/8192 becomes "
        "1, so the state is dropped in one step."
    ),
    fix="Write 0 or 1 if you mean this, or a decay between 1/8192 and 1 - 1/8192.",
    at="/neurons/cuba/voltage_decay",
    wrong="0.00001",
    right="0.001",
    severity="warning",
)
