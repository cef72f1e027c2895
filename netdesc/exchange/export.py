"""Exports a trained model as a ``.net`` file."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from netdesc.exchange import net_record, net_synapses
from netdesc.exchange.errors import LayerError, NetFileNameError, explain_layer
from netdesc.exchange.net_neurons import FORMS, NUMBERS, READOUT_THRESHOLD, NetNeuron
from netdesc.exchange.net_writer import write_net
from netdesc.exchange.netx import netx_problems, netx_warnings
from netdesc.graph import INPUT, LayerNode, SynapticNode, layers
from netdesc.hardware import FoldedModel, Weights, layer_integers
from netdesc.hardware.integers import Integers, LayerIntegers, fold_into_weights, recurrent_integers
from netdesc.kernels.fixed_point import DECAY_ONE
from netdesc.neurons.models import NeuronSection


def export_net(model: FoldedModel, path: str | Path) -> list[str]:
    """Writes ``model`` as a ``.net`` file; the model stays unchanged.

    Returns the warnings of ``api.export``, which also explains the errors, about layers.
    """
    path = Path(path)
    if path.suffix.lower() != ".net":
        name = f"{path.stem or 'network'}.net"
        raise NetFileNameError(path, f"lava-dl's files end in .net; use {name}")
    net, names = net_of(model, path)
    write_net(path, net)
    warnings, first = netx_warnings(net, netx_problems(net), names), model.graph.layers[0]
    if isinstance(net.layers[0], net_synapses.InputNeurons) and first.delay:
        warnings = [
            f'layer "{first.name}": a .net file has no axonal delay step of input neurons: '
            "in netx and after an import, outputs come one step earlier than in the trained "
            'network; train with "axonal_delay_step": false',
            *warnings,
        ]
    return [f"{path}: {text}" for text in warnings]


def net_of(model: FoldedModel, path: str | Path) -> tuple[net_record.NetFile, Sequence[str]]:
    """Returns the record of the file ``path`` that holds ``model``, and the names of its layers."""
    records: list[Named] = []
    graph, weights = model.graph, model.folded_state()
    if len(graph.input_shape) > 1 and not graph.layers[0].section.is_elementwise:
        records.append((INPUT, net_record.InputLayer(graph.input_shape)))
    previous = INPUT
    for layer in graph.layers:
        with explain_layer(path, layer.name, "ND401", "; a .net file cannot hold that"):
            if layer.inputs != (previous,):
                problem = f"reads {' and '.join(layer.inputs)}, not the layer before it"
                raise LayerError("", problem, hint="train with a chain of layers")
            exporter = EXPORTERS.get(type(layer.section))
            if exporter is None:
                raise LayerError("", f'is of type "{layer.section.type_name()}"')
            _add(records, layer.name, exporter(layer, weights))
        previous = layer.name
    if isinstance(records[0][1], net_record.AverageLayer):  # a file does not say its inputs
        records.insert(0, (INPUT, net_record.InputLayer(graph.input_shape)))
    names, layers_of_file = zip(*records, strict=True)
    if isinstance(layers_of_file[-1], net_synapses.InputNeurons) and layers_of_file[-1].only_delays:
        with explain_layer(path, previous, "ND401", "; a .net file cannot hold that"):
            hint = "train with the delay in the layer before"
            raise LayerError("", "only delays the output", hint=hint)
    time = net_record.Simulation(graph.step_ms, graph.steps * graph.step_ms)
    return net_record.NetFile(layers_of_file, time), names


Named = tuple[str, net_record.NetLayer]
"""The name of a layer, and its record."""


def _export_input(layer: SynapticNode, weights: Weights) -> net_synapses.InputNeurons:
    if len(layer.weight_names) > 1:
        raise LayerError("", "gives each value a resonator", hint='train with a "dense" layer')
    integers, neuron = _export_synapses(layer, weights)
    if neuron.is_sum:
        hint = 'train with "fine_units": false'
        raise LayerError("", "has an integrator with fine units at the input", hint=hint)
    (numbers,) = integers.weights
    record = net_synapses.InputNeurons(
        (numbers[:1], numbers[1:]), neuron, delay=integers.delays, input_shape=layer.input_shape
    )
    if record.only_delays:
        return record
    if layer.inputs != (INPUT,):
        hint = 'train with such a layer at the input, or with "dense"'
        raise LayerError("", "gives each value a neuron, and is not the first layer", hint=hint)
    for name, values in (("delay", integers.delays), ("norm", integers.bias)):
        if values is not None:
            raise LayerError("", f"has a {name} at the input", hint=f"train without {name}")
    return record


def is_part_of_next(layer: LayerNode) -> bool:
    """Whether a layer only delays, so that a file holds it as a part of the layer behind it."""
    section = layer.section
    if not (isinstance(section, layers.SynapticSection) and section.is_elementwise):
        return False
    return not (section.neuron or section.delay is None)


def _add(records: list[Named], name: str, record: net_record.NetLayer) -> None:
    """Appends a layer. A layer before it that only delays becomes its delays."""
    _, before = records[-1] if records else ("", None)
    if isinstance(before, net_synapses.InputNeurons) and before.delay is not None:
        is_free = isinstance(record, net_synapses.SynapticLayer) and record.delay is None
        if not is_free or not record.reads_one_axis or record.inputs == record.outputs:
            problem = "reads a layer that only delays, and is not dense with another number of "
            hint = "train with the delay in the layer before"
            raise LayerError("", f"{problem}outputs than inputs and no delay", hint=hint)
        records.pop()
        record = replace(record, delay=before.delay)
    records.append((name, record))


def _export_dense(layer: SynapticNode, weights: Weights) -> net_synapses.DenseLayer:
    integers, neuron = _export_synapses(layer, weights)
    return net_synapses.DenseLayer(integers.weights, neuron, integers.bias, integers.delays)


def _export_recurrent(layer: SynapticNode, weights: Weights) -> net_synapses.RecurrentLayer:
    integers, neuron = _export_synapses(layer, weights)
    own = recurrent_integers(layer, weights)
    assert own is not None
    bias = integers.bias
    if own.drive.any():
        # The drive is added to the current, and a file's bias to the voltage, which is the same
        # only where the current decays at once.
        decay = integers.parameters.get("current_decay", DECAY_ONE)
        if layer.neuron.type_name() not in ("cuba", "lif") or np.any(decay != DECAY_ONE):
            problem = "has winners, whose number acts on the current"
            hint = 'train with the neuron "lif", or "current_decay": 1'
            raise LayerError("", problem, hint=hint)
        bias = np.zeros(layer.neurons, np.int32) if bias is None else bias
        bias = bias + own.drive
    both = integers.weights[0], own.weights[0]
    return net_synapses.RecurrentLayer(both, neuron, bias, integers.delays)


def _export_kernel(kind: str, layer: SynapticNode, weights: Weights) -> net_synapses.KernelLayer:
    section: Any = layer.section
    if any(section.output_paddings):
        raise LayerError("", "has an output padding", hint='train with "output_padding": 0')
    if len(layer.weight_names) > 1:
        hint = 'train with neurons that have one input, such as "cuba"'
        raise LayerError("", "has a kernel before resonators", hint=hint)
    integers, neuron = _export_synapses(layer, weights)
    groups = section.groups_of(layer.input_shape[0])
    (weight,) = integers.weights
    if not section.draws_weights:
        weight, groups = np.broadcast_to(weight, (1, 1, *section.kernel_size)), 1
    elif section.is_transposed:
        weight = net_synapses.swap_channels(weight, groups)
    more: dict[str, Any] = {"input_shape": layer.input_shape, "output_shape": layer.output_shape}
    more |= {"stride": section.strides, "padding": section.paddings, "dilation": section.dilations}
    return net_synapses.KernelLayer(
        (weight,), neuron, integers.bias, integers.delays, kind=kind, groups=groups, **more
    )


def _export_synapses(layer: SynapticNode, weights: Weights) -> tuple[LayerIntegers, NetNeuron]:
    """Returns a layer's integers, and its neurons. LayerError if a file cannot hold them."""
    require_form(layer.neuron)  # first, as no other change of the layer would help
    divided = layer_integers(layer, weights)
    integers = fold_into_weights(divided)
    if integers is None:
        factor = 2.0**-divided.exponent
        problem = f"has a norm that multiplies by {factor:g}, which takes its weights off the grid"
        raise LayerError("", problem, hint='train with "norm": "mean"')
    neuron = export_neuron(layer.neuron, integers)
    spikes = layer.neuron.definition().spike is not None
    if not spikes and layer.delay:  # slayer delays numbers by no step
        hint = 'train with "axonal_delay_step": false'
        raise LayerError("", "has an axonal delay step behind neurons that do not spike", hint=hint)
    is_input = layer.section.is_elementwise
    if neuron.is_delta and not is_input:
        hint = 'train with "delta" in a layer of type "neurons" at the input'
        raise LayerError("", "has delta neurons behind synapses", hint=hint)
    if spikes and not layer.delay and not is_input:
        hint = 'train with "axonal_delay_step": true'
        raise LayerError("", "has no axonal delay step", hint=hint)
    return integers, neuron


EXPORTERS: dict[type, Callable[[Any, Weights], net_record.NetLayer]] = {
    layers.Flatten: lambda layer, _: net_record.FlattenLayer(math.prod(layer.output_shape)),
    layers.PopulationAverage: lambda layer, _: net_record.AverageLayer(
        math.prod(layer.input_shape), math.prod(layer.output_shape)
    ),
    layers.Neurons: _export_input,
    layers.Dense: _export_dense,
    layers.Recurrent: _export_recurrent,
    layers.WinnerTakeAll: _export_recurrent,
    **{each: partial(_export_kernel, kind) for kind, each in net_synapses.KERNEL_SECTIONS.items()},
}
"""Class of a section -> what makes the record of its layer."""

Parameters = Mapping[str, Integers]
"""Parameters of the equations, [] or [neurons]."""


def require_form(section: NeuronSection) -> None:
    """LayerError if the format has no such neurons; its text goes on from the layer's name."""
    if section.net_problem is not None:
        problem, hint = section.net_problem
        raise LayerError("", problem, hint=hint)


def export_neuron(section: NeuronSection, layer: LayerIntegers) -> NetNeuron:
    """Converts neurons that have a form, or raises LayerError. ``layer`` holds their integers."""
    return NEURON_EXPORTERS[section.type_name()](section, layer.parameters)


def _export(kind: str, section: NeuronSection, integers: Parameters, **more: int) -> NetNeuron:
    """Exports neurons as ``kind``. ``more`` are integers that the neurons lack."""
    numbers: dict[str, Integers] = {}
    for name in FORMS[kind].numbers:
        known = NUMBERS[name]
        values = np.int32(more.get(known.parameter, integers.get(known.parameter, 0)))
        if not known.can_differ and values.size:
            if (values != values.flat[0]).any():
                what = known.parameter
                hint = f"train with one {what} for the layer"
                hint += ", and do not learn it where per_channel is true"
                raise LayerError("", f"has a {what} for each neuron", hint=hint)
            values = values.flat[0]
        numbers[name] = np.asarray(values)
    return NetNeuron(kind, numbers, is_graded=section.graded)


def _export_sdnn(section: Any, integers: Parameters) -> NetNeuron:
    """slayer names an activation of its delta encoders, which do not compute it."""
    numbers, is_delta = _export("SDNN", section, integers).numbers, section.type_name() == "delta"
    return NetNeuron("SDNN", numbers, "relu" if is_delta else section.activation, is_delta=is_delta)


def _export_integrator(section: Any, integers: Parameters) -> NetNeuron:
    """A sum in fine units is the output layer of slayer's sigma-delta networks."""
    if not section.fine_units:
        return _export("CUBA", section, integers, threshold=READOUT_THRESHOLD)
    current, voltage = (integers[name] for name in ("current_decay", "voltage_decay"))
    if (current != DECAY_ONE).any() or voltage.any():
        hint = 'train with "current_decay": 1 and "voltage_decay": 0'
        raise LayerError("", "has decays beside fine_units", hint=hint)
    return NetNeuron("SDNN", {"vThMant": np.array(0, np.int32)}, "identity", is_sum=True)


NEURON_EXPORTERS: dict[str, Callable[[Any, Parameters], NetNeuron]] = {
    **{form.kind: partial(_export, kind) for kind, form in FORMS.items()},
    "lif": partial(_export, "CUBA", current_decay=DECAY_ONE),
    **dict.fromkeys(("sigma_delta", "delta"), _export_sdnn),
    "integrator": _export_integrator,
}
"""Type of a neuron in a document -> what converts it. The others have a ``net_problem``."""
