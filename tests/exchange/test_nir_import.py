"""NIR files of other programs become documents that compute the same."""

from pathlib import Path
from typing import Any

import nir
import numpy as np
import pytest
import torch

import netdesc
from netdesc.exchange import NetFileError
from netdesc.exchange.formats import read_network

DT = 1e-4
RNG = np.random.default_rng(0)


def full(value: float, *shape: int) -> np.ndarray:
    return np.full(shape, float(value))


def lif(*shape: int, decay: float = 0.25, threshold: float = 0.3, **more: Any) -> nir.LIF:
    values = {"r": 1.0, "v_leak": 0.0, "v_reset": 0.0, "v_threshold": threshold} | more
    return nir.LIF(full(DT / decay, *shape), **{k: full(v, *shape) for k, v in values.items()})


def linear(outputs: int, inputs: int) -> nir.Linear:
    return nir.Linear(RNG.normal(0, 1, (outputs, inputs)))


def graph(nodes: dict[str, Any], edges: str, inputs: tuple[int, ...] = (5,)) -> nir.NIRGraph:
    """A graph of edges such as "input a, a output". The output is not checked."""
    ends = {"input": nir.Input({"input": np.array(inputs)}), "output": nir.Output({"output": [1]})}
    pairs = [(source, target) for source, target in (pair.split() for pair in edges.split(", "))]
    return nir.NIRGraph(ends | nodes, pairs, type_check=False)


def write(path: Path, graph: nir.NIRGraph) -> Path:
    nir.write(path, graph)
    return path


def outputs(path: Path, input_TN: np.ndarray, **options: Any) -> np.ndarray:
    model = netdesc.compile(read_network(path, **options)).model
    input_TBN = torch.from_numpy(input_TN[:, None].astype(np.float32))
    return model(input_TBN).detach().numpy()[:, 0]


def test_a_chain_of_lif_gives_the_spikes_of_eulers_method(tmp_path: Path) -> None:
    nodes = {"a": linear(30, 40), "la": lif(30), "b": linear(10, 30), "lb": lif(10)}
    path = write(tmp_path / "a.nir", graph(nodes, "input a, a la, la b, b lb, lb output", (40,)))
    input_TN = RNG.random((200, 40)) < 0.1
    first, second = np.zeros(30), np.zeros(10)
    wanted = np.zeros((200, 10))
    for step, values in enumerate(input_TN):
        first += 0.25 * (-first + nodes["a"].weight @ values)
        spikes = first > 0.3
        first[spikes] = 0
        second += 0.25 * (-second + nodes["b"].weight @ spikes)
        wanted[step] = second > 0.3
        second[second > 0.3] = 0
    assert wanted.sum() > 100
    assert (outputs(path, input_TN) == wanted).all()


@pytest.mark.parametrize(
    ("decay", "message"), [(100.0, 'node "la"'), (1e-7, ""), (0.5, "")], ids=str
)
def test_time_constants_fit_the_step(tmp_path: Path, decay: float, message: str) -> None:
    nodes = {"a": linear(4, 5), "la": lif(4, decay=decay)}
    path = write(tmp_path / "a.nir", graph(nodes, "input a, a la, la output"))
    if message:
        with pytest.raises(NetFileError, match=message):
            read_network(path)
        read_network(path, dt=DT / 1000)
    else:
        assert bool(read_network(path).warnings) == (decay < 1e-6)
