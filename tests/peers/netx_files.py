"""Compares what netx and slayer.auto make of our ``.net`` files with our integer run.

Run it by hand, in two steps, because netdesc and lava-dl need different environments::

    python tests/peers/netx_files.py write FOLDER      # with netdesc
    python tests/peers/netx_files.py compare FOLDER    # with lava-dl 0.6.0, Python 3.10

netx computes each layer one step later than the layer before. Behind spikes our networks have the
axonal step for that; what sigma-delta layers hand on has none, and netx is one step later for each
of them. The comparison looks for the one shift at which all outputs are equal, and prints it.

netx turns sine and cosine into period and decay and back, and cuts them. Half of the resonators
have numbers that survive this, and must be equal; the others (``cut``) show how many spikes change.
Networks have no biases, because netx applies a bias before the input arrives.

Equal are all outputs but those of ``sdnn_sum``: our integrator cuts what arrives in a step to
1/4096, netx sums in 2^-18. ``cuba_readout`` compares voltages.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

STEPS, INPUTS, SIZES = 120, 12, (10, 7)
MAX_SHIFT = 4


def write(folder: Path) -> None:
    """Writes the files, their inputs [steps, neurons] and what our integer run gives."""
    import netdesc
    from netdesc.exchange import NetFile, write_net

    for name, layers in _networks().items():
        random = np.random.default_rng(5)
        input_TN = (random.random((STEPS, INPUTS)) < 0.3).astype(np.float64)
        if name.startswith("sdnn"):
            input_TN = random.integers(-900, 1000, (STEPS, INPUTS)) / 4096
        write_net(folder / f"{name}.net", NetFile(tuple(layers)))
        output_TN = netdesc.run_integer(folder / f"{name}.net", input_TN)
        np.savez(folder / f"{name}.npz", input_TN=input_TN, output_TN=output_TN)
        print(f"{name}: {np.count_nonzero(output_TN)} outputs that are not 0")


def _networks() -> dict[str, list]:
    from netdesc.exchange import DenseLayer
    from netdesc.exchange.net_neurons import NUMBERS, NetNeuron

    def network(kind: str, numbers: dict, sums: bool = False) -> list:
        random = np.random.default_rng(1)
        layers, inputs = [], INPUTS
        for outputs in SIZES:
            is_sum = sums and outputs == SIZES[-1]
            values = {dataset: np.asarray(value, np.int32) for dataset, value in numbers.items()}
            assert values.keys() <= NUMBERS.keys()
            values = {
                dataset: value[:outputs] if value.ndim else value
                for dataset, value in values.items()
            }
            neuron = NetNeuron(kind, values, "relu" if kind == "SDNN" else "", is_sum)
            weights = [
                2 * random.integers(-20, 30, (outputs, inputs))
                for _ in range(1 + neuron.form.is_complex)
            ]
            layers.append(DenseLayer(tuple(weights), neuron))
            inputs = outputs
        return layers

    own = np.random.default_rng(2)
    cuba = {"iDecay": 1024, "vDecay": 128, "vThMant": 80}
    kept, cut = ({"sinDecay": s, "cosDecay": c, "vThMant": 10} for s, c in _resonators())
    return {
        "cuba": network("CUBA", cuba),
        "cuba_own": network("CUBA", cuba | {"iDecay": own.integers(1, 4097, SIZES[0])}),
        "cuba_readout": network("CUBA", cuba)[:1] + network("CUBA", cuba | {"vThMant": 262143})[1:],
        "lif": network("CUBA", cuba | {"iDecay": 4096}),
        "rf": network("RF_PHASE", kept),
        "rf_cut": network("RF_PHASE", cut),
        "rf_iz": network("RF_IZHIKEVICH", kept),
        "rf_iz_cut": network("RF_IZHIKEVICH", cut),
        "sdnn": network("SDNN", {"vThMant": 6}),
        "sdnn_sum": network("SDNN", {"vThMant": 6}, sums=True),
        "sdnn_all": network("SDNN", {"vThMant": 0}),
    }


def _resonators() -> list[tuple[int, int]]:
    """Returns a sine and cosine that netx loads unchanged, and some that it loads too small."""
    found: dict[bool, tuple[int, int]] = {}
    for sine in range(1800, 2300):
        for cosine in range(3000, 3200):
            real = np.array([sine, cosine]) / 4096
            decay = 1 - np.sqrt(real[0] ** 2 + real[1] ** 2)
            angle = np.pi * 2 * 1 / (1 / (np.arctan2(*real) / 2 / np.pi))
            wave = (1 - decay) * np.array([np.sin(angle), np.cos(angle)])
            survives = bool((np.int32(wave * 4096) == (sine, cosine)).all())
            found.setdefault(survives, (sine, cosine))
    return [found[True], found[False]]


def compare(folder: Path) -> None:
    """Runs the files in netx, and those that slayer.auto reads there, too."""
    for path in sorted(folder.glob("*.net")):
        arrays = np.load(path.with_suffix(".npz"))
        input_TN, output_TN = arrays["input_TN"], arrays["output_TN"].astype(np.float64)
        found_TN = _run_netx(path, input_TN)
        _report(f"{path.stem} in netx", output_TN, found_TN)
        if path.stem in ("cuba", "lif"):
            _report(f"{path.stem} in slayer.auto", output_TN, _run_auto(path, input_TN))


def _run_netx(path: Path, input_TN: np.ndarray) -> np.ndarray:
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    is_graded = path.stem.startswith("sdnn")
    steps = STEPS + MAX_SHIFT
    padded_TN = np.vstack([input_TN * (4096 if is_graded else 1), np.zeros((MAX_SHIFT, INPUTS))])
    net = netx.hdf5.Network(str(path), input_message_bits=16 if is_graded else 0)
    source = Source(data=padded_TN.T.astype(np.int32))
    sink = Sink(shape=net.out.shape, buffer=steps)
    source.s_out.connect(net.inp)
    net.out.connect(sink.a_in)
    voltages = None
    if path.stem == "cuba_readout":
        from lava.proc.monitor.process import Monitor

        voltages = Monitor()
        voltages.probe(net.out_layer.neuron.v, steps)
    net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    output_TN = sink.data.get().T.astype(np.float64)
    if voltages is not None:
        output_TN = voltages.get_data()[net.out_layer.neuron.name]["v"] / 4096
    net.stop()
    unit = {"sdnn_sum": 2**18, "sdnn": 2**12, "sdnn_all": 2**12}.get(path.stem, 1)
    return output_TN / unit


def _run_auto(path: Path, input_TN: np.ndarray) -> np.ndarray:
    import torch
    from lava.lib.dl.slayer import auto

    with torch.no_grad():
        spikes = auto.SequentialNetwork(str(path))(torch.tensor(input_TN.T[None]).float())
    return (spikes[0] if isinstance(spikes, tuple) else spikes)[0].numpy().T


def _report(name: str, expected_TN: np.ndarray, found_TN: np.ndarray) -> None:
    """Prints the shift at which most is equal. What netx computes before it must be 0."""
    differences = {}
    for steps in range(min(MAX_SHIFT, len(found_TN) - STEPS) + 1 or 1):
        shifted_TN = found_TN[steps : steps + STEPS]
        differences[steps] = np.abs(shifted_TN - expected_TN[: len(shifted_TN)])
    counts = {steps: np.count_nonzero(each) for steps, each in differences.items()}
    shift = min(differences, key=lambda steps: (counts[steps], differences[steps].max()))
    unequal = counts[shift]
    total = np.count_nonzero(expected_TN)
    largest = differences[shift].max()
    print(f"{name}: {unequal} of {total} outputs differ, by {largest:g}; shift {shift}")


if __name__ == "__main__":
    {"write": write, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
