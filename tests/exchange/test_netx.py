"""What netx makes of layers, as ``tests/peers/netx_files.py`` saw it."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.exchange_samples import COMPLEX, FILES, WEIGHT, WITHOUT_NEURON, write_file

from netdesc.exchange import (
    DenseLayer,
    FlattenLayer,
    InputLayer,
    KernelLayer,
    NetFile,
    RecurrentLayer,
)
from netdesc.exchange.net_neurons import NetNeuron
from netdesc.exchange.net_reader import read_net
from netdesc.exchange.net_record import AverageLayer
from netdesc.exchange.net_synapses import InputNeurons
from netdesc.exchange.netx import netx_problems

RANDOM = np.random.default_rng(0)
CUBA = {"iDecay": 1024, "vDecay": 128, "vThMant": 80}
ADAPTIVE = {"thDecay": 409, "refDecay": 1638, "vThStep": 12, "vThMant": 80}
ALIF = CUBA | ADAPTIVE
RF = {"sinDecay": 2048, "cosDecay": 0, "vThMant": 80}
CUT = {"sinDecay": 2287, "cosDecay": 3148, "vThMant": 80}
BIAS = DELAY = np.arange(4, dtype=np.int32)


def neuron(kind: str = "CUBA", numbers: Any = CUBA, **more: Any) -> NetNeuron:
    return NetNeuron(kind, {name: np.int32(value) for name, value in numbers.items()}, **more)


def weights(*shape: int) -> np.ndarray:
    return 2 * RANDOM.integers(-20, 30, shape).astype(np.int32)


def dense(of: NetNeuron | None = None, **more: Any) -> DenseLayer:
    of = of or neuron()
    return DenseLayer(tuple(weights(4, 4) for _ in range(1 + of.form.is_complex)), of, **more)


def recurrent(own: int = 1, **more: Any) -> RecurrentLayer:
    return RecurrentLayer((weights(4, 4), own * weights(4, 4)), neuron(), **more)


def conv(kind: str = "conv", weight: int = 1, **more: Any) -> KernelLayer:
    shape = (1, 1, 1, 1) if kind == "pool" else (4, 1, 1, 1)
    return KernelLayer(
        (weight * np.full(shape, 2),), neuron(), kind=kind, input_shape=(1, 2, 2),
        output_shape=(1 if kind == "pool" else 4, 2, 2), **more,
    )  # fmt: skip


def inputs(**changes: int) -> InputNeurons:
    number = np.array([64], np.int32)
    return InputNeurons((number, number), neuron(numbers=CUBA | changes), input_shape=(4,))


IMAGE = InputLayer((1, 2, 2))
NEGATIVE = np.full((4, 4), -2, np.int32)


@pytest.mark.parametrize(
    ("layers", "found"),
    [
        ([dense(), dense(delay=DELAY), recurrent()], []),
        ([IMAGE, conv(weight=0)], []),
        ([recurrent(own=0)], []),
        ([conv()], [(0, "needs input_shape", "input layer")]),
        ([IMAGE, conv(), FlattenLayer(16)], []),
        ([FlattenLayer(4), dense(), FlattenLayer(4)], [(2, "fails", "flattens")]),
        ([IMAGE, conv("pool")], [(1, "fails", "pool")]),
        ([dense(), AverageLayer(4, 2)], [(1, "fails", "average")]),
        ([inputs(iDecay=4096), dense()], [(0, "differs", "bias_mant")]),
        ([inputs(), dense()], [(0, "differs", "bias_mant"), (0, "differs", "current")]),
        ([dense(), DenseLayer((0 * NEGATIVE,), neuron())], [(1, "fails", "are 0")]),
        ([DenseLayer((NEGATIVE,), neuron())], [(0, "differs", "power of two")]),
        (
            [RecurrentLayer((NEGATIVE, 0 * NEGATIVE), neuron()), dense()],
            [(0, "differs", "power of two")],
        ),
        ([dense(bias=BIAS), dense()], [(0, "differs", "bias")]),
        ([dense(bias=BIAS, delay=DELAY)], [(0, "differs", "not their"), (0, "differs", "bias")]),
        ([recurrent(delay=DELAY)], [(0, "fails", "delays")]),
        ([IMAGE, conv(delay=DELAY)], [(1, "differs", "ignores")]),
        ([dense(neuron("RF_PHASE", RF), delay=DELAY)], [(0, "differs", "ignores")]),
        ([dense(neuron("RF_PHASE", CUT))], [(0, "differs", "1/4096")]),
        ([dense(neuron("ADRF_PHASE", RF | ADAPTIVE))], [(0, "differs", "as RF_PHASE")]),
        ([dense(neuron("ALIF", ALIF))], [(0, "fails", "ALIF")]),
        ([dense(neuron("SDNN", {"vThMant": 6}, activation="relu"))], []),
        (
            [dense(neuron("SDNN", {"vThMant": 6}, activation="identity"))],
            [(0, "differs", "computes relu")],
        ),
        (
            [dense(neuron("SDNN", {"vThMant": 0}, activation="identity", is_sum=True), bias=BIAS)],
            [(0, "fails", "bias")],
        ),
        (
            [dense(neuron("SDNN", {"vThMant": 6}, activation="relu")), FlattenLayer(4), dense()],
            [(1, "fails", "flatten"), (2, "differs", "units of 1/4096")],
        ),
    ],
)  # fmt: skip
def test_what_netx_makes_of_layers(layers: list[Any], found: list[tuple[int, str, str]]) -> None:
    problems = netx_problems(NetFile(tuple(layers)))
    assert [(each.layer, each.effect) for each in problems] == [each[:2] for each in found]
    for problem, (*_, words) in zip(problems, found, strict=True):
        assert words in problem.text


KERNEL = np.full((2, 1, 2, 2), 2.0)
CONV = {"type": "conv", "shape": [2, 2, 2], "weight": KERNEL, "inFeatures": None}
CONV |= {"outFeatures": None, "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1}
DEEP = WEIGHT[..., None]
RESONATORS = {"neuron/type": "RF_PHASE"} | FILES["RF_PHASE"]
OWN = {"type": "dense_rec", "weight_rec": np.full((2, 2), 2.0)}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"weight": WEIGHT.ravel(), "delay": 3}, []),
        (WITHOUT_NEURON, ["differs"]),
        ({"weight": DEEP}, ["fails"]),
        ({"delay": [3]}, ["fails"]),
        ({"delay": [[3], [1]]}, ["fails"]),
        ({"delay": [3, 1]}, []),
        (RESONATORS, []),
        (RESONATORS | dict.fromkeys(COMPLEX, DEEP) | {"weight": None}, ["fails"]),
        (OWN | {"weight": WEIGHT.ravel()}, []),
        (OWN | {"weight_rec": np.full(4, 2.0)}, ["fails"]),
        (CONV | {"weight": KERNEL[..., None], "stride": 1}, []),
        (CONV | WITHOUT_NEURON | {"groups": None}, ["fails"]),
        (CONV | {"weight": KERNEL[:, 0], "stride": [1]}, ["fails", "fails"]),
    ],
)
def test_what_netx_makes_of_the_form_of_a_file(
    changes: dict[str, Any], found: list[str], tmp_path: Path
) -> None:
    """As lava-dl 0.6.0 does: it raises an exception where "fails" stands."""
    net, _, (notes,) = read_net(write_file(tmp_path / "a.net", **changes))
    stored = netx_problems(net, [notes.netx])[len(netx_problems(net)) :]
    assert [each.effect for each in stored] == found
