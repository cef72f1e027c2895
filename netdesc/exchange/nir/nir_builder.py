"""Makes layers of the nodes of a NIR graph, with numbers as they are in the file."""

import json
import math
import re
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError

from netdesc.description.models.layers import Layer, ShapeError
from netdesc.description.models.layers.fields import MAX_DELAY
from netdesc.exchange.import_layers import JsonObject
from netdesc.exchange.nir.nir_layers import Draft, draft_layers
from netdesc.exchange.nir.nir_neurons import Dynamics, Reals, Shape, channel_values, read_dynamics
from netdesc.exchange.nir.nir_record import LayerNote, NirGraph, NirNode, Notes

_LAYERS: TypeAdapter[Any] = TypeAdapter(Layer)


@dataclass(eq=False)
class NirLayer:
    """A layer: its section without neurons, and its numbers, [] or [channels]."""

    draft: Draft
    section: JsonObject
    input_shape: Shape
    shape: Shape
    note: LayerNote | None
    dynamics: Dynamics | None = None
    weights: dict[str, Reals] = field(default_factory=dict)
    """``synapse`` and ``recurrent`` -> weights, times the gain of the neurons."""
    bias: Reals = field(default_factory=lambda: np.array(0.0))
    """What is added to the voltage in each step."""
    delays: NDArray[np.int64] = field(default_factory=lambda: np.array(0))
    """Steps of delay of the output."""
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
        noted = [] if notes is None else notes.layers
        self._notes = {node: layer for layer in noted for node in layer.nodes}
        delays = [name for name, node in graph.nodes.items() if node.type == "Delay"]
        aligning = [name for name in delays if notes is not None and name not in self._notes]
        start, drafts = draft_layers(graph, aligning)
        self.input_shape = _input_shape(graph.nodes[start], start, drafts)
        self.layers: list[NirLayer] = []
        self._outputs: dict[str, tuple[str, Shape]] = {start: ("input", self.input_shape)}
        """Node -> the name of its layer, and the shape of that layer's output."""
        for draft in drafts:
            self._add(draft)

    def _add(self, draft: Draft) -> None:
        parts = draft.parts
        note = next((self._notes[n] for n in draft.names.values() if n in self._notes), None)
        names = [self._outputs[source][0] for source in draft.sources]
        shapes = [self._outputs[source][1] for source in draft.sources]
        if any(shape != shapes[0] for shape in shapes):
            lists = " and ".join(str(list(shape)) for shape in shapes)
            raise draft.error("", f"reads a sum of outputs of different shapes, {lists}")
        section, weight = self._section(draft, shapes[0], note)
        before = self.layers[-1].name if self.layers else "input"
        section = {"name": self._name(draft, section["type"], note), **section}
        if names != [before]:
            section["from"] = names if len(names) > 1 else names[0]
        try:
            shape = _LAYERS.validate_json(json.dumps(section)).output_shape(shapes[0])
        except ShapeError as error:
            raise draft.error("", str(error), error.hint) from error
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            problem = f"cannot be a layer: {' '.join(map(str, first['loc'][1:]))} {first['msg']}"
            raise draft.error("", problem) from error
        layer = NirLayer(draft, section, shapes[0], shape, note)
        self.layers.append(layer)
        self._outputs |= dict.fromkeys(draft.names.values(), (layer.name, shape))
        if weight is not None:
            self._read_numbers(layer, weight)
        if "delay" in parts and section["type"] != "delay":
            layer.delays = self._delays(draft, shape)
            if layer.delays.max() > MAX_DELAY:
                raise draft.error("delay", f"delays by {layer.delays.max()} steps, not {MAX_DELAY}")

    def _section(
        self, draft: Draft, shape: Shape, note: LayerNote | None
    ) -> tuple[JsonObject, Reals | None]:
        """Returns the section of a layer, and its weights, if it has some."""
        parts = draft.parts
        if "synapse" in parts:
            section, weight = _synapse(draft, shape)
            return section | {"neuron": None}, weight
        if "neuron" in parts:
            return {"type": "neurons", "neuron": None}, np.ones(1)
        if "delay" in parts:
            steps = self._delays(draft, shape)
            if steps.ndim:
                raise draft.error("delay", "has different delays behind no neurons")
            return {"type": "delay", "steps": int(steps)}, None
        if "view" not in parts:
            raise draft.error("", "scales what no weights read; a document has no such layer")
        node = parts["view"]
        if node.type == "AvgPool2d":
            return {"type": "average_pool", **_window(node)}, None
        is_reshape = note is not None and note.type == "reshape"
        if is_reshape or node.type == "Output":  # which reads a sum
            return {"type": "reshape", "shape": note.shape if note and is_reshape else shape}, None
        first, last = (int(np.ravel(node.fields[name])[0]) for name in ("start_dim", "end_dim"))
        if first not in (0, 1) or last not in (-1, len(shape) - 1, len(shape)):
            problem = f"flattens the axes {first} to {last}; a document flattens all axes"
            raise draft.error("view", problem)
        return {"type": "flatten"}, None

    def _name(self, draft: Draft, kind: str, note: LayerNote | None) -> str:
        """Returns the name in the metadata, or one made of that of a node."""
        name = next(iter(draft.names.values())) if "scale" not in draft.names else kind
        name = re.sub(r"[^A-Za-z0-9_-]", "_", name)[:90]
        name = name if re.match("[A-Za-z_]", name) else f"{kind}{name}"
        name = name if note is None else note.name
        is_used = name in ("input", *(layer.name for layer in self.layers))
        return f"{name}_{len(self.layers)}" if is_used else name

    def _delays(self, draft: Draft, shape: Shape) -> NDArray[np.int64]:
        delays = channel_values(draft, "delay", "delay", shape) / self._dt
        steps = np.rint(delays)
        errors = np.abs(delays - steps)
        if (steps < 0).any() or (steps > 1 << 20).any() or (errors > 1e-3).any():
            problem = f"has a delay of {delays.flat[errors.argmax()]:g} steps of {self._dt:g} s"
            way = "give the right --dt"
            raise draft.error("delay", f"{problem}; delays are whole steps from 0 on", way)
        return steps.astype(np.int64)

    def _read_numbers(self, layer: NirLayer, weight: Reals) -> None:
        """Reads neurons and biases, and multiplies the weights by gains and scales."""
        draft, parts, note = layer.draft, layer.draft.parts, layer.note
        layer.reset = self._reset or (note.reset if note is not None else "zero")
        gain = np.array(1.0)
        if "neuron" in parts:
            layer.dynamics = read_dynamics(draft, layer.shape, self._dt, layer.reset)
            gain = layer.dynamics.gain
            layer.reset = "none" if "threshold" in parts else layer.reset
            if layer.threshold is not None and note is not None:
                layer.dynamics.threshold = np.array(layer.threshold - note.threshold_shift)
        scale = np.array(1.0)
        if "scale" in parts:
            scale = channel_values(draft, "scale", "scale", layer.input_shape)
            if scale.ndim and layer.section.get("groups", 1) > 1:
                raise draft.error("scale", "scales channels of a convolution in groups differently")
            scale = scale.reshape(-1, *(1,) * (weight.ndim - 2)) if scale.ndim else scale
        factor = gain
        if "factor" in parts:
            factor = gain * channel_values(draft, "factor", "scale", layer.shape)
        for role, rows in (("synapse", factor), ("recurrent", gain)):
            fields = parts[role].fields if role in parts else {}
            if role == "synapse" or fields:
                values = weight * scale if role == "synapse" else np.asarray(fields["weight"])
                layer.weights[role] = values * rows.reshape(-1, *(1,) * (weight.ndim - 1))
            if "bias" in fields:
                layer.bias = layer.bias + rows * channel_values(draft, role, "bias", layer.shape)
        if layer.dynamics is not None:
            if layer.bias.any() and layer.dynamics.has_current:
                problem = "has a bias that arrives at a current; a document adds biases to voltages"
                raise draft.error("", problem, "train without it (bias=False), or with LIF neurons")
            layer.bias = layer.bias + layer.dynamics.bias
        layer.bias = np.array(layer.bias)
        if weight.shape == (1,) != layer.weights["synapse"].shape:
            problem = "has different gains and no weights; a document has one for all"
            raise draft.error("neuron", problem)
        if layer.bias.any() and "synapse" not in parts:
            raise draft.error("neuron", "has a v_leak and no weights; a document has no such bias")


def _pair(node: NirNode, name: str) -> list[int]:
    """Returns numbers for height and width; one number stands for both."""
    values = [int(value) for value in np.ravel(node.fields[name])]
    return [values[0], values[-1]]


def _window(node: NirNode) -> JsonObject:
    sizes = {name: _pair(node, name) for name in ("stride", "padding")}
    return {"kernel": _pair(node, "kernel_size"), **sizes}


def _synapse(draft: Draft, shape: Shape) -> tuple[JsonObject, Reals]:
    """Returns the section of a layer with synapses, and its weights; of a pool, [1]."""
    node = draft.parts["synapse"]
    if node.type == "SumPool2d":
        return {"type": "sum_pool", **_window(node)}, np.ones(1)
    weight, (inputs, *_) = np.asarray(node.fields["weight"], np.float64), shape
    if weight.ndim != (4 if node.type == "Conv2d" else 2):
        raise draft.error("", f"has weights of shape {list(weight.shape)} in a {node.type}")
    section: JsonObject = {"type": "dense", "units": weight.shape[0]}
    groups = 1
    if node.type == "Conv2d":
        section = {"type": "conv", "channels": weight.shape[0], "kernel": list(weight.shape[2:])}
        section |= {name: _pair(node, name) for name in ("stride", "dilation")}
        section["padding"] = _padding(draft, node, section)
        section["groups"] = groups = int(np.ravel(node.fields["groups"])[0])
    elif len(shape) > 1 and weight.shape[1] == math.prod(shape):
        raise draft.error("", f"reads {list(shape)}", "add a Flatten node before it")
    if weight.shape[1] * groups != inputs:
        problem = f"has weights for {weight.shape[1] * groups} inputs; {inputs} arrive"
        raise draft.error("", problem)
    if "recurrent" in draft.parts:
        own = tuple(np.shape(draft.parts["recurrent"].fields["weight"]))
        if node.type == "Conv2d" or own != (weight.shape[0],) * 2:
            rule = "a document has loops of dense layers, from each neuron to each"
            raise draft.error("recurrent", f"is a loop with weights of shape {list(own)}; {rule}")
        section["type"] = "recurrent"
    return section, weight


def _padding(draft: Draft, node: NirNode, section: JsonObject) -> list[int]:
    padding = node.fields["padding"]
    if not isinstance(padding, str):
        return _pair(node, "padding")
    sizes = zip(section["dilation"], section["kernel"], strict=True)
    spans = [step * (size - 1) for step, size in sizes]
    if padding == "same" and (any(span % 2 for span in spans) or section["stride"] != [1, 1]):
        problem = 'has the padding "same" with an even kernel or a stride above 1'
        raise draft.error("", problem)
    return [span // 2 if padding == "same" else 0 for span in spans]


def _input_shape(node: NirNode, name: str, drafts: list[Draft]) -> Shape:
    """Returns the shape of the input, without the axis of a batch, which Norse writes."""
    shape = tuple(int(size) for size in np.ravel(node.fields["shape"]))
    parts = [draft.parts for draft in drafts if name in draft.sources and "synapse" in draft.parts]
    axes = {3 if part["synapse"].type in ("Conv2d", "SumPool2d") else 1 for part in parts}
    return shape[1:] if axes == {len(shape) - 1} else shape
