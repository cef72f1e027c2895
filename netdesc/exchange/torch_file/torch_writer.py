"""Writes a network as a torch module that needs no netdesc, and its numbers as ``.safetensors``."""

import math
import re
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

import netdesc
from netdesc.exchange.errors import NetFileError
from netdesc.exchange.export_options import ExportOptions
from netdesc.exchange.net_synapses import swap_channels
from netdesc.exchange.net_writer import write_content
from netdesc.graph import INPUT, LayerNode, SynapticNode
from netdesc.hardware import FoldedModel, layer_integers
from netdesc.hardware.integer_neurons import StepLines
from netdesc.hardware.integers import WEIGHT_BITS, recurrent_integers
from netdesc.kernels.printing import TEXTS, Printer
from netdesc.neurons.definition import Definition
from netdesc.neurons.equations import read

_TEMPLATE = Path(__file__).with_name("module.txt").read_text(encoding="utf-8")

_TEXTS = tomllib.loads(Path(__file__).with_name("texts.toml").read_text(encoding="utf-8"))
_PRINTER, OUTPUTS = Printer(TEXTS | _TEXTS["operations"], {}), _TEXTS["layers"]

_MARK = {"netdesc": "numbers of a torch module"}
"""Metadata of the files of numbers, so that no other file is overwritten."""


def write_torch(model: FoldedModel, path: Path, options: ExportOptions) -> list[str]:
    """Writes ``model`` as the module ``path``, and its numbers beside it; returns no warnings.

    NetFileError if a layer has other steps than its input, a file cannot be written, or the file
    of numbers exists and is of something else; HardwareError if the layers have no integers.
    """
    numbers, module = path.with_suffix(".safetensors"), _Module(model, path)
    text, sample = module.text(options), options.sample
    for name in () if sample is None else ("input", "output"):
        values = getattr(sample, f"{name}_TN")
        index = np.flatnonzero(values)
        module.tensors[f"sample.{name}_index"] = index
        module.tensors[f"sample.{name}_values"] = values.reshape(-1)[index].astype(np.float64)
        module.tensors[f"sample.{name}_shape"] = np.array(values.shape, np.int64)
    _require_own(numbers)
    write_content(numbers, save(module.tensors, _MARK))
    write_content(path, text.encode())
    options.note(f"its numbers are in {numbers}; python {path} compares it with its sample")
    return []


def _require_own(path: Path) -> None:
    try:
        with safe_open(path, framework="numpy") as file:
            is_own = (file.metadata() or {}).get("netdesc") == _MARK["netdesc"]
    except (SafetensorError, OSError, ValueError):
        is_own = not path.exists()
    if not is_own:
        problem = "is no file of an exported module, and would be overwritten"
        raise NetFileError(path, f"{problem}: choose another name")


class _Module:
    """The text of a module, and ``tensors``, its numbers. In it, names of layers have an index."""

    def __init__(self, model: FoldedModel, path: Path) -> None:
        self._graph, self._weights, self._path = model.graph, model.folded_state(), path
        self.tensors: dict[str, NDArray[Any]] = {}
        self._steps: dict[Definition, str] = {}
        self._lines, self._state = list[str](), list[str]()
        self._names = {INPUT: "input"} | {
            layer.name: f"n{index}_{layer.name.replace('-', '_')}"
            for index, layer in enumerate(self._graph.layers)
        }
        for layer in self._graph.layers:
            neuron = f", neuron {layer.neuron_name}" if layer.neuron_name else ""
            kind, sources = layer.section.type_name(), " and ".join(layer.inputs)
            self._lines.append(f"# {layer.name}: {kind} of {sources}{neuron}")
            self._add(layer, self._names[layer.name])

    def text(self, options: ExportOptions) -> str:
        """Returns the text of the file."""
        graph, digest, sample = self._graph, options.document_sha256, options.sample
        numbers = self._path.with_suffix(".safetensors").name
        return _TEMPLATE.format(
            graph=graph,
            version=netdesc.__version__,
            source="" if digest is None else f" from the document with the SHA-256\n{digest}",
            numbers=_shown(numbers),
            name=_shown(self._path.name),
            shape=", ".join(map(str, graph.input_shape)),
            sample="it has none" if sample is None else _shown(sample.name),
            neurons="".join(_step_text(step, name) for step, name in self._steps.items()),
            state="".join(f"\n            {line}," for line in self._state),
            forward="\n".join(f"        {line}" for line in self._lines),
            output=f"x_{self._names[graph.layers[-1].name]}",
        )

    def _add(self, layer: LayerNode, name: str) -> None:
        """Adds the lines, the states and the tensors of a layer."""
        section: Any = layer.section
        parts = [f"x_{self._names[source]}" for source in layer.inputs]
        x, delay_C = " + ".join(parts), np.full(1, section.own_delay)
        if not section.sums_inputs:
            x = f"torch.cat([{', '.join(parts)}], dim={1 + section.axis})"
        shape = ", ".join(map(str, layer.output_shape))
        if isinstance(layer, SynapticNode):
            delay_C = self._add_neurons(layer, name, x, shape)
        elif section.type_name() not in OUTPUTS:
            problem = f'layer "{layer.name}" of type "{section.type_name()}" has other steps than'
            raise NetFileError(self._path, f"{problem} its input, and a module computes each step")
        else:
            window = layer.input_shape[0] // layer.output_shape[0]
            count = math.prod(section.window[0]) if hasattr(section, "window") else window
            text = OUTPUTS[section.type_name()].format(x=x, s=section, count=count)
            self._lines.append(f"x_{name} = {text}")
        if most := int(delay_C.max()):
            self.tensors[f"{name}.delay"] = _by_channel(layer, delay_C.astype(np.int64))
            self._state.append(f'"{name}.history": real({most}, batch, {shape})')
            arguments = f'state["{name}.history"], x_{name}, self.{name}.delay'
            self._lines.append(f'x_{name}, after["{name}.history"] = later({arguments})')

    def _add_neurons(self, layer: SynapticNode, name: str, x: str, shape: str) -> NDArray[Any]:
        """Adds synapses and neurons. Returns the delay of each channel, or one number."""
        section: Any = layer.section
        integers = layer_integers(layer, self._weights)
        own, definition = recurrent_integers(layer, self._weights), integers.definition
        for key, value in integers.on_grid().items():
            self.tensors[f"{name}.p_{key}"] = _by_channel(layer, value)
        self._lines.append(f"n = self.{name}")
        if section.is_elementwise and INPUT in layer.inputs:
            x = f"to_grid({x})"
        unit = 2.0 ** (definition.unit_bits - WEIGHT_BITS - integers.exponent)
        for i, weight in enumerate(integers.weights):
            groups = 1
            if hasattr(section, "groups_of"):
                groups = section.groups_of(layer.input_shape[0])
                if weight.ndim == 1:  # for all synapses, of which each channel is a group
                    weight = np.broadcast_to(weight, (groups, 1, *section.kernel_size))
                weight = swap_channels(weight, groups) if section.is_transposed else weight
            text = OUTPUTS[section.type_name()].format(x=x, s=section, i=i, groups=groups)
            arrays = {"weight": weight}
            if own is not None:
                arrays |= {"own": own.weights[i], "drive": np.array(own.drive)}
                text += f' + F.linear(state["{name}.output"], n.own{i}) + n.drive{i}'
            for key, array in arrays.items():
                self.tensors[f"{name}.{key}{i}"] = array.astype(np.int16, order="C")
            self._lines.append(f"sums{i} = {text}")
        inputs = ", ".join(f"arriving(sums{i}, {unit:g})" for i in range(len(integers.weights)))
        step = self._steps.setdefault(definition, f"neurons_{len(self._steps)}")
        self._lines.append(f'x_{name}, after["{name}"] = {step}(n, [{inputs}], state["{name}"])')
        zeros = [f"whole(batch, {shape})"] * len(definition.states)
        zeros += [f"flag(batch, {shape})"] * (definition.spike is not None)
        self._state.append(f'"{name}": [{", ".join(zeros)}]')
        if own is not None:
            self._state.append(f'"{name}.output": real(batch, {shape})')
            self._lines.append(f'after["{name}.output"] = x_{name}')
        return layer.delay + (np.zeros(1, int) if integers.delays is None else integers.delays)


def _by_channel(layer: LayerNode, values: Any) -> NDArray[Any]:
    """Returns one number, [], or numbers of channels as they stand in front of other axes."""
    array = np.asarray(values)
    shape = () if array.size == 1 else (-1, *(1 for _ in layer.output_shape[1:]))
    return np.array(array.reshape(shape))


def _shown(name: str) -> str:
    """Returns a name without characters that end a text of Python."""
    return re.sub(r"[^\w .,:/-]", "?", name)


def _step_text(definition: Definition, name: str) -> str:
    """Returns the function that computes a step of neurons."""
    neuron = read(definition)
    step = StepLines(neuron, _PRINTER, {})
    states, after = [f"s_{state}" for state in neuron.after], list(step.after)
    if definition.spike is not None:
        states.append("fired_before")
        after.append(step.fired)
    equations = [*definition.step, *definition.reset]
    for what, text in (("spike", definition.spike), ("output", definition.output)):
        equations += [] if text is None else [f"{what}: {text}"]
    lines = [
        *(f"# {' '.join(equation.split())}" for equation in equations),
        f"[{', '.join(f'x_{name}' for name in definition.inputs)}] = inputs",
        f"[{', '.join(states)}] = state",
        f"zero = torch.zeros_like(x_{definition.inputs[0]})",
        *step.lines,
        f"output = zero + {step.output}",
        f"return output.double(){'' if definition.output is None else ' / 4096'}, "
        f"[{', '.join(after)}]",
    ]
    return f"def {name}(n, inputs, state):\n" + "".join(f"    {line}\n" for line in lines) + "\n\n"
