"""Checks that ``neurons`` defines each neuron that a layer names (ND201)."""

from __future__ import annotations

from collections.abc import Iterator

from netdesc.description.codes.code import Entry
from netdesc.description.rules.rule import Context, RuleDiagnostic
from netdesc.description.spelling import allowed_note, certain_name, did_you_mean
from netdesc.description.synonyms import hint_for_neuron


def check(context: Context) -> Iterator[RuleDiagnostic]:
    known = context.document.neurons
    for index, layer in context.neuron_layers():
        if isinstance(layer.neuron, str) and layer.neuron not in known:
            yield RuleDiagnostic(
                ("layers", index, "neuron"),
                f'layer "{layer.name}" has the neuron "{layer.neuron}", which is not in neurons',
                hint=did_you_mean(layer.neuron, known) or hint_for_neuron(layer.neuron),
                notes=(allowed_note(sorted(known)),) if known else ("neurons is empty",),
                meant=certain_name(layer.neuron, known),
            )


ENTRY = Entry(
    code="ND201",
    title="a layer names a neuron that is not defined",
    cause='A layer names a neuron that is not in "neurons".',
    fix=(
        'Correct the name, add the neuron to "neurons", or write the neuron as an object in the '
        "layer."
    ),
    at="/layers/0/neuron",
    wrong='"cubs"',
    right='"cuba"',
)
