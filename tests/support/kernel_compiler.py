"""Compiles the kernels that most tests need: those of CUBA neurons, and of all losses."""

from pathlib import Path

import torch

import netdesc

EXAMPLES = Path(__file__).parents[2] / "examples"

if __name__ == "__main__":
    for name in ("oxford_slayer", "digits", "digits_conv"):
        compiled = netdesc.compile(EXAMPLES / f"{name}.json")
        shape = compiled.graph.steps, 2, *compiled.graph.input_shape
        for density in (0.05, 0.9):  # from events, and as products
            output = compiled.model((torch.rand(shape) < density).float())
            output.sum().backward()
        if name == "oxford_slayer":
            compiled.loss(output, torch.zeros_like(output)).detach()
