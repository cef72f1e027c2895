"""A decay that rounds to nothing or to everything."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Finding


def check(context: Context) -> Iterator[Finding]:
    for parts, neuron in context.neurons():
        decays = {
            "current_decay": neuron.current_decay,
            "voltage_decay": neuron.voltage_decay,
        }
        for name, decay in decays.items():
            ends = decay if isinstance(decay, tuple) else (decay,)
            for position, end in enumerate(ends):
                place: Parts = (*parts, name)
                if isinstance(decay, tuple):
                    place = (*place, position)
                grid = round(4096 * end)
                if 0 < end < 1 and grid in (0, 4096):
                    effect = "never fades" if grid == 0 else "is dropped in one step"
                    yield Finding(
                        place,
                        f"the decay {end:g} becomes round(4096·decay) = {grid}: the state {effect}",
                        hint=f"write {grid // 4096} if that is meant",
                    )


ENTRY = Entry(
    code="ND212",
    title="a decay that rounds to 0 or to 1",
    cause=(
        "The device holds round(4096·decay), and netdesc trains with that value. A decay "
        "below 1/8192 becomes 0 (the state never fades), one above 1 - 1/8192 becomes 1 (the "
        "state is dropped at once)."
    ),
    fix="Write 0 or 1 if that is meant, or a decay on the grid of 1/4096.",
    at="/neurons/cuba/voltage_decay",
    wrong="0.00001",
    right="0.001",
    severity="warning",
)
