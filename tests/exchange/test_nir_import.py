"""NIR files become documents that compute the same; files that cannot get one message."""

import contextlib
import random
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.mutations import damage_bytes

import netdesc
from netdesc.exchange import NetFileError
from netdesc.exchange.formats import FORMATS, read_network
from netdesc.exchange.nir.euler import run_euler
from netdesc.exchange.nir.nir_reader import read_graph
from netdesc.graph import Graph

DT = 1e-4
RNG = np.random.default_rng(0)


def full(value: float, *shape: int) -> np.ndarray:
    return np.full(shape, float(value))


def lif(*shape: int, decay: float = 0.25, threshold: float = 0.3, **more: Any) -> nir.LIF:
    values = {"r": 1.0, "v_leak": 0.0, "v_reset": 0.0, "v_threshold": threshold} | more
    return nir.LIF(full(DT / decay, *shape), **{k: full(v, *shape) for k, v in values.items()})


def linear(outputs: int, inputs: int) -> nir.Linear:
    return nir.Linear(RNG.normal(0, 1, (outputs, inputs)))


def graph(edges: str, inputs: tuple[int, ...] = (5,), **nodes: Any) -> nir.NIRGraph:
    """A graph of edges such as "input a, a output". The output is not checked."""
    ends = {"input": nir.Input({"input": np.array(inputs)}), "output": nir.Output({"output": [1]})}
    pairs = [(source, target) for source, target in (pair.split() for pair in edges.split(", "))]
    return nir.NIRGraph(ends | nodes, pairs, type_check=False)


def write(path: Path, graph: nir.NIRGraph) -> Path:
    nir.write(path, graph)
    return path


def outputs(path: Path, input_TN: np.ndarray, **options: Any) -> np.ndarray:
    """What the imported network gives, [steps, neurons]."""
    model = netdesc.compile(read_network(path, **options)).model
    output_TBN = model(torch.from_numpy(input_TN[:, None].astype(np.float32))).detach()
    return output_TBN.flatten(1).numpy()


def conv(**more: Any) -> nir.Conv2d:
    fields: dict[str, Any] = {"stride": 1, "padding": 1, "dilation": 1, "groups": 1} | more
    return nir.Conv2d((6, 6), RNG.normal(0, 1, (3, 2, 3, 3)), bias=full(0.1, 3), **fields)


LOOP = "input a, a la, la r, r la, la output"
NETWORKS = {
    "two layers": graph("input a, a l, l b, b m, m output", a=linear(90, 5), l=lif(90),
                        b=linear(40, 90), m=lif(40, decay=1, threshold=0.2)),
    "no leak": graph("input a, a l, l output", a=linear(4, 5),
                     l=nir.IF(full(1 / DT, 4), full(1.5, 4), full(0, 4))),
    "levels": graph("input a, a l, l output", a=linear(4, 5),
                    l=lif(4, v_leak=-0.25)),
    "bias": graph("input a, a l, l output", l=lif(4),
                  a=nir.Affine(RNG.normal(0, 1, (4, 5)), RNG.normal(0, 0.2, 4))),
    "convolution": graph("input c, c l, l f, f a, a m, m output", (2, 6, 6), c=conv(),
                         l=lif(3, 6, 6), a=linear(4, 108), m=lif(4),
                         f=nir.Flatten({"input": np.array([3, 6, 6])}, 0, -1)),
    "loop": graph(LOOP, a=linear(4, 5), la=lif(4), r=linear(4, 4)),
    "sum of two": graph("input a, input b, a l, b m, l c, m c, c n, n output", a=linear(4, 5),
                        b=linear(4, 5), l=lif(4), m=lif(4), c=linear(3, 4), n=lif(3)),
    "scales": graph("input s, s a, a t, t l, l output", s=nir.Scale(RNG.uniform(1, 2, 5)),
                    a=linear(4, 5), t=nir.Scale(RNG.uniform(1, 2, 4)), l=lif(4)),
    "delays": graph("input d, d a, a l, l e, e b, b m, m output", d=nir.Delay(full(3 * DT, 5)),
                    a=linear(4, 5), l=lif(4), e=nir.Delay(DT * np.arange(4)), b=linear(3, 4),
                    m=lif(3)),
    "threshold behind a readout": graph(
        "input a, a l, l t, t output", a=linear(4, 5), t=nir.Threshold(full(0.3, 4)),
        l=nir.LI(full(4 * DT, 4), full(1, 4), full(0, 4))),
}  # fmt: skip


@pytest.mark.parametrize("name", NETWORKS)
def test_spikes_are_those_of_eulers_method(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "a.nir", NETWORKS[name])
    record = read_graph(path)
    (shape,) = (n.fields["shape"] for n in record.nodes.values() if n.type == "Input")
    input_TN = RNG.random((300, *np.ravel(shape))) < 0.3
    wanted_TN = run_euler(record, input_TN, DT, ">")
    assert 10 < np.count_nonzero(wanted_TN) < wanted_TN.size
    assert (outputs(path, input_TN, bits="float") == wanted_TN).all()


@pytest.mark.parametrize("reset", ["subtract", "subtract_delayed"])
@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_resets_by_subtraction(tmp_path: Path, reset: str, decay: float) -> None:
    weight, (d, e) = RNG.normal(0, 1, (4, 5)), (decay, 0.25)
    neurons = nir.CubaLIF(*(full(x, 4) for x in (DT / d, DT / e, 1 / e, 0, 1, 0, 1 / d)))
    network = graph("input a, a l, l output", a=nir.Linear(weight), l=neurons)
    path = write(tmp_path / "a.nir", network)
    input_TN, u, v, fired = RNG.random((80, 5)) < 0.5, np.zeros(4), np.zeros(4), np.zeros(4)
    wanted = []
    for values in input_TN:
        u = (1 - d) * u + weight @ values
        v = (1 - e) * v + u - (fired if reset == "subtract_delayed" else 0)
        fired = v > 1
        v = v - fired if reset == "subtract" else v
        wanted.append(fired)
    assert (outputs(path, input_TN, reset=reset) == np.array(wanted)).all()


def test_eight_bits_fill_the_grid(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", NETWORKS["two layers"])
    imported = read_network(path, bits=8)
    largest = [np.abs(w).max() for key, w in imported.weights.items() if "synapse" in key]
    assert all(3.8 < each <= 3.97 for each in largest)
    netdesc.run_integer(netdesc.compile(imported).model, np.ones((9, 5), np.float32))


def test_weights_of_a_file_begin_another_document(tmp_path: Path) -> None:
    path = write(tmp_path / "a.nir", NETWORKS["two layers"])
    imported = read_network(path, bits="float")
    graph: Graph = netdesc.compile(imported).graph
    read = FORMATS[".nir"].read_weights
    assert read is not None
    state = read(path, graph, pytest.fail)
    assert all((value == imported.weights[key]).all() for key, value in state.items())
    with pytest.raises(NetFileError):
        read(write(tmp_path / "b.nir", NETWORKS["bias"]), graph, pytest.fail)


WRONG: dict[str, tuple[str, nir.NIRGraph]] = {
    "a time constant below dt": ('"l"', graph("input a, a l, l output", a=linear(4, 5),
                                              l=lif(4, decay=100))),
    "weights of other inputs": ('"a"', graph("input a, a output", a=linear(4, 6))),
    "neurons of another number": ('"l"', graph("input a, a l, l output", a=linear(4, 5), l=lif(3))),
    "a cycle of two layers": ("cycle", graph("input a, a l, l b, b m, m r, r l, m output", m=lif(4),
                                             a=linear(4, 5), l=lif(4), b=linear(4, 4),
                                             r=linear(4, 4))),
    "no path": ('"b"', graph("input a, a output, b output", a=linear(4, 5), b=linear(4, 5))),
    "nothing": ("layer", graph("input output")),
    "part of a step": ('"d"', graph("input d, d a, a output", a=linear(4, 5),
                                    d=nir.Delay(full(1.5 * DT, 5)))),
    "a bias into a current": ('"a"', graph(
        "input a, a l, l output", a=nir.Affine(np.ones((4, 5)), np.ones(4)),
        l=nir.CubaLIF(*(full(DT * 2, 4), full(DT * 2, 4), full(1, 4), full(0, 4), full(1, 4))))),
    "an unknown node": ('Conv1d', graph("input c, c output", (2, 9), c=nir.Conv1d(
        9, np.ones((3, 2, 3)), 1, 0, 1, 1, np.ones(3)))),
    "different values in a channel": ('"l"', graph(
        "input c, c l, l output", (2, 6, 6), c=conv(),
        l=nir.LIF(*(RNG.uniform(1, 2, (3, 6, 6)) for _ in range(4))))),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_what_no_document_can_say_is_refused(tmp_path: Path, name: str) -> None:
    place, wrong = WRONG[name]
    with pytest.raises(NetFileError, match=place):
        read_network(write(tmp_path / "a.nir", wrong))


def bomb(root: h5py.File) -> None:
    del root["node/nodes/a/weight"]
    storage = {"chunks": (9, 5), "compression": "gzip"}
    weight = root["node/nodes/a"].create_dataset("weight", (9, 5), "f4", **storage)
    weight.id.write_direct_chunk((0, 0), zlib.compress(bytes(30_000_000)))


def large(root: h5py.File) -> None:
    del root["node/nodes/a/weight"]
    root["node/nodes/a"].create_dataset("weight", (1 << 16, 1 << 14), "f4", compression="gzip")


def link(root: h5py.File) -> None:
    root["node/nodes/x"] = h5py.ExternalLink("other.nir", "/node")


def no_number(root: h5py.File) -> None:
    root["node/nodes/l/tau"][0] = np.nan


def references(root: h5py.File) -> None:
    del root["node/nodes/l/r"]
    root["node/nodes/l/r"] = root.ref


@pytest.mark.parametrize("damage", [bomb, large, link, no_number, references])
def test_hostile_files_are_refused(tmp_path: Path, damage: Callable[[h5py.File], None]) -> None:
    path = write(tmp_path / "a.nir", NETWORKS["two layers"])
    with h5py.File(path, "r+") as root:
        damage(root)
    with pytest.raises(NetFileError):
        read_network(path)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), is_cut=st.booleans())
def test_damaged_bytes_give_one_error_or_a_network(
    tmp_path_factory: pytest.TempPathFactory, seed: int, is_cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    content = write(folder / "a.nir", NETWORKS["loop"]).read_bytes()
    chance = random.Random(seed)
    damaged = content[: chance.randrange(len(content))] if is_cut else damage_bytes(chance, content)
    (folder / "b.nir").write_bytes(damaged)
    with contextlib.suppress(NetFileError):
        read_network(folder / "b.nir")
