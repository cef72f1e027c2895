"""Trains networks of the suite's tasks with snnTorch and its defaults, to compare their scores.

Run it by hand in two environments. First, in netdesc's, write the samples as inputs that arrive in
each step; then, in one with torch and snntorch, train on them::

    python tests/peers/snntorch_tasks.py samples FOLDER
    python tests/peers/snntorch_tasks.py train FOLDER

The networks have the layers, the decays and the thresholds of the documents, the default surrogate
gradient of snnTorch, the initial weights of ``torch.nn.Linear``, and Adam with a learning rate of
0.001. Epochs and batches are those of the documents. The best epoch on the validation samples is
scored on the test samples, as netdesc does. Tasks whose neurons snnTorch lacks are left out.
"""

import json
import sys
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

SEEDS = (0, 1, 2)
PARTS = ("train", "validation", "test")
NAMES = ("spike_rates", "digits_by_rate", "digits_by_latency", "digits_by_current", "yin_yang")
NAMES += ("random_manifolds", "evidence")


def write_samples(folder: Path) -> None:
    """Writes what arrives at the network: a file of inputs [samples, steps, …] for each task."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    import torch
    from support.tasks.suite import TASKS

    import netdesc
    from netdesc.data.batches import Batches
    from netdesc.data.memory_data import MemoryData
    from netdesc.data.samples import SampleSpec
    from netdesc.graph import build_graph

    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        document = netdesc.load(dict(TASKS[name].document)).document
        spec = SampleSpec.of(build_graph(document))
        arrays = {}
        for part, samples in MemoryData.of(TASKS[name].make()).samples(spec, print).items():
            batches = Batches(samples, None, torch.device("cpu"), 0)
            batch = next(batches.in_order())
            arrays[f"{part}_inputs"] = batch.input_TBN.numpy().swapaxes(0, 1)
            arrays[f"{part}_labels"] = batch.target.numpy()
        text = document.model_dump_json(by_alias=True)
        np.savez_compressed(folder / f"{name}.npz", document=text, **arrays)


def train_all(folder: Path) -> None:
    """Prints the median score of each task on the test samples."""
    for name in NAMES:
        with np.load(folder / f"{name}.npz") as file:
            arrays = {key: file[key] for key in file.files}
        document = json.loads(str(arrays.pop("document")))
        scores = [_train(document, arrays, seed) for seed in SEEDS]
        print(name, round(median(scores), 4), [round(each, 4) for each in scores], flush=True)


def _train(document: dict[str, Any], arrays: dict[str, np.ndarray], seed: int) -> float:
    import torch
    from torch.nn.functional import cross_entropy, mse_loss

    torch.manual_seed(seed)
    data = {name: torch.from_numpy(array) for name, array in arrays.items()}
    network = _network(document)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001)
    loss, size = document["loss"], document["training"]["batch_size"] or 32
    best = 0.0, 0.0
    for _ in range(document["training"]["epochs"]):
        for rows in torch.randperm(len(data["train_labels"])).split(size):
            values = _values(network(data["train_inputs"][rows]), loss)
            labels = data["train_labels"][rows].long()
            if loss["type"] == "spike_rate":
                shares = torch.full_like(values, loss["false_rate"])
                shares.scatter_(1, labels[:, None], loss["true_rate"])
                cost = mse_loss(values, shares, reduction="sum")
            else:  # of spikes, snnTorch's ce_rate_loss
                cost = cross_entropy(values, labels)
            optimizer.zero_grad()
            cost.backward()
            optimizer.step()
        with torch.no_grad():
            scores = []
            for part in PARTS[1:]:
                found = _values(network(data[f"{part}_inputs"]), loss).argmax(-1)
                scores.append((found == data[f"{part}_labels"]).double().mean().item())
        best = max(best, tuple(scores), key=lambda each: each[0])
    return best[1]


def _values(output: Any, loss: dict[str, Any]) -> Any:
    """Returns what the loss compares, [samples, classes], of an output [steps, samples, …]."""
    over = loss["over"]
    if over == "max":
        return output.amax(0)
    return output[-1] if over == "last" else output.mean(0)


def _network(document: dict[str, Any]) -> Any:
    import snntorch
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear, self.neurons = torch.nn.ModuleList(), torch.nn.ModuleList()
            width = document["input"]["shape"][0]
            for layer in document["layers"]:
                neuron = document["neurons"][layer["neuron"]]
                self.linear.append(torch.nn.Linear(width, layer["units"]))
                width = layer["units"]
                self.neurons.append(_neuron(neuron, layer))

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            states, out = [_state(neuron) for neuron in self.neurons], []
            for signal in inputs.unbind(1):
                for index, (linear, neuron) in enumerate(
                    zip(self.linear, self.neurons, strict=True)
                ):
                    found = neuron(linear(signal), *states[index])
                    signal, states[index] = found[0], found[-len(states[index]) :]
                is_readout = isinstance(neuron, snntorch.Leaky) and neuron.reset_mechanism == "none"
                out.append(states[-1][-1] if is_readout else signal)
            return torch.stack(out)

    def _state(neuron: torch.nn.Module) -> tuple[torch.Tensor, ...]:
        state = neuron.reset_mem()
        return state if isinstance(state, tuple) else (state,)

    def _neuron(neuron: dict[str, Any], layer: dict[str, Any]) -> torch.nn.Module:
        beta = 1 - neuron["voltage_decay"]
        if neuron["type"] == "integrator":
            return snntorch.Leaky(beta=beta, reset_mechanism="none")
        options = {"beta": beta, "threshold": neuron["threshold"]}
        if neuron["type"] == "cuba":
            return snntorch.Synaptic(alpha=1 - neuron["current_decay"], **options)
        options["reset_mechanism"] = "zero" if neuron["reset"] == "zero" else "subtract"
        if layer["type"] == "recurrent":
            return snntorch.RLeaky(linear_features=layer["units"], **options)
        return snntorch.Leaky(**options)

    return Network()


if __name__ == "__main__":
    {"samples": write_samples, "train": train_all}[sys.argv[1]](Path(sys.argv[2]))
