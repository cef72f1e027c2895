"""Times one layer of CUBA neurons, or slayer's Oxford task, in one program.

Run it once for each program, each with the Python in which the program is installed::

    python tests/peers/speed/programs.py layer netdesc
    PYTHON tests/peers/speed/programs.py layer lava-dl|snntorch|spikingjelly|norse|spyx
    python -m netdesc bench                              # netdesc's epoch of Oxford
    PYTHON tests/peers/speed/programs.py oxford lava-dl
    PYTHON tests/peers/speed/programs.py image netdesc|snntorch

It prints the median, tenth and ninetieth percentile in milliseconds. The layer has 512 inputs that
spike in 5% of 500 steps, 512 neurons and 16 samples. All programs get the same spikes and weights
and use their most similar neuron: a few per cent of the neurons spike in a step. Timed are the
forward pass and the backward pass from a given gradient of the output to the gradient of the
weights. An epoch of Oxford is forward pass, loss, backward pass and optimizer. The images are 128
of 784 grey values, which are the input in each of 25 steps, so that no sparse spikes save work.
They pass 1,000 and 10 leaky neurons, as in snnTorch's tutorial on fully connected networks.
"""

# pyright: reportMissingImports=false

import itertools
import math
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

INPUTS, NEURONS, STEPS, BATCH, RATE = 512, 512, 500, 16, 0.05
THRESHOLD, CURRENT_DECAY, VOLTAGE_DECAY = 4.0, 0.25, 0.1
REPEATS, WARM_UP = 20, 2
DATA = Path(__file__).parents[3] / "data" / "oxford"

rng = np.random.default_rng(0)
BOUND = 0.9 / math.sqrt(INPUTS * RATE)
WEIGHT_OI = rng.uniform(-BOUND, BOUND, (NEURONS, INPUTS)).astype(np.float32)
INPUT_TBI = (rng.random((STEPS, BATCH, INPUTS), np.float32) < RATE).astype(np.float32)
UPSTREAM_TBN = np.broadcast_to(
    rng.standard_normal(NEURONS).astype(np.float32), (STEPS, BATCH, NEURONS)
).copy()


def torch_step(forward: Callable, parameters: Callable, axes: tuple[int, ...] = (0, 1, 2)):
    """Returns a pass of a torch program whose tensors have ``axes`` of [steps, batch, neurons]."""
    import torch

    spikes, upstream = (
        torch.from_numpy(array.transpose(axes).copy()) for array in (INPUT_TBI, UPSTREAM_TBN)
    )

    def step() -> None:
        for parameter in parameters():
            parameter.grad = None
        forward(spikes).backward(upstream)

    return step


def linear():
    import torch

    synapse = torch.nn.Linear(INPUTS, NEURONS, bias=False)
    synapse.weight.data = torch.from_numpy(WEIGHT_OI.copy())
    return synapse


def netdesc_layer() -> Callable[[], object]:
    import torch

    import netdesc

    neuron = {"type": "cuba", "threshold": THRESHOLD}
    neuron |= {"current_decay": CURRENT_DECAY, "voltage_decay": VOLTAGE_DECAY}
    document = {
        "format": 1,
        "name": "layer",
        "time": {"steps": STEPS},
        "input": {"shape": [INPUTS]},
        "layers": [{"name": "layer", "type": "dense", "units": NEURONS, "neuron": neuron}],
        "loss": {"type": "spike_time", "time_constant_ms": 2.0},
        "training": {"epochs": 1, "optimizer": {"type": "adam", "learning_rate": 0.001}},
    }
    model = netdesc.compile(document).model
    with torch.no_grad():
        dict(model.named_parameters())["layers.layer.synapse.weight"].copy_(
            torch.from_numpy(WEIGHT_OI)
        )
    return torch_step(model, model.parameters)


def lava_layer() -> Callable[[], object]:
    import torch
    from lava.lib.dl import slayer

    neuron = {"threshold": THRESHOLD}
    neuron |= {"current_decay": CURRENT_DECAY, "voltage_decay": VOLTAGE_DECAY}
    block = slayer.block.cuba.Dense(neuron, INPUTS, NEURONS, weight_norm=False, delay=False)
    block.synapse.weight.data = torch.from_numpy(WEIGHT_OI.reshape(NEURONS, INPUTS, 1, 1, 1))
    return torch_step(block, lambda: [block.synapse.weight], axes=(1, 2, 0))


def snntorch_layer() -> Callable[[], object]:
    """Users call ``Synaptic`` in a loop of their own. The product is computed before the loop."""
    import snntorch
    import torch

    synapse, neurons = (
        linear(),
        snntorch.Synaptic(alpha=1 - CURRENT_DECAY, beta=1 - VOLTAGE_DECAY, threshold=THRESHOLD),
    )

    def forward(spikes_TBI):
        z_TBN, out = synapse(spikes_TBI), []
        states = [torch.zeros_like(z_TBN[0])] * 2
        for z_BN in z_TBN:
            spikes_BN, *states = neurons(z_BN, *states)
            out.append(spikes_BN)
        return torch.stack(out)

    return torch_step(forward, synapse.parameters)


def spikingjelly_layer() -> Callable[[], object]:
    from spikingjelly.activation_based import functional, neuron

    synapse = linear()
    neurons = neuron.CUBALIFNode(
        c_decay=1 - CURRENT_DECAY, v_decay=1 - VOLTAGE_DECAY, v_threshold=THRESHOLD
    )
    neurons.step_mode = "m"

    def forward(spikes_TBI):
        functional.reset_net(neurons)  # the state outlives a pass
        return neurons(synapse(spikes_TBI))

    return torch_step(forward, synapse.parameters)


def norse_layer() -> Callable[[], object]:
    """Norse's voltage is the others' times the voltage decay, and so is its threshold."""
    import norse.torch as norse
    import torch

    numbers = {
        "tau_syn_inv": CURRENT_DECAY * 1000,
        "tau_mem_inv": VOLTAGE_DECAY * 1000,
        "v_th": THRESHOLD * VOLTAGE_DECAY,
        "v_leak": 0.0,
        "v_reset": 0.0,
        "alpha": 100.0,
    }
    parameters = norse.LIFParameters(**{name: torch.tensor(x) for name, x in numbers.items()})
    synapse, neurons = linear(), norse.LIF(parameters, dt=0.001)
    return torch_step(lambda spikes: neurons(synapse(spikes))[0], synapse.parameters)


def spyx_layer() -> Callable[[], object]:
    """Forward and backward pass are one ``jax.jit``, which is compiled before it is timed."""
    import jax
    import spyx.nn
    from flax import nnx

    neurons = spyx.nn.CuBaLIF(
        (NEURONS,),
        alpha=1 - CURRENT_DECAY,
        beta=1 - VOLTAGE_DECAY,
        threshold=THRESHOLD,
        rngs=nnx.Rngs(0),
    )

    def gradient(weight, spikes, upstream):
        return jax.vjp(lambda w: spyx.nn.run(neurons, spikes @ w)[0], weight)[1](upstream)

    arguments = tuple(map(jax.device_put, (WEIGHT_OI.T.copy(), INPUT_TBI, UPSTREAM_TBN)))
    step = jax.jit(gradient).lower(*arguments).compile()
    return lambda: jax.block_until_ready(step(*arguments))


IMAGE_LAYERS, IMAGE_STEPS, IMAGES = (784, 1000, 10), 25, 128
BETA = 0.95


def image_step(forward: Callable, parameters: Callable) -> Callable[[], object]:
    """Returns a pass of ``forward(images_BI)``, which returns spikes [steps, batch, 10]."""
    import torch

    images_BI = torch.rand(IMAGES, IMAGE_LAYERS[0], generator=torch.Generator().manual_seed(0))
    upstream_N = torch.linspace(-1, 1, IMAGE_LAYERS[-1])

    def step() -> None:
        for parameter in parameters():
            parameter.grad = None
        spikes_TBN = forward(images_BI)
        spikes_TBN.backward(upstream_N.expand_as(spikes_TBN).contiguous())

    return step


def netdesc_image() -> Callable[[], object]:
    import netdesc

    lif = {"type": "lif", "threshold": 1.0, "voltage_decay": 1 - BETA, "reset": "subtract_delayed"}
    dense = {"type": "dense", "neuron": lif, "axonal_delay_step": False, "quantization": None}
    document = {
        "format": 1,
        "name": "image",
        "time": {"steps": IMAGE_STEPS},
        "input": {"shape": [IMAGE_LAYERS[0]]},
        "layers": [
            {**dense, "name": f"layer{number}", "units": units, "weight_scale": 1.0}
            for number, units in enumerate(IMAGE_LAYERS[1:])
        ],
        "loss": {"type": "spike_rate"},
        "training": {"epochs": 1},
    }
    model = netdesc.compile(document).model
    return image_step(lambda x: model(x.expand(IMAGE_STEPS, *x.shape)), model.parameters)


def snntorch_image() -> Callable[[], object]:
    import snntorch
    import torch

    sizes = itertools.pairwise(IMAGE_LAYERS)
    synapses = torch.nn.ModuleList(torch.nn.Linear(*size, bias=False) for size in sizes)
    neurons = [snntorch.Leaky(beta=BETA) for _ in synapses]

    def forward(images_BI):
        states, out = [layer.init_leaky() for layer in neurons], []
        for _ in range(IMAGE_STEPS):
            signal = images_BI
            for number, (synapse, layer) in enumerate(zip(synapses, neurons, strict=True)):
                signal, states[number] = layer(synapse(signal), states[number])
            out.append(signal)
        return torch.stack(out)

    return image_step(forward, synapses.parameters)


def lava_oxford() -> Callable[[], object]:
    """slayer's tutorial, with its own initial weights."""
    import torch
    from lava.lib.dl import slayer

    neuron = {"threshold": 0.1, "current_decay": 1, "voltage_decay": 0.1, "requires_grad": True}
    network = torch.nn.Sequential(
        slayer.block.cuba.Dense(neuron, 200, 256), slayer.block.cuba.Dense(neuron, 256, 200)
    )
    spikes, target = (
        slayer.io.read_1d_spikes(str(DATA / name)).fill_tensor(torch.zeros(1, 1, 200, 2000))
        for name in ("input.bs1", "target.bs1")
    )
    spikes, target = spikes.reshape(1, 200, -1), target.reshape(1, 200, -1)
    loss_of = slayer.loss.SpikeTime(time_constant=2, length=100, filter_order=2, reduction="sum")
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, weight_decay=1e-5)

    def epoch() -> None:
        loss = loss_of(network(spikes), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return epoch


TASKS = {
    ("layer", "netdesc"): netdesc_layer,
    ("layer", "lava-dl"): lava_layer,
    ("layer", "snntorch"): snntorch_layer,
    ("layer", "spikingjelly"): spikingjelly_layer,
    ("layer", "norse"): norse_layer,
    ("layer", "spyx"): spyx_layer,
    ("oxford", "lava-dl"): lava_oxford,
    ("image", "netdesc"): netdesc_image,
    ("image", "snntorch"): snntorch_image,
}


def main(task: str, program: str) -> None:
    step, seconds = TASKS[task, program](), list[float]()
    for _ in range(WARM_UP + REPEATS):
        start = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - start)
    low, median, high = np.percentile(seconds[WARM_UP:], [10, 50, 90]) * 1000
    print(f"{program}, {task}: {median:.2f} ms ({low:.2f} to {high:.2f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
