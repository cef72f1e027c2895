from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.neurons.definition import ParameterKind

RANGES: dict[ParameterKind, tuple[int, int]] = {"decay": (0, 1), "factor": (-1, 1)}


@rule(
    "ND242",
    "a decay or factor out of its range",
    at="/neurons/cuba",
    wrong=(
        '{"type": "equations", "parameters": {"leak": {"kind": "decay", "value": 1.5}},\n'
        ' "step": ["v = decay(v, leak) + x"], "output": "v"}'
    ),
    right=(
        '{"type": "equations", "parameters": {"leak": {"kind": "decay", "value": 0.5}},\n'
        ' "step": ["v = decay(v, leak) + x"], "output": "v"}'
    ),
    data="labels",
)
def check(context: Context) -> Found:
    """A decay is the share of a state that is lost in a step, from 0 to 1. A factor is what a state
    is multiplied by, from -1 to 1.

    Write a number in the range.
    """
    for each in context.neuron_parameters():
        for parts, end in each.ends if each.kind in RANGES else ():
            low, high = RANGES[each.kind]
            if not low <= end <= high:
                message = f"the {each.kind} {end:g} is not between {low} and {high}"
                yield RuleDiagnostic(parts, message)
