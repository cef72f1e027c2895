"""Counts the spikes that differ when other tools run the NIR files that netdesc writes.

Run it by hand in an environment with netdesc, nir, snntorch, norse and spikingjelly. Runs that
were trained are compared beside networks with random weights::

    python tests/peers/nir_tables.py [RUN …]

A row has the spikes that netdesc's integer run gives; then those that differ in an Euler run of the
file that fires above the threshold, in snnTorch and in Norse; in one that fires at it, too, and in
SpikingJelly; and these two again with the file that is written for SpikingJelly.
"""

import contextlib
import io
import logging
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import torch

from netdesc.api.compile import open_network
from netdesc.api.export import own_sample
from netdesc.exchange.errors import NetFileError
from netdesc.exchange.export_options import ExportOptions, Sample
from netdesc.exchange.nir.nir_export import nir_of
from netdesc.exchange.nir.nir_writer import write_graph
from netdesc.exchange.nir.peers import count_differences, differences

FAILURES = (ArithmeticError, AssertionError, LookupError, RuntimeError, TypeError, ValueError)
"""How tools say that they do not read a file."""

LIF = {"type": "lif", "threshold": 1.0, "voltage_decay": 0.1}
CONV = {"type": "conv", "channels": 4, "kernel": 3, "padding": 1}
IMAGE = [2, 8, 8]


def cuba(current: Any, voltage: Any, **more: Any) -> dict[str, Any]:
    decays = {"current_decay": current, "voltage_decay": voltage}
    return {"type": "cuba", "threshold": 1.0, **decays, **more}


def dense(neuron: dict[str, Any] | None, **more: Any) -> list[dict[str, Any]]:
    return [{"type": "dense", "units": 30, "neuron": neuron, "weight_scale": 4, **more}]


def on_image(*layers: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"neuron": cuba(0.3, 0.1), "weight_scale": 4, **layer} for layer in layers]


NETWORKS: dict[str, tuple[list[int], list[dict[str, Any]]]] = {
    "du 1 dv 0": ([40], dense(cuba(1.0, 0.0))),
    "du .5 dv .25": ([40], dense(cuba(0.5, 0.25))),
    "du .02 dv .01": ([40], dense(cuba(0.02, 0.01))),
    "du .3 dv .1": ([40], dense(cuba(0.3, 0.1))),
    "per channel": ([40], dense(cuba([0.1, 0.5], [0.05, 0.4], per_channel=True))),
    "du .3 dv 0": ([40], dense(cuba(0.3, 0.0))),
    "lif": ([40], dense(LIF)),
    "lif dv 0": ([40], dense(LIF | {"voltage_decay": 0.0})),
    "lif bias": ([40], dense(LIF, bias=True, bias_init=0.1)),
    "cuba bias": ([40], dense(cuba(0.3, 0.1), bias=True, bias_init=0.1)),
    "lif subtract": ([40], dense(LIF | {"reset": "subtract"})),
    "three layers": ([40], dense(cuba(0.3, 0.1)) * 3),
    "recurrent": ([40], [dense(cuba(0.3, 0.1))[0] | {"type": "recurrent"}]),
    "delays": ([40], dense(LIF, delay={"learn": True, "initial_steps": [0, 9]})),
    "null readout": ([40], dense(cuba(0.3, 0.1)) + dense(None)),
    "integrator": ([40], dense({"type": "integrator"})),
    "conv flatten dense": (
        IMAGE,
        on_image(CONV, {"type": "flatten"}, {"type": "dense", "units": 9}),
    ),
    "conv conv groups": (IMAGE, on_image(CONV, CONV | {"groups": 2, "stride": 2, "padding": 0})),
    "conv sum_pool": (
        IMAGE,
        on_image(CONV, {"type": "sum_pool", "kernel": 2, "weight_scale": 0.5}),
    ),
}
"""Name -> the shape of the input, and the layers."""


def document(name: str) -> dict[str, Any]:
    shape, given = NETWORKS[name]
    layers = [{"name": f"l{i}", **layer} for i, layer in enumerate(given)]
    for layer in layers:
        if layer["type"] == "flatten":
            layer.pop("neuron"), layer.pop("weight_scale")
    loss = {"type": "spike_rate", "true_rate": 0.2, "false_rate": 0.03}
    training = {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.001}}
    whole = {"format": 1, "name": "net", "time": {"steps": 200, "step_ms": 1}, "layers": layers}
    return whole | {"input": {"shape": shape}, "loss": loss, "training": training}


def snntorch(path: str, input_T: torch.Tensor) -> Any:
    from snntorch.import_nir import import_from_nir

    return _steps(import_from_nir(nir.read(path)), input_T)


def norse(path: str, input_T: torch.Tensor) -> Any:
    from norse.torch import from_nir

    return _steps(from_nir(nir.read(path), dt=1e-4), input_T)


def spikingjelly(path: str, input_T: torch.Tensor) -> Any:
    from spikingjelly.activation_based.nir_exchange import import_from_nir

    return _steps(import_from_nir(path, dt=1e-4), input_T)


def _steps(model: Any, input_T: torch.Tensor) -> Any:
    state, outputs = None, []
    for values in input_T:
        output, state = model(values[None], state)
        outputs.append(output.detach().numpy().reshape(-1))
    return np.array(outputs)


def count(run: Callable[..., Any], path: Path, sample: Sample, early: int) -> str:
    """The outputs that differ; or why there are none."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            output_TN = run(str(path), torch.from_numpy(sample.input_TN).float())
        return str(differences(output_TN, sample, early)[0])
    except FAILURES as error:
        return type(error).__name__


def row(network: Any, folder: Path) -> list[str]:
    opened = open_network(network)
    sample, path = own_sample(opened, []), folder / "net.nir"
    cells: list[str] = []
    for target, tools in (
        (None, (snntorch, norse, spikingjelly)),
        ("spikingjelly", (spikingjelly,)),
    ):
        options = ExportOptions(target=target, force=True)
        try:
            graph, _, early = nir_of(opened.compiled.model, path, options)
        except NetFileError as error:
            return [str(error)]
        write_graph(path, graph)
        if target is None:
            cells += [str(differences(sample.output_TN[early:], sample, early)[1])]
            cells += [str(count_differences(graph, sample, early, ">")[0])]
        euler = str(count_differences(graph, sample, early, ">=")[0])
        for tool in tools:
            cells += [euler] * (tool is spikingjelly) + [count(tool, path, sample, early)]
    return cells


def main(runs: list[str]) -> None:
    logging.disable()
    torch.manual_seed(0)
    headings = ("of", "Euler >", "snnTorch", "Norse", "Euler >=", "SJ", "shifted >=", "SJ shifted")
    print("network".ljust(24), *(heading.rjust(14) for heading in headings))
    with tempfile.TemporaryDirectory() as folder:
        for name in [*runs, *NETWORKS]:
            network = document(name) if name in NETWORKS else name
            cells = row(network, Path(folder))
            print(name[-24:].ljust(24), *(cell.rjust(14) for cell in cells), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
