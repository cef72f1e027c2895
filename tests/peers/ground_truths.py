"""Compares our integer run with the recordings in lava-dl's tests, which are made on Loihi or Lava.

Run it by hand, in netdesc's environment, with the folder of an unpacked lava-dl 0.6.0::

    python tests/peers/ground_truths.py SITE_PACKAGES/tests/lava/lib/dl/netx

It prints for each recording how many of its numbers differ (none does), what is left out of the
comparison, and why. Nothing of the recordings is part of netdesc.

Recordings count steps from 0 and Lava computes a layer one step later than the layer before, while
our axonal step delays spikes. So step t of our currents is column t + 1 of a recording.
"""

import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import netdesc
from netdesc.description import Document
from netdesc.exchange import DenseLayer, InputLayer, KernelLayer, NetFile, write_net
from netdesc.exchange.net_neurons import READOUT_THRESHOLD, NetNeuron
from netdesc.graph import Graph, build_graph
from netdesc.hardware import IntegerNetwork, Resets, layer_integers
from netdesc.hardware.integer_neurons import IntegerNeurons
from netdesc.neurons.models import NEURONS

PAYLOAD = 1 << 12
"""Units of a payload of sigma-delta neurons in a threshold unit."""


class Comparison(NamedTuple):
    name: str
    expected: np.ndarray
    found: np.ndarray
    note: str = ""
    """What is left out, and why."""


def compare(folder: Path) -> None:
    """Prints a line for each recording."""
    for case in CASES:
        for name, expected, found, note in case(folder):
            differ = np.count_nonzero(expected != found)
            total = np.count_nonzero(expected)
            line = f"{name}: {differ} of {expected.size:,} numbers differ, {total:,} are not 0"
            print(f"{line}; {note}" if note else line, flush=True)


def _load(folder: Path, name: str) -> np.ndarray:
    """Returns a recording with the steps as its first axis, and the shape reversed."""
    return np.load(folder / "gts" / f"{name}.npy").T


def _run_file(layers: list[Any], input_TN: np.ndarray, **options: Any) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.net")
        write_net(path, NetFile(tuple(layers)))
        return netdesc.run_integer(path, input_TN, **options)


def _import(path: Path, skip: int = 0) -> tuple[Graph, Any]:
    """Returns the graph and the weights of a file, without its first layers."""
    imported = netdesc.import_net(path)
    layers = imported.description["layers"][skip:]
    content = {**imported.description, "layers": layers}
    return build_graph(Document.model_validate_json(json.dumps(content))), imported.weights


def _run_input_neurons(path: Path, image: np.ndarray, resets_T: np.ndarray) -> np.ndarray:
    """Runs the input neurons of a file with an image as their bias, in units of 1/64."""
    graph, weights = _import(path)
    integers = layer_integers(graph.neuron_layers[0], weights)
    neurons = IntegerNeurons(integers.definition, integers.on_grid(), image.size)
    steps = len(resets_T)
    output_TN = neurons.run([np.tile(image.reshape(-1).astype(np.int64), (steps, 1))], 6, resets_T)
    return output_TN.reshape(steps, *image.shape)


def _run_neurons(section: dict[str, Any], levels: dict[str, Any], inputs: list[Any]) -> np.ndarray:
    """Runs neurons of a section, but with these integers; inputs are in units of 1/64."""
    definition = NEURONS[section["type"]].model_validate_json(json.dumps(section)).definition()
    flat = [each.reshape(len(each), -1).astype(np.int64) for each in inputs]
    parameters = {name: np.array(value) for name, value in (levels | {"bias": 0}).items()}
    neurons = IntegerNeurons(definition, parameters, flat[0].shape[1])
    return neurons.run(flat, 6, np.zeros(len(flat[0]), np.bool_))


def _run_steps(
    network: IntegerNetwork, input_TN: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[tuple[str, str], np.ndarray]]:
    """Returns outputs by layer, and states by layer and state, [steps, neurons]."""
    outputs: dict[str, list[np.ndarray]] = {}
    states: dict[tuple[str, str], list[np.ndarray]] = {}
    for step in range(len(input_TN)):
        for name, values_TN in network.run_layers(input_TN[step : step + 1]).items():
            outputs.setdefault(name, []).append(values_TN[0])
        for name, of_layer in network.states.items():
            for state, values_N in of_layer.items():
                states.setdefault((name, state), []).append(values_N)
    return (
        {name: np.stack(each) for name, each in outputs.items()},
        {key: np.stack(each) for key, each in states.items()},
    )


def dense(folder: Path) -> Iterator[Comparison]:
    numbers = {"iDecay": np.int32(4096), "vDecay": np.int32(415), "vThMant": np.int32(6)}
    weight = np.load(folder / "gts/dense/weight.npy")
    layer = DenseLayer((weight,), NetNeuron("CUBA", numbers))
    found = _run_file([layer], _load(folder, "dense/in"))
    yield Comparison("dense, spikes", _load(folder, "dense/out"), found)


def complex_dense(folder: Path) -> Iterator[Comparison]:
    wave = 0.95 * np.array([np.sin(2 * np.pi / 11), np.cos(2 * np.pi / 11)]) * 4096
    sine, cosine = wave.astype(np.int32)  # cut, as lava-nc does
    numbers = {"sinDecay": sine, "cosDecay": cosine, "vThMant": np.int32(25)}
    names = ("weight_r", "weight_img")
    weights = [np.load(folder / f"gts/complex_dense/{name}.npy").astype(np.int32) for name in names]
    layer = DenseLayer(tuple(weights), NetNeuron("RF_PHASE", numbers))
    spikes = _load(folder, "complex_dense/in")
    found = _run_file([layer], spikes)
    yield Comparison("complex_dense, spikes", _load(folder, "complex_dense/out"), found)
    wave = 0.95 * np.array([np.sin(2 * np.pi / 7), np.cos(2 * np.pi / 7)]) * 4096
    sine, cosine = wave.astype(np.int64)
    section = {"type": "rf_iz", "threshold": 1, "period": 7, "decay": 0.05}
    levels = {"threshold": int(1.1 * 64), "sine": sine, "cosine": cosine}
    found = _run_neurons(section, levels, [spikes, spikes])
    yield Comparison("complex_dense, input", _load(folder, "complex_dense/current"), found)


def ntidigits(folder: Path) -> Iterator[Comparison]:
    path = folder / "gts/ntidigits/ntidigits.net"
    graph, weights = _import(path)
    network = IntegerNetwork(graph, weights)
    parts = [each["dense4"] for each in network.stream(_load(folder, "ntidigits/input"))]
    found, expected = np.concatenate(parts), _load(folder, "ntidigits/output")
    note = "without column 0: the recording is one column later"
    yield Comparison("ntidigits, spikes of layer 4", expected[1:], found[:-1], note)


def pilotnet_lif(folder: Path) -> Iterator[Comparison]:
    path, image = folder / "gts/pilotnet_lif/network.net", _load(folder, "pilotnet_lif/image")
    steps = np.arange(24)
    for name, interval in (("input", 17), ("input-s", 16)):
        found = _run_input_neurons(path, image, steps % interval == 0)
        expected = _load(folder, f"pilotnet_lif/{name}") != 0
        yield Comparison(f"pilotnet_lif, {name}, reset interval {interval}", expected, found)
    graph, weights = _import(path, skip=1)
    network = IntegerNetwork(graph, weights, "lava", Resets(17))
    outputs, states = _run_steps(network, _load(folder, "pilotnet_lif/input"))
    layers = [*(f"conv-{at}" for at in range(5)), *(f"fc-{at}" for at in range(3))]
    for name, layer in zip(layers, graph.neuron_layers, strict=False):
        current, voltage, spikes = (
            _load(folder, f"pilotnet_lif/{name}{end}").reshape(24, -1) for end in ("-u", "-v", "")
        )
        title = f"pilotnet_lif, {name}"
        note = "without column 0, in which the layer has no input yet"
        yield Comparison(f"{title}, u", current[1:], states[layer.name, "u"][:-1], note)
        kept = ~spikes[1:]
        found = states[layer.name, "v"][:-1][kept]
        note = "without column 0, and where a neuron spikes: the device shows 128 there"
        yield Comparison(f"{title}, v", voltage[1:][kept], found, note)
        yield Comparison(f"{title}, spikes", spikes, outputs[layer.name])
    network = IntegerNetwork(graph, weights, "lava", Resets(16, 0))
    _, states = _run_steps(network, _load(folder, "pilotnet_lif/input-s"))
    note = "of another run, with reset interval 16 and offset 0; without column 0"
    for state in ("u", "v"):
        expected = _load(folder, f"pilotnet_lif/fc-3-{state}")[1:, 0]
        found = states["dense10", state][:, 0]
        yield Comparison(f"pilotnet_lif, fc-3, {state}", expected, found, note)


def tinynet(folder: Path) -> Iterator[Comparison]:
    path = folder / "tiny.net"
    image = _load(folder, "tinynet/input_bias")
    resets_T = np.arange(17) == 0
    spikes = _run_input_neurons(path, image, resets_T)
    recorded = {
        name: np.moveaxis(np.load(folder / f"gts/tinynet/{name}.npy")[0], -1, 0)
        for name in ("input", "layer1", "current", "output")
    }
    note = "without column 0: the recording is one column later"
    yield Comparison("tinynet, input", recorded["input"][1:], spikes[:15], note)
    graph, weights = _import(path, skip=1)
    outputs, states = _run_steps(IntegerNetwork(graph, weights), spikes)
    first, last = (layer.name for layer in graph.neuron_layers)
    columns = [each.reshape(16, -1) for each in (recorded["layer1"], recorded["current"])]
    yield Comparison("tinynet, layer1", columns[0], outputs[first][:16])
    found = states[first, "u"][:15] / 64
    yield Comparison("tinynet, layer1, u", columns[1][1:], found, "without column 0")
    network = IntegerNetwork(graph, weights, "lava", Resets(17))
    outputs, _ = _run_steps(network, spikes)
    found = outputs[last][2:17]
    expected = recorded["output"].reshape(16, -1)[1:]
    yield Comparison("tinynet, output", expected, found, note)


def pilotnet_sdnn(folder: Path) -> Iterator[Comparison]:
    act = _load(folder, "pilotnet_sdnn/act0") / PAYLOAD
    held = np.tile(_load(folder, "pilotnet_sdnn/input"), (20, 1, 1, 1))
    found = _run_neurons({"type": "delta", "threshold": 0}, {"threshold": 0}, [held]) / PAYLOAD
    yield Comparison("pilotnet_sdnn, input", act.reshape(20, -1), found)
    for title, file, count, input_TN in (
        ("pilotnet_sdnn", "network", 2, act),
        ("square network", "square_network", 4, act[..., :33]),
    ):
        graph, weights = _import(folder / f"gts/pilotnet_sdnn/{file}.net", skip=1)
        network = IntegerNetwork(graph, weights, "lava")
        _, states = _run_steps(network, input_TN)
        end = "_square" if file.startswith("square") else ""
        for at, layer in enumerate(graph.neuron_layers[:count], 1):
            expected = _load(folder, f"pilotnet_sdnn/sigma{at}{end}").reshape(20, -1)
            found = states[layer.name, "s"][: 20 - at]
            note = f"without {at} columns, before the input"
            yield Comparison(f"{title}, sigma{at}", expected[at:], found, note)
        if not end:
            expected = _load(folder, "pilotnet_sdnn/output")[8:]
            found = states[graph.layers[-1].name, "v"][:1]
            note = "without 8 columns, before the input reaches the output"
            yield Comparison(f"{title}, output", expected, found, note)


def tinynet_sdnn(folder: Path) -> Iterator[Comparison]:
    threshold = {"vThMant": np.int32(20)}
    image = np.load(folder / "gts/tinynet_sdnn/input_bias.npy")
    waves = (image[..., None] * np.sin(2 * np.pi * np.arange(15) / 15)).astype(int).T
    recorded = _load(folder, "tinynet_sdnn/input")
    found = _run_neurons({"type": "delta", "threshold": 1}, {"threshold": 20 << 6}, [waves])
    yield Comparison("tinynet_sdnn, input", recorded.reshape(15, -1), found)
    kernel = np.load(folder / "gts/tinynet_sdnn/layer1_kernel.npy").transpose(0, 3, 2, 1)
    layer = KernelLayer(
        (kernel,), NetNeuron("SDNN", threshold, "relu"),
        np.load(folder / "gts/tinynet_sdnn/layer1_bias.npy"),
        kind="conv", input_shape=(3, 16, 16), output_shape=(24, 6, 6), stride=(2, 2),
    )  # fmt: skip
    later = np.pad(recorded != 0, [(1, 0), (0, 0), (0, 0), (0, 0)]) / PAYLOAD
    found = _run_file([InputLayer((3, 16, 16)), layer], later)
    expected = _load(folder, "tinynet_sdnn/layer1").reshape(16, -1) / PAYLOAD
    yield Comparison("tinynet_sdnn, layer1", expected, found, "it takes payloads for spikes")
    weight = np.load(folder / "gts/tinynet_sdnn/layer2_weight.npy")
    numbers = {"iDecay": np.int32(4096), "vDecay": np.int32(0)}
    numbers |= {"vThMant": np.int32(READOUT_THRESHOLD)}
    spikes = np.load(folder / "gts/tinynet_sdnn/layer1.npy").reshape(-1, 16).T != 0
    found = 64 * _run_file([DenseLayer((weight,), NetNeuron("CUBA", numbers))], spikes)
    note = "without column 0: the recording is one column later; it takes payloads for spikes"
    expected = _load(folder, "tinynet_sdnn/layer2")
    yield Comparison("tinynet_sdnn, layer2", expected[1:], found[:-1], note)


CASES: tuple[Callable[[Path], Iterator[Comparison]], ...] = (
    dense, complex_dense, ntidigits, pilotnet_lif, pilotnet_sdnn, tinynet, tinynet_sdnn,
)  # fmt: skip

if __name__ == "__main__":
    compare(Path(sys.argv[1]))
