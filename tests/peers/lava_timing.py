"""Compares the spikes of networks with biases on Lava with our integer run in Lava's timing.

Run it by hand, in two steps, because netdesc and lava-dl need different environments::

    python tests/peers/lava_timing.py write FOLDER      # with netdesc
    python tests/peers/lava_timing.py compare FOLDER    # with lava-dl 0.6.0, Python 3.10

On Lava biases act before the input arrives, and a reset reaches each layer a step later. Networks
are chains of dense layers (some recurrent, or with delays), of convolutions, behind input neurons,
and of sigma-delta neurons, with random sizes, decays, thresholds and biases. Half of those without
sigma-delta neurons reset their states. All outputs must be equal, and were with lava-nc 0.10.0. The
second column says how many differ in the timing of training, so that one sees that it matters.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

STEPS, CHAINS, DELAYED, CONVOLUTIONS, INPUT_NEURONS, SIGMA_DELTA = 60, 20, 6, 6, 8, 6


class Case(NamedTuple):
    layers: list
    input_shape: tuple[int, ...]
    shift: int = 0
    """Steps by which Lava is later: behind layers without axonal step, one for each."""
    resets: dict[str, int] | None = None


def write(folder: Path) -> None:
    """Writes the files, their inputs, and what our integer run gives in both timings."""
    import netdesc
    from netdesc.exchange import NetFile, write_net

    folder.mkdir(parents=True, exist_ok=True)
    for name, case in _cases():
        random = np.random.default_rng(len(name))
        shape = STEPS, *case.input_shape
        input_TN = (random.random(shape) < 0.3).astype(np.float64)
        if name.startswith("sdnn"):
            input_TN = random.integers(-900, 1000, shape) / 4096
        if name.startswith("input"):
            image = random.integers(-4, 40, case.input_shape) / 32
            input_TN = np.broadcast_to(image, shape)
        path = folder / f"{name}.net"
        write_net(path, NetFile(tuple(case.layers)))
        resets = case.resets or {}
        options = {f"reset_{key}": value for key, value in resets.items()}
        found = {
            timing: netdesc.run_integer(path, input_TN, timing=timing, **options)
            for timing in ("lava", "training")
        }
        np.savez(
            path.with_suffix(".npz"),
            input_TN=input_TN,
            shift=case.shift,
            resets=[resets.get(key, 0) for key in ("interval", "offset")],
            **found,
        )
        print(f"{name}: {np.count_nonzero(found['lava'])} outputs that are not 0")


def _cases() -> Iterator[tuple[str, Case]]:
    from netdesc.exchange import DenseLayer, FlattenLayer, KernelLayer, RecurrentLayer
    from netdesc.exchange.net_neurons import NetNeuron
    from netdesc.exchange.net_synapses import InputNeurons

    random = np.random.default_rng(3)

    def cuba(channels: int, changes: dict[str, np.int32] | None = None) -> NetNeuron:
        own = (channels,) if channels > 1 and random.random() < 0.5 else ()
        numbers = {
            "iDecay": random.integers(1, 4097, own),
            "vDecay": random.integers(0, 1000, own),
            "vThMant": random.integers(60, 200, ()),
        }
        integers = {key: np.int32(value) for key, value in numbers.items()}
        return NetNeuron("CUBA", integers | (changes or {}))

    def weights(*shape: int) -> np.ndarray:
        return 2 * random.integers(-20, 30, shape)

    def biases(channels: int) -> np.ndarray:
        return random.integers(-20, 40, channels)

    def dense(inputs: int, count: int, kinds: str) -> list:
        layers = []
        for _ in range(count):
            outputs = int(random.integers(4, 12))
            rest: list[Any] = [cuba(outputs), biases(outputs)]
            kind = kinds[random.integers(len(kinds))]
            own = (weights(outputs, outputs),) if kind == "r" else ()
            if kind == "d":
                rest.append(random.integers(0, 8, outputs))
            made = RecurrentLayer if kind == "r" else DenseLayer
            layers.append(made((weights(outputs, inputs), *own), *rest))
            inputs = outputs
        return layers

    def convolutions(shape: tuple[int, int, int], count: int) -> list:
        layers = []
        for _ in range(count):
            channels, size = int(random.integers(2, 5)), shape[1] - 2
            target = channels, size, size
            layers.append(
                KernelLayer(
                    (weights(channels, shape[0], 3, 3),), cuba(channels), biases(channels),
                    kind="conv", input_shape=shape, output_shape=target,
                )
            )  # fmt: skip
            shape = target
        size = int(np.prod(shape))
        return [*layers, FlattenLayer(size), *dense(size, 1, " ")]

    def resets(seed: int) -> dict[str, int]:
        return {"interval": 12 + seed, "offset": seed % 4} if seed % 2 else {}

    for seed in range(CHAINS):
        yield f"dense{seed}", Case(dense(10, 1 + seed % 4, "  r"), (10,), resets=resets(seed))
    for seed in range(DELAYED):
        yield f"delay{seed}", Case(dense(10, 1 + seed % 3, "d"), (10,), resets=resets(seed))
    for seed in range(CONVOLUTIONS):
        shape = 2, 8, 8
        yield f"conv{seed}", Case(convolutions(shape, 1 + seed % 2), shape, resets=resets(seed))
    for seed in range(INPUT_NEURONS):
        shape = (1, 8, 8) if seed % 4 > 1 else (10,)
        # What arrives at input neurons acts on their current in training, and on their voltage on
        # Lava. With a current decay of 1 these are equal.
        neuron = cuba(1, {"iDecay": np.int32(4096)})
        inputs = InputNeurons((np.array([64]), 2 * biases(1)), neuron, input_shape=shape)
        behind = convolutions(shape, 1) if len(shape) > 1 else dense(10, 1 + seed // 4, " r")
        yield f"input{seed}", Case([inputs, *behind], shape, resets=resets(seed))
    for seed in range(SIGMA_DELTA):
        layers, inputs = [], 10
        for _ in range(1 + seed % 3):
            outputs = int(random.integers(4, 12))
            neuron = NetNeuron("SDNN", {"vThMant": np.int32(random.integers(0, 12))}, "relu")
            layers.append(DenseLayer((weights(outputs, inputs),), neuron, biases(outputs)))
            inputs = outputs
        yield f"sdnn{seed}", Case(layers, (10,), len(layers))


def compare(folder: Path) -> None:
    """Runs the files on Lava, and prints the differences."""
    unequal, networks = 0, sorted(folder.glob("*.net"))
    for path in networks:
        arrays = np.load(path.with_suffix(".npz"))
        found_TN = _run_netx(path, arrays)
        differ = {
            timing: np.count_nonzero(arrays[timing].reshape(found_TN.shape) != found_TN)
            for timing in ("lava", "training")
        }
        unequal += bool(differ["lava"])
        total, (interval, offset) = np.count_nonzero(found_TN), arrays["resets"]
        print(
            f"{path.stem}: {differ['lava']} of {total} outputs differ; {differ['training']} do in "
            f"the timing of training; reset interval {interval}, offset {offset}",
            flush=True,
        )
    print(f"{len(networks) - unequal} of {len(networks)} networks are equal to Lava")


def _run_netx(path: Path, arrays: Any) -> np.ndarray:
    from lava.lib.dl import netx
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.io.sink import RingBuffer as Sink
    from lava.proc.io.source import RingBuffer as Source

    is_graded, shift = path.stem.startswith("sdnn"), int(arrays["shift"])
    input_TN, (interval, offset) = arrays["input_TN"], arrays["resets"].tolist()
    more = {"reset_interval": interval, "reset_offset": offset} if interval else {}
    bits = 16 if is_graded else 0
    shape = {"input_shape": input_TN.shape[:0:-1]} if input_TN.ndim > 2 else {}
    net = netx.hdf5.Network(str(path), input_message_bits=bits, **more, **shape)
    steps = len(input_TN) + shift
    if path.stem.startswith("input"):  # Lava's input neurons have the image as their bias
        biases = 64 * input_TN[0] + net.in_layer.transform["bias"]
        net.in_layer.neuron.bias_mant.init = biases.T.astype(np.int32)
    else:
        padded_TN = np.pad(input_TN, [(0, shift), *[(0, 0)] * (input_TN.ndim - 1)])
        source = Source(data=(padded_TN * (4096 if is_graded else 1)).T.astype(np.int32))
        source.s_out.connect(net.inp)
    sink = Sink(shape=net.out.shape, buffer=steps)
    net.out.connect(sink.a_in)
    net.run(condition=RunSteps(num_steps=steps), run_cfg=Loihi2SimCfg(select_tag="fixed_pt"))
    output_TN = sink.data.get().T.astype(np.float64)
    net.stop()
    return output_TN[shift:] / (4096 if is_graded else 1)


if __name__ == "__main__":
    {"write": write, "compare": compare}[sys.argv[1]](Path(sys.argv[2]))
