"""Rules about equations of neurons, and about fields beside one another."""

import json

from netdesc.description.json.tree import Parts
from netdesc.description.model_structure import example, fields
from netdesc.description.rules.rule import Context, Found, Issue, rule
from netdesc.description.spelling import did_you_mean
from netdesc.neurons.compile import compile_neuron, names_without_gradient, split_at_norm
from netdesc.neurons.definition import Definition
from netdesc.neurons.mistakes import EquationError, Place
from netdesc.neurons.models import NeuronSection
from netdesc.neurons.names import names_in, names_needed_by


@rule("ND238")
def equation_mistake(context: Context) -> Found:
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
                message = mistake.message[:1].lower() + mistake.message[1:].removesuffix(".")
                hint = f'write "{mistake.suggestion}"' if mistake.suggestion else ""
                on = "key" if is_name else (place.column, place.end_column)
                yield Issue((*parts, *_path(place, definition)), message, hint, on=on)


def _path(place: Place, definition: Definition) -> Parts:
    if place.part == "parameters":
        return place.part, definition.parameters[place.index][0]
    return (place.part,) if place.part in ("spike", "output") else (place.part, place.index)


@rule("ND239")
def learn_nothing(context: Context) -> Found:
    for parts, neuron in context.neurons():
        names = list(neuron.learnable())
        for index, name in enumerate(neuron.learn):
            if name not in names:
                listed = f"it can learn {', '.join(names)}" if names else "it can learn nothing"
                message = f'this neuron cannot learn "{name}"'
                hint = did_you_mean(name, names) or listed
                yield Issue((*parts, "learn", index), message, hint)
        yield from _check_gradients(parts, neuron)


def _check_gradients(parts: Parts, neuron: NeuronSection) -> Found:
    """Yields a diagnostic for each learnt parameter whose gradient is always 0."""
    if not neuron.learn:
        return
    definition = neuron.definition()
    idle, idle_if_exact = names_without_gradient(definition)
    results = names_in(definition.spike or "", definition.output or "")
    live = names_needed_by(results, (*definition.step, *definition.reset))
    for index, name in enumerate(neuron.learn):
        if name in idle and name in neuron.learnable():
            reason, hint = "no output depends on it", "leave it out"
            if name in live:
                reason = (
                    "none passes through stop(…), the value of straight_through(…), a product with "
                    "0, or a comparison other than the first of spike"
                )
            if name not in idle_if_exact:
                reason = "only resets read it, and gradients pass as if there were no resets"
                hint = 'add "reset_gradient": "exact", or leave it out'
            message = f'"{name}" has no gradient: {reason}'
            yield Issue((*parts, "learn", index), message, hint)


@rule("ND240")
def idle_field(context: Context) -> Found:
    for parts, section in context.sections:
        for name, reason in section.idle_fields().items():
            hint = "leave it out"
            if isinstance(section, NeuronSection) and name == "norm":
                hint = _hint_without_norm(section)
            if hint:
                message = f"{name} has no effect: {reason}"
                yield Issue((*parts, name), message, hint, on="key")
    for index, layer in context.neuron_layers():
        neuron = context.neuron_of(layer)
        if layer.learns_bias and neuron is not None and not neuron.has_norm:
            message = "bias has no effect: the equations of the neuron have no norm(…)"
            if hint := _hint_without_norm(neuron):
                yield Issue(("layers", index, "bias"), message, hint, on="key")


def _hint_without_norm(neuron: NeuronSection) -> str:
    """Returns a hint for a field that needs norm(…); "" if the equations have mistakes."""
    if not neuron.has_own_equations:
        return "leave it out"
    definition = neuron.definition()
    try:
        compile_neuron(definition, learn=True)
    except EquationError:
        return ""  # reported by ND238
    name = definition.inputs[0]
    return f"leave it out, or write norm({name}) for {name} in step"


@rule("ND241")
def missing_field(context: Context) -> Found:
    for parts, section in context.sections:
        for name, reason in section.missing_fields().items():
            value = json.dumps(example(fields(type(section))[name]))
            message = f"{name} is missing: {reason}"
            yield Issue(parts, message, f'add "{name}": {value}')
