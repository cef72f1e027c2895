"""What ``netdesc explain`` prints of a neuron: equations, parameters with units, source."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any, cast

from netdesc.description import model_structure as structure
from netdesc.neurons.functions import FUNCTIONS, READER_FUNCTIONS
from netdesc.neurons.models import NEURONS, NeuronSection
from netdesc.neurons.models.base import LAST_FIELDS, Equations


def example_neuron(kind: str) -> NeuronSection:
    """Returns a neuron of a type with example values. KeyError for an unknown type."""
    section = NEURONS[kind]
    known = structure.fields(section)

    def with_examples(names: Iterable[str]) -> NeuronSection:
        values = {name: structure.example(known[name]) for name in names}
        return section.model_validate_json(json.dumps(values))

    required = [name for name, info in known.items() if info.is_required()]
    return with_examples([*required, *with_examples(required).missing_fields()])


def neuron_record(neuron: NeuronSection) -> dict[str, Any]:
    """Returns what ``neuron_text`` says, as an object for JSON."""
    definition = neuron.definition()
    kinds, learnable = neuron.value_kinds(), neuron.learnable()
    return {
        "type": neuron.type_name(),
        "text": structure.doc_line(type(neuron)),
        "inputs": definition.inputs,
        "step": definition.step,
        "spike": definition.spike,
        "reset": definition.reset,
        "output": definition.output,
        "parameters": {
            name: {
                "kind": kind,
                "value": neuron.values()[name],
                "unit": _extra(neuron, name).get("x-unit", ""),
                "text": _extra(neuron, name).get("x-text", ""),
                "learnt_range": learnable.get(name),
            }
            for name, kind in kinds.items()
        },
        "source": neuron.source,
    }


def neuron_text(neuron: NeuronSection, *, is_example: bool, width: int = 80) -> str:
    """Returns equations, parameters and source of a neuron as text.

    Of an example, the other choices of its options are shown in place of values.
    """
    record = neuron_record(neuron)
    lines = textwrap.wrap(f"{record['type']}: {record['text']}", width)
    shown = list(_equation_lines(neuron.equations()))
    lines += ["", *shown]
    for title, other in _alternatives(neuron) if is_example else ():
        changed = [line for line in _equation_lines(other) if line not in shown]
        lines += ["", title, *changed]
    lines += ["", "parameters"]
    for name, parameter in record["parameters"].items():
        value = "" if is_example else f" = {json.dumps(parameter['value'])}"
        lines.append(f"    {name}{value} ({parameter['kind']}; unit: {parameter['unit'] or '1'})")
        text = parameter["text"]
        if (bounds := parameter["learnt_range"]) is not None:
            text += f" Learnt values are within {bounds[0]:g} to {bounds[1]:g}."
        lines += textwrap.wrap(text, width, initial_indent=" " * 8, subsequent_indent=" " * 8)
    if record["type"] == "equations":
        functions = {name: each.arguments for name, each in FUNCTIONS.items()} | READER_FUNCTIONS
        lines += ["", "functions"]
        lines += [f"    {name}({', '.join(each)})" for name, each in functions.items()]
    return "\n".join(lines + (["", f"source: {record['source']}"] if record["source"] else []))


def _equation_lines(equations: Equations) -> Iterator[str]:
    """Yields each equation behind its part, and its sentence in the line below."""
    for part in asdict(equations):
        found = getattr(equations, part) or ()
        for equation, sentence in [found] if part in ("spike", "output") and found else found:
            yield f"{part:6} {equation}" + (f"\n           {sentence}" if sentence else "")


def _alternatives(neuron: NeuronSection) -> Iterator[tuple[str, Equations]]:
    """Yields the equations of each other choice of the neuron's own options, with a title."""
    for name, info in structure.fields(type(neuron)).items():
        choices = [False, True] if info.annotation is bool else structure.literals(info.annotation)
        for value in choices if name not in (*LAST_FIELDS, "type") else ():
            if value != getattr(neuron, name):
                other = neuron.model_copy(update={name: value})
                yield f'with "{name}": {json.dumps(value)}', other.equations()


def _extra(neuron: NeuronSection, name: str) -> dict[str, Any]:
    info = structure.fields(type(neuron)).get(name)
    return cast("dict[str, Any]", info.json_schema_extra or {}) if info is not None else {}
