"""``.py`` files compute what the integer run does, without netdesc."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from support.cli_process import Netdesc
from support.exchange_samples import dense, document
from support.networks import any_neuron, networks
from support.scaled_examples import copy_examples

import netdesc
from netdesc.exchange import NetFileError
from netdesc.exchange.export_options import ExportOptions, Sample
from netdesc.exchange.torch_file.torch_writer import write_torch
from netdesc.hardware import HardwareError, IntegerNetwork
from netdesc.resources import shipped

RATES = {"type": "spike_rate"}

BLOCKED = """
import importlib.abc, runpy, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "netdesc":
            raise ImportError(name)
sys.meta_path.insert(0, Refuse())
for path in sys.argv[1:]:
    assert runpy.run_path(path)["test"]() == 0, path
"""


def write(model: Any, path: Path, input_TN: np.ndarray) -> Sample:
    """Writes a module with the integer run's output for a sample."""
    network = IntegerNetwork(model.graph, model.folded_state())
    sample = Sample("sample", input_TN.astype(np.float32), network.run_all(input_TN))
    write_torch(model, path, ExportOptions(sample=sample))
    return sample


def module(path: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"__name__": "module", "__file__": str(path)}
    exec(compile(path.read_text(), path, "exec"), names)
    return names


@settings(max_examples=8)
@given(networks(any_neuron()), st.integers(0, 99), st.sampled_from((1, 3)))
def test_a_module_gives_the_outputs_of_the_integer_run(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], seed: int, largest: int
) -> None:
    path = tmp_path_factory.mktemp("torch") / "net.py"
    model = netdesc.compile(content | {"training": content["training"] | {"seed": seed}}).model
    graph, rng = model.graph, np.random.default_rng(seed)
    input_TN = rng.integers(-largest // 2, largest + 1, (graph.steps, *graph.input_shape)) / 4
    input_TN = input_TN if largest > 1 else np.abs(input_TN) * 4
    kinds = {layer.section.type_name() for layer in graph.layers}
    try:
        sample = write(model, path, input_TN)
    except NetFileError:
        assert "time_decimation" in kinds
        return
    except HardwareError:
        has_no_grid = any(layer.bits is None for layer in graph.neuron_layers)
        neurons = [layer.neuron for layer in graph.neuron_layers]
        own = {neuron.type_name() for neuron in neurons if neuron.norm == "mean_variance"}
        assert has_no_grid or "equations" in own
        return
    names = module(path)
    assert names["test"]() == 0
    both_TBN = torch.tensor(np.stack([input_TN[::-1].copy(), input_TN], axis=1))
    output_TN = names["Network"]().run(both_TBN)[:, 1].flatten(1)
    assert output_TN.tolist() == sample.output_TN.tolist()


@pytest.mark.parametrize(
    ("neuron", "more"),
    [
        ({"type": "integrator", "current_decay": 0, "voltage_decay": 0.001}, []),
        ({"type": "cuba", "threshold": 9, "current_decay": 0, "voltage_decay": 0.5}, []),
        (None, [{"name": "means", "type": "population_average", "units": 2}]),
    ],
    ids=["clipped", "wrapped", "averaged"],
)
def test_values_are_cut_as_on_the_device(
    tmp_path: Path, neuron: dict[str, Any] | None, more: list[dict[str, Any]]
) -> None:
    layer = {"name": "sum", "type": "dense", "units": 6, "neuron": neuron, "weight_scale": 8}
    content = document([20], [layer, *more], time={"steps": 1500}, data=None, loss=RATES)
    model = netdesc.compile(content).model
    spikes_TN = np.random.default_rng(0).random((1500, 20)) < 0.9
    network = IntegerNetwork(model.graph, model.folded_state())
    network.run_all(spikes_TN)
    assert bool(more) or sum(network.counts[0].exceeded.values()) > 10
    write(model, tmp_path / "net.py", spikes_TN)
    assert module(tmp_path / "net.py")["test"]() == 0


def test_every_example_runs_without_netdesc(tmp_path: Path) -> None:
    paths = []
    for example in sorted(shipped("examples").glob("*.json")):
        content = json.loads(example.read_text()) | {"data": None}
        if "fashion" not in example.name and "sweep" not in content:
            content["time"]["steps"] = min(60, content["time"]["steps"])
            model = netdesc.compile(content).model
            shape = model.graph.steps, *model.graph.input_shape
            spikes_TN = np.random.default_rng(0).random(shape) < 0.2
            paths.append(tmp_path / f"{example.stem}.py")
            assert write(model, paths[-1], spikes_TN).output_TN.any()
    command = [sys.executable, "-c", BLOCKED, *map(str, paths)]
    assert len(paths) > 8
    subprocess.run(command, check=True, cwd=tmp_path)


def test_a_run_is_exported_with_its_sample(netdesc: Netdesc, tmp_path: Path) -> None:
    copy_examples(tmp_path)
    path = tmp_path / "my net-1.py"
    assert netdesc("export", "examples/delayed_recall.json", "-o", path).code == 0
    assert subprocess.run([sys.executable, path]).returncode == 0
    numbers = path.with_suffix(".safetensors")
    with safe_open(numbers, "numpy") as file:
        metadata = file.metadata()
    tensors = load_file(numbers)
    tensors["n1_output.p_threshold"] //= 8
    save_file(tensors, numbers, metadata)
    assert subprocess.run([sys.executable, path]).returncode == 1
    assert netdesc("export", "examples/oxford.json", "-o", path).code == 0


def test_numbers_of_something_else_are_not_overwritten(netdesc: Netdesc, tmp_path: Path) -> None:
    numbers = tmp_path / "net.safetensors"
    save_file({"weight": np.zeros(3)}, numbers)
    before = numbers.read_bytes()
    outcome = netdesc("export", shipped("examples/digits.json"), "-o", tmp_path / "net.py")
    assert (outcome.code, str(numbers) in outcome.err) == (1, True)
    assert numbers.read_bytes() == before
    assert [each.name for each in tmp_path.iterdir()] == ["net.safetensors"]


@pytest.mark.parametrize(
    "odd", [dense("odd", 2, quantization=None), {"type": "time_decimation", "factor": 2}]
)
def test_what_no_module_has_is_named(netdesc: Netdesc, tmp_path: Path, odd: dict[str, Any]) -> None:
    content = document([4], [dense("a", 3), odd | {"name": "odd"}], data=None)
    (tmp_path / "d.json").write_text(json.dumps(content))
    outcome = netdesc("export", tmp_path / "d.json", "-o", tmp_path / "net.py")
    assert (outcome.code, '"odd"' in outcome.err) == (1, True)
    assert not (tmp_path / "net.py").exists()
