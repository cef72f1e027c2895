from collections.abc import Callable

from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.neurons.definition import ParameterKind

_STORED: dict[ParameterKind, tuple[str, Callable[[float], int], tuple[int, ...]]] = {
    "decay": ("round(4096·p)", lambda p: round(4096 * p), (0, 4096)),
    "factor": ("round(4096·p)", lambda p: round(4096 * p), (-4096, 0, 4096)),
    "threshold": ("trunc(64·p)", lambda p: int(64 * p), (0,)),
    "grid": ("trunc(4096·p)", lambda p: int(4096 * p), (0,)),
}
"""Kind -> how the device stores a value p, and the results to which only one number should lead."""

_DECAYS = {0: ": the state never fades", 4096: ": the state is dropped in one step"}


@rule(
    "ND212",
    "a parameter that rounds to 0 or to 1",
    at="/neurons/cuba/voltage_decay",
    wrong="0.00001",
    right="0.001",
    severity="warning",
)
def check(context: Context) -> Found:
    """The device stores a decay or a factor as round(4096·p), a threshold as trunc(64·p) and a
    number of the kind grid as trunc(4096·p), and netdesc trains with that value. A decay below
    1/8192 becomes 0, so the state never fades. A decay above 1 - 1/8192 becomes 1, so the state is
    dropped in one step. A small threshold or number becomes 0.

    Write 0 or 1 if you mean this, or a number that the device can tell from them.
    """
    for each in context.neuron_parameters():
        if each.kind not in _STORED or each.is_spike_threshold:
            continue  # ND211 refuses such a threshold
        text, store, surprising = _STORED[each.kind]
        for place, end in each.ends:
            stored = store(end)
            exact = stored // 4096
            if stored in surprising and end != exact:
                effect = _DECAYS[stored] if each.kind == "decay" else ""
                yield RuleDiagnostic(
                    place,
                    f'{end:.10g} of the kind "{each.kind}" becomes {text} = {stored}{effect}',
                    hint=f"write {exact} if you mean this",
                )
