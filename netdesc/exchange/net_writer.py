"""Writes a record as a ``.net`` file.

Datasets have the same names, types and shapes as in files of ``export_hdf5`` of slayer (lava-dl).
"""

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from netdesc.atomic_write import NoFileError, atomic_path, failure_reason
from netdesc.exchange import net_synapses
from netdesc.exchange.errors import NetFileAccessError, NetFileError
from netdesc.exchange.net_neurons import NetNeuron
from netdesc.exchange.net_record import AverageLayer, FlattenLayer, NetFile, NetLayer
from netdesc.kernels.fixed_point import WEIGHT_UNIT


def write_net(path: str | Path, net: NetFile) -> None:
    """Writes ``net`` atomically. NetFileError if the file cannot be written."""
    write_content(path, _encode(net))


def write_content(path: str | Path, content: bytes) -> None:
    """Writes the content of a network file atomically. NetFileError if it cannot be written."""
    try:
        with atomic_path(path) as temporary:
            temporary.write_bytes(content)
    except NoFileError as error:
        raise NetFileError(path, str(error)) from error
    except OSError as error:
        raise NetFileAccessError(path, f"cannot be written: {failure_reason(error)}") from error


def _encode(net: NetFile) -> bytes:
    """Returns the content of the file. It is built in memory, where hdf5 meets no full disk."""
    with h5py.File("network.net", "w", driver="core", backing_store=False) as file:
        for index, layer in enumerate(net.layers):
            group = file.create_group(f"layer/{index}")
            group.create_dataset("type", (1,), "S10", np.array([layer.kind], dtype="S10"))
            for name, sizes in _sizes(layer).items():
                group[name] = np.array(sizes, dtype=np.int64)
            if isinstance(layer, net_synapses.SynapticLayer):
                _write_synapses(group, layer)
        if net.simulation is not None:
            times = {"Ts": net.simulation.step_ms, "tSample": net.simulation.sample_ms}
            for name, time in times.items():  # files of slayer have whole numbers
                kind = np.int64 if float(time).is_integer() else np.float64
                file[f"simulation/{name}"] = kind(time)
        file.flush()
        return file.id.get_file_image()


def _sizes(layer: NetLayer) -> dict[str, Any]:
    if isinstance(layer, FlattenLayer | AverageLayer):
        return {"shape": (layer.outputs, 1, 1)}
    if isinstance(layer, net_synapses.DenseLayer):
        features = {"inFeatures": layer.inputs, "outFeatures": layer.outputs}
        return {"shape": layer.output_shape} | features
    if not isinstance(layer, net_synapses.KernelLayer):
        return {"shape": layer.input_shape}
    sizes = {"kernelSize": layer.weights[0].shape[2:], "stride": layer.stride}
    sizes |= {"shape": layer.output_shape, "padding": layer.padding, "dilation": layer.dilation}
    if layer.has_one_weight:
        return sizes
    channels = {"inChannels": layer.input_shape[0], "outChannels": layer.channels}
    return {**sizes, **channels, "groups": layer.groups}


def _write_synapses(group: h5py.Group, layer: net_synapses.SynapticLayer) -> None:
    numbers: dict[str, Any] = dict(zip(layer.weight_datasets, layer.weights, strict=True))
    if isinstance(layer, net_synapses.InputNeurons):
        # slayer does not write a weight of 1 and a bias of 0 that nobody gave. It writes lists of
        # one number, of which NumPy warns in netx, where slayerPytorch writes numbers.
        pairs = zip(numbers.items(), (WEIGHT_UNIT, 0), strict=True)
        numbers = {name: n.reshape(()) for (name, n), default in pairs if n.item() != default}
    else:
        numbers |= {"bias": layer.bias, "delay": layer.delay}
    for name, values in numbers.items():
        if values is not None:
            group[name] = values.astype(np.float32)
    _write_neuron(group.create_group("neuron"), layer.neuron)


def _write_neuron(group: h5py.Group, neuron: NetNeuron) -> None:
    group["type"] = neuron.type
    if neuron.activation:
        group["activation"] = neuron.activation
    for name, values in neuron.numbers.items():  # one number is a scalar, as in files of slayer
        group[name] = (values.reshape(()) if values.size == 1 else values).astype(np.int64)
    for name, value in neuron.form.constants.items():
        group[name] = np.bool_(neuron.is_graded) if name == "gradedSpike" else np.int64(value)
    if neuron.is_sum:
        group["sigma_output"] = np.bool_(True)
