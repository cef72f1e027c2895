"""Reports mistakes in the equations of a neuron, each at its place in a string (ND238)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.json.tree import Parts
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.neurons.compile import compile_neuron
from netdesc.neurons.definition import Definition
from netdesc.neurons.mistakes import EquationError, Place


def check(context: Context) -> Iterator[RuleDiagnostic]:
    for parts, neuron in context.neurons():
        if neuron.type_name() != "equations":
            continue  # tests read the equations of the others
        definition = neuron.definition()
        try:
            compile_neuron(definition, learn=True)
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
        names = [name for name, _ in definition.parameters]
        return (place.part, *names[place.index : place.index + 1])
    return (place.part,) if place.part in ("spike", "output") else (place.part, place.index)


ENTRY = Entry(
    code="ND238",
    title="a mistake in an equation",
    cause=(
        "An equation has a name that is unknown, types that do not fit together, something that "
        "equations may not say, or a sum that 32 bits cannot hold. A name that an equation assigns "
        "is a state. Other names are parameters and inputs of the neuron."
    ),
    fix="Change the marked part of the equation. netdesc explain equations lists all functions.",
    at="/neurons/cuba",
    wrong=(
        '{"type": "equations", "parameters": {"leak": {"kind": "decay", "value": 0.1}},\n'
        ' "step": ["v = decay(v, leek) + x"], "spike": "v > 1", "reset": ["v = 0"],\n'
        ' "surrogate": {"peak": 0.5}}'
    ),
    right=(
        '{"type": "equations", "parameters": {"leak": {"kind": "decay", "value": 0.1}},\n'
        ' "step": ["v = decay(v, leak) + x"], "spike": "v > 1", "reset": ["v = 0"],\n'
        ' "surrogate": {"peak": 0.5}}'
    ),
    neuron="equations",
)
