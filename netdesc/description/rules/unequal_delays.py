from netdesc.description.delays import earliest_steps
from netdesc.description.diagnostics.wording import amount
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule

_DELAYED = '{"name": "a", "type": "dense", "units": 4, "neuron": "cuba"}'
_JOINED = '{"name": "c", "type": "dense", "units": 4, "neuron": "cuba", "from": ["a", "b"]}'
_BEHIND = '{"name": "b", "type": "dense", "units": 4, "neuron": "cuba"'


@rule(
    "ND249",
    "paths of different delays that join",
    at="/layers",
    wrong=f"[{_DELAYED},\n {_BEHIND}}},\n {_JOINED}]",
    right=f'[{_DELAYED},\n {_BEHIND}, "axonal_delay_step": false}},\n {_JOINED}]',
    severity="warning",
)
def check(context: Context) -> Found:
    """A layer joins the outputs of several layers step by step, and the layers on one path delay
    their spikes by more steps than those on another. What comes in at one step arrives at
    different ones.

    Set "axonal_delay_step": false in a layer of the longer path, or put a layer of the type delay
    into the shorter one. If the network is meant to compare different steps, nothing is wrong.
    """
    document, wiring = context.document, context.wiring
    if wiring.problems:
        return  # a wrong "from" may be the reason
    earliest = earliest_steps(document, wiring.sources)
    for index, (layer, sources) in enumerate(zip(document.layers, wiring.sources, strict=True)):
        first, last = (pick(sources, key=lambda name: earliest[name]) for pick in (min, max))
        if earliest[first] != earliest[last]:
            message = (
                f'layer "{layer.name}" joins paths of different delays: "{first}" comes after '
                f'{amount(earliest[first], "step")}, "{last}" after '
                f"{amount(earliest[last], 'step')}"
            )
            hint = 'write "axonal_delay_step": false in a layer of the longer path'
            yield RuleDiagnostic(("layers", index, "from"), message, hint=hint)
