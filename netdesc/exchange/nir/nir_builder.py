"""Makes layers of the nodes of a NIR graph, with numbers as they are in the file."""

import itertools
import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from netdesc.description.models.layers import Layer, Shape, ShapeError
from netdesc.description.models.layers.fields import MAX_DELAY
from netdesc.exchange.nir.nir_layers import Arm, Draft, draft_layers, find_end
from netdesc.exchange.nir.nir_neurons import Dynamics, Reals, channel_values, read_dynamics
from netdesc.exchange.nir.nir_notes import LayerNote, Notes
from netdesc.exchange.nir.nir_record import NirGraph, NirNode

JsonObject = dict[str, Any]
_LAYERS: TypeAdapter[Any] = TypeAdapter(Layer)


@dataclass(eq=False)
class NirLayer:
    """A layer: its section without neurons, and its numbers."""

    draft: Draft
    section: JsonObject
    input_shape: Shape
    shape: Shape
    note: LayerNote | None
    dynamics: Dynamics | None = None
    weights: dict[str, Reals] = field(default_factory=dict)
    """``synapse`` and ``recurrent`` -> weights, times the gain of the neurons."""
    bias: Reals = field(default_factory=lambda: np.array(0.0))
    """What is added to the voltage in each step, [] or [channels]."""
    delays: NDArray[np.int64] = field(default_factory=lambda: np.array(0))
    """Steps of delay of the output, [] or [channels]."""
    reset: str = "zero"

    @property
    def name(self) -> str:
        return self.section["name"]

    @property
    def threshold(self) -> Reals | None:
        return None if self.dynamics is None else self.dynamics.threshold


class Builder:
    """Builds ``layers`` in the order in which they run. LayerError if a document cannot have one.

    ``reset`` is what spikes do; None is what the metadata say, or "zero".
    """

    def __init__(self, graph: NirGraph, dt: float, reset: str | None, notes: Notes | None) -> None:
        self._dt, self._reset = dt, reset
        self._notes = {} if notes is None else notes.of_nodes()
        delays = [name for name, node in graph.nodes.items() if node.type == "Delay"]
        aligning = [name for name in delays if notes is not None and name not in self._notes]
        drafts, self.unused = draft_layers(graph, aligning)
        start = find_end(graph, "Input")
        self.input_shape = _input_shape(graph.nodes[start], start, drafts)
        self.layers: list[NirLayer] = []
        self._outputs: dict[str, tuple[str, Shape]] = {start: ("input", self.input_shape)}
        """Node -> the name of its layer, and the shape of that layer's output."""
        for draft in drafts:
            self._add(draft)

    def _append(
        self, draft: Draft, section: JsonObject, sources: list[str], note: LayerNote | None = None
    ) -> NirLayer:
        """Adds a layer that reads what the nodes ``sources`` give."""
        names = [self._outputs[source][0] for source in sources]
        shapes = [self._outputs[source][1] for source in sources]
        is_joined = section["type"] == "concat"
        if any(shape != shapes[0] for shape in shapes) and not is_joined:
            lists = " and ".join(str(list(shape)) for shape in shapes)
            raise draft.error(f"reads a sum of outputs of different shapes, {lists}")
        section = {"name": self._unused_name(draft, section["type"], note), **section}
        before = self.layers[-1].name if self.layers else "input"
        if names != [before] or is_joined:
            section["from"] = names if len(names) > 1 else names[0]
        try:
            model = _LAYERS.validate_json(json.dumps(section))
            input_shape = model.input_shape(shapes)
            shape = model.output_shape(input_shape)
        except ShapeError as error:
            raise draft.error(str(error), error.hint) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            problem = f"cannot be a layer: {' '.join(map(str, first['loc'][1:]))} {first['msg']}"
            raise draft.error(problem) from error
        self.layers.append(NirLayer(draft, section, input_shape, shape, note))
        for node in draft.nodes:
            self._outputs[node] = self.layers[-1].name, shape
        return self.layers[-1]

    def _unused_name(self, draft: Draft, kind: str, note: LayerNote | None) -> str:
        """Returns the name in the metadata, or one made of that of a node."""
        name = re.sub(r"[^A-Za-z0-9_-]", "_", draft.name)[:90]
        name = name if re.match("[A-Za-z_]", name) else f"{kind}{name}"
        name = name if note is None else note.name
        used = {"input", *(layer.name for layer in self.layers)}
        others = (f"{name}_{number}" for number in itertools.count(2))
        return next(each for each in itertools.chain([name], others) if each not in used)

    def _add(self, draft: Draft) -> None:
        note = next((self._notes[name] for name in draft.nodes if name in self._notes), None)
        arms, sources = draft.arms, draft.arms[0].sources
        has_neuron = bool(draft.parts.keys() & {"readout", "neuron", "threshold"})
        if len(arms) > 1:
            sources = [source for arm in arms for source in arm.sources]
            if len(sources) > len(arms):
                raise draft.error("reads sums through several weights; a document cannot have that")
            arm_shapes = [self._outputs[source][1] for source in sources]
            self._append(draft, {"type": "concat"}, sources)
            sources = draft.nodes[:1]
        else:
            arm_shapes = [self._outputs[sources[0]][1]]
        if arms[0].synapse is not None:
            pairs = [_synapse(draft, *pair, note) for pair in zip(arms, arm_shapes, strict=True)]
            sections, weights = zip(*pairs, strict=True)
            if any(section != sections[0] for section in sections) or (
                len(arms) > 1 and sections[0].get("groups", 1) > 1
            ):
                raise draft.error("adds up what different kinds of synapses give")
            layer = self._append(draft, sections[0] | {"neuron": None}, sources, note)
            self._read_numbers(layer, list(weights), arm_shapes)
        elif has_neuron:
            layer = self._append(draft, {"type": "neurons", "neuron": None}, sources, note)
            self._read_numbers(layer, [np.ones(1)], arm_shapes)
        else:
            view = _view(draft, arm_shapes[0], self._dt, note)
            layer = self._append(draft, view, sources, note)
            layer.weights = {"synapse": np.ones(1)} if view["type"] == "neurons" else {}
        steps = delay_steps(draft, layer.shape, self._dt)
        if steps.max() <= MAX_DELAY and layer.section["type"] != "delay":
            layer.delays = steps
        elif steps.ndim:
            raise draft.error(f"has different delays of up to {steps.max()} steps, not {MAX_DELAY}")
        elif layer.section["type"] != "delay":
            self._append(draft, {"type": "delay", "steps": int(steps)}, draft.nodes[:1])

    def _read_numbers(self, layer: NirLayer, weights: list[Reals], shapes: list[Shape]) -> None:
        """Reads neurons, and the weights of each arm, which reads outputs of the ``shapes``."""
        draft, own, note = layer.draft, layer.draft.parts.get("recurrent"), layer.note
        layer.reset = self._reset or (note.reset if note is not None else "zero")
        layer.dynamics = dynamics = read_dynamics(draft, layer.shape, self._dt, layer.reset)
        gain = np.array(1.0) if dynamics is None else dynamics.gain
        if note is not None and dynamics is not None and dynamics.threshold is not None:
            dynamics.threshold = np.array(dynamics.threshold - note.threshold_shift)
        arriving = _bias(layer, own) * gain
        scaled: list[Reals] = []
        for arm, weight, shape in zip(draft.arms, weights, shapes, strict=True):
            rows = gain * _product(draft, arm.after, layer.shape)
            columns = _product(draft, arm.before, shape)
            arriving = arriving + _bias(layer, arm.synapse) * rows
            if weight.size == 1:
                rows, columns = rows * columns, np.array(1.0)
            if weight.size == 1 and rows.ndim:
                raise draft.error("has different gains and no weights; a document has one for all")
            scaled.append(_scale_columns(layer.section, weight, columns) * _as_rows(rows, weight))
        layer.weights["synapse"] = np.concatenate(scaled, axis=min(1, scaled[0].ndim - 1))
        if own is not None:
            own_weight = np.asarray(own.fields["weight"], np.float64)
            layer.weights["recurrent"] = own_weight * _as_rows(gain, own_weight)
        if arriving.any() and dynamics is not None and dynamics.has_current:
            problem = "has a bias that arrives at a current; a document adds biases to voltages"
            raise draft.error(problem, "train without it (bias=False), or with LIF neurons")
        layer.bias = np.array(arriving + (0.0 if dynamics is None else dynamics.bias))
        if layer.bias.any() and layer.section["type"] == "neurons":
            raise draft.error("has a v_leak and no weights; a document has no such bias")


def _bias(layer: NirLayer, node: NirNode | None) -> Reals:
    if node is None or "bias" not in node.fields:
        return np.array(0.0)
    return channel_values(layer.draft, "synapse", "bias", node.fields["bias"], layer.shape)


def _product(draft: Draft, scales: list[NirNode], shape: Shape) -> Reals:
    values = [
        channel_values(draft, "scale", "scale", node.fields["scale"], shape) for node in scales
    ]
    return np.asarray(math.prod(values, start=np.array(1.0)))


def _as_rows(values: Reals, weight: Reals) -> Reals:
    return values.reshape(-1, *(1,) * (weight.ndim - 1))


def _scale_columns(section: JsonObject, weight: Reals, scale: Reals) -> Reals:
    """Multiplies weights by a number, or by one for each channel of the input."""
    if not scale.ndim:
        return weight * scale
    groups = section.get("groups", 1)
    blocks = weight.reshape(groups, -1, *weight.shape[1:])
    return (blocks * scale.reshape(groups, 1, -1, *(1,) * (weight.ndim - 2))).reshape(weight.shape)


def _pair(node: NirNode, name: str) -> list[int]:
    """Returns numbers for height and width; one number stands for both."""
    values = [int(value) for value in np.atleast_1d(node.fields[name])]
    return [values[0], values[-1]]


def _synapse(
    draft: Draft, arm: Arm, shape: Shape, note: LayerNote | None
) -> tuple[JsonObject, Reals]:
    """Returns the section of a layer with synapses, and its weights; of a pool, [1]."""
    node = arm.synapse
    assert node is not None
    if node.type == "SumPool2d":
        sizes = {name: _pair(node, name) for name in ("stride", "padding")}
        return {"type": "sum_pool", "kernel": _pair(node, "kernel_size"), **sizes}, np.ones(1)
    weight, (inputs, *_) = np.asarray(node.fields["weight"], np.float64), shape
    if weight.ndim != (4 if node.type == "Conv2d" else 2):
        raise draft.error(f"has weights of shape {list(weight.shape)} in a {node.type}")
    section: JsonObject = {"type": "dense", "units": weight.shape[0]}
    groups = 1
    if node.type == "Conv2d":
        groups = int(np.atleast_1d(node.fields["groups"])[0])
        section = {"type": "conv", "channels": weight.shape[0], "kernel": list(weight.shape[2:])}
        section |= {name: _pair(node, name) for name in ("stride", "dilation")}
        section["padding"] = _padding(draft, node, section)
        if note is not None and note.groups > 1 and groups == 1:
            weight, groups = _split_groups(weight, note.groups)
        section["groups"] = groups
        if note is not None and note.type == "sum_pool" and groups == shape[0] == weight.shape[0]:
            kernel = {name: section[name] for name in ("kernel", "stride", "padding")}
            return {"type": "sum_pool", **kernel}, weight.reshape(-1)[:1]
    elif len(shape) > 1 and weight.shape[1] == math.prod(shape):
        raise draft.error(f"reads {list(shape)}", "add a Flatten node before it")
    if weight.shape[1] * groups != inputs:
        raise draft.error(f"has weights for {weight.shape[1] * groups} inputs; {inputs} arrive")
    if "recurrent" in draft.parts:
        own = tuple(np.shape(draft.parts["recurrent"].fields["weight"]))
        if node.type == "Conv2d" or own != (weight.shape[0],) * 2:
            rule = "a document has loops of dense layers, from each neuron to each"
            raise draft.error(f"has a loop with weights of shape {list(own)}; {rule}")
        section["type"] = "recurrent"
    return section, weight


def _padding(draft: Draft, node: NirNode, section: JsonObject) -> list[int]:
    padding = node.fields["padding"]
    if padding not in ("same", "valid"):
        return _pair(node, "padding")
    sizes = zip(section["dilation"], section["kernel"], strict=True)
    spans = [step * (size - 1) for step, size in sizes]
    if padding == "same" and (any(span % 2 for span in spans) or section["stride"] != [1, 1]):
        raise draft.error('has the padding "same" with an even kernel or a stride above 1')
    return [span // 2 if padding == "same" else 0 for span in spans]


def _split_groups(weight: Reals, groups: int) -> tuple[Reals, int]:
    """Takes out the weights between groups of channels, if all of them are 0."""
    outputs, inputs, *kernel = weight.shape
    if outputs % groups or inputs % groups:
        return weight, 1
    blocks = weight.reshape(groups, outputs // groups, groups, inputs // groups, *kernel)
    own = blocks[np.arange(groups), :, np.arange(groups)]
    if np.count_nonzero(own) != np.count_nonzero(weight):
        return weight, 1
    return own.reshape(outputs, inputs // groups, *kernel), groups


def _view(draft: Draft, shape: Shape, dt: float, note: LayerNote | None) -> JsonObject:
    """Returns the section of a layer without synapses and neurons."""
    if "delay" in draft.parts:
        steps = delay_steps(draft, shape, dt)
        delay = {"type": "delay", "steps": int(steps.max())}
        return {"type": "neurons", "neuron": None, "trainable": False} if steps.ndim else delay
    if "output" in draft.parts:
        return {"type": "reshape", "shape": list(shape)}
    node = draft.parts.get("view")
    if node is None:
        raise draft.error("scales what no weights read; a document has no such layer")
    if node.type == "AvgPool2d":
        sizes = {name: _pair(node, name) for name in ("stride", "padding")}
        return {"type": "average_pool", "kernel": _pair(node, "kernel_size"), **sizes}
    if note is not None and note.type == "reshape":
        return {"type": "reshape", "shape": note.shape}
    first, last = (int(np.atleast_1d(node.fields[name])[0]) for name in ("start_dim", "end_dim"))
    if first not in (0, 1) or last not in (-1, len(shape) - 1, len(shape)):
        raise draft.error(f"flattens the axes {first} to {last}; a document flattens all axes")
    return {"type": "flatten"}


def delay_steps(draft: Draft, shape: Shape, dt: float) -> NDArray[np.int64]:
    """Returns the delay of a layer in steps, [] or [channels]; 0 if it has none."""
    if "delay" not in draft.parts:
        return np.array(0)
    delay = (
        channel_values(draft, "delay", "delay", draft.parts["delay"].fields["delay"], shape) / dt
    )
    steps = np.rint(delay)
    errors = np.abs(delay - steps)
    if (steps < 0).any() or (steps > 1 << 20).any() or (errors > 1e-3).any():
        problem = f"has a delay of {delay.flat[errors.argmax()]:g} steps of {dt:g} s"
        raise draft.error(
            f"{problem}; delays are whole steps from 0 on", "give the right --dt", "delay"
        )
    return steps.astype(np.int64)


def _input_shape(node: NirNode, name: str, drafts: list[Draft]) -> Shape:
    """Returns the shape of the input, without the axis of a batch, which Norse writes."""
    arms = [arm for draft in drafts for arm in draft.arms if name in arm.sources]
    synapse = next((arm.synapse for arm in arms if arm.synapse is not None), None)
    shape: Any = node.fields.get("shape", ())
    if synapse is None or synapse.type == "SumPool2d":
        axes = 3 if synapse is not None else len(shape)
    else:
        weight = np.shape(synapse.fields["weight"])
        axes, sizes = len(weight) - 1, np.atleast_1d(synapse.fields.get("input_shape", []))
        if not shape and len(weight) > 1:
            shape = weight[1] * int(np.atleast_1d(synapse.fields.get("groups", 1))[0]), *sizes
    if not shape:
        raise drafts[0].error("reads an input whose shape is not in the file")
    return tuple(shape[1:]) if len(shape) == axes + 1 else tuple(shape)
