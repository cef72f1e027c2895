"""Writes a record as a ``.net`` file, with one function per type of layer.

Datasets have the same names, types and shapes as in files of ``export_hdf5`` of slayer (lava-dl).
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from netdesc.atomic_write import NoFileError, atomic_path, failure_reason
from netdesc.exchange import net_synapses
from netdesc.exchange.errors import NetFileAccessError, NetFileError
from netdesc.exchange.net_neurons import NetNeuron
from netdesc.exchange.net_record import AverageLayer, FlattenLayer, InputLayer, NetFile
from netdesc.kernels.fixed_point import WEIGHT_UNIT


def write_net(path: str | Path, net: NetFile) -> None:
    """Writes ``net`` atomically. NetFileError if the file cannot be written."""
    content = _encode(net)
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
            WRITERS[type(layer)](group, layer)
        if net.simulation is not None:
            times = {"Ts": net.simulation.step_ms, "tSample": net.simulation.sample_ms}
            for name, time in times.items():  # files of slayer have whole numbers
                kind = np.int64 if float(time).is_integer() else np.float64
                file[f"simulation/{name}"] = kind(time)
        file.flush()
        return file.id.get_file_image()


def _write_input(group: h5py.Group, layer: InputLayer | net_synapses.InputNeurons) -> None:
    group["shape"] = np.array(layer.input_shape, dtype=np.int64)


def _write_input_neurons(group: h5py.Group, layer: net_synapses.InputNeurons) -> None:
    """slayer does not write a weight of 1 and a bias of 0 that nobody gave. It writes lists of one
    number, of which NumPy warns in netx, where slayerPytorch writes numbers.
    """
    _write_input(group, layer)
    rows = zip(layer.weight_datasets, layer.weights, (WEIGHT_UNIT, 0), strict=True)
    for name, value, default in rows:
        if value.item() != default:
            group[name] = np.float32(value.item())
    _write_neuron(group.create_group("neuron"), layer.neuron)


def _write_column(group: h5py.Group, layer: FlattenLayer | AverageLayer) -> None:
    group["shape"] = np.array([layer.outputs, 1, 1], dtype=np.int64)


def _write_dense(group: h5py.Group, layer: net_synapses.DenseLayer) -> None:
    group["shape"] = np.array([layer.outputs], dtype=np.int64)
    group["inFeatures"] = np.int64(layer.inputs)
    group["outFeatures"] = np.int64(layer.outputs)
    _write_synapses(group, layer)


def _write_kernel(group: h5py.Group, layer: net_synapses.KernelLayer) -> None:
    sizes = {"kernelSize": layer.weights[0].shape[2:], "stride": layer.stride}
    sizes |= {"shape": layer.output_shape, "padding": layer.padding, "dilation": layer.dilation}
    for name, values in sizes.items():
        group[name] = np.array(values, dtype=np.int64)
    if not layer.has_one_weight:
        group["inChannels"] = np.int64(layer.input_shape[0])
        group["outChannels"] = np.int64(layer.channels)
        group["groups"] = np.int64(layer.groups)
    _write_synapses(group, layer)


def _write_synapses(group: h5py.Group, layer: net_synapses.SynapticLayer) -> None:
    for dataset, weight in zip(layer.weight_datasets, layer.weights, strict=True):
        group[dataset] = weight.astype(np.float32)
    for name, values in (("bias", layer.bias), ("delay", layer.delay)):
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


WRITERS: dict[type, Callable[[h5py.Group, Any], None]] = {
    InputLayer: _write_input,
    net_synapses.InputNeurons: _write_input_neurons,
    FlattenLayer: _write_column,
    AverageLayer: _write_column,
    net_synapses.DenseLayer: _write_dense,
    net_synapses.RecurrentLayer: _write_dense,
    net_synapses.KernelLayer: _write_kernel,
}
