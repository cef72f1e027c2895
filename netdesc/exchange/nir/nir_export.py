"""Exports a trained model as a NIR file."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from netdesc.description.models.layers.fields import Quantization
from netdesc.exchange.errors import LayerError, explain_layer
from netdesc.exchange.export_options import PLAIN, ExportOptions
from netdesc.exchange.nir.export_nodes import Export
from netdesc.exchange.nir.nir_record import NEVER, NirGraph, NirNode
from netdesc.exchange.nir.nir_writer import write_graph
from netdesc.exchange.nir.peers import TOOLS, Adaptation, reading_notes
from netdesc.graph import LayerNode, SynapticNode, layers
from netdesc.hardware import FoldedModel, Weights, layer_integers
from netdesc.hardware.integers import Integers, read_values, recurrent_integers
from netdesc.kernels.fixed_point import DECAY_ONE, MAX_BIAS, STATE_UNIT, WEIGHT_UNIT
from netdesc.neurons.models.integrator import IDENTITY

WINDOW = "kernel_size", "stride", "padding"
NOBODY_DELAYS = "has a Delay, which snnTorch, Norse and SpikingJelly do not read"


def write_nir(model: FoldedModel, path: str | Path, options: ExportOptions = PLAIN) -> list[str]:
    """Writes ``model`` as a NIR file, and returns warnings; the model stays unchanged.

    Notes say how snnTorch, Norse and SpikingJelly, or the target of ``options``, read the file, and
    how many spikes of the sample differ there. NetFileError, by the layer's name, if NIR cannot say
    what a layer does.
    """
    graph, warnings, early = nir_of(model, path, options)
    write_graph(path, graph)
    for note in reading_notes(graph, path, options, early):
        options.note(note)
    return [f"{path}: {warning}" for warning in warnings]


def nir_of(
    model: FoldedModel, path: str | Path, options: ExportOptions = PLAIN
) -> tuple[NirGraph, list[str], int]:
    """Returns the record of ``model``, warnings, and the steps by which its output is early."""
    adaptation = Adaptation() if options.target is None else TOOLS[options.target].adaptation
    export = Export(model.graph, model.folded_state(), adaptation, is_forced=options.force)
    for layer in model.graph.layers:
        with explain_layer(path, layer.name, "ND406", "; NIR cannot say that"):
            exporter = EXPORTERS.get(type(layer.section))
            if exporter is None:
                raise LayerError("", f'is of type "{layer.section.type_name()}"')
            exporter(export, layer)
    return export.finish()


# Values of layers


@dataclass(frozen=True, eq=False)
class LayerValues:
    """The values of a layer that NIR needs, in threshold units.

    ``weight`` is float32, as in the layer. ``parameters`` are the integers of ``LayerIntegers``.
    ``bias`` [channels] acts on the voltage. ``input_scale`` multiplies what arrives at the neurons.
    """

    weight: NDArray[np.float32]
    parameters: dict[str, NDArray[Any]]
    bias: NDArray[np.float32] | None
    delays: Integers | None
    has_no_neuron: bool
    input_scale: float = 1.0

    @property
    def input_bias(self) -> NDArray[np.float32] | None:
        """The bias as one of what arrives; None if that is not the same, or there is none."""
        is_immediate = np.all(self.parameters.get("current_decay", DECAY_ONE) == DECAY_ONE)
        return self.bias if is_immediate else None


def layer_values(layer: SynapticNode, weights: Weights) -> LayerValues:
    """Returns the values of a layer. HardwareError if a parameter is NaN."""
    grid = layer
    if layer.bits is None:  # all but weights and bias are on the grid then, too
        section = layer.section.model_copy(update={"quantization": Quantization()})
        grid = replace(layer, section=section)
    integers = layer_integers(grid, weights)
    weight, bias = integers.weights[0] / WEIGHT_UNIT, integers.bias
    bias = None if bias is None else bias / WEIGHT_UNIT
    if layer.bits is None:
        weight = read_values(layer, weights, layer.weight_names[0])
        if layer.section.learns_bias:
            assert bias is not None
            learnt = np.clip(read_values(layer, weights, "neuron.bias"), -MAX_BIAS, MAX_BIAS)
            fine, coarse = (np.rint(learnt * unit) / unit for unit in (STATE_UNIT, WEIGHT_UNIT))
            bias = np.clip(fine + (bias - coarse), -MAX_BIAS, MAX_BIAS)
    factor = 2.0**-integers.exponent
    return LayerValues(
        weight=np.asarray(weight * factor, np.float32),
        parameters=integers.parameters,
        bias=None if bias is None else np.asarray(bias * factor, np.float32),
        delays=integers.delays,
        has_no_neuron=layer.section.neuron is None or layer.neuron == IDENTITY,
    )


def recurrent_values(layer: SynapticNode, weights: Weights) -> NDArray[np.float32]:
    """Returns the weights of a recurrent layer from its own spikes, [neurons, neurons]."""
    if layer.bits is not None:
        integers = recurrent_integers(layer, weights)
        assert integers is not None
        return np.asarray(integers.weights[0] / WEIGHT_UNIT, np.float32)
    assert layer.recurrent is not None
    return read_values(layer, weights, layer.recurrent.weight_names[0])


# Synapses


def _export_dense(export: Export, layer: SynapticNode) -> None:
    values, nodes = _begin_synapses(export, layer), export.layers[-1]["nodes"]
    product = _product(export, values.weight, values.input_bias)
    export.add(layer, "_w", product.type, **product.fields)
    if layer.recurrent is None:
        _add_neurons(export, layer, values)
        return
    if "threshold" not in values.parameters:
        raise LayerError("", "is recurrent and does not spike")
    _add_neurons(export, layer, values, ".lif")
    neurons, back = f"{layer.name}.lif", f"{layer.name}.w_rec"
    export.nodes[back] = _product(export, recurrent_values(layer, export.weights), None)
    export.edges += [(neurons, back), (back, neurons)]
    nodes.insert(nodes.index(neurons) + 1, back)


def _product(export: Export, weight: NDArray[Any], bias: NDArray[Any] | None) -> NirNode:
    if bias is None and export.adaptation.needs_affine:
        bias = np.zeros(len(weight), np.float32)
    if bias is None:
        return NirNode("Linear", {"weight": weight})
    return NirNode("Affine", {"weight": weight, "bias": bias})


def _export_conv(export: Export, layer: SynapticNode) -> None:
    values, section = _begin_synapses(export, layer), cast("layers.Conv", layer.section)
    if section.groups > 1:
        export.note(groups=section.groups)
    kernel = expand_groups(values.weight, section.groups)
    _add_convolution(export, layer, kernel, values)
    _add_neurons(export, layer, values)


def expand_groups(weight: NDArray[Any], groups: int) -> NDArray[Any]:
    """Returns a kernel of one group, with zeros between the groups of ``weight``.

    The types of the package nir know one group only, and SpikingJelly refuses others.
    """
    outputs, inputs, *size = weight.shape
    blocks = np.zeros((groups, outputs // groups, groups, inputs, *size), weight.dtype)
    blocks[range(groups), :, range(groups)] = weight.reshape(groups, -1, inputs, *size)
    return blocks.reshape(outputs, groups * inputs, *size)


def _add_convolution(
    export: Export, layer: SynapticNode, kernel: NDArray[Any], values: LayerValues
) -> None:
    section = cast("layers.KernelSection", layer.section)
    height, width = section.kernel_size
    if height != width:
        hint = "the package nir takes the width from the height"
        raise LayerError("", f"has a kernel of {height}×{width}", hint=hint)
    bias = values.input_bias
    export.add(
        layer,
        "_w",
        "Conv2d",
        input_shape=np.array(layer.input_shape[1:]),
        weight=kernel,
        stride=np.array(section.strides),
        padding=np.array(section.paddings),
        dilation=np.array(section.dilations),
        groups=1,
        bias=np.zeros(layer.channels, np.float32) if bias is None else bias,
    )


def _export_sum_pool(export: Export, layer: SynapticNode) -> None:
    values, section = _begin_synapses(export, layer), cast("layers.SumPool", layer.section)
    weight = values.weight.reshape(())
    has_factor = weight != 1 and (export.adaptation.pools_by_kernels or values.has_no_neuron)
    if values.input_bias is not None or has_factor:
        kernel = np.zeros((layer.channels, layer.channels, *section.kernel_size), np.float32)
        kernel[range(layer.channels), range(layer.channels)] = weight
        _add_convolution(export, layer, kernel, values)
    else:
        sizes = map(np.array, (section.kernel_size, section.strides, section.paddings))
        export.add(layer, "_pool", "SumPool2d", **dict(zip(WINDOW, sizes, strict=True)))
        values = replace(values, input_scale=float(weight))
    _add_neurons(export, layer, values)


# Neurons


def _begin_synapses(export: Export, layer: SynapticNode) -> LayerValues:
    kind, neuron = layer.neuron.type_name(), layer.neuron
    if kind not in NEURONS:
        hint = "export a .c or a .py file, or train with cuba or lif"
        raise LayerError("", f'has neurons of type "{kind}"', hint=hint)
    if neuron.graded:
        raise LayerError("", "sends values with its spikes", hint='train with "graded": false')
    early, values = export.begin(layer), layer_values(layer, export.weights)
    export.note(neuron=None if layer.section.neuron is None else kind, bits=layer.bits)
    reset = neuron.model_dump().get("reset", "zero")
    if reset != "zero":
        text = f'has "reset": "{reset}"'
        if not export.is_forced:
            raise LayerError("", text, hint="--force writes the reset to zero in its place")
        export.note(reset=reset)
        export.warn(layer, f"{text}, and the file a reset to zero: spikes differ")
    if values.bias is not None:
        export.note(bias=True)
        if early and values.bias.any():
            text = f"has a bias, which acts {early} steps alone before its input; not in the file"
            export.warn(layer, text)
    return values


def _add_neurons(
    export: Export, layer: SynapticNode, values: LayerValues, suffix: str = "_lif"
) -> None:
    """Adds the neurons of a layer and their delays, and ends the layer."""
    if not values.has_no_neuron:
        kind, fields = NEURONS[layer.neuron.type_name()](export, layer, values)
        shape = layer.output_shape
        full = {name: _per_neuron(np.asarray(value), shape) for name, value in fields.items()}
        export.add(layer, suffix, kind, **full)
    if values.delays is not None:
        steps = _per_neuron(values.delays, layer.output_shape)
        export.add(layer, "_delay", "Delay", delay=steps * export.dt)
        is_learnt = layer.section.delay is not None and layer.section.delay.steps is None
        export.note(delay={"learn": True} if is_learnt else {"steps": int(steps.flat[0])})
        export.warn(layer, NOBODY_DELAYS)
    export.note(axonal_delay_step=bool(layer.delay))
    inputs = [export.ends[name].early for name in layer.inputs]
    export.end(layer, min(inputs) + layer.delay)


def _per_neuron(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Returns values, [] or [channels], as one number for each neuron."""
    if values.ndim:
        values = values.reshape(-1, *[1] * (len(shape) - 1))
    return np.broadcast_to(values, shape).astype(np.float64)


Fields = dict[str, Any]
"""Parameters of neurons in NIR, [] or [channels]."""


def _rates(values: LayerValues, name: str) -> NDArray[np.float64]:
    """Returns how many steps a time constant takes: 1/decay."""
    decays = np.asarray(values.parameters[name], np.float64)
    return np.where(decays == 0, NEVER, DECAY_ONE / np.maximum(decays, 1))


def _membrane(export: Export, layer: SynapticNode, values: LayerValues) -> Fields:
    steps = _rates(values, "voltage_decay")
    rest: Any = 0.0
    if values.bias is not None and values.input_bias is None:
        rest = values.bias * steps
        export.warn(layer, "has a bias behind a current, which is v_leak in NIR: no tool reads it")
    return {"tau_mem": steps * export.dt, "r": steps, "v_leak": rest}


def _synapse(export: Export, values: LayerValues) -> Fields:
    """Returns tau_syn and w_in; neurons without a current lose it in one step."""
    has_current = "current_decay" in values.parameters
    steps = _rates(values, "current_decay") if has_current else np.ones(())
    return {"tau_syn": steps * export.dt, "w_in": steps * values.input_scale}


def _lif(export: Export, layer: SynapticNode, values: LayerValues) -> tuple[str, Fields]:
    membrane, synapse = _membrane(export, layer, values), _synapse(export, values)
    if shift := export.adaptation.threshold_shift:
        export.note(threshold_shift=shift)
    # nir reads v_reset 0, before 1.0.6 no other
    membrane["v_threshold"] = values.parameters["threshold"] / WEIGHT_UNIT + shift
    if export.adaptation.needs_lif:
        if np.any(synapse["tau_syn"] != export.dt):
            hint = 'train with "current_decay": 1, or the neuron "lif"'
            raise LayerError("", "has a current, which sinabs does not read", hint=hint)
        membrane["r"] = membrane["r"] * values.input_scale
        return "LIF", {"tau": membrane.pop("tau_mem"), **membrane}
    return "CubaLIF", membrane | synapse


def _integrator(export: Export, layer: SynapticNode, values: LayerValues) -> tuple[str, Fields]:
    export.warn(layer, "hands on its voltage (CubaLI): no tool reads that without loss")
    return "CubaLI", _membrane(export, layer, values) | _synapse(export, values)


NEURONS = {"cuba": _lif, "lif": _lif, "integrator": _integrator}
"""Type of neurons -> what makes the type and the fields of their node."""


# Layers without synapses


def _export_plain(
    suffix: str, kind: str, make: Callable[[Export, Any], Fields], export: Export, layer: LayerNode
) -> None:
    early = export.begin(layer)
    export.add(layer, suffix, kind, **make(export, layer))
    export.end(layer, early)


def _flatten(_export: Export, layer: LayerNode) -> Fields:
    if len(layer.output_shape) > 1:
        raise LayerError("", f"gives its input the shape {[*layer.output_shape]}")
    return {"input_type": np.array(layer.input_shape), "start_dim": 0, "end_dim": -1}


def _average(_export: Export, layer: LayerNode) -> Fields:
    window = cast("layers.AveragePool", layer.section).window
    return dict(zip(WINDOW, map(np.array, window), strict=True))


def _delay(export: Export, layer: LayerNode) -> Fields:
    export.warn(layer, NOBODY_DELAYS)
    return {"delay": np.full(layer.output_shape, layer.section.own_delay * export.dt)}


EXPORTERS: dict[type, Callable[[Export, Any], None]] = {
    layers.Dense: _export_dense,
    layers.Recurrent: _export_dense,
    layers.Conv: _export_conv,
    layers.SumPool: _export_sum_pool,
    layers.AveragePool: partial(_export_plain, "_pool", "AvgPool2d", _average),
    layers.Flatten: partial(_export_plain, "_flat", "Flatten", _flatten),
    layers.Reshape: partial(_export_plain, "_flat", "Flatten", _flatten),
    layers.Delay: partial(_export_plain, "_delay", "Delay", _delay),
}
"""Class of a section -> what adds the nodes of its layer."""
