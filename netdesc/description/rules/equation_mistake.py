from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.neurons.compile import compile_neuron, split_at_norm
from netdesc.neurons.definition import Definition
from netdesc.neurons.mistakes import EquationError, Place


@rule(
    "ND238",
    "a mistake in an equation",
    at="/neurons/cuba",
    wrong='{"type": "equations", "step": ["v = v + y"], "output": "v"}',
    right='{"type": "equations", "step": ["v = v + x"], "output": "v"}',
    data="labels",
)
def check(context: Context) -> Found:
    """An equation has a name that is unknown, types that do not fit together, something that
    equations may not say, or a sum that 32 bits cannot hold. A name that an equation assigns is
    a state. Other names are parameters and inputs of the neuron.

    Change the marked part of the equation. netdesc explain equations lists all functions.
    """
    for parts, neuron in context.neurons():
        if not neuron.has_own_equations:
            continue  # tests read the equations of the others
        definition = neuron.definition()
        try:
            program = compile_neuron(definition, learn=True)
            if neuron.norm is not None and "bias" in program.parameters:  # which norm(…) reads
                split_at_norm(definition)
        except EquationError as error:
            for mistake in error.mistakes:
                place, is_name = mistake.place, mistake.place.part == "parameters"
                suggestion = mistake.suggestion
                yield RuleDiagnostic(
                    (*parts, *_path(place, definition)),
                    mistake.message[:1].lower() + mistake.message[1:].removesuffix("."),
                    hint=f'write "{suggestion}"' if suggestion else "",
                    on="key" if is_name else (place.column, place.end_column),
                )


def _path(place: Place, definition: Definition) -> Parts:
    """Returns the path of a text from the neuron's section."""
    if place.part == "parameters":
        return place.part, definition.parameters[place.index][0]
    return (place.part,) if place.part in ("spike", "output") else (place.part, place.index)
