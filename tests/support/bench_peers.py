"""Made-up programs to be measured: packages in a folder, or a script in an interpreter's place."""

from __future__ import annotations

import json
import sys
from pathlib import Path

SNNTORCH = """
import torch

print("a banner that a program prints when it is loaded")

class Synaptic(torch.nn.Module):
    def __init__(self, alpha, beta, threshold):
        super().__init__()
        self.alpha, self.beta, self.threshold = alpha, beta, threshold

    def forward(self, z, current, voltage):
        current = self.alpha * current + z
        voltage = self.beta * voltage + current
        spikes = (voltage > self.threshold).float() + voltage - voltage.detach()
        return spikes, current, voltage
"""
"""Integrates as the real one does, without a reset, and with a gradient of one."""

BROKEN = 'raise OSError("libspike.so.3: cannot open shared object file")'

SLAYER = """
import torch
from types import SimpleNamespace

class Dense(torch.nn.Module):
    def __init__(self, neuron, inputs, outputs, weight_norm, delay):
        super().__init__()
        self.synapse = torch.nn.Conv3d(inputs, outputs, 1, bias=False)

    def forward(self, spikes):
        return self.synapse(spikes[..., None, None])[..., 0, 0].sigmoid()

class SpikeTime:
    def __init__(self, **settings):
        assert settings == {
            "time_constant": 2.0, "length": 100, "filter_order": 2, "reduction": "sum"
        }

    def to(self, device):
        return self

    def __call__(self, output, target):
        return ((output - target) ** 2).sum()

block = SimpleNamespace(cuba=SimpleNamespace(Dense=Dense))
loss = SimpleNamespace(SpikeTime=SpikeTime)
"""
"""[batch, neurons, steps], weights [outputs, inputs, 1, 1, 1] as slayer has them, no neurons."""


def package(folder: Path, name: str, text: str) -> None:
    """A package ``name``, with dots, in ``folder``."""
    place = folder.joinpath(*name.split("."))
    place.mkdir(parents=True)
    for each in [place, *place.parents]:
        if each == folder:
            break
        (each / "__init__.py").touch()
    (place / "__init__.py").write_text(text, encoding="utf-8")


RESULT = json.dumps({
    "status": "done", "what": "a fake layer", "versions": {"python": "3.11"},
    "device": "cpu", "threads": 1, "seconds": [0.25, 0.5, 0.75], "spike_rate": 0.04,
    "peak_bytes": 4000, "path": "events",
})  # fmt: skip
"""The result of a measurement that takes 500 ms."""


def interpreter(path: Path, answer: str) -> Path:
    """A program in an interpreter's place that prints ``answer`` for each work, unmeasured."""
    code = f"import sys\nfor work in sys.argv[3:]:\n    print({answer!r})\n"
    path.write_text(f"#!{sys.executable}\n{code}", encoding="utf-8")
    path.chmod(0o755)
    return path
