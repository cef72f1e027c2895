"""Compiles the CPU kernels, so that tests which run side by side find them compiled.

Run as ``python warm_kernels.py PART`` for each of ``PARTS``, at once: the parts share few kernels.
"""

from __future__ import annotations

import os
import sys

import torch
from support.modules_samples import dense, network, neuron, spikes

from netdesc.kernels import operators

STEPS, BATCH, INPUTS = 40, 2, 10


def run_segments() -> None:
    """Layers with weights on the grid, by events and by the matrix product."""
    learnt = neuron(learn=["current_decay"], per_channel=True)
    model = network(dense("a", 40), dense("b", 8, neuron=learnt)).train()
    for density in (0.05, 0.9):
        input_TBI = spikes(STEPS, BATCH, INPUTS, density=density).requires_grad_()
        model(input_TBI).sum().backward()


def run_layers_and_losses() -> None:
    """Layers that are computed alone, and the losses."""
    for more in ({"norm": "mean"}, {"dropout": 0.1}):
        model = network(dense("a", 8, quantization=None, neuron=neuron(**more))).train()
        for density in (0.05, 0.9):
            model(spikes(STEPS, BATCH, INPUTS, density=density)).sum().backward()
    output_TBN = spikes(STEPS, BATCH, 5).requires_grad_()
    target_TBN = torch.zeros_like(output_TBN)
    for order, length in ((2, 10), (2, 100)):
        loss, _ = operators.spike_time(output_TBN, target_TBN, 0.6, order, length)
        loss.backward()
    labels_TB = torch.zeros(STEPS, BATCH, dtype=torch.int64)
    for costs in ("squares", "softmax"):
        operators.window_loss(output_TBN, labels_TB, 5, costs, 0.9, 0.1).backward()
    operators.window_classes(output_TBN.detach(), 5)


PARTS = {"segments": run_segments, "layers": run_layers_and_losses}

if __name__ == "__main__":
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    PARTS[sys.argv[1]]()
