import math

from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.neurons.definition import ParameterKind

RANGES: dict[ParameterKind, tuple[int, int]] = {"decay": (0, 1), "factor": (-1, 1)}


@rule(
    "ND242",
    "a decay, factor or learnt value out of its range",
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
    is multiplied by, from -1 to 1. Training clamps a learnt value to the range that netdesc explain
    names for it, so that a number of equations must begin there.

    Write a number in the range, or leave the name out of learn.
    """
    for each in context.neuron_parameters():
        low, high = RANGES.get(each.kind, (-math.inf, math.inf))
        learnt = each.neuron.learnable() if each.name in each.neuron.learn else {}
        least, most = learnt.get(each.name, (low, high))
        for parts, end in each.ends:
            if not low <= end <= high:
                message = f"the {each.kind} {end:.10g} is not between {low} and {high}"
                steps = end if each.kind == "decay" else 0.0
                share = f"{1 - math.exp(-1 / steps):.3g}" if steps > 1 else ""
                hint = f"write {share} for a time constant of {end:g} steps" if share else ""
                yield RuleDiagnostic(parts, message, hint=hint)
            elif not least <= end <= most:
                yield RuleDiagnostic(
                    parts,
                    f'"{each.name}" begins at {end:.10g}, and training keeps it between '
                    f"{least:.10g} and {most:.10g}",
                    hint="begin in this range, or leave the name out of learn",
                )
