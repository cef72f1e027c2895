"""Compares networks of snnTorch, SpikingJelly and Norse with their imports: spikes that differ.

Two environments take part, because the tools and netdesc want different packages:

    PEERS/bin/python tests/peers/nir_import.py write FOLDER     (snntorch, spikingjelly, norse, nir)
    python tests/peers/nir_import.py compare FOLDER             (netdesc)
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

INPUTS, HIDDEN, OUTPUTS, STEPS = 40, 50, 30, 200
OPTIONS = {"default": "subtract_delayed", "soft": "subtract"}
"""Part of a network's name -> the reset that its import needs."""


def train(net: nn.Module, run: Callable[[torch.Tensor], torch.Tensor], input_TN: Any) -> None:
    """Trains 15 steps towards a rate of 5%, so that weights are no longer those of a random one."""
    optimizer = torch.optim.Adam(net.parameters(), 0.01)
    for _ in range(15):
        optimizer.zero_grad()
        loss = (run(input_TN).mean(0) - 0.05).square().sum()
        loss.backward()
        optimizer.step()


def write_snntorch(folder: Path, input_TN: torch.Tensor) -> None:
    import nir
    import snntorch as snn
    from snntorch.export_nir import export_to_nir

    def leaky(n: int, **more: Any) -> nn.Module:
        beta, threshold = more.pop("beta", torch.full((n,), 0.9)), torch.full((n,), 1.0)
        return snn.Leaky(beta=beta[:n], threshold=threshold, init_hidden=True, **more)

    def synaptic(n: int, **more: Any) -> nn.Module:
        decays = {"alpha": torch.full((n,), 0.8), "beta": torch.full((n,), 0.9)}
        return snn.Synaptic(**decays, threshold=torch.ones(n), init_hidden=True, **more)

    spread = torch.linspace(0.5, 0.95, HIDDEN)
    kinds: dict[str, tuple[Any, dict[str, Any]]] = {
        "zero": (leaky, {"reset_mechanism": "zero", "reset_delay": True}),
        "zero_at_once": (leaky, {"reset_mechanism": "zero", "reset_delay": False}),
        "zero_per_neuron": (leaky, {"reset_mechanism": "zero", "beta": spread}),
        "default": (leaky, {}),
        "soft": (leaky, {"reset_mechanism": "subtract", "reset_delay": False}),
        "synaptic_zero": (synaptic, {"reset_mechanism": "zero", "reset_delay": False}),
        "synaptic_default": (synaptic, {}),
    }
    for name, (make, more) in kinds.items():
        torch.manual_seed(0)
        layers = nn.Linear(INPUTS, HIDDEN, bias=False), nn.Linear(HIDDEN, OUTPUTS, bias=False)
        net = nn.Sequential(layers[0], make(HIDDEN, **more), layers[1], make(OUTPUTS, **more))
        for layer in layers:
            layer.weight.data *= 4

        def run(input_TN: torch.Tensor, net: nn.Sequential = net) -> torch.Tensor:
            for layer in (net[1], net[3]):
                layer.reset_mem()
            return torch.stack([net(values[None])[0] for values in input_TN])

        train(net, run, input_TN)
        output_TN = run(input_TN).detach().numpy()
        nir.write(folder / f"snntorch_{name}.nir", export_to_nir(net, input_TN[0]))
        np.save(folder / f"snntorch_{name}.npy", output_TN)


def write_spikingjelly(folder: Path, input_TN: torch.Tensor) -> None:
    from spikingjelly.activation_based import functional, neuron
    from spikingjelly.activation_based.nir_exchange import export_to_nir

    more = {"v_threshold": 0.5}
    kinds: dict[str, Callable[[], nn.Module]] = {
        "lif": lambda: neuron.LIFNode(tau=4.0, decay_input=False, v_reset=0.0, **more),
        "decay_input": lambda: neuron.LIFNode(tau=4.0, decay_input=True, v_reset=0.0, **more),
        "v_reset": lambda: neuron.LIFNode(tau=4.0, decay_input=False, v_reset=-0.2, **more),
        "plif": lambda: neuron.ParametricLIFNode(init_tau=4.0, decay_input=False, **more),
        "if": lambda: neuron.IFNode(v_reset=0.0, **more),
        "cuba": lambda: neuron.CUBALIFNode(c_decay=0.8, v_decay=0.9, v_reset=0.0, **more),
    }
    for name, make in kinds.items():
        torch.manual_seed(0)
        layers = nn.Linear(INPUTS, HIDDEN, bias=False), nn.Linear(HIDDEN, OUTPUTS, bias=False)
        net = nn.Sequential(layers[0], make(), layers[1], make())
        functional.set_step_mode(net, "m")
        for layer in layers:
            layer.weight.data *= 4

        def run(input_TN: torch.Tensor, net: nn.Sequential = net) -> torch.Tensor:
            functional.reset_net(net)
            return net(input_TN[:, None])[:, 0]

        train(net, run, input_TN)
        output_TN = run(input_TN).detach().numpy()
        functional.reset_net(net)
        export_to_nir(net, input_TN[:, None], folder / f"spikingjelly_{name}.nir")
        np.save(folder / f"spikingjelly_{name}.npy", output_TN)


def write_norse(folder: Path, input_TN: torch.Tensor) -> None:
    import nir
    import norse.torch as norse
    from norse.torch.functional.iaf import IAFParameters
    from norse.torch.utils.export_nir import to_nir

    torch.manual_seed(0)
    layers = nn.Linear(INPUTS, HIDDEN), nn.Linear(HIDDEN, OUTPUTS)
    cells = [norse.IAFCell(IAFParameters(v_th=torch.ones(n))) for n in (HIDDEN, OUTPUTS)]
    net = norse.SequentialState(layers[0], cells[0], layers[1], cells[1])
    state, rows = None, []
    for values in input_TN:
        output, state = net(values[None], state)
        rows.append(output[0].detach())
    nir.write(folder / "norse_iaf.nir", to_nir(net, input_TN[:1]))
    np.save(folder / "norse_iaf.npy", torch.stack(rows).numpy())


def compare(folder: Path) -> None:
    """Prints a row for each network: the spikes, and how many differ after the import."""
    import netdesc
    from netdesc.exchange.formats import read_network

    input_TBN = torch.from_numpy(np.load(folder / "input.npy")[:, None])
    print(f"{'network':30} spikes  float  8 bits")
    for path in sorted(folder.glob("*.nir")):
        wanted_TN = np.load(path.with_suffix(".npy")) > 0
        reset = next((each for key, each in OPTIONS.items() if key in path.stem), None)
        counts = []
        for bits in ("float", 8):
            model = netdesc.compile(read_network(path, bits=bits, reset=reset)).model
            output_TN = model(input_TBN)[:, 0].detach().numpy() > 0
            counts.append(int((output_TN != wanted_TN).sum()))
        print(f"{path.stem:30} {int(wanted_TN.sum()):6} {counts[0]:6} {counts[1]:7}")


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    if sys.argv[1] == "write":
        folder.mkdir(parents=True, exist_ok=True)
        torch.manual_seed(1)
        input_TN = (torch.rand(STEPS, INPUTS) < 0.1).float()
        np.save(folder / "input.npy", input_TN.numpy())
        for write in (write_snntorch, write_spikingjelly, write_norse):
            write(folder, input_TN)
    else:
        compare(folder)
