"""Networks, records and files for the tests of exchange."""

import itertools
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import torch
from hypothesis import strategies as st

import netdesc
from netdesc.description import Document
from netdesc.description.models.document import MAX_STEPS
from netdesc.exchange import (
    DenseLayer,
    FlattenLayer,
    ImportedNetwork,
    InputLayer,
    NetFile,
    RecurrentLayer,
    export_net,
    import_net,
    read_weights,
)
from netdesc.exchange.net_neurons import (
    ACTIVATIONS,
    FORMS,
    NO_NEURON,
    NUMBERS,
    READOUT_THRESHOLD,
    NetNeuron,
)
from netdesc.exchange.net_record import AverageLayer, NetLayer, Simulation
from netdesc.exchange.net_synapses import InputNeurons
from netdesc.graph import build_graph
from netdesc.modules import Network, build
from netdesc.neurons.models import NEURONS

DATA = {
    "type": "spike_files",
    "train": [{"input": {"path": "input.bs1"}, "target": {"path": "target.bs1"}}],
}


def document(input_shape: list[int], layers: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A document of these layers. A section that is None is left out."""
    sections = {
        "format": 1,
        "name": "sample",
        "time": {"steps": 40},
        "data": DATA,
        "input": {"shape": input_shape},
        "layers": layers,
        "loss": {"type": "spike_time", "time_constant_ms": 2.0},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.001}},
    } | more
    return {name: section for name, section in sections.items() if section is not None}


def dense(name: str, units: int, **more: Any) -> dict[str, Any]:
    neuron = {"type": "cuba", "threshold": 0.4, "current_decay": 0.25, "voltage_decay": 0.03}
    neuron |= more.pop("neuron", {})
    return {"name": name, "type": "dense", "units": units, "neuron": neuron, **more}


def model_of(description: dict[str, Any], seed: int = 0) -> Network:
    parsed = Document.model_validate_json(json.dumps({"data": DATA, **description}))
    return build(build_graph(parsed), seed=seed)


def datasets(path: Path) -> dict[str, tuple]:
    """Name -> type, shape, values and storage of every dataset of an hdf5 file."""
    entries: dict[str, tuple] = {}

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        assert not item.attrs
        if isinstance(item, h5py.Dataset):
            value = np.asarray(item[()])
            stored = (item.chunks, item.compression, h5py.check_string_dtype(item.dtype))
            entries[name] = (item.dtype, item.shape, value.tolist(), stored)

    with h5py.File(path) as file:
        file.visititems(add)
    return entries


WEIGHT = np.array([[2, -4, 6], [0, 254, -256]], np.float32)


def write_dense(group: h5py.Group, **changes) -> None:
    """A dense layer as slayer writes it; a change of None leaves a dataset out."""
    values = {
        "type": np.array([b"dense"], "S10"),
        "shape": np.array([2]),
        "inFeatures": 3,
        "outFeatures": 2,
        "weight": WEIGHT,
        "neuron/type": "CUBA",
        "neuron/iDecay": 1024,
        "neuron/vDecay": 128,
        "neuron/vThMant": 80,
        "neuron/refDelay": 1,
        "neuron/gradedSpike": False,
    }
    for name, value in {**values, **changes}.items():
        if value is not None:
            group[name] = value


WITHOUT_NEURON = dict.fromkeys(
    f"neuron/{name}" for name in ("type", "iDecay", "vDecay", "vThMant", "refDelay", "gradedSpike")
)
_CUBA_ALONE = ("neuron/iDecay", "neuron/vDecay", "neuron/refDelay")
COMPLEX = {"weight": None, "weight/real": WEIGHT, "weight/imag": WEIGHT}
_ADAPTIVE = {"neuron/thDecay": 409, "neuron/refDecay": 1638, "neuron/vThStep": 12}
FILES: dict[str, dict[str, Any]] = {
    "ALIF": _ADAPTIVE,
    "RF_PHASE": COMPLEX | dict.fromkeys(_CUBA_ALONE),
    "SDNN": dict.fromkeys((*_CUBA_ALONE, "neuron/gradedSpike")) | {"neuron/activation": "relu"},
}
FILES["RF_PHASE"] |= {"neuron/sinDecay": 2287, "neuron/cosDecay": 3148}
FILES["ADRF_IZHIKEVICH"] = FILES["RF_PHASE"] | _ADAPTIVE
"""Type of neurons -> how their files differ from that of ``write_dense``."""


def write_file(path: Path, **changes) -> Path:
    with h5py.File(path, "w") as file:
        write_dense(file.create_group("layer/0"), **changes)
    return path


def write_layers(path: Path, *layers: dict[str, Any]) -> Path:
    """Writes layers; a change of None in one of type dense leaves a dataset of it out."""
    with h5py.File(path, "w") as file:
        for index, values in enumerate(layers):
            group = file.create_group(f"layer/{index}")
            if values.get("type", "dense") == "dense":
                write_dense(group, **values)
            else:
                for name, value in values.items():
                    group[name] = value
    return path


def restyle(path: Path, chance: random.Random) -> None:
    """Rewrites a file's datasets in other forms that slayer, slayerPytorch and others use."""
    with h5py.File(path, "a") as file:
        names: list[str] = []
        file.visit(names.append)
        for name in names:
            key, value = name.split("/", 2)[-1], file[name]
            if chance.random() < 0.4 or not isinstance(value, h5py.Dataset):
                continue
            new = _restyled(key, value[()], chance)
            if new is not value:
                del file[name]
            if new is not None:
                file[name] = new
        for name in names:
            if name.endswith("/neuron") and chance.random() < 0.3:
                file[f"{name}/theta"], file[f"{name}/tauRho"] = 1600, 0.5


def _restyled(key: str, value: Any, chance: random.Random) -> Any:
    """Returns a dataset in another form, or None to leave it out."""
    if key.endswith("type"):
        text = bytes(np.asarray(value).item()).replace(b"CUBA", chance.choice([b"CUBA", b"LOIHI"]))
        forms = [text.decode(), np.array([text], "S20"), np.array(text, f"S{len(text)}")]
        return chance.choice(forms)
    if key in ("inFeatures", "outFeatures", "inChannels", "neuron/refDelay"):
        return None
    if key == "neuron/gradedSpike":
        return np.int64(1) if value else None
    value = np.asarray(value)
    if key == "shape" and value.size == 1:
        return chance.choice([[*value, 1, 1], np.array(value, np.int32)])
    if key.startswith("weight"):
        squeezed = value.reshape([n for n in value.shape if n != 1])
        return chance.choice([squeezed, value[..., None].astype(np.float64)])
    if key in ("bias", "delay") or key in map("neuron/{}".format, NUMBERS):
        forms = [value.reshape(-1, 1, 1), value.astype(np.float64)]
        return chance.choice([*forms, value.reshape(())] if value.size == 1 else forms)
    return value


def assert_same_network(found: ImportedNetwork, expected: ImportedNetwork) -> None:
    assert found.description == expected.description
    assert found.weights.keys() == expected.weights.keys()
    for name, values in expected.weights.items():
        np.testing.assert_array_equal(found.weights[name], values)


def assert_file_holds(
    model: Network, other: Network, input_TBN: torch.Tensor, folder: Path
) -> None:
    """A file of the model computes the same, also in a new model, and is written again alike."""
    expected = model(input_TBN).detach()
    first, second = folder / "first.net", folder / "second.net"
    export_net(model, first)
    compiled = netdesc.compile(import_net(first))
    assert torch.equal(compiled.model.eval()(input_TBN), expected)
    export_net(compiled.model, second)
    assert datasets(first) == datasets(second)
    state = read_weights(first, model.graph).items()
    other.load_state_dict(other.state_dict() | {name: torch.from_numpy(v) for name, v in state})
    assert torch.equal(other.eval()(input_TBN), expected)


def set_time(path: Path, step: object, sample: object) -> None:
    """Sets the lengths of a step and of a sample in a ``.net`` file; None takes one away."""
    with h5py.File(path, "a") as file:
        file.pop("simulation", None)
        for name, value in (("Ts", step), ("tSample", sample)):
            if value is not None:
                file[f"simulation/{name}"] = value


@st.composite
def records(draw: st.DrawFn) -> NetFile:
    """Chains of layers that a document can express."""
    sizes = draw(st.lists(st.integers(1, 6), min_size=2, max_size=4))
    layers: list[NetLayer] = []
    first = draw(st.sampled_from(["dense", "flatten", "neurons", "image of neurons"]))
    if first == "neurons":
        layers.append(draw(input_neurons((sizes[0],))))
    elif first != "dense":
        shape = (sizes[0], 2)
        is_plain = first == "flatten"
        layers.append(InputLayer(shape) if is_plain else draw(input_neurons(shape)))
        layers.append(FlattenLayer(2 * sizes[0]))
        sizes[0] *= 2
    for inputs, outputs in itertools.pairwise(sizes):
        layers.append(draw(dense_layers(inputs, outputs)))
        if draw(st.booleans()):
            layers.append(FlattenLayer(outputs))
    if draw(st.booleans()):
        groups = [n for n in range(1, sizes[-1] + 1) if sizes[-1] % n == 0]
        layers.append(AverageLayer(sizes[-1], draw(st.sampled_from(groups))))
    step_ms = draw(st.sampled_from([0.1, 0.5, 1.0, 3.0]) | st.floats(1e-3, 1e6))
    return NetFile(tuple(layers), Simulation(step_ms, step_ms * draw(st.integers(1, MAX_STEPS))))


def _integers(draw: st.DrawFn, shape: tuple[int, ...], elements: st.SearchStrategy[int]):
    size = int(np.prod(shape, dtype=int))
    values = draw(st.lists(elements, min_size=size, max_size=size))
    return np.array(values, dtype=np.int32).reshape(shape)


KINDS = [kind for kind, form in FORMS.items() if form.kind in NEURONS]
"""Types of neurons in files that documents have, too."""


@st.composite
def net_neurons(draw: st.DrawFn, neurons: int, kinds: Sequence[str] = KINDS) -> NetNeuron:
    kind = draw(st.sampled_from(kinds))
    if kind == "CUBA" and draw(st.integers(0, 5)) == 0:
        return NO_NEURON
    shape = (neurons,) if neurons > 1 and draw(st.booleans()) else ()
    numbers = {}
    for name in FORMS[kind].numbers:
        known = NUMBERS[name]
        # Thresholds that spikes reach, and a sine and cosine that a period and a decay have.
        highest = {"vThMant": 400, "vThStep": 400, "sinDecay": 2800, "cosDecay": 2800}
        elements = st.integers(
            known.lowest + (name == "vThMant" and kind != "SDNN"), highest.get(name, known.highest)
        )
        numbers[name] = _integers(draw, shape if known.can_differ else (), elements)
    if kind == "SDNN":
        return NetNeuron(kind, numbers, draw(st.sampled_from(ACTIVATIONS)))
    if kind == "CUBA" and "integrator" in NEURONS and draw(st.integers(0, 3)) == 0:
        numbers["vThMant"] = np.array(READOUT_THRESHOLD, np.int32)
        return NetNeuron(kind, numbers)
    return NetNeuron(kind, numbers, is_graded=draw(st.sampled_from([False, False, True])))


@st.composite
def input_neurons(draw: st.DrawFn, shape: tuple[int, ...]) -> InputNeurons:
    neuron = draw(net_neurons(shape[0], ["CUBA", "ALIF", "SDNN"]))
    if neuron.type == "SDNN":
        neuron = replace(neuron, activation="relu", is_delta=True)
    weights = st.integers(-128, 127).map(lambda half: 2 * half)
    numbers = tuple(_integers(draw, (1,), weights) for _ in range(2))
    return InputNeurons(numbers, neuron, input_shape=shape)


@st.composite
def dense_layers(draw: st.DrawFn, inputs: int, outputs: int) -> DenseLayer:
    neuron = draw(net_neurons(outputs))
    is_complex = neuron.form.is_complex
    weights = st.integers(-128, 127).map(lambda half: 2 * half)
    has_bias = not is_complex and draw(st.booleans())
    spikes = neuron.type in ("CUBA", "ALIF") and not neuron.is_readout
    is_recurrent = spikes and draw(st.booleans())
    shapes = [(outputs, inputs), (outputs, outputs if is_recurrent else inputs)]
    # Delays of what arrives are as many as inputs.
    delays = draw(st.sampled_from([0, 0, outputs, inputs]))
    return (RecurrentLayer if is_recurrent else DenseLayer)(
        tuple(_integers(draw, each, weights) for each in shapes[: 1 + is_complex + is_recurrent]),
        neuron,
        _integers(draw, (outputs,), st.integers(-256, 256)) if has_bias else None,
        1 + _integers(draw, (delays,), st.integers(0, 61)) if delays else None,
    )
