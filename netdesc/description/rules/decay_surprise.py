from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule


@rule(
    "ND212",
    "a decay that rounds to 0 or to 1",
    at="/neurons/cuba/voltage_decay",
    wrong="0.00001",
    right="0.001",
    severity="warning",
)
def check(context: Context) -> Found:
    """The device stores a decay as round(4096·decay), and netdesc trains with that value. A decay
    below 1/8192 becomes 0, so the state never fades. A decay above 1 - 1/8192 becomes 1, so the
    state is dropped in one step.

    Write 0 or 1 if you mean this, or a decay between 1/8192 and 1 - 1/8192.
    """
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
