"""Compares what netx and slayer.auto make of our ``.net`` files with our integer run.

Run it by hand, in two steps, because netdesc and lava-dl need different environments::

    python tests/peers/netx_files.py write FOLDER      # with netdesc
    python tests/peers/netx_files.py compare FOLDER    # with lava-dl 0.6.0, Python 3.10

netx computes each layer one step later than the layer before. Behind spikes our networks have the
axonal step for that; what sigma-delta layers hand on has none, and netx is one step later for each
of them. The comparison looks for the one shift at which all outputs are equal, and prints it.

netx turns sine and cosine into period and decay and back, and cuts them. Half of the resonators
have numbers that survive this, and must be equal; the others (``cut``) show how many spikes change.

All outputs are equal. ``cuba_readout`` compares voltages, and ``sdnn_sum`` the sums of netx, in
units of 2^-18, after they are cut to 1/4096 as our outputs are. Files whose name begins with
``warned`` are those that ``export_net`` warns of: they differ, or netx raises what is printed. So
that a bias acts as early as on netx, the integer run of ``bias`` has the timing of Lava.
"""

import sys
import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np

STEPS, INPUTS, SIZES = 120, 12, (10, 7)
IMAGE = (2, 6, 5)
MAX_SHIFT = 8
AUTO = ("cuba", "lif", "delay", "delay_one", "delay_square", "warned_average")
"""Networks that slayer.auto runs: dense layers of CUBA neurons, averages. It has no convolutions,
ignores biases, and delays the spikes of input neurons by one step."""


def write(folder: Path) -> None:
    """Writes the files, their inputs [steps, *input shape] and what our integer run gives."""
    import netdesc
    from netdesc.exchange import NetFile, write_net

    folder.mkdir(parents=True, exist_ok=True)
    for name, layers in {**_networks(), **_kernel_networks(), **_warned_networks()}.items():
        random = np.random.default_rng(5)
        net = NetFile(tuple(layers))
        shape = (STEPS, *net.input_shape)
        input_TN = (random.random(shape) < 0.3).astype(np.float64)
        if name.startswith("sdnn"):
            input_TN = random.integers(-900, 1000, shape) / 4096
        if "input" in name:  # an image
            input_TN[:] = random.integers(0, 3, shape[1:])
        write_net(folder / f"{name}.net", net)
        timing = "lava" if "bias" in name else "training"
        output_TN = netdesc.run_integer(folder / f"{name}.net", input_TN, timing=timing)
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


CUBA = {"iDecay": 1024, "vDecay": 128, "vThMant": 80}


def _neuron(**changes: object):
    from netdesc.exchange.net_neurons import NetNeuron

    return NetNeuron("CUBA", {k: np.asarray(v, np.int32) for k, v in (CUBA | changes).items()})


def _weights(*shape: int, seed: int = 3) -> np.ndarray:
    return 2 * np.random.default_rng(seed).integers(-20, 30, shape)


def _kernel_networks() -> dict[str, list]:
    """Networks of convolutions, recurrence, delays, biases and input neurons."""
    from netdesc.exchange import DenseLayer, FlattenLayer, InputLayer, KernelLayer, RecurrentLayer
    from netdesc.exchange.net_synapses import InputNeurons

    own = np.random.default_rng(2)

    def conv(channels: int, groups: int = 1, neuron=None, bias=None, delay=None, **form):
        kernel = form.pop("kernel", (3, 2))
        sizes = [
            (size + 2 * pad - dilation * (width - 1) - 1) // stride + 1
            for size, pad, dilation, width, stride in zip(
                IMAGE[1:], form.get("padding", (0, 0)), form.get("dilation", (1, 1)), kernel,
                form.get("stride", (1, 1)), strict=True,
            )
        ]  # fmt: skip
        return KernelLayer(
            (_weights(channels, IMAGE[0] // groups, *kernel),), neuron or _neuron(), bias, delay,
            kind="conv", input_shape=IMAGE, output_shape=(channels, *sizes), groups=groups, **form,
        )  # fmt: skip

    def after(layer, *more) -> list:
        count = layer.outputs
        last = DenseLayer((_weights(7, count),), _neuron(vThMant=400), *more)
        return [layer, FlattenLayer(count), last]

    image = [InputLayer(IMAGE)]
    form = {"stride": (2, 1), "padding": (1, 0), "dilation": (1, 2)}
    first, last = _weights(10, INPUTS), _weights(7, 10, seed=4)

    def dense(weights, delay=None, bias=None, **neuron) -> DenseLayer:
        return DenseLayer((weights,), _neuron(**neuron), bias, delay)

    biases = [own.integers(-20, 20, count).astype(np.int32) for count in (10, 7, 4)]
    delays = [own.integers(0, 63, count).astype(np.int32) for count in (10, 7)]
    inputs = InputNeurons(
        (np.array([36]), np.array([34])), _neuron(iDecay=4096, vThMant=300), input_shape=IMAGE
    )
    return {
        "conv": [*image, *after(conv(4, **form))],
        "conv_groups": [*image, *after(conv(4, groups=2))],
        "conv_own": [*image, *after(conv(4, neuron=_neuron(iDecay=[9, 4096, 500, 1024])))],
        "conv_bias": [*image, *after(conv(4, bias=biases[2], **form), biases[1])],
        "rec": [RecurrentLayer((first, _weights(10, 10)), _neuron()), dense(last)],
        "rec_zero": [RecurrentLayer((first, 0 * _weights(10, 10)), _neuron()), dense(last)],
        "rec_bias": [RecurrentLayer((first, _weights(10, 10)), _neuron(), biases[0]), dense(last)],
        "bias": [dense(first, bias=biases[0]), dense(last, bias=biases[1])],
        "delay": [dense(first, delays[0]), dense(last, delays[1])],
        "delay_one": [dense(first, delays[0] % 2), dense(last)],
        "delay_square": [
            dense(_weights(INPUTS, INPUTS)),
            dense(_weights(INPUTS, INPUTS), np.arange(INPUTS)),
        ],
        "input": [inputs, *after(conv(4, **form))],
        "input_dense": [inputs, FlattenLayer(60), dense(_weights(7, 60), vThMant=400)],
    }


def _warned_networks() -> dict[str, list]:
    from netdesc.exchange import DenseLayer, FlattenLayer, RecurrentLayer
    from netdesc.exchange.net_record import AverageLayer

    kinds = _kernel_networks()
    first, last = _weights(10, INPUTS), _weights(7, 10, seed=4)
    negative = -2 * np.random.default_rng(0).integers(0, 33, (10, INPUTS))
    negative[0, 0] = -64

    def dense(weights, **more) -> DenseLayer:
        return DenseLayer((weights,), _neuron(), **more)

    image, conv, flatten, final = kinds["conv"]
    late = replace(conv, delay=np.array([0, 3, 7, 1], np.int32))
    own = (first, _weights(10, 10))
    inputs, *rest = kinds["input"]
    return {
        "warned_input": [replace(inputs, neuron=_neuron(vThMant=300)), *rest],
        "warned_zero": [dense(0 * first), dense(last)],
        "warned_negative": [
            RecurrentLayer((negative, -2 * np.eye(10, dtype=int)), _neuron(), np.full(10, 200)),
            dense(last),
        ],
        "warned_delayed_bias": [
            dense(first, bias=np.full(10, 5), delay=np.arange(10)),
            dense(last),
        ],
        "warned_delayed_conv": [image, late, flatten, final],
        "warned_delayed_rec": [RecurrentLayer(own, _neuron(), None, np.arange(10)), dense(last)],
        "warned_flatten": [dense(first), FlattenLayer(10), dense(last)],
        "warned_average": [dense(first), AverageLayer(10, 5)],
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
        peers = {"netx": _run_netx}
        if path.stem in AUTO:
            peers["slayer.auto"] = _run_auto
        for peer, run in peers.items():
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    _report(f"{path.stem} in {peer}", output_TN, run(path, input_TN))
                except Exception as error:  # noqa: BLE001  (whatever the peer raises is printed)
                    print(f"{path.stem} in {peer}: {type(error).__name__}: {error}")
            for each in caught:
                if issubclass(each.category, (UserWarning, RuntimeWarning)):
                    print(f"    warns: {each.message}")


def _run_netx(path: Path, input_TN: np.ndarray) -> np.ndarray:
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    is_graded = path.stem.startswith("sdnn")
    steps = STEPS + MAX_SHIFT
    pads = [(0, MAX_SHIFT), *[(0, 0)] * (input_TN.ndim - 1)]
    padded_TN = np.pad(input_TN * (4096 if is_graded else 1), pads)
    net = netx.hdf5.Network(str(path), input_message_bits=16 if is_graded else 0)
    sink = Sink(shape=net.out.shape, buffer=steps)
    if hasattr(net.in_layer, "transform"):  # input neurons, which have their image as a bias
        weight, bias = net.in_layer.transform["weight"], net.in_layer.transform["bias"]
        net.in_layer.neuron.bias_mant.init = (input_TN[0].T * weight + bias).astype(np.int32)
    else:
        source = Source(data=padded_TN.T.astype(np.int32))
        source.s_out.connect(net.inp)
    net.out.connect(sink.a_in)
    voltages = None
    if path.stem == "cuba_readout":
        from lava.proc.monitor.process import Monitor

        voltages = Monitor()
        voltages.probe(net.out_layer.neuron.v, steps)
    net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    output_TN = sink.data.get().T.reshape(steps, -1).astype(np.float64)
    if voltages is not None:
        output_TN = voltages.get_data()[net.out_layer.neuron.name]["v"] / 4096
    net.stop()
    if path.stem == "sdnn_sum":
        output_TN = np.floor(output_TN / 64)
    return output_TN / (4096 if is_graded else 1)


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
    total, largest = np.count_nonzero(expected_TN), differences[shift].max()
    print(f"{name}: {counts[shift]} of {total} outputs differ, by {largest:g}; shift {shift}")


if __name__ == "__main__":
    {"write": write, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
