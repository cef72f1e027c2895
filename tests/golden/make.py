"""Writes the golden arrays: the spikes, voltages and gradients of two layers, by the oracle.

Run ``python tests/golden/make.py`` after a change of the oracle, and explain each difference.
"""

import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from support import cuba_oracle

FILE = Path(__file__).with_name("two_layers.npz")

STEPS, BATCH, SIZES = 60, 2, (12, 20, 8)
THRESHOLDS = (0.4, 0.3)
TAU_GRADS, SCALE_GRADS = (0.05, 1.0), (1.0, 0.7)
TIME_CONSTANT, ORDER, LENGTH = 3.0, 2, 25


def make_arrays() -> dict[str, np.ndarray]:
    """Inputs, spikes, voltages (in 1/4096), the loss, and gradients in double precision."""
    rng = np.random.default_rng(2024)
    arrays: dict[str, np.ndarray] = {
        "input": (rng.random((STEPS, BATCH, SIZES[0])) < 0.09).astype(np.float32),
        "target": (rng.random((STEPS, BATCH, SIZES[2])) < 0.1).astype(np.float32),
    }
    signal = torch.from_numpy(arrays["input"].astype(np.float64))
    learnt: dict[str, torch.Tensor] = {}
    for layer in (0, 1):
        inputs, units = SIZES[layer : layer + 2]
        parameters = {
            f"weight_{layer}": rng.normal(0, 0.4, (units, inputs)),
            f"current_decay_{layer}": rng.random(units if layer else ()) * 0.8,
            f"voltage_decay_{layer}": rng.random(units if layer else ()) * 0.4,
        }
        for name, value in parameters.items():
            arrays[name] = np.asarray(value, np.float32)
            learnt[name] = torch.from_numpy(arrays[name].astype(np.float64)).requires_grad_()
        weight, *decays = learnt.values() if layer == 0 else list(learnt.values())[3:]
        integers = cuba_oracle.integer_weight(arrays[f"weight_{layer}"])
        synaptic_input = 64 * (signal.detach().numpy().astype(np.int64) @ integers.T)
        exact = cuba_oracle.run(
            synaptic_input, *(decay.detach().numpy() for decay in decays), THRESHOLDS[layer]
        )
        arrays[f"spikes_{layer}"], arrays[f"voltage_{layer}"] = exact.out, exact.v.astype(np.int32)
        signal = cuba_oracle.differentiable_run(
            signal @ cuba_oracle.differentiable_weight(weight).T,
            exact,
            *(decay.expand(units) for decay in decays),
            THRESHOLDS[layer],
            TAU_GRADS[layer],
            SCALE_GRADS[layer],
            delay=True,
        ).out
    loss = _loss(signal, torch.from_numpy(arrays["target"].astype(np.float64)))
    loss.backward()
    arrays["loss"] = loss.detach().numpy()
    for name, tensor in learnt.items():
        arrays[f"grad_{name}"] = tensor.grad.numpy()
    return arrays


def _loss(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    exponential = np.exp(-np.arange(LENGTH) / TIME_CONSTANT)
    h = np.convolve(exponential, exponential)[:LENGTH]
    padded = torch.cat([torch.zeros(LENGTH - 1, *output.shape[1:]), output - target])
    filtered = sum(h[n] * padded[LENGTH - 1 - n : LENGTH - 1 - n + STEPS] for n in range(LENGTH))
    assert isinstance(filtered, torch.Tensor)
    return (filtered**2).sum()


if __name__ == "__main__":
    np.savez_compressed(FILE, **make_arrays())
    print(f"{FILE}: {FILE.stat().st_size} bytes")
