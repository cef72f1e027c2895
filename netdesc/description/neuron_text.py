"""What ``netdesc explain`` and reports print of a neuron: equations, states, parameters, source."""

import json
import textwrap
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from netdesc.description import model_structure as structure
from netdesc.description.word_text import field_records, field_text
from netdesc.neurons.definition import ParameterKind
from netdesc.neurons.equations import read
from netdesc.neurons.functions import signature
from netdesc.neurons.models import NEURONS, NeuronSection
from netdesc.neurons.models.equations import EquationParameter
from netdesc.neurons.models.fields import SHARE_RANGES

_TEXTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text("utf-8"))

_SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤"}


def example_neuron(kind: str) -> NeuronSection:
    """Returns a neuron of a type with example values. KeyError for an unknown type."""
    section = NEURONS[kind]
    known = structure.fields(section)
    own = [name for name in known if name not in NeuronSection.model_fields]

    def with_examples(names: Iterable[str]) -> NeuronSection:
        values = {name: structure.example(known[name]) for name in names}
        return section.model_validate_json(json.dumps(values))

    shown = [
        name for name in own if structure.example(known[name]) != structure.default(known[name])
    ]
    return with_examples([*shown, *with_examples(shown).missing_fields()])


def own_options(section: type[NeuronSection]) -> dict[str, list[Any]]:
    """Maps the options that a neuron does not share with others to their choices."""
    options = {
        name: [False, True] if info.annotation is bool else structure.literals(info.annotation)
        for name, info in structure.fields(section).items()
        if name not in (*NeuronSection.model_fields, "type")
    }
    return {name: choices for name, choices in options.items() if choices}


def neuron_record(neuron: NeuronSection) -> dict[str, Any]:
    """Returns what ``neuron_text`` says, as an object for JSON."""
    definition, values = neuron.definition(), neuron.values()
    derived = [name for name in neuron.parameter_kinds() if name not in values]
    return {
        "type": neuron.type_name(),
        "text": structure.doc_line(type(neuron)),
        "inputs": definition.inputs,
        "step": definition.step,
        "spike": definition.spike,
        "reset": definition.reset,
        "output": definition.output,
        "states": {
            name: "wraps" if name in definition.wrapped else "is clipped"
            for name in read(definition).before_reset
        },
        "state_unit": 2.0**-definition.unit_bits,
        "parameters": {
            name: {"kind": kind, "value": values[name], **_parameter_record(neuron, name, kind)}
            for name, kind in neuron.value_kinds().items()
        },
        "derived": {name: neuron.parameter_kinds()[name] for name in derived},
        "fields": [each for each in field_records(type(neuron)) if each["name"] not in values],
        "source": neuron.source,
    }


def _parameter_record(neuron: NeuronSection, name: str, kind: ParameterKind) -> dict[str, Any]:
    """Returns unit, range and text of a parameter; of a document's own one, those of its kind."""
    own = neuron.has_own_equations
    fields, field = (EquationParameter, "value") if own else (type(neuron), name)
    info = structure.fields(fields)[field]
    extra = structure.extra(info)
    limits = dict(_limits(info))
    if own and kind in SHARE_RANGES:
        limits["ge"], limits["le"] = SHARE_RANGES[kind]
    bounds = ", ".join(f"{_SIGNS[sign]} {bound:g}" for sign, bound in limits.items())
    if limits.keys() == {"ge", "le"}:
        bounds = f"{limits['ge']:g} to {limits['le']:g}"
    return {
        "unit": extra["x-unit"],
        "range": bounds,
        "text": _TEXTS["kinds"][kind] if own else extra["x-text"],
        "learnt_range": neuron.learnable().get(name),
    }


def _limits(info: FieldInfo) -> Iterator[tuple[str, float]]:
    """Yields the limits of a number. The field may also take a range of it, or null."""
    yield from structure.limits(info.metadata)
    yield from structure.limits(get_args(next(structure.branches(info.annotation)))[1:])


def neuron_text(neuron: NeuronSection, *, is_example: bool, width: int = 80) -> str:
    """Returns equations, states, parameters and source of a neuron as text.

    Of an example, it shows the choices of each option in place of values, and all other fields.
    """
    record = neuron_record(neuron)
    equations = asdict(neuron.equations())
    lines = textwrap.wrap(f"{record['type']}: {record['text']}", width)
    lines += ["", *_equation_lines(equations, width)]
    for title, other in _alternatives(neuron) if is_example else ():
        others = asdict(other.equations()).items()
        changed = {part: each for part, each in others if each != equations[part]}
        unit = f"states in units of 1/{1 << other.definition().unit_bits}"
        lines += ["", title, *(_equation_lines(changed, width) if changed else [unit])]
    lines += ["", f"input{'s'[: len(record['inputs']) > 1]}: {', '.join(record['inputs'])}"]
    lines += ["", f"states, which begin at 0, in units of 1/{round(1 / record['state_unit'])}"]
    lines += [
        f"    {name} {rule} at 24 bits on the device" for name, rule in record["states"].items()
    ]
    lines += ["", "parameters"] if record["parameters"] else []
    for name, each in record["parameters"].items():
        value = "" if is_example else f" = {json.dumps(each['value'])}"
        about = [each["kind"], f"unit: {each['unit']}", each["range"]]
        lines.append(f"    {name}{value} ({'; '.join(filter(None, about))})")
        text = each["text"]
        if (bounds := each["learnt_range"]) is not None:
            text += f" Learnt values are within {bounds[0]:g} to {bounds[1]:g}."
        lines += _indented(text, width)
    if record["derived"]:
        lines.append(f"    {', '.join(record['derived'])} (derived)")
        lines += _indented(structure.doc_line(neuron.derive), width)
    if is_example and record["type"] == "equations":
        lines += ["", "kinds of parameters, of a value p"]
        lines += [f"    {kind}: {text}" for kind, text in _TEXTS["kinds"].items()]
        lines += ["", "functions"]
        lines += [f"    {signature(name)}: {text}" for name, text in _TEXTS["functions"].items()]
        lines += ["", "operators"]
        lines += [f"    {signs}: {text}" for signs, text in _TEXTS["operators"].items()]
    if is_example:
        lines += ["", "other fields"]
        for each in record["fields"]:
            lines += textwrap.indent(field_text(each, width - 4), "    ").splitlines()
    return "\n".join([*lines, *(["", f"source: {record['source']}"] if record["source"] else [])])


def _indented(text: str, width: int, indent: int = 8) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=" " * indent, subsequent_indent=" " * indent)


def _equation_lines(parts: dict[str, Any], width: int) -> Iterator[str]:
    """Yields each equation behind its part, and its sentence in the lines below."""
    for part, found in parts.items():
        for equation, sentence in [found] if part in ("spike", "output") and found else found or ():
            yield f"{part:6} {equation}"
            yield from _indented(sentence, width, 11)


def _alternatives(neuron: NeuronSection) -> Iterator[tuple[str, NeuronSection]]:
    """Yields the neuron with each other choice of its own options, and a title."""
    for name, choices in own_options(type(neuron)).items():
        for value in choices:
            if value != getattr(neuron, name):
                yield f'with "{name}": {json.dumps(value)}', neuron.model_copy(update={name: value})
