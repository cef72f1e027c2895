from collections.abc import Iterator

from netdesc.description.models.layers import SynapticSection
from netdesc.description.models.training import ParameterKind
from netdesc.description.rules.rule import Context, Found, RuleDiagnostic, rule
from netdesc.neurons.models import NeuronSection


@rule(
    "ND288",
    "a group of parameters that is empty",
    at="/training/groups",
    wrong='[{"parameters": ["decays"], "learning_rate": 0.0001}]',
    right='[{"parameters": ["weights"], "learning_rate": 0.0001}]',
)
def check(context: Context) -> Found:
    """No layer trains numbers of the kinds that the group names, or an earlier group has all of
    them. Thresholds and decays are trained if the neuron's "learn" names them.

    Add them to "learn" of the neuron, or correct or remove the group.
    """
    known = {layer.name for layer in context.document.layers}
    left: set[tuple[str, ParameterKind]] = {
        (layer.name, kind)
        for _, layer in context.neuron_layers()
        for kind in trained_kinds(layer, context.neuron_of(layer))
    }
    for index, group in enumerate(context.document.training.groups):
        found = {each for each in left if group.has(*each)}
        if not found and known.issuperset(group.layers or ()):
            kinds = " or ".join(group.parameters or ("numbers",))
            where = "of these layers " if group.layers else ""
            yield RuleDiagnostic(
                ("training", "groups", index),
                f"the group is empty: no {kinds} {where}are trained, or earlier groups have them",
                notes=(f"trained: {', '.join(sorted({kind for _, kind in left})) or 'none left'}",),
            )
        left -= found


def trained_kinds(layer: SynapticSection, neuron: NeuronSection | None) -> Iterator[ParameterKind]:
    """Yields the kinds of trained numbers that a layer has."""
    if layer.trainable:
        yield "weights"
    if layer.learns_bias:
        yield "biases"
    if layer.delay is not None and layer.delay.learn:
        yield "delays"
    kinds = {} if neuron is None else neuron.value_kinds()
    for name in () if neuron is None else neuron.learn:
        yield "thresholds" if kinds.get(name) == "threshold" else "decays"
