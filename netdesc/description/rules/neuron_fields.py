"""Rules about equations of neurons, and about fields beside one another."""

from __future__ import annotations

import json

from netdesc.description.json.tree import Parts
from netdesc.description.model_structure import example, fields
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.description.spelling import did_you_mean
from netdesc.neurons.compile import compile_neuron, names_without_gradient, split_at_norm
from netdesc.neurons.definition import Definition
from netdesc.neurons.mistakes import EquationError, Place
from netdesc.neurons.models import NeuronSection
from netdesc.neurons.names import names_behind, names_in


@rule(
    "ND238",
    "a mistake in an equation",
    at="/neurons/cuba",
    wrong='{"type": "equations", "step": ["v = v + y"], "output": "v"}',
    right='{"type": "equations", "step": ["v = v + x"], "output": "v"}',
    data="labels",
)
def equation_mistake(context: Context) -> Found:
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


@rule(
    "ND239",
    "a parameter that cannot be learnt",
    at="/neurons/cuba",
    wrong='{"type": "sigma_delta", "threshold": 0.1, "learn": ["threshold"]}',
    right='{"type": "sigma_delta", "threshold": 0.1}',
    data="labels",
)
def learn_nothing(context: Context) -> Found:
    """learn names a parameter that the neuron does not have, or that has no gradient: a real number
    of equations, a threshold of differences, or the decay of a state that the reset does without.
    No gradient passes through stop(…), the value of straight_through(…) and comparisons, except the
    first of spike. A parameter that only resets read, such as threshold_step, has a gradient with
    "reset_gradient": "exact" alone.

    Leave the name out, or let gradients pass through resets ("reset_gradient": "exact").
    """
    for parts, neuron in context.neurons():
        known = list(neuron.learnable())
        for index, name in enumerate(neuron.learn):
            if name not in known:
                listed = f"it can learn {', '.join(known)}" if known else "it can learn nothing"
                yield RuleDiagnostic(
                    (*parts, "learn", index),
                    f'this neuron cannot learn "{name}"',
                    hint=did_you_mean(name, known) or listed,
                )
        yield from _check_gradients(parts, neuron)


def _check_gradients(parts: Parts, neuron: NeuronSection) -> Found:
    """Yields a diagnostic for each learnt parameter whose gradient is always 0."""
    if not neuron.learn:
        return
    definition = neuron.definition()
    idle, idle_if_exact = names_without_gradient(definition)
    results = names_in(definition.spike or "", definition.output or "")
    live = names_behind(results, (*definition.step, *definition.reset))
    for index, name in enumerate(neuron.learn):
        if name in idle and name in neuron.learnable():
            reason, hint = "nothing that is handed on depends on it", "leave it out"
            if name in live:
                reason = (
                    "none passes through stop(…), the value of straight_through(…), a product with "
                    "0, or a comparison other than the first of spike"
                )
            if name not in idle_if_exact:
                reason = "only resets read it, and gradients pass as if there were no resets"
                hint = 'add "reset_gradient": "exact", or leave it out'
            message = f'"{name}" has no gradient: {reason}'
            yield RuleDiagnostic((*parts, "learn", index), message, hint=hint)


@rule(
    "ND240",
    "a field that has no effect",
    at="/neurons/cuba",
    wrong='{"type": "rf", "threshold": 1, "period": 10, "decay": 0.1, "norm": "mean"}',
    right='{"type": "rf", "threshold": 1, "period": 10, "decay": 0.1}',
)
def idle_field(context: Context) -> Found:
    """A neuron without spikes has no surrogate gradient, no reset and no graded spikes. surrogate
    stands in place of tau_grad and scale_grad. A norm, and the bias of a layer, act where
    equations have norm(…), and only the reset of refractory neurons has a refractory_decay. Layers
    whose neurons share their weights draw none, and have no mask. A mask with a file draws none.
    nesterov needs a momentum, and a classifier a loss that learns from labels. With window_steps, a
    loss compares the means of windows.

    Leave the field out, or write norm(x) for x in own equations.
    """
    for parts, section in context.sections():
        for name, reason in section.idle_fields().items():
            hint = "leave it out"
            if isinstance(section, NeuronSection) and name == "norm":
                hint = _hint_without_norm(section)
            if hint:
                message = f"{name} has no effect: {reason}"
                yield RuleDiagnostic((*parts, name), message, hint=hint, on="key")
    for index, layer in context.neuron_layers():
        neuron = context.neuron_of(layer)
        if layer.learns_bias and neuron is not None and not neuron.has_norm:
            message = "bias has no effect: the equations of the neuron have no norm(…)"
            if hint := _hint_without_norm(neuron):
                yield RuleDiagnostic(("layers", index, "bias"), message, hint=hint, on="key")


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


@rule(
    "ND241",
    "a field that is needed because of another field",
    at="/neurons/cuba",
    wrong='{"type": "equations", "step": ["v = v + x"], "spike": "v > 1"}',
    right='{"type": "equations", "step": ["v = v + x"], "spike": "v > 1", "surrogate": {}}',
)
def missing_field(context: Context) -> Found:
    """The reset "refractory" of "alif" has a state that fades by refractory_decay, and the spike of
    "equations" needs a surrogate gradient. A mask has a file or a density.

    Add the field.
    """
    for parts, section in context.sections():
        for name, reason in section.missing_fields().items():
            value = json.dumps(example(fields(type(section))[name]))
            message = f"{name} is missing: {reason}"
            yield RuleDiagnostic(parts, message, hint=f'add "{name}": {value}')
